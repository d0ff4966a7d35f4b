#include "bridge/serve/call_service.hpp"

#include <spdlog/spdlog.h>

#include <atomic>
#include <boost/asio/post.hpp>

namespace nexus::bridge::serve {

CallService::CallService(net::Loop &loop, const Settings &settings, const Handler &handler, Gateway &gateway,
                         Passwords &passwords)
    : loop_(loop),
      handler_(handler),
      gateway_(gateway),
      passwords_(passwords),
      executor_(gateway.make_executor(loop.context)),
      hub_(std::make_shared<sse::Hub>(loop.context, *executor_, settings)) {
  gateway.add_hub(loop.context, hub_);
  boost::asio::post(loop.context, [executor = executor_, hub = hub_] {
    executor->start();
    hub->start();
  });
}

void CallService::serve(const std::shared_ptr<net::Exchange> &exchange) {
  begin(exchange, false);
}

void CallService::begin(const std::shared_ptr<net::Exchange> &exchange, bool again) {
  auto call = std::make_shared<Call>();
  Next next = Next::kAnswered;
  try {
    next = handler_.begin(exchange->request, exchange->response, *call, again);
  } catch (const std::exception &error) {
    fail(*exchange, error);
  }
  go_on(exchange, call, next);
}

void CallService::go_on(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call, Next next) {
  switch (next) {
    case Next::kAnswered:
      return exchange->answer();
    case Next::kNewerCatalogue:
      return await_catalogue(exchange);
    case Next::kCall:
      return this->call(exchange, call);
    case Next::kPassword:
      return hash_password(exchange, call);
    case Next::kEvents:
      hub_->subscribe(exchange, call->plan.identity, [this, exchange](const HttpError &error) {
        handler_.fail(exchange->request, exchange->response, error);
      });
  }
}

void CallService::call(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call) {
  auto job = std::make_shared<pg::Job>();
  job->script = std::move(call->script);
  job->done = [this, exchange, call](Outcome outcome) {
    exchange->abandoned = nullptr;
    if (outcome.error) exchange->sqlstate = outcome.error->sqlstate;
    Next next = Next::kAnswered;
    try {
      next = handler_.finish(exchange->request, exchange->response, *call, std::move(outcome));
    } catch (const std::exception &error) {
      fail(*exchange, error);
    }
    go_on(exchange, call, next);
  };
  exchange->abandoned = [this, weak = std::weak_ptr<pg::Job>(job)] {
    if (const auto running = weak.lock()) executor_->abandon(running);
  };
  executor_->submit(job);
}

// The exchange is parked: the other thread works on the call alone, and on the request, which nobody changes.
void CallService::hash_password(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call) {
  const auto left = std::make_shared<std::atomic<bool>>(false);
  exchange->abandoned = [left] { *left = true; };
  const std::uint64_t number = parking_.park(exchange);
  const bool taken = passwords_.post([this, call, left, number] {
    if (!*left) Handler::run_password(*call);
    boost::asio::post(loop_.context, [this, call, number] {
      const auto parked = parking_.take(number);
      if (!parked) return;
      parked->abandoned = nullptr;
      Next next = Next::kAnswered;
      try {
        next = handler_.go_on(parked->request, parked->response, *call);
      } catch (const std::exception &error) {
        fail(*parked, error);
      }
      go_on(parked, call, next);
    });
  });
  if (taken) return;
  parking_.take(number);
  exchange->abandoned = nullptr;
  handler_.fail(exchange->request, exchange->response, unavailable("HTTP503", "Too many passwords wait to be checked"));
  exchange->answer();
}

// The function may be younger than the picture of the schemas.
void CallService::await_catalogue(const std::shared_ptr<net::Exchange> &exchange) {
  gateway_.newer_catalogue([this, number = parking_.park(exchange)] {
    boost::asio::post(loop_.context, [this, number] {
      if (const auto parked = parking_.take(number)) begin(parked, true);
    });
  });
}

void CallService::fail(net::Exchange &exchange, const std::exception &error) const {
  spdlog::error("{} {}: {}", exchange.request.method, exchange.request.path, error.what());
  handler_.fail(exchange.request, exchange.response, HttpError(500, "XX000", "internal error of the bridge"));
}

}  // namespace nexus::bridge::serve
