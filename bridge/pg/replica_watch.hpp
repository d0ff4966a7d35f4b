#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bridge/pg/connection.hpp"

namespace nexus::bridge::pg {

struct ReplicaWatchOptions {
  std::string primary;
  std::vector<std::string> replicas;  ///< connection strings
  std::chrono::milliseconds connect_timeout{2000}, max_backoff{1000}, max_lag{10000};
};

/// What is known of a replica; read by all loops.
struct ReplicaState {
  std::atomic<bool> up{false};             ///< it answers, and it is one
  std::atomic<std::uint64_t> replayed{0};  ///< the log's position that it has come to
  std::atomic<std::int64_t> lag_ms{0};     ///< how old the primary's position is that it has not come to yet
};

/// Looks after the replicas: how far the primary has written its log and how far each replica has come, several times a
/// second. Each server has a thread and a connection of its own, so that one that stands still holds nothing up.
class ReplicaWatch {
 public:
  /// What the watch tells, on its own threads: the number of a replica that can be used again, or no more.
  struct Events {
    std::function<void(std::size_t)> back, gone;
  };

  ReplicaWatch(ReplicaWatchOptions options, Events events);
  ~ReplicaWatch();
  ReplicaWatch(const ReplicaWatch &) = delete;
  ReplicaWatch &operator=(const ReplicaWatch &) = delete;

  void start();
  void stop();

  std::size_t size() const { return states_.size(); }
  const ReplicaState &state(std::size_t number) const { return *states_[number]; }

  /// Whether a replica is up, not too far behind, and has come to that position.
  bool usable(std::size_t number, std::uint64_t since) const {
    const ReplicaState &state = *states_[number];
    return state.up && state.lag_ms <= options_.max_lag.count() && state.replayed >= since;
  }

 private:
  void watch(const std::string &uri, const std::string &question, const std::string &name,
             const std::function<void(const Row &)> &take, const std::function<void()> &lost);
  void primary_at(std::uint64_t position);
  void replica_at(std::size_t number, const Row &row);
  void replica_lost(std::size_t number);
  std::chrono::milliseconds lag_of(std::uint64_t replayed);
  bool pause(std::chrono::milliseconds time);

  const ReplicaWatchOptions options_;
  const Events events_;
  std::vector<std::unique_ptr<ReplicaState>> states_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::deque<std::pair<Clock::time_point, std::uint64_t>> written_;  ///< when the primary was first seen there
  std::vector<std::thread> threads_;
};

}  // namespace nexus::bridge::pg
