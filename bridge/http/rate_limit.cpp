#include "bridge/http/rate_limit.hpp"

#include <algorithm>
#include <functional>

#include "bridge/http/text.hpp"

namespace nexus::bridge {

RateLimiter::RateLimiter(Rate rate, std::size_t most_keys)
    : most_in_shard_(std::max<std::size_t>(1, most_keys / kShards)) {
  if (rate.per_second <= 0) return;
  using Seconds = std::chrono::duration<double>;
  interval_ = std::max(std::chrono::duration_cast<Clock::duration>(Seconds(1 / rate.per_second)), Clock::duration(1));
  tolerance_ = std::chrono::duration_cast<Clock::duration>(interval_ * (std::max(rate.burst, 1.0) - 1));
}

std::optional<std::chrono::milliseconds> RateLimiter::take(const std::string &key, Clock::time_point now) {
  if (interval_ == Clock::duration{}) return std::nullopt;
  Shard &shard = shards_[std::hash<std::string>()(key) % kShards];
  const std::lock_guard<std::mutex> lock(shard.mutex);
  if (shard.empty_at.size() >= most_in_shard_ && shard.empty_at.count(key) == 0) forget(shard, most_in_shard_, now);
  Clock::time_point &empty_at = shard.empty_at[key];
  const Clock::time_point from = std::max(empty_at, now);
  if (from - now > tolerance_) return std::chrono::ceil<std::chrono::milliseconds>(from - now - tolerance_);
  empty_at = from + interval_;
  return std::nullopt;
}

// Keys whose time has passed say nothing any more. Where all still count, they are dropped: a flood of addresses must
// not take the memory, and limits no more than anybody could who has so many.
void RateLimiter::forget(Shard &shard, std::size_t most, Clock::time_point now) {
  for (auto it = shard.empty_at.begin(); it != shard.empty_at.end();) {
    it = it->second <= now ? shard.empty_at.erase(it) : std::next(it);
  }
  if (shard.empty_at.size() >= most) shard.empty_at.clear();
}

std::size_t RateLimiter::size() const {
  std::size_t sum = 0;
  for (const auto &shard : shards_) {
    const std::lock_guard<std::mutex> lock(shard.mutex);
    sum += shard.empty_at.size();
  }
  return sum;
}

std::string client_address(const std::string &peer, const std::string &forwarded_for,
                           const std::vector<std::string> &trusted_proxies) {
  const auto is_trusted = [&](const std::string &address) {
    return std::find(trusted_proxies.begin(), trusted_proxies.end(), address) != trusted_proxies.end();
  };
  if (!is_trusted(peer)) return peer;
  const auto addresses = split_trimmed(forwarded_for, ',');
  for (auto it = addresses.rbegin(); it != addresses.rend(); ++it) {
    if (!is_trusted(*it)) return *it;
  }
  return peer;
}

}  // namespace nexus::bridge
