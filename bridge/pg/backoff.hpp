#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace nexus::bridge::pg {

/// Delays between attempts: doubled from 100 ms up to a limit, each shortened by up to half at random, so that many
/// bridges do not come back in step.
class Backoff {
 public:
  explicit Backoff(std::chrono::milliseconds limit) : limit_(limit) {}

  std::chrono::milliseconds next() {
    const std::int64_t full = std::min<std::int64_t>(limit_.count(), std::int64_t{100} << std::min(failures_, 20));
    ++failures_;
    return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(full / 2, full)(random_));
  }

  void reset() { failures_ = 0; }

 private:
  std::chrono::milliseconds limit_;
  int failures_ = 0;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace nexus::bridge::pg
