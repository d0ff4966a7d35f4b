#include "bridge/http/handler.hpp"

#include <httplib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "bridge/auth/auth_flow.hpp"
#include "bridge/http/batch.hpp"
#include "bridge/http/choose.hpp"
#include "bridge/http/conditional.hpp"
#include "bridge/http/cors.hpp"
#include "bridge/http/error.hpp"
#include "bridge/http/openapi.hpp"
#include "bridge/http/text.hpp"
#include "bridge/http/url.hpp"

namespace nexus::bridge {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
constexpr std::string_view kRpc = "/rpc/", kAuth = "/auth/";

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

void Handler::handle(const httplib::Request &request, httplib::Response &response) {
  try {
    route(request, response);
  } catch (const HttpError &error) {
    write_error(error, settings_.server_proxy_name, response);
  }
  add_common_headers(request, response);
}

void Handler::handle_admin(const httplib::Request &request, httplib::Response &response) {
  if (health(request, response, request.path)) return;
  write_error(HttpError(404, "PGRST125", "Invalid path specified in request URL"), settings_.server_proxy_name,
              response);
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

void Handler::route(const httplib::Request &request, httplib::Response &response) {
  const std::string_view path = without_prefix(request.path, settings_.url_prefix);
  if (health(request, response, std::string(path))) return;
  if (settings_.rate_limit_address > 0) take_turn(address_limit_, address_of(settings_, request));
  if (answer_preflight(settings_.server_cors_allowed_origins, request, response)) return;
  if (std::find(kMethods.begin(), kMethods.end(), request.method) == kMethods.end()) {
    throw HttpError(405, "PGRST117", "Unsupported HTTP method: " + request.method);
  }
  if (path.substr(0, kRpc.size()) == kRpc && path.size() > kRpc.size()) {
    const std::string_view rest = path.substr(kRpc.size());
    const auto name = percent_decoded(rest, false);
    if (rest.find('/') == std::string_view::npos && name) {
      if (request.method == "OPTIONS") return options(request, response, *name);
      if (request.method == "GET" || request.method == "HEAD" || request.method == "POST") {
        return transact(request, response, [&](const CataloguePtr &catalogue, const Identity &identity) {
          return plan_call(settings_, catalogue, request, *name, identity);
        });
      }
      throw HttpError(405, "PGRST101", "Cannot use the " + request.method + " method on RPC");
    }
  }
  if (path == "/batch") {
    if (request.method == "OPTIONS") {
      response.status = 200;
      response.set_header("Allow", "OPTIONS,POST");
      return;
    }
    if (request.method != "POST") {
      throw HttpError(405, "PGRST101", "Cannot use the " + request.method + " method on /batch");
    }
    return transact(request, response, [&](const CataloguePtr &catalogue, const Identity &identity) {
      return plan_batch(settings_, catalogue, request, identity);
    });
  }
  if (path.substr(0, kAuth.size()) == kAuth) {
    return authenticate(request, response, std::string(path.substr(kAuth.size())));
  }
  if (path == "/" || path == "/docs") {
    if (request.method == "OPTIONS") {
      response.status = 200;
      response.set_header("Allow", "OPTIONS,GET,HEAD");
      return;
    }
    if (request.method == "GET" || request.method == "HEAD") {
      return transact(request, response, [&](const CataloguePtr &catalogue, const Identity &identity) {
        return plan_document(settings_, catalogue, request, identity, path == "/docs");
      });
    }
  }
  throw HttpError(404, "PGRST125", "Invalid path specified in request URL");
}

void Handler::authenticate(const httplib::Request &request, httplib::Response &response, const std::string &action) {
  const auto catalogue = database_.catalogue();
  if (!catalogue) throw unavailable("PGRST002", "Could not query the database for the schema cache. Retrying.");
  take_turn(sign_in_limit_, address_of(settings_, request));
  AuthFlow flow(settings_, session_keys_, catalogue, request, action);
  while (flow.wait() != AuthFlow::Wait::kNothing) {
    if (flow.wait() == AuthFlow::Wait::kPassword) {
      flow.run_password();
      continue;
    }
    CallResult result;
    try {
      database_.run(flow.query(), [&](CallResult answer) { result = std::move(answer); });
    } catch (const DatabaseError &error) {
      throw from_database(error, true);
    }
    flow.take_result(result);
  }
  flow.write(response);
}

void Handler::options(const httplib::Request &request, httplib::Response &response, const std::string &name) {
  const auto catalogue = database_.catalogue();
  if (!catalogue) throw unavailable("PGRST002", "Could not query the database for the schema cache. Retrying.");
  const std::string schema = choose_schema(settings_, request);
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

void Handler::transact(const httplib::Request &request, httplib::Response &response, const Planner &planner) {
  const auto start = Clock::now();
  const auto authorization = header_values(request, "Authorization");
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  const Identity identity =
      authenticator_.authenticate(authorization.empty() ? nullptr : &authorization[0], now.count());
  const std::string &user = identity.session_id.empty() ? identity.subject : identity.session_id;
  if (!user.empty()) take_turn(user_limit_, user);
  const auto authenticated = Clock::now();

  CataloguePtr catalogue = database_.catalogue();
  if (!catalogue) throw unavailable("PGRST002", "Could not query the database for the schema cache. Retrying.");
  Plan plan;
  try {
    plan = planner(catalogue, identity);
  } catch (const HttpError &error) {
    // The function may be younger than the picture of the schemas.
    if (error.code != "PGRST202") throw;
    const CataloguePtr newer = database_.newer_catalogue(catalogue);
    if (newer == catalogue) throw;
    plan = planner(newer, identity);
  }
  const auto planned = Clock::now();
  auto answered = planned;
  if (settings_.db_schemas.size() > 1) response.set_header("Content-Profile", plan.schema);
  const auto accept = [&](CallResult result) {
    answered = Clock::now();
    write_answer(plan, std::move(result), response);
  };
  try {
    try {
      database_.run(plan, accept);
    } catch (const DatabaseError &error) {
      if (!was_answered_before(plan, error)) throw;
      plan = plan_replay(settings_, request, plan);
      database_.run(plan, accept);
    }
  } catch (const DatabaseError &error) {
    response = httplib::Response();
    throw from_database(error, identity.anonymous);
  } catch (const HttpError &) {
    response = httplib::Response();
    throw;
  }
  answer_conditionally(request, response);
  if (settings_.server_timing_enabled) {
    const auto end = Clock::now();
    response.set_header("Server-Timing",
                        timing("jwt", start, authenticated) + ", " + timing("parse", authenticated, planned) + ", " +
                            timing("plan", planned, planned) + ", " + timing("transaction", planned, answered) + ", " +
                            timing("response", answered, end));
  }
}

void Handler::add_common_headers(const httplib::Request &request, httplib::Response &response) const {
  if (!response.has_header("Vary")) response.set_header("Vary", "Accept, Prefer, Range");
  const std::string &trace = settings_.server_trace_header;
  if (!trace.empty() && request.has_header(trace)) response.set_header(trace, request.get_header_value(trace));
  add_cors_headers(settings_.server_cors_allowed_origins, request, response);
}

}  // namespace nexus::bridge
