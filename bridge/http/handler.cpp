#include "bridge/http/handler.hpp"

#include <httplib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "bridge/accounts/account_flow.hpp"
#include "bridge/http/batch.hpp"
#include "bridge/http/choose.hpp"
#include "bridge/http/conditional.hpp"
#include "bridge/http/consistency.hpp"
#include "bridge/http/cors.hpp"
#include "bridge/http/error.hpp"
#include "bridge/http/openapi.hpp"
#include "bridge/http/text.hpp"
#include "bridge/http/url.hpp"

namespace nexus::bridge {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
constexpr std::string_view kRpc = "/rpc/", kAuth = "/auth/", kAccounts = "/accounts/", kCallback = "/oauth/callback";

std::string timing(const char *name, Clock::time_point from, Clock::time_point to) {
  std::array<char, 64> text{};
  const double ms = std::chrono::duration<double, std::milli>(to - from).count();
  std::snprintf(text.data(), text.size(), "%s;dur=%.1f", name, ms);
  return text.data();
}

// The path behind the configured prefix, which may be written with or without slashes at its ends. Paths without it are
// served as well: a proxy may have taken it away.
std::string_view without_prefix(std::string_view path, std::string_view prefix) {
  while (!prefix.empty() && prefix.front() == '/') prefix.remove_prefix(1);
  while (!prefix.empty() && prefix.back() == '/') prefix.remove_suffix(1);
  if (prefix.empty() || path.size() <= prefix.size() || path.substr(1, prefix.size()) != prefix) return path;
  const std::string_view rest = path.substr(prefix.size() + 1);
  if (rest.empty()) return "/";
  return rest.front() == '/' ? rest : path;
}

// One more request of that caller. Throws 429.
void take_turn(RateLimiter &limiter, const std::string &caller) {
  const auto wait = limiter.take(caller, RateLimiter::Clock::now());
  if (!wait) return;
  throw HttpError(429, "HTTP429", "Too many requests")
      .with_hint("Wait as long as Retry-After says.")
      .with_header("Retry-After", std::to_string(std::chrono::ceil<std::chrono::seconds>(*wait).count()));
}

std::string address_of(const Settings &settings, const httplib::Request &request) {
  return client_address(request.remote_addr, joined(header_values(request, "X-Forwarded-For"), ","),
                        settings.trusted_proxies);
}

void add_common_headers(const Settings &settings, const httplib::Request &request, httplib::Response &response) {
  if (!response.has_header("Vary")) response.set_header("Vary", "Accept, Prefer, Range");
  const std::string &trace = settings.server_trace_header;
  if (!trace.empty() && request.has_header(trace)) response.set_header(trace, request.get_header_value(trace));
  add_cors_headers(settings.server_cors_allowed_origins, request, response);
}

// The key of the request had been used for the same request.
bool was_answered_before(const Plan &plan, const DatabaseError &error) {
  return error.sqlstate == "NX031" && error.step == Step::kContext && !plan.idempotency_key.empty();
}

void write_health(httplib::Response &response, bool good, const char *yes, const char *no) {
  response.status = good ? 200 : 503;
  response.body = std::string(R"({"status":")") + (good ? yes : no) + "\"}";
  response.set_header("Content-Type", kJsonType);
  response.set_header("Cache-Control", "no-store");
  if (!good) response.set_header("Retry-After", "1");
}

}  // namespace

Next Handler::begin(const httplib::Request &request, httplib::Response &response, Call &call, bool again) const {
  call.policy = policy();
  Next next = Next::kAnswered;
  try {
    next = route(request, response, call, again);
  } catch (const HttpError &error) {
    write_error(error, call.policy->settings.server_proxy_name, response);
  }
  if (next == Next::kAnswered || next == Next::kEvents) {
    add_common_headers(call.policy->settings, request, response);
  }
  return next;
}

Next Handler::finish(const httplib::Request &request, httplib::Response &response, Call &call, Outcome outcome) const {
  try {
    const Next next = answer(request, response, call, std::move(outcome));
    if (next == Next::kAnswered) add_common_headers(call.policy->settings, request, response);
    return next;
  } catch (const HttpError &error) {
    refuse(call.policy->settings, request, response, error);
    return Next::kAnswered;
  }
}

void Handler::write_stream_head(const httplib::Request &request, httplib::Response &response, const Call &call) {
  const Settings &settings = call.policy->settings;
  response.status = 200;
  response.set_header("Content-Type", call.plan.media.content_type);
  response.set_header("Cache-Control", "no-store");
  const std::string applied = applied_preferences(call.plan.preferences, call.plan.tx_chosen_by_client);
  if (!applied.empty()) response.set_header("Preference-Applied", applied);
  if (settings.db_schemas.size() > 1) response.set_header("Content-Profile", call.plan.schema);
  add_common_headers(settings, request, response);
}

void Handler::work(Call &call) {
  try {
    call.flow->work();
  } catch (const HttpError &error) {
    call.refusal = error;
  } catch (const std::exception &error) {
    call.refusal = HttpError(500, "XX000", error.what());
  }
}

Next Handler::go_on(const httplib::Request &request, httplib::Response &response, Call &call) const {
  if (call.refusal) {
    refuse(call.policy->settings, request, response, *call.refusal);
    return Next::kAnswered;
  }
  const Next next = advance(request, response, call);
  if (next == Next::kAnswered) add_common_headers(call.policy->settings, request, response);
  return next;
}

void Handler::fail(const httplib::Request &request, httplib::Response &response, const HttpError &error) const {
  refuse(policy()->settings, request, response, error);
}

void Handler::refuse(const Settings &settings, const httplib::Request &request, httplib::Response &response,
                     const HttpError &error) {
  response = httplib::Response();
  write_error(error, settings.server_proxy_name, response);
  add_common_headers(settings, request, response);
}

bool Handler::health(const httplib::Request &request, httplib::Response &response, const std::string &path) const {
  if ((request.method != "GET" && request.method != "HEAD") || (path != "/live" && path != "/ready")) return false;
  if (path == "/live") {
    write_health(response, true, "live", "");
  } else {
    write_health(response, !draining_ && database_.ready(), "ready", draining_ ? "draining" : "no database");
  }
  return true;
}

Next Handler::route(const httplib::Request &request, httplib::Response &response, Call &call, bool again) const {
  const Policy &policy = *call.policy;
  const Settings &settings = policy.settings;
  const std::string_view path = without_prefix(request.path, settings.url_prefix);
  if (health(request, response, std::string(path))) return Next::kAnswered;
  if (!again && answer_early(policy, request, response)) return Next::kAnswered;
  if (std::find(kMethods.begin(), kMethods.end(), request.method) == kMethods.end()) {
    throw HttpError(405, "PGRST117", "Unsupported HTTP method: " + request.method);
  }
  const auto allow = [&](const char *methods) {
    response.status = 200;
    response.set_header("Allow", methods);
    return Next::kAnswered;
  };
  if (path.substr(0, kRpc.size()) == kRpc && path.size() > kRpc.size()) {
    const std::string_view rest = path.substr(kRpc.size());
    const auto name = percent_decoded(rest, false);
    if (rest.find('/') == std::string_view::npos && name) {
      if (request.method == "OPTIONS") {
        options(settings, request, response, *name);
        return Next::kAnswered;
      }
      if (request.method == "GET" || request.method == "HEAD" || request.method == "POST") {
        return transact(request, call, again, [&](const CataloguePtr &catalogue, const Identity &identity) {
          return plan_call(settings, catalogue, request, *name, identity);
        });
      }
      throw HttpError(405, "PGRST101", "Cannot use the " + request.method + " method on RPC");
    }
  }
  if (path == "/batch") {
    if (request.method == "OPTIONS") return allow("OPTIONS,POST");
    if (request.method != "POST") {
      throw HttpError(405, "PGRST101", "Cannot use the " + request.method + " method on /batch");
    }
    return transact(request, call, again, [&](const CataloguePtr &catalogue, const Identity &identity) {
      return plan_batch(settings, catalogue, request, identity);
    });
  }
  if (path.substr(0, kAuth.size()) == kAuth) {
    return authenticate(request, call, std::string(path.substr(kAuth.size())));
  }
  if (policy.accounts && (path.substr(0, kAccounts.size()) == kAccounts || path == kCallback)) {
    return connect(request, call, std::string(path), again);
  }
  if (path == "/events" && !settings.events_table.empty()) {
    if (request.method != "GET") {
      throw HttpError(405, "PGRST101", "Cannot use the " + request.method + " method on events");
    }
    call.plan.identity = identify(policy, request, again);
    if (call.plan.identity.anonymous) {
      throw HttpError(401, "PGRST302", "Events need a token").with_header("WWW-Authenticate", "Bearer");
    }
    return Next::kEvents;
  }
  if (path == "/" || path == "/docs") {
    if (request.method == "OPTIONS") return allow("OPTIONS,GET,HEAD");
    if (request.method == "GET" || request.method == "HEAD") {
      return transact(request, call, again, [&](const CataloguePtr &catalogue, const Identity &identity) {
        return plan_document(settings, catalogue, request, identity, path == "/docs");
      });
    }
  }
  throw HttpError(404, "PGRST125", "Invalid path specified in request URL");
}

std::string Handler::path_of(const Settings &settings, const httplib::Request &request) {
  return std::string(without_prefix(request.path, settings.url_prefix));
}

bool Handler::answer_early(const Policy &policy, const httplib::Request &request, httplib::Response &response) {
  const Settings &settings = policy.settings;
  if (settings.rate_limit_address > 0) take_turn(*policy.address_limit, address_of(settings, request));
  return answer_preflight(settings.server_cors_allowed_origins, request, response);
}

void Handler::complete(const Settings &settings, const httplib::Request &request, httplib::Response &response) {
  add_common_headers(settings, request, response);
}

CataloguePtr Handler::catalogue() const {
  auto catalogue = database_.catalogue();
  if (!catalogue) throw unavailable("PGRST002", "Could not query the database for the schema cache. Retrying.");
  return catalogue;
}

Next Handler::authenticate(const httplib::Request &request, Call &call, const std::string &action) const {
  const Settings &settings = call.policy->settings;
  const auto catalogue = this->catalogue();
  take_turn(*call.policy->sign_in_limit, address_of(settings, request));
  call.flow = std::make_unique<AuthFlow>(settings, call.policy->session_keys, catalogue, request, action);
  return next_of(request, call);
}

Next Handler::connect(const httplib::Request &request, Call &call, const std::string &path, bool again) const {
  const Settings &settings = call.policy->settings;
  const auto catalogue = this->catalogue();
  // Each of them makes the bridge ask somebody else's server.
  if (!again) take_turn(*call.policy->sign_in_limit, address_of(settings, request));
  const Identity identity = identify(*call.policy, request, again);
  call.flow = std::make_unique<AccountFlow>(settings, *call.policy->accounts, catalogue, request, path, identity);
  return next_of(request, call);
}

// With replicas, what writes says how far the log has come then, and what reads may run elsewhere.
void Handler::write_script(const httplib::Request &request, Call &call) {
  call.script = script_of(call.plan);
  call.positioned = false;
  if (call.policy->settings.db_replica_uris.empty()) return;
  const bool of_functions = call.plan.kind == Plan::Kind::kCall || call.plan.kind == Plan::Kind::kBatch;
  if ((!call.plan.read_only && !call.plan.rollback) || call.plan.replayed) {
    ask_for_position(call.script);
    call.positioned = true;
  } else if (call.plan.read_only && of_functions && !call.flow) {
    let_replicas_run(request, call.script);
  }
}

Next Handler::next_of(const httplib::Request &request, Call &call) {
  switch (call.flow->wait()) {
    case Flow::Wait::kPassword:
      return Next::kPassword;
    case Flow::Wait::kProvider:
      return Next::kProvider;
    case Flow::Wait::kQuery:
      call.plan = call.flow->query();
      write_script(request, call);
      return Next::kCall;
    case Flow::Wait::kNothing:
      break;
  }
  return Next::kAnswered;
}

Next Handler::advance(const httplib::Request &request, httplib::Response &response, Call &call) {
  const Next next = next_of(request, call);
  if (next == Next::kAnswered) {
    call.flow->write(response);
    write_position(call.position, response);
  }
  return next;
}

void Handler::options(const Settings &settings, const httplib::Request &request, httplib::Response &response,
                      const std::string &name) const {
  const auto catalogue = this->catalogue();
  const std::string schema = choose_schema(settings, request);
  const auto *functions = catalogue->find(schema, name);
  if (functions == nullptr) {
    choose_function(*catalogue, schema, name, {});  // throws, with the nearest name
    return;
  }
  const bool reads =
      std::any_of(functions->begin(), functions->end(), [](const Function &f) { return !f.is_volatile; });
  response.status = 200;
  response.set_header("Allow", reads ? "OPTIONS,GET,HEAD,POST" : "OPTIONS,POST");
}

Identity Handler::identify(const Policy &policy, const httplib::Request &request, bool again) {
  const auto authorization = header_values(request, "Authorization");
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  Identity identity =
      policy.authenticator.authenticate(authorization.empty() ? nullptr : &authorization[0], now.count());
  const std::string &user = identity.session_id.empty() ? identity.subject : identity.session_id;
  if (!user.empty() && !again) take_turn(*policy.user_limit, user);
  return identity;
}

Next Handler::transact(const httplib::Request &request, Call &call, bool again, const Planner &planner) const {
  call.start = Clock::now();
  const Identity identity = identify(*call.policy, request, again);
  call.authenticated = Clock::now();
  try {
    call.plan = planner(catalogue(), identity);
  } catch (const HttpError &error) {
    if (error.code != "PGRST202" || again) throw;
    return Next::kNewerCatalogue;
  }
  write_script(request, call);
  call.planned = Clock::now();
  return Next::kCall;
}

Next Handler::answer(const httplib::Request &request, httplib::Response &response, Call &call, Outcome outcome) const {
  const Settings &settings = call.policy->settings;
  const auto answered = Clock::now();
  if (outcome.unavailable) throw HttpError(*outcome.unavailable);
  if (outcome.error && outcome.error->step != Step::kCheck) {
    if (was_answered_before(call.plan, *outcome.error)) {
      call.plan = plan_replay(settings, request, call.plan);
      write_script(request, call);
      return Next::kCall;
    }
    throw from_database(*outcome.error, call.flow != nullptr || call.plan.identity.anonymous);
  }
  if (call.positioned && !outcome.error) call.position = take_position(outcome);
  if (call.plan.keyset && !outcome.rows.empty() && !outcome.rows[0].empty()) {
    call.plan.page_end = outcome.rows[0][0].back();
  }
  CallResult result = result_of(std::move(outcome.rows));
  if (call.flow) {
    if (outcome.error) throw HttpError(500, "XX000", "the answer was refused by its check");
    call.flow->take_result(result);
    return advance(request, response, call);
  }
  if (settings.db_schemas.size() > 1) response.set_header("Content-Profile", call.plan.schema);
  write_answer(call.plan, std::move(result), response);
  write_position(call.position, response);
  // The check has undone the call: there is nothing to show as done.
  if (outcome.error) throw HttpError(500, "XX000", "the answer was refused by its check");
  answer_conditionally(request, response);
  if (settings.server_timing_enabled) {
    const auto end = Clock::now();
    response.set_header("Server-Timing", timing("jwt", call.start, call.authenticated) + ", " +
                                             timing("parse", call.authenticated, call.planned) + ", " +
                                             timing("plan", call.planned, call.planned) + ", " +
                                             timing("transaction", call.planned, answered) + ", " +
                                             timing("response", answered, end));
  }
  return Next::kAnswered;
}

}  // namespace nexus::bridge
