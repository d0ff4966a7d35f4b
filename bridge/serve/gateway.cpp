#include "bridge/serve/gateway.hpp"

#include <boost/asio/post.hpp>
#include <thread>

namespace nexus::bridge::serve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

pg::KeeperOptions keeper_options(const Settings &settings) {
  pg::KeeperOptions options;
  options.uri = settings.db_uri;
  options.schemas = settings.db_schemas;
  options.channels = settings.db_channels;
  if (!settings.events_table.empty()) options.events_channel = settings.events_channel;
  options.pre_config = call_sql(settings.db_pre_config);
  options.connect_timeout = seconds(settings.db_connect_timeout);
  options.max_backoff = milliseconds(settings.db_pool_max_backoff);
  return options;
}

}  // namespace

Gateway::Gateway(const Settings &settings, std::size_t loops) : settings_(settings), loops_(loops) {
  pg::Keeper::Events events;
  events.reachable = [this] {
    each([](pg::Executor &executor) { executor.reachable(); });
    each_hub([](sse::Hub &hub) { hub.look_everywhere(); });
  };
  events.notified = [this](const std::string &payload) {
    each_hub([payload](sse::Hub &hub) { hub.notified(payload); });
  };
  keeper_ = std::make_unique<pg::Keeper>(keeper_options(settings), std::move(events));
}

Gateway::~Gateway() {
  close();
}

void Gateway::close() {
  keeper_->stop();
  workers_.connecting.join();
  workers_.cancelling.join();
}

std::shared_ptr<pg::Executor> Gateway::make_executor(boost::asio::io_context &context) {
  pg::ExecutorOptions options;
  options.uri = settings_.db_uri;
  options.max_waiting = settings_.db_pool_max_waiting;
  options.acquisition_timeout = seconds(settings_.db_pool_acquisition_timeout);
  options.connect_timeout = seconds(settings_.db_connect_timeout);
  options.max_backoff = milliseconds(settings_.db_pool_max_backoff);
  options.max_lifetime = seconds(settings_.db_pool_max_lifetime);
  options.max_idle = seconds(settings_.db_pool_max_idletime);
  options.prepare = settings_.db_prepared_statements;
  std::lock_guard<std::mutex> lock(mutex_);
  // The pool is dealt out to the loops; the first ones get what is left over.
  const std::size_t place = executors_.size(), size = static_cast<std::size_t>(settings_.db_pool);
  options.size = static_cast<int>(std::max<std::size_t>(1, size / loops_ + (place < size % loops_ ? 1 : 0)));
  counters_.push_back(std::make_unique<pg::ExecutorCounters>());
  auto executor = std::make_shared<pg::Executor>(context, workers_, options, *counters_.back());
  executors_.push_back(executor);
  return executor;
}

void Gateway::each(const std::function<void(pg::Executor &)> &what) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto &weak : executors_) {
    if (const auto executor = weak.lock()) {
      boost::asio::post(executor->context(), [weak, what] {
        if (const auto alive = weak.lock()) what(*alive);
      });
    }
  }
}

void Gateway::add_hub(boost::asio::io_context &context, const std::shared_ptr<sse::Hub> &hub) {
  std::lock_guard<std::mutex> lock(mutex_);
  hubs_.push_back({&context, hub});
}

void Gateway::each_hub(const std::function<void(sse::Hub &)> &what) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto &place : hubs_) {
    boost::asio::post(*place.context, [weak = place.hub, what] {
      if (const auto hub = weak.lock()) what(*hub);
    });
  }
}

Gateway::Totals Gateway::totals() const {
  std::lock_guard<std::mutex> lock(mutex_);
  Totals totals;
  for (const auto &counters : counters_) {
    totals.scripts += counters->scripts;
    totals.retries += counters->retries;
    totals.connections_made += counters->connections_made;
    totals.connections_failed += counters->connections_failed;
    totals.cancelled += counters->cancelled;
    totals.timed_out += counters->timed_out;
    totals.rejected += counters->rejected;
    totals.open += counters->open;
    totals.busy += counters->busy;
    totals.waiting += counters->waiting;
  }
  return totals;
}

bool Gateway::cancels_done(std::chrono::milliseconds limit) const {
  const auto end = pg::Clock::now() + limit;
  while (workers_.cancels > 0) {
    if (pg::Clock::now() >= end) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

}  // namespace nexus::bridge::serve
