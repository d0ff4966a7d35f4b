#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "bridge/pg/connection.hpp"

namespace nexus::bridge::pg {

/// Delays between attempts: doubled from 100 ms up to a limit, each shortened by up to half at random, so that many
/// bridges do not come back in step.
class Backoff {
 public:
  explicit Backoff(std::chrono::milliseconds limit) : limit_(limit) {}

  std::chrono::milliseconds next();
  void reset() { failures_ = 0; }

 private:
  std::chrono::milliseconds limit_;
  int failures_ = 0;
  std::minstd_rand random_{std::random_device{}()};
};

struct PoolOptions {
  std::string uri;
  int size = 8;
  int max_waiting = 1000;
  std::chrono::milliseconds acquisition_timeout{10000}, connect_timeout{2000}, max_backoff{1000};
  std::chrono::seconds max_lifetime{1800}, max_idle{30};
};

/// A bounded set of connections. When the server is away, requests fail at once until the next attempt is due.
class Pool {
 public:
  explicit Pool(PoolOptions options) : options_(std::move(options)), backoff_(options_.max_backoff) {}

  /// A connection on loan; goes back when it is destroyed, or is closed when it cannot be used again.
  class Lease {
   public:
    Lease(Pool &pool, std::unique_ptr<Connection> connection) : pool_(pool), connection_(std::move(connection)) {}
    ~Lease() { pool_.give_back(std::move(connection_)); }
    Lease(const Lease &) = delete;
    Lease &operator=(const Lease &) = delete;
    Connection *operator->() { return connection_.get(); }

   private:
    Pool &pool_;
    std::unique_ptr<Connection> connection_;
  };

  /// Waits for a connection. Throws HttpError: 503 PGRST000 no database, 503 PGRST003 too many wait, 504 PGRST003 none
  /// in time.
  Lease acquire();

  /// Asks the server to stop all that runs: the last step of a shutdown.
  void cancel_all();

  /// The server can be reached again: forget the backoff.
  void reachable();

 private:
  void give_back(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> take_idle();
  std::unique_ptr<Connection> connect(std::unique_lock<std::mutex> &lock);
  void check_backoff(Clock::time_point now);

  const PoolOptions options_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::set<Connection *> lent_;
  int open_ = 0, waiting_ = 0;
  std::uint64_t failures_ = 0;
  Backoff backoff_;
  std::optional<Clock::time_point> retry_at_;
};

}  // namespace nexus::bridge::pg
