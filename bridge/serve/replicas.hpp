#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bridge/config/settings.hpp"
#include "bridge/pg/executor.hpp"
#include "bridge/pg/replica_watch.hpp"

namespace nexus::bridge::serve {

/// The streaming replicas behind all loops: what is known of each, and an executor of each for every loop.
class Replicas {
 public:
  Replicas(const Settings &settings, std::size_t loops, pg::Workers &workers);

  /// The executors of one loop, in the order of the replicas.
  std::vector<std::shared_ptr<pg::Executor>> make_executors(boost::asio::io_context &context);

  void start() { watch_.start(); }
  void stop() { watch_.stop(); }

  std::size_t size() const { return watch_.size(); }
  const pg::ReplicaState &state(std::size_t number) const { return watch_.state(number); }

  /// A replica that may run a script with that `since`, in turn; size() where there is none.
  std::size_t choose(std::uint64_t since);

  /// What went where.
  struct Counters {
    std::atomic<std::uint64_t> served{0};   ///< answered by a replica
    std::atomic<std::uint64_t> refused{0};  ///< no replica was up and had come far enough
    std::atomic<std::uint64_t> failed{0};   ///< a replica raised an error or was lost: the primary was asked
  };
  Counters counters;

  /// Connections to all replicas.
  std::int64_t connections() const;

 private:
  void tell(std::size_t number, void (pg::Executor::*what)());

  const Settings &settings_;
  const std::size_t loops_;
  pg::Workers &workers_;
  std::atomic<std::size_t> turn_{0};
  mutable std::mutex mutex_;
  std::vector<std::vector<std::weak_ptr<pg::Executor>>> executors_;  // of each loop
  std::vector<std::unique_ptr<pg::ExecutorCounters>> executor_counters_;
  pg::ReplicaWatch watch_;
};

}  // namespace nexus::bridge::serve
