#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <utility>

namespace nexus::bridge::serve {

/// Threads for what takes long, hashing passwords or asking other servers: few, so that most of the processors is left
/// for everything else, and with an end of the queue.
class SlowWork {
 public:
  SlowWork(std::size_t threads, std::size_t most_waiting) : most_waiting_(most_waiting), threads_(threads) {}

  /// Runs `work` on one of the threads, later. False when too many wait already.
  template <typename Work>
  bool post(Work work) {
    if (++waiting_ > most_waiting_) {
      --waiting_;
      return false;
    }
    boost::asio::post(threads_, [this, work = std::move(work)]() mutable {
      work();
      --waiting_;
    });
    return true;
  }

  /// Ends the threads; what waits is not run any more.
  void stop() {
    threads_.stop();
    threads_.join();
  }

 private:
  const std::size_t most_waiting_;
  boost::asio::thread_pool threads_;
  std::atomic<std::size_t> waiting_{0};
};

/// One for each kind of work, so that a slow provider keeps nobody from signing in.
struct SlowWorks {
  SlowWork passwords{2, 100};  // 100 wait for about four seconds
  SlowWork providers{4, 100};

  void stop() {
    passwords.stop();
    providers.stop();
  }
};

}  // namespace nexus::bridge::serve
