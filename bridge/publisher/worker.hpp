#pragma once

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "bridge/publisher/job.hpp"

namespace nexus::publisher {

/// What a worker claims, and as whom.
struct WorkerSettings {
  std::string program;  ///< the name of its connections
  std::string db_uri, db_role, worker;
  std::vector<std::string> lanes, kinds;
  int concurrency = 1;
  std::chrono::milliseconds lease{30000};
  std::chrono::milliseconds watch{0};  ///< how often it looks for cancelled jobs between heartbeats; 0: not at all
};

/// The process at work: one thread claims and sleeps until the next job is due, one renews leases, and a fixed number
/// of threads do the jobs. Each has a connection of its own and comes back by itself when the database was away.
class Worker {
 public:
  /// Does one job. ConnectionLost makes it run again, then with true, as long as the lease lasts; whatever else it
  /// throws leaves the job to the end of its lease.
  using Perform = std::function<void(Database &, Job &, bool again)>;

  Worker(WorkerSettings settings, Perform perform);
  ~Worker();
  Worker(const Worker &) = delete;
  Worker &operator=(const Worker &) = delete;

  void start();

  /// No new claims; leases that nothing was done with go back.
  void drain();

  /// Whether all that was under way came to an end in time.
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

  const WorkerSettings settings_;
  const Perform perform_;
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

/// Works until one of `signals` comes, then lets what is under way end within `timeout`. What has not by then is told
/// by `giving_back` to let go of its job, and has a few seconds to do so; after that the process ends with 1, and such
/// jobs wait for the end of their lease.
void run_until_signal(Worker &worker, const sigset_t &signals, std::chrono::seconds timeout,
                      std::atomic<bool> &giving_back);

}  // namespace nexus::publisher
