#include "bridge/serve/call_service.hpp"

#include <spdlog/spdlog.h>

#include <atomic>
#include <boost/asio/post.hpp>

#include "bridge/http/consistency.hpp"
#include "bridge/serve/line_stream.hpp"

namespace nexus::bridge::serve {

CallService::CallService(net::Loop &loop, const Settings &settings, const Handler &handler, Gateway &gateway,
                         SlowWorks &slow)
    : loop_(loop),
      handler_(handler),
      gateway_(gateway),
      slow_(slow),
      executor_(gateway.make_executor(loop.context)),
      replicas_(gateway.replicas().make_executors(loop.context)),
      hub_(std::make_shared<sse::Hub>(loop.context, *executor_, settings)) {
  gateway.add_hub(loop.context, hub_);
  boost::asio::post(loop.context, [executor = executor_, replicas = replicas_, hub = hub_] {
    executor->start();
    for (const auto &replica : replicas) replica->start();
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
      return this->call(exchange, call, place_of(call->script));
    case Next::kPassword:
    case Next::kProvider:
      return work(exchange, call, next);
    case Next::kEvents:
      hub_->subscribe(exchange, call->plan.identity, [this, exchange](const HttpError &error) {
        handler_.fail(exchange->request, exchange->response, error);
      });
  }
}

// What only reads goes to a replica that is up and has come far enough, all else to the primary.
CallService::Place CallService::place_of(Script &script) {
  if (!script.for_replica || replicas_.empty()) return primary();
  const std::size_t number = gateway_.replicas().choose(script.since.value_or(0));
  if (number == replicas_.size()) return primary();
  guard_position(script);
  return {replicas_[number], true};
}

// A replica may be down, or have cancelled the reading for what it had to replay; and what is not there may just not
// have come to it yet. So only its answers and its time limit count: errors are the primary's to tell.
bool CallService::ask_primary(const Place &place, const Outcome &outcome, const pg::JobPtr &job, Call &call) {
  if (!place.replica) return false;
  auto &counters = gateway_.replicas().counters;
  const bool timed_out = outcome.error && outcome.error->sqlstate == "57014";
  if (job->flowing || timed_out || (!outcome.error && !outcome.unavailable)) {
    ++counters.served;
    return false;
  }
  ++counters.failed;
  call.script = std::move(job->script);
  unguard_position(call.script);
  return true;
}

void CallService::call(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call,
                       const Place &place) {
  if (call->script.streamed) return stream(exchange, call, place);
  auto job = std::make_shared<pg::Job>();
  job->script = std::move(call->script);
  job->done = [this, exchange, call, place, weak = std::weak_ptr<pg::Job>(job)](Outcome outcome) {
    exchange->abandoned = nullptr;
    const auto asked = weak.lock();
    if (asked && ask_primary(place, outcome, asked, *call)) return this->call(exchange, call, primary());
    if (outcome.error) exchange->sqlstate = outcome.error->sqlstate;
    Next next = Next::kAnswered;
    try {
      next = handler_.finish(exchange->request, exchange->response, *call, std::move(outcome));
    } catch (const std::exception &error) {
      fail(*exchange, error);
    }
    go_on(exchange, call, next);
  };
  exchange->abandoned = [executor = place.executor, weak = std::weak_ptr<pg::Job>(job)] {
    if (const auto running = weak.lock()) executor->abandon(running);
  };
  place.executor->submit(job);
}

// The exchange is parked: the other thread works on the call alone, and on the request, which nobody changes.
void CallService::work(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call, Next kind) {
  const auto left = std::make_shared<std::atomic<bool>>(false);
  exchange->abandoned = [left] { *left = true; };
  const std::uint64_t number = parking_.park(exchange);
  SlowWork &threads = kind == Next::kPassword ? slow_.passwords : slow_.providers;
  const bool taken = threads.post([this, call, left, number] {
    if (!*left) Handler::work(*call);
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
  handler_.fail(exchange->request, exchange->response,
                unavailable("HTTP503", kind == Next::kPassword ? "Too many passwords wait to be checked"
                                                               : "Too many requests wait for providers"));
  exchange->answer();
}

// Rows go out as they come. Where the reading ends early, the client sees the answer cut off.
void CallService::stream(const std::shared_ptr<net::Exchange> &exchange, const std::shared_ptr<Call> &call,
                         const Place &place) {
  auto job = std::make_shared<pg::Job>();
  job->script = std::move(call->script);
  const auto lines = std::make_shared<LineStream>(
      exchange, [exchange, call] { Handler::write_stream_head(exchange->request, exchange->response, *call); });
  const auto end_early = [this, exchange, lines](const HttpError &error) {
    exchange->abandoned = exchange->drained = nullptr;
    if (lines->open()) {
      spdlog::warn("a stream ends early: {}", error.message);
      return exchange->close_stream();
    }
    handler_.fail(exchange->request, exchange->response, error);
    exchange->answer();
  };
  job->on_row = [executor = place.executor, lines, end_early,
                 weak = std::weak_ptr<pg::Job>(job)](std::optional<std::string_view> line) {
    if (line) return lines->add(*line);
    const auto running = weak.lock();
    if (running) executor->abandon(running);
    end_early(answer_too_large());
    return true;
  };
  job->on_pause = [lines] { return lines->flush(); };
  job->done = [this, exchange, call, lines, end_early, place,
               weak = std::weak_ptr<pg::Job>(job)](const Outcome &outcome) {
    const auto asked = weak.lock();
    if (asked && ask_primary(place, outcome, asked, *call)) {
      exchange->abandoned = exchange->drained = nullptr;
      return stream(exchange, call, primary());
    }
    if (outcome.error) exchange->sqlstate = outcome.error->sqlstate;
    if (outcome.unavailable) return end_early(*outcome.unavailable);
    if (outcome.error) return end_early(from_database(*outcome.error, call->plan.identity.anonymous));
    exchange->abandoned = exchange->drained = nullptr;
    lines->finish();
  };
  exchange->abandoned = [executor = place.executor, weak = std::weak_ptr<pg::Job>(job)] {
    if (const auto running = weak.lock()) executor->abandon(running);
  };
  exchange->drained = [executor = place.executor, weak = std::weak_ptr<pg::Job>(job)] {
    if (const auto running = weak.lock()) executor->resume(running);
  };
  place.executor->submit(job);
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
