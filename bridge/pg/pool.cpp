#include "bridge/pg/pool.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "bridge/http/error.hpp"

namespace nexus::bridge::pg {
namespace {

HttpError no_database() {
  return unavailable("PGRST000", "Database connection error. Retrying the connection.");
}

}  // namespace

std::chrono::milliseconds Backoff::next() {
  const std::int64_t full = std::min<std::int64_t>(limit_.count(), 100LL << std::min(failures_, 20));
  ++failures_;
  return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(full / 2, full)(random_));
}

Pool::Lease Pool::acquire() {
  const auto deadline = Clock::now() + options_.acquisition_timeout;
  std::unique_lock<std::mutex> lock(mutex_);
  const std::uint64_t failures = failures_;
  while (true) {
    if (auto connection = take_idle()) {
      lent_.insert(connection.get());
      return {*this, std::move(connection)};
    }
    check_backoff(Clock::now());
    if (failures_ != failures) throw no_database();
    if (open_ < options_.size) return {*this, connect(lock)};
    if (waiting_ >= options_.max_waiting) {
      throw unavailable("PGRST003", "Too many requests wait for a connection.");
    }
    ++waiting_;
    const auto woken = freed_.wait_until(lock, deadline);
    --waiting_;
    if (woken == std::cv_status::timeout && idle_.empty() && open_ >= options_.size) {
      throw HttpError(504, "PGRST003", "Timed out acquiring connection from connection pool.")
          .with_header("Retry-After", "1");
    }
  }
}

std::unique_ptr<Connection> Pool::take_idle() {
  const auto now = Clock::now();
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    const bool old =
        now - connection->created() > options_.max_lifetime || now - connection->last_used() > options_.max_idle;
    if (!old && connection->usable()) return connection;
    --open_;
  }
  return nullptr;
}

void Pool::check_backoff(Clock::time_point now) {
  if (retry_at_ && now < *retry_at_) throw no_database();
}

// Leaves the lock while it connects. While the server is away only one attempt runs at a time.
std::unique_ptr<Connection> Pool::connect(std::unique_lock<std::mutex> &lock) {
  ++open_;
  if (retry_at_) retry_at_ = Clock::now() + options_.connect_timeout;
  lock.unlock();
  std::unique_ptr<Connection> connection;
  std::string reason;
  try {
    connection = std::make_unique<Connection>(options_.uri, Clock::now() + options_.connect_timeout);
  } catch (const ConnectionLost &error) {
    reason = error.what();
  }
  lock.lock();
  if (connection) {
    retry_at_.reset();
    backoff_.reset();
    lent_.insert(connection.get());
    return connection;
  }
  --open_;
  ++failures_;
  const auto delay = backoff_.next();
  retry_at_ = Clock::now() + delay;
  freed_.notify_all();
  spdlog::warn("no connection to the database, next attempt in {} ms: {}", delay.count(), reason);
  throw no_database();
}

void Pool::give_back(std::unique_ptr<Connection> connection) {
  if (!connection) return;
  const bool good = connection->usable();
  std::lock_guard<std::mutex> lock(mutex_);
  lent_.erase(connection.get());
  if (good) {
    idle_.push_back(std::move(connection));
  } else {
    --open_;
  }
  freed_.notify_one();
}

void Pool::cancel_all() {
  std::lock_guard<std::mutex> lock(mutex_);
  for (Connection *connection : lent_) connection->cancel();
}

void Pool::reachable() {
  std::lock_guard<std::mutex> lock(mutex_);
  retry_at_.reset();
  backoff_.reset();
}

}  // namespace nexus::bridge::pg
