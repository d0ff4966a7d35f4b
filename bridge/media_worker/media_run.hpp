#pragma once

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "bridge/media/store.hpp"
#include "bridge/media_worker/probe_run.hpp"
#include "bridge/media_worker/settings.hpp"
#include "bridge/publisher/job.hpp"

namespace nexus::media_worker {

/// What all threads of the worker share.
struct Tools {
  const Settings &settings;
  media::Store &store;
  std::atomic<bool> &giving_back;  ///< what is under way is to be given back
  std::mutex sweeping{};           ///< one looks for objects that were left behind
  publisher::Clock::time_point next_sweep{};
};

/// One attempt at one job: a file is measured and its verdict written in one transaction under the lease's token, so
/// that twice is not possible; or objects that nobody refers to are removed, which may be done twice.
class MediaRun {
 public:
  MediaRun(publisher::Database &database, Tools &tools, publisher::Job &job)
      : database_(database), tools_(tools), job_(job) {}

  /// Throws ConnectionLost only where all can be done again.
  void run();

 private:
  void measure();
  void remove_garbage();
  void remove_left_behind();
  ProbeRun probe(const nlohmann::json &file);
  std::string end(const ProbeRun &run, const nlohmann::json &file);
  std::string end_once(const ProbeRun &run, const nlohmann::json &file);
  std::string fail(const std::string &message);
  bool is_unwanted() const { return job_.cancelled || job_.lost || tools_.giving_back; }

  publisher::Database &database_;
  Tools &tools_;
  publisher::Job &job_;
};

}  // namespace nexus::media_worker
