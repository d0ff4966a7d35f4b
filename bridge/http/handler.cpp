#include "bridge/http/handler.hpp"

#include <httplib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "bridge/http/error.hpp"
#include "bridge/http/text.hpp"
#include "bridge/http/url.hpp"

namespace nexus::bridge {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
constexpr std::string_view kRpc = "/rpc/";

std::string timing(const char *name, Clock::time_point from, Clock::time_point to) {
  std::array<char, 64> text{};
  const double ms = std::chrono::duration<double, std::milli>(to - from).count();
  std::snprintf(text.data(), text.size(), "%s;dur=%.1f", name, ms);
  return text.data();
}

bool is_preflight(const httplib::Request &request) {
  return request.method == "OPTIONS" && request.has_header("Origin") &&
         request.has_header("Access-Control-Request-Method");
}

void write_preflight(const httplib::Request &request, httplib::Response &response) {
  response.status = 200;
  response.set_header("Access-Control-Allow-Methods", "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD");
  std::string allowed = "Authorization, ";
  const std::string requested = request.get_header_value("Access-Control-Request-Headers");
  if (!requested.empty()) allowed += joined(split_trimmed(requested, ','), ", ") + ", ";
  response.set_header("Access-Control-Allow-Headers", allowed + "Accept, Accept-Language, Content-Language");
  response.set_header("Access-Control-Max-Age", "86400");
}

void write_health(httplib::Response &response, bool good, const char *yes, const char *no) {
  response.status = good ? 200 : 503;
  response.body = std::string(R"({"status":")") + (good ? yes : no) + "\"}";
  response.set_header("Content-Type", kJsonType);
  response.set_header("Cache-Control", "no-store");
  if (!good) response.set_header("Retry-After", "1");
}

}  // namespace

Next Handler::begin(const httplib::Request &request, httplib::Response &response, Call &call, bool newest) const {
  Next next = Next::kAnswered;
  try {
    next = route(request, response, call, newest);
  } catch (const HttpError &error) {
    write_error(error, settings_.server_proxy_name, response);
  }
  if (next == Next::kAnswered || next == Next::kEvents) add_common_headers(request, response);
  return next;
}

void Handler::fail(const httplib::Request &request, httplib::Response &response, const HttpError &error) const {
  response = httplib::Response();
  write_error(error, settings_.server_proxy_name, response);
  add_common_headers(request, response);
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

Next Handler::route(const httplib::Request &request, httplib::Response &response, Call &call, bool newest) const {
  std::string_view path = request.path;
  const std::string &prefix = settings_.url_prefix;
  if (!prefix.empty() && path.substr(0, prefix.size()) == prefix &&
      (path.size() == prefix.size() || path[prefix.size()] == '/')) {
    path.remove_prefix(prefix.size());
    if (path.empty()) path = "/";
  }
  if (health(request, response, std::string(path))) return Next::kAnswered;
  if (is_preflight(request)) {
    write_preflight(request, response);
    return Next::kAnswered;
  }
  if (std::find(kMethods.begin(), kMethods.end(), request.method) == kMethods.end()) {
    throw HttpError(405, "PGRST117", "Unsupported HTTP method: " + request.method);
  }
  if (path.substr(0, kRpc.size()) == kRpc && path.size() > kRpc.size()) {
    const std::string_view rest = path.substr(kRpc.size());
    const auto name = percent_decoded(rest, false);
    if (rest.find('/') == std::string_view::npos && name) {
      if (request.method == "OPTIONS") {
        options(request, response, *name);
        return Next::kAnswered;
      }
      if (request.method == "GET" || request.method == "HEAD" || request.method == "POST") {
        return plan(request, call, *name, newest);
      }
      throw HttpError(405, "PGRST101", "Cannot use the " + request.method + " method on RPC");
    }
  }
  if (path == "/events" && !settings_.events_table.empty()) {
    if (request.method != "GET")
      throw HttpError(405, "PGRST101", "Cannot use the " + request.method + " method on events");
    call.plan.identity = identify(request);
    if (call.plan.identity.anonymous) {
      throw HttpError(401, "PGRST302", "Events need a token").with_header("WWW-Authenticate", "Bearer");
    }
    return Next::kEvents;
  }
  if (path == "/") {
    if (request.method == "OPTIONS") {
      response.status = 200;
      response.set_header("Allow", "OPTIONS,GET,HEAD");
      return Next::kAnswered;
    }
    choose_schema(settings_, request);
    throw HttpError(404, "PGRST126", "Root endpoint metadata is disabled");
  }
  throw HttpError(404, "PGRST125", "Invalid path specified in request URL");
}

CataloguePtr Handler::catalogue() const {
  auto catalogue = database_.catalogue();
  if (!catalogue) throw unavailable("PGRST002", "Could not query the database for the schema cache. Retrying.");
  return catalogue;
}

void Handler::options(const httplib::Request &request, httplib::Response &response, const std::string &name) const {
  const auto catalogue = this->catalogue();
  const auto *functions = catalogue->find(choose_schema(settings_, request), name);
  if (functions == nullptr) throw HttpError(404, "PGRST125", "Invalid path specified in request URL");
  const bool reads =
      std::any_of(functions->begin(), functions->end(), [](const Function &f) { return !f.is_volatile; });
  response.status = 200;
  response.set_header("Allow", reads ? "OPTIONS,GET,HEAD,POST" : "OPTIONS,POST");
}

Identity Handler::identify(const httplib::Request &request) const {
  const auto authorization = header_values(request, "Authorization");
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  return authenticator_.authenticate(authorization.empty() ? nullptr : &authorization[0], now.count());
}

Next Handler::plan(const httplib::Request &request, Call &call, const std::string &name, bool newest) const {
  call.start = Clock::now();
  const Identity identity = identify(request);
  call.authenticated = Clock::now();
  try {
    call.plan = plan_call(settings_, catalogue(), request, name, identity);
  } catch (const HttpError &error) {
    if (error.code != "PGRST202" || newest) throw;
    return Next::kNewerCatalogue;
  }
  call.script = script_of(call.plan);
  call.planned = Clock::now();
  return Next::kCall;
}

void Handler::finish(const httplib::Request &request, httplib::Response &response, const Call &call,
                     Outcome outcome) const {
  const auto answered = Clock::now();
  try {
    if (outcome.unavailable) throw HttpError(*outcome.unavailable);
    if (outcome.error && outcome.error->step != Step::kCheck) {
      throw from_database(*outcome.error, call.plan.identity.anonymous);
    }
    if (outcome.rows.empty()) throw HttpError(500, "XX000", "the call gave no answer");
    if (settings_.db_schemas.size() > 1) response.set_header("Content-Profile", call.plan.schema);
    write_answer(call.plan, result_of(std::move(outcome.rows.back())), response);
    // The check has undone the call: there is nothing to show as done.
    if (outcome.error) throw HttpError(500, "XX000", "the answer was refused by its check");
  } catch (const HttpError &error) {
    return fail(request, response, error);
  }
  if (settings_.server_timing_enabled) {
    const auto end = Clock::now();
    response.set_header("Server-Timing", timing("jwt", call.start, call.authenticated) + ", " +
                                             timing("parse", call.authenticated, call.planned) + ", " +
                                             timing("plan", call.planned, call.planned) + ", " +
                                             timing("transaction", call.planned, answered) + ", " +
                                             timing("response", answered, end));
  }
  add_common_headers(request, response);
}

void Handler::add_common_headers(const httplib::Request &request, httplib::Response &response) const {
  if (!response.has_header("Vary")) response.set_header("Vary", "Accept, Prefer, Range");
  const std::string &trace = settings_.server_trace_header;
  if (!trace.empty() && request.has_header(trace)) response.set_header(trace, request.get_header_value(trace));
  const std::string origin = request.get_header_value("Origin");
  if (origin.empty()) return;
  const auto &allowed = settings_.server_cors_allowed_origins;
  if (allowed.empty()) {
    response.set_header("Access-Control-Allow-Origin", "*");
  } else if (std::find(allowed.begin(), allowed.end(), origin) != allowed.end()) {
    response.set_header("Access-Control-Allow-Origin", origin);
    response.set_header("Access-Control-Allow-Credentials", "true");
  } else {
    return;
  }
  if (!is_preflight(request)) {
    response.set_header("Access-Control-Expose-Headers",
                        "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, "
                        "Transfer-Encoding, Range-Unit");
  }
}

}  // namespace nexus::bridge
