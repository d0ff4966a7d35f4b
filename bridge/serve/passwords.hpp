#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <utility>

namespace nexus::bridge::serve {

/// The threads that hash passwords, which takes long: few, so that most of the processors is left for everything else,
/// and with an end of the queue.
class Passwords {
 public:
  /// Runs `work` on one of the threads, later. False when too many wait already.
  template <typename Work>
  bool post(Work work) {
    if (++waiting_ > kMostWaiting) {
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
  static constexpr std::size_t kThreads = 2, kMostWaiting = 100;  // 100 wait for about four seconds

  boost::asio::thread_pool threads_{kThreads};
  std::atomic<std::size_t> waiting_{0};
};

}  // namespace nexus::bridge::serve
