#include "bridge/pg/replica_watch.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "bridge/http/consistency.hpp"
#include "bridge/pg/backoff.hpp"

namespace nexus::bridge::pg {
namespace {

using std::chrono::milliseconds;

constexpr auto kPeriod = milliseconds(100);
constexpr auto kPatience = milliseconds(1000);  // a server that says nothing for so long stands still
constexpr const char *kWritten = "SELECT pg_catalog.pg_current_wal_insert_lsn()::text";
constexpr const char *kReplayed =
    "SELECT pg_catalog.pg_is_in_recovery()::text, pg_catalog.pg_last_wal_replay_lsn()::text";

std::uint64_t position_of(const std::optional<std::string> &text) {
  return parse_position(text.value_or("")).value_or(0);
}

}  // namespace

ReplicaWatch::ReplicaWatch(ReplicaWatchOptions options, Events events)
    : options_(std::move(options)), events_(std::move(events)) {
  for (std::size_t i = 0; i < options_.replicas.size(); ++i) states_.push_back(std::make_unique<ReplicaState>());
}

ReplicaWatch::~ReplicaWatch() {
  stop();
}

void ReplicaWatch::start() {
  if (states_.empty()) return;
  threads_.emplace_back([this] {
    // While the primary is away nothing is written, so that what is known of it holds.
    watch(
        options_.primary, kWritten, "the primary", [this](const Row &row) { primary_at(position_of(row[0])); }, [] {});
  });
  for (std::size_t i = 0; i < states_.size(); ++i) {
    threads_.emplace_back([this, i] {
      watch(
          options_.replicas[i], kReplayed, "replica " + std::to_string(i + 1),
          [this, i](const Row &row) { replica_at(i, row); }, [this, i] { replica_lost(i); });
    });
  }
}

void ReplicaWatch::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (auto &thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void ReplicaWatch::watch(const std::string &uri, const std::string &question, const std::string &name,
                         const std::function<void(const Row &)> &take, const std::function<void()> &lost) {
  Backoff backoff(options_.max_backoff);
  auto wait = milliseconds(0);
  while (pause(wait)) {
    try {
      Connection connection(uri, Clock::now() + options_.connect_timeout);
      do {
        const auto rows = connection.query(question, Clock::now() + kPatience);
        if (rows.empty()) throw ConnectionLost("no answer");
        take(rows[0]);
        backoff.reset();
      } while (pause(kPeriod));
      return;
    } catch (const std::exception &error) {
      lost();
      wait = backoff.next();
      spdlog::warn("{} is not answering, next attempt in {} ms: {}", name, wait.count(), error.what());
    }
  }
}

void ReplicaWatch::primary_at(std::uint64_t position) {
  const auto now = Clock::now();
  const std::lock_guard<std::mutex> lock(mutex_);
  if (written_.empty() || position > written_.back().second) written_.emplace_back(now, position);
  // One that is older than the most a replica may be behind stays, so that such a lag is still seen.
  while (written_.size() > 1 && now - written_[1].first > options_.max_lag + kPatience) written_.pop_front();
}

milliseconds ReplicaWatch::lag_of(std::uint64_t replayed) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto missing =
      std::find_if(written_.begin(), written_.end(), [&](const auto &seen) { return seen.second > replayed; });
  if (missing == written_.end()) return milliseconds(0);
  return std::chrono::duration_cast<milliseconds>(Clock::now() - missing->first);
}

void ReplicaWatch::replica_at(std::size_t number, const Row &row) {
  // One that was promoted has a history of its own from then on.
  if (row[0] != "true") throw ConnectionLost("it is no replica");
  ReplicaState &state = *states_[number];
  state.replayed = position_of(row[1]);
  state.lag_ms = lag_of(state.replayed).count();
  if (state.up.exchange(true)) return;
  spdlog::info("replica {} is in use", number + 1);
  events_.back(number);
}

void ReplicaWatch::replica_lost(std::size_t number) {
  if (states_[number]->up.exchange(false)) events_.gone(number);
}

bool ReplicaWatch::pause(milliseconds time) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !changed_.wait_for(lock, time, [&] { return stop_; });
}

}  // namespace nexus::bridge::pg
