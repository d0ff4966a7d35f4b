#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <unordered_map>

namespace nexus::bridge::pg {

/// How long the calls of each lane take, as a moving average: what is slow gets a part of the connections only.
class Lanes {
 public:
  using Time = std::chrono::microseconds;
  enum class Pace { kUnknown, kFast, kSlow };

  Pace pace(const std::string &lane) const {
    const auto found = average_.find(lane);
    if (found == average_.end()) return Pace::kUnknown;
    return found->second < kFast ? Pace::kFast : Pace::kSlow;
  }

  /// A call has ended after that time, or runs so long already. `cold`: the connection met it for the first time, and
  /// what it took to parse, plan and fill caches says nothing about the next one.
  void took(const std::string &lane, Time time, bool cold = false) {
    if (cold && time < kWarmUp) return;
    if (average_.size() > kMost) average_.clear();
    const auto [found, fresh] = average_.try_emplace(lane, time);
    if (fresh) return;
    Time &average = found->second;
    // One that was held up a little is no reason yet to keep a fast lane waiting; one that took long is.
    const bool stays_slow = time > kFast && average > kFast;
    average = stays_slow ? std::max(average, time) : (average * 7 + time * 3) / 10;
  }

 private:
  static constexpr Time kFast{20000}, kWarmUp{300000};
  static constexpr std::size_t kMost = 10000;
  std::unordered_map<std::string, Time> average_;
};

}  // namespace nexus::bridge::pg
