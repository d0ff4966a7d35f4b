#pragma once

#include <chrono>
#include <string>
#include <unordered_map>

namespace nexus::bridge::pg {

/// How long the calls of each lane take, as a moving average. A lane is slow until it has proved to be fast, so that
/// only a part of the connections is ever given to calls of which nothing good is known.
class Lanes {
 public:
  using Time = std::chrono::microseconds;
  enum class Pace { kFast, kSlow };

  Pace pace(const std::string &lane) const {
    const auto found = average_.find(lane);
    return found != average_.end() && found->second < kFast ? Pace::kFast : Pace::kSlow;
  }

  /// A call has ended after that time, or runs so long already.
  void took(const std::string &lane, Time time) {
    const auto [found, fresh] = average_.try_emplace(lane, time);
    if (!fresh) found->second = time > kFast ? std::max(found->second, time) : (found->second * 7 + time * 3) / 10;
  }

  /// The functions have changed: what is known of the old ones is forgotten.
  void clear() { average_.clear(); }

 private:
  static constexpr Time kFast{20000};
  std::unordered_map<std::string, Time> average_;
};

}  // namespace nexus::bridge::pg
