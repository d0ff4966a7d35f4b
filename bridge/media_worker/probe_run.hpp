#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "bridge/media_worker/settings.hpp"
#include "bridge/probe/media_types.hpp"
#include "bridge/probe/verdict.hpp"

namespace nexus::media_worker {

/// How a probe ended.
struct ProbeRun {
  enum class Kind {
    kVerdict,  ///< also of a probe that crashed or used more than it may: that is the file's fault
    kFailed,   ///< nothing was learnt of the file: the probe could not run, or was killed from outside
    kStopped,  ///< nobody waits for it any more
  } kind = Kind::kFailed;
  probe::Verdict verdict;
  std::string thumbnail;     ///< a JPEG, or empty
  std::string message;       ///< of a failure
  std::int64_t max_rss = 0;  ///< bytes of memory, at its peak
  std::chrono::milliseconds took{0};
};

/// Runs a probe on an open file, which has `size` bytes, in a process of its own with an empty environment. Kills it
/// when it takes too long, or when `stop` says that nobody waits for it.
ProbeRun run_probe(const ProbeSettings &settings, const probe::Claim &claim, int fd, std::int64_t size,
                   const std::function<bool()> &stop);

/// What the end of a probe's process means: `status` as of wait(), and what it has printed.
ProbeRun read_end(int status, const std::string &output, const std::string &errors);

}  // namespace nexus::media_worker
