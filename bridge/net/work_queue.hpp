#pragma once

#include <httplib.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace nexus::bridge::net {

/// How many idle connections should be let go; poll() can watch it: readable while it is above zero.
class Signal {
 public:
  Signal();
  ~Signal();
  Signal(const Signal &) = delete;
  Signal &operator=(const Signal &) = delete;

  /// Adds one unless there are `most` already.
  void raise(std::size_t most);
  /// Takes one; false when another thread was faster.
  bool take();
  /// Takes all back.
  void clear();
  /// Stays above zero for good.
  void hold();
  int fd() const { return fd_; }

 private:
  int fd_;
  std::atomic<std::size_t> count_{0};
  std::atomic<bool> held_{false};
};

/// The workers of a server: a bounded number of threads before a bounded queue of accepted connections. A connection
/// that finds all workers busy asks, by `release`, a worker that only waits on an idle connection to let it go.
class WorkQueue : public httplib::TaskQueue {
 public:
  WorkQueue(std::size_t threads, std::size_t capacity, Signal &release, std::atomic<std::size_t> &waiting);
  ~WorkQueue() override;
  WorkQueue(const WorkQueue &) = delete;
  WorkQueue &operator=(const WorkQueue &) = delete;

  /// Waits while the queue is full: further connections stay in the kernel's backlog.
  void enqueue(std::function<void()> task) override;

  /// Finishes what is queued and ends the workers.
  void shutdown() override { end_workers(); }

 private:
  void work();
  void end_workers();

  const std::size_t capacity_;
  Signal &release_;
  std::atomic<std::size_t> &waiting_;
  std::mutex mutex_;
  std::condition_variable filled_, emptied_;
  std::deque<std::function<void()>> tasks_;
  std::size_t free_workers_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace nexus::bridge::net
