#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bridge/config/settings.hpp"
#include "bridge/http/handler.hpp"
#include "bridge/pg/executor.hpp"
#include "bridge/pg/keeper.hpp"
#include "bridge/serve/replicas.hpp"
#include "bridge/sse/hub.hpp"

namespace nexus::bridge::serve {

/// The database behind all loops: the keeper knows the schemas, each loop has an executor of its own.
class Gateway : public Database {
 public:
  explicit Gateway(const Settings &settings, std::size_t loops);
  ~Gateway() override;

  /// Ends its threads; the loops must stand still, and still exist.
  void close();

  CataloguePtr catalogue() const override { return keeper_->current(); }
  bool ready() const override { return keeper_->ready(); }

  /// A further executor, for the loop with that context.
  std::shared_ptr<pg::Executor> make_executor(boost::asio::io_context &context);

  /// A hub that hears what the one listening connection hears.
  void add_hub(boost::asio::io_context &context, const std::shared_ptr<sse::Hub> &hub);

  /// Asks for a newer picture of the schemas; `then` is called on any thread.
  void newer_catalogue(std::function<void()> then) { keeper_->newer(std::move(then)); }
  void reload() { keeper_->reload(); }

  Replicas &replicas() { return replicas_; }
  const Replicas &replicas() const { return replicas_; }

  /// The sums of all executors.
  struct Totals {
    std::uint64_t scripts = 0, retries = 0, connections_made = 0, connections_failed = 0, cancelled = 0, timed_out = 0,
                  rejected = 0;
    std::int64_t open = 0, busy = 0, waiting = 0;
  };
  Totals totals() const;

  /// Waits a moment for cancel requests under way; false when the server does not take them.
  bool cancels_done(std::chrono::milliseconds limit) const;

 private:
  void each_hub(const std::function<void(sse::Hub &)> &what);
  void each(const std::function<void(pg::Executor &)> &what);

  const Settings &settings_;
  const std::size_t loops_;
  pg::Workers workers_;
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<pg::Executor>> executors_;
  std::vector<std::unique_ptr<pg::ExecutorCounters>> counters_;
  struct HubPlace {
    boost::asio::io_context *context;
    std::weak_ptr<sse::Hub> hub;
  };
  std::vector<HubPlace> hubs_;
  Replicas replicas_;
  std::unique_ptr<pg::Keeper> keeper_;
};

}  // namespace nexus::bridge::serve
