#pragma once

#include <memory>
#include <vector>

#include "bridge/http/handler.hpp"
#include "bridge/net/exchange.hpp"
#include "bridge/net/loop.hpp"
#include "bridge/serve/gateway.hpp"
#include "bridge/serve/slow_work.hpp"
#include "bridge/sse/hub.hpp"

namespace nexus::bridge::serve {

/// The public port of one loop: what needs the database goes through the loop's executor, everything else is answered
/// at once.
class CallService : public net::Service {
 public:
  CallService(net::Loop &loop, const Settings &settings, const Handler &handler, Gateway &gateway, SlowWorks &slow);

  void serve(const std::shared_ptr<net::Exchange> &exchange) override;
  pg::Executor &executor() { return *executor_; }
  void cancel_all() override {
    executor_->stop();
    for (const auto &replica : replicas_) replica->stop();
  }
  void drain() override { hub_->drain(); }

 private:
  void begin(const std::shared_ptr<net::Exchange> &exchange, bool again);
  void go_on(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call, Next next);
  struct Place {
    std::shared_ptr<pg::Executor> executor;
    bool replica;
  };
  Place place_of(Script &script);
  Place primary() const { return {executor_, false}; }
  bool ask_primary(const Place &place, const Outcome &outcome, const pg::JobPtr &job, Call &call);
  void call(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call, const Place &place);
  void stream(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call, const Place &place);
  void work(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call, Next kind);
  void await_catalogue(const std::shared_ptr<net::Exchange> &exchange);
  void fail(net::Exchange &exchange, const std::exception &error) const;

  net::Loop &loop_;
  const Handler &handler_;
  Gateway &gateway_;
  SlowWorks &slow_;
  std::shared_ptr<pg::Executor> executor_;
  std::vector<std::shared_ptr<pg::Executor>> replicas_;
  std::shared_ptr<sse::Hub> hub_;
  net::Parking parking_;
};

}  // namespace nexus::bridge::serve
