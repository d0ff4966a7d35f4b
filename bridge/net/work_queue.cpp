#include "bridge/net/work_queue.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

namespace nexus::bridge::net {

Signal::Signal() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE)) {}

Signal::~Signal() {
  close(fd_);
}

void Signal::raise(std::size_t most) {
  if (count_ >= most) return;
  ++count_;
  eventfd_write(fd_, 1);
}

bool Signal::take() {
  eventfd_t one = 0;
  if (held_ || eventfd_read(fd_, &one) != 0) return false;
  --count_;
  return true;
}

void Signal::clear() {
  while (take()) {
  }
}

void Signal::hold() {
  constexpr eventfd_t kMoreThanIsTaken = 1U << 20;  // a clear() that has begun may still take a few
  held_ = true;
  eventfd_write(fd_, kMoreThanIsTaken);
}

WorkQueue::WorkQueue(std::size_t threads, std::size_t capacity, Signal &release, std::atomic<std::size_t> &waiting)
    : capacity_(capacity), release_(release), waiting_(waiting) {
  for (std::size_t i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

WorkQueue::~WorkQueue() {
  end_workers();
}

void WorkQueue::enqueue(std::function<void()> task) {
  std::unique_lock<std::mutex> lock(mutex_);
  emptied_.wait(lock, [this] { return tasks_.size() < capacity_ || stopping_; });
  tasks_.push_back(std::move(task));
  waiting_ = tasks_.size();
  if (tasks_.size() > free_workers_) release_.raise(tasks_.size());
  filled_.notify_one();
}

void WorkQueue::end_workers() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  filled_.notify_all();
  emptied_.notify_all();
  for (auto &worker : workers_) worker.join();
  workers_.clear();
}

void WorkQueue::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    ++free_workers_;
    filled_.wait(lock, [this] { return !tasks_.empty() || stopping_; });
    --free_workers_;
    if (tasks_.empty()) return;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    waiting_ = tasks_.size();
    if (tasks_.empty()) release_.clear();
    emptied_.notify_one();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace nexus::bridge::net
