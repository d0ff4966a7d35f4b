#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace nexus::bridge {

/// How much is allowed: `per_second` in the long run, `burst` at once.
struct Rate {
  double per_second = 0;  ///< 0: no limit
  double burst = 1;
};

/// Limits callers by the generic cell rate algorithm: for each key one time, the one at which its bucket is empty
/// again. Thread safe; memory is bounded, keys that may call at full burst again are forgotten first.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;

  explicit RateLimiter(Rate rate, std::size_t most_keys = 100000);

  /// Nothing when the caller may go on; else after how long to come back. A refused call counts for nothing.
  ///
  ///     RateLimiter({1, 2}).take("192.0.2.1", now): the third call within a second is to wait
  std::optional<std::chrono::milliseconds> take(const std::string &key, Clock::time_point now);

  std::size_t size() const;

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, Clock::time_point> empty_at;
  };
  static void forget(Shard &shard, std::size_t most, Clock::time_point now);

  static constexpr std::size_t kShards = 16;

  Clock::duration interval_{}, tolerance_{};
  std::size_t most_in_shard_;
  std::array<Shard, kShards> shards_;
};

/// Whose address counts: behind trusted proxies the rightmost address of X-Forwarded-For that is none of them.
///
///     client_address("10.0.0.1", "1.2.3.4, 192.0.2.9, 10.0.0.2", {"10.0.0.1", "10.0.0.2"}) == "192.0.2.9"
std::string client_address(const std::string &peer, const std::string &forwarded_for,
                           const std::vector<std::string> &trusted_proxies);

}  // namespace nexus::bridge
