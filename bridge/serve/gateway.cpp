#include "bridge/serve/gateway.hpp"

#include <boost/asio/post.hpp>
#include <thread>

#include "bridge/serve/pools.hpp"

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

Gateway::Gateway(const Settings &settings, std::size_t loops)
    : settings_(settings), loops_(loops), replicas_(settings, loops, workers_) {
  pg::Keeper::Events events;
  events.reachable = [this] {
    each([](pg::Executor &executor) { executor.reachable(); });
    each_hub([](sse::Hub &hub) { hub.look_everywhere(); });
  };
  events.notified = [this](const std::string &payload) {
    each_hub([payload](sse::Hub &hub) { hub.notified(payload); });
  };
  keeper_ = std::make_unique<pg::Keeper>(keeper_options(settings), std::move(events));
  replicas_.start();
}

Gateway::~Gateway() {
  close();
}

void Gateway::close() {
  keeper_->stop();
  replicas_.stop();
  workers_.connecting.join();
  workers_.cancelling.join();
}

std::shared_ptr<pg::Executor> Gateway::make_executor(boost::asio::io_context &context) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto options = pool_options(settings_, settings_.db_pool, loops_, executors_.size());
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
