#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "bridge/publisher/publication.hpp"

namespace nexus::publisher {

/// The process at work: one thread claims and sleeps until the next job is due, one renews leases, and a fixed number
/// of threads publish. Each has a connection of its own and comes back by itself when the database was away.
class Worker {
 public:
  explicit Worker(const Tools &tools);
  ~Worker();
  Worker(const Worker &) = delete;
  Worker &operator=(const Worker &) = delete;

  void start();

  /// No new claims; leases that nothing was done with go back.
  void drain();

  /// Whether all that was being sent came to an end in time.
  bool wait(std::chrono::seconds timeout);

 private:
  void dispatch();
  void dispatch_connected(Database &database);
  void work(int number);
  void work_one(Database &database, const JobPtr &job);
  void beat();
  void give_back();
  void wake();
  void pause(std::chrono::milliseconds duration);

  const Tools &tools_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<JobPtr> queue_;
  std::set<JobPtr> held_;  ///< queued or at work
  std::size_t working_ = 0;
  std::atomic<bool> stopping_{false};
  bool finished_ = false;
  int wake_ = -1;  ///< eventfd that ends the dispatcher's sleep
  std::vector<std::thread> threads_;
};

}  // namespace nexus::publisher
