#pragma once

#include <memory>

#include "bridge/http/handler.hpp"
#include "bridge/net/exchange.hpp"
#include "bridge/net/loop.hpp"
#include "bridge/serve/gateway.hpp"
#include "bridge/serve/passwords.hpp"
#include "bridge/sse/hub.hpp"

namespace nexus::bridge::serve {

/// The public port of one loop: what needs the database goes through the loop's executor, everything else is answered
/// at once.
class CallService : public net::Service {
 public:
  CallService(net::Loop &loop, const Settings &settings, const Handler &handler, Gateway &gateway,
              Passwords &passwords);

  void serve(const std::shared_ptr<net::Exchange> &exchange) override;
  pg::Executor &executor() { return *executor_; }
  void cancel_all() override { executor_->stop(); }
  void drain() override { hub_->drain(); }

 private:
  void begin(const std::shared_ptr<net::Exchange> &exchange, bool again);
  void go_on(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call, Next next);
  void call(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call);
  void stream(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call);
  void hash_password(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call);
  void await_catalogue(const std::shared_ptr<net::Exchange> &exchange);
  void fail(net::Exchange &exchange, const std::exception &error) const;

  net::Loop &loop_;
  const Handler &handler_;
  Gateway &gateway_;
  Passwords &passwords_;
  std::shared_ptr<pg::Executor> executor_;
  std::shared_ptr<sse::Hub> hub_;
  net::Parking parking_;
};

}  // namespace nexus::bridge::serve
