#include "bridge/serve/replicas.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "bridge/http/text.hpp"
#include "bridge/serve/pools.hpp"

namespace nexus::bridge::serve {
namespace {

pg::ReplicaWatchOptions watch_options(const Settings &settings) {
  pg::ReplicaWatchOptions options;
  options.primary = settings.db_uri;
  options.replicas = split_trimmed(settings.db_replica_uris, '\n');
  options.connect_timeout = std::chrono::seconds(settings.db_connect_timeout);
  options.max_backoff = std::chrono::milliseconds(settings.db_pool_max_backoff);
  options.max_lag = std::chrono::seconds(settings.db_replica_max_lag);
  return options;
}

}  // namespace

Replicas::Replicas(const Settings &settings, std::size_t loops, pg::Workers &workers)
    : settings_(settings),
      loops_(loops),
      workers_(workers),
      watch_(watch_options(settings), {[this](std::size_t number) { tell(number, &pg::Executor::reachable); },
                                       [this](std::size_t number) { tell(number, &pg::Executor::give_up); }}) {}

std::vector<std::shared_ptr<pg::Executor>> Replicas::make_executors(boost::asio::io_context &context) {
  std::vector<std::shared_ptr<pg::Executor>> made;
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto &uri : split_trimmed(settings_.db_replica_uris, '\n')) {
    pg::ExecutorOptions options = pool_options(settings_, settings_.db_replica_pool, loops_, executors_.size());
    options.uri = uri;
    options.replica = true;
    executor_counters_.push_back(std::make_unique<pg::ExecutorCounters>());
    made.push_back(std::make_shared<pg::Executor>(context, workers_, options, *executor_counters_.back()));
  }
  executors_.emplace_back(made.begin(), made.end());
  return made;
}

std::size_t Replicas::choose(std::uint64_t since) {
  const std::size_t first = turn_++;
  for (std::size_t i = 0; i < size(); ++i) {
    const std::size_t number = (first + i) % size();
    if (watch_.usable(number, since)) return number;
  }
  ++counters.refused;
  return size();
}

void Replicas::tell(std::size_t number, void (pg::Executor::*what)()) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto &of_loop : executors_) {
    if (const auto executor = of_loop[number].lock()) {
      boost::asio::post(executor->context(), [weak = of_loop[number], what] {
        if (const auto alive = weak.lock()) (*alive.*what)();
      });
    }
  }
}

std::int64_t Replicas::connections() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::int64_t sum = 0;
  for (const auto &counters : executor_counters_) sum += counters->open;
  return sum;
}

}  // namespace nexus::bridge::serve
