#include "bridge/publisher/bluesky_session.hpp"

#include <algorithm>
#include <ctime>

namespace nexus::publisher {
namespace {

constexpr std::size_t kLargestAnswer = 262144, kLongestName = 255;

Failure failure_of(const Exchange &exchange) {
  if (exchange.state != Exchange::State::kAnswered) {
    Failure failure = failed_before(exchange).failure;
    failure.message = "the PDS: " + failure.message;
    return failure;
  }
  Failure failure{"invalid", "http_" + std::to_string(exchange.status),
                  "the PDS answers HTTP " + std::to_string(exchange.status), exchange.status, std::nullopt};
  if (exchange.status == 401) {
    failure.type = "auth";
  } else if (exchange.status == 429) {
    failure.type = "rate_limited";
    failure.retry_after = retry_after(exchange, static_cast<double>(std::time(nullptr)));
  } else if (exchange.status >= 500) {
    failure.type = "transient";
  }
  return failure;
}

bool is_name(const std::string &text) {
  return text.size() <= kLongestName &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// The PDS that the account's document names.
std::string pds_of(const Json &body) {
  const Json document = body.value("didDoc", Json());
  const Json services = document.is_object() ? document.value("service", Json()) : Json();
  if (!services.is_array()) return "";
  for (const Json &service : services) {
    const std::string id = text_of(service, "id"), endpoint = text_of(service, "serviceEndpoint");
    if (id.size() >= 12 && id.substr(id.size() - 12) == "#atproto_pds" && endpoint.size() <= kLongestName &&
        parse_url(endpoint)) {
      return endpoint;
    }
  }
  return "";
}

}  // namespace

std::optional<Failure> read_session(const Exchange &exchange, const std::string &pds, Grant &grant, Profile &profile) {
  if (!exchange.ok()) return failure_of(exchange);
  const Json body = parse_json(exchange.body);
  const std::string access = text_of(body, "accessJwt"), refresh = text_of(body, "refreshJwt");
  const std::string did = text_of(body, "did"), handle = text_of(body, "handle");
  const bool sound = !access.empty() && !refresh.empty() && did.compare(0, 4, "did:") == 0 && is_name(did) &&
                     is_name(handle) && handle.find(access) == std::string::npos &&
                     handle.find(refresh) == std::string::npos;
  if (!sound) return Failure{"invalid", "bad_session", "the PDS gave no session", exchange.status, std::nullopt};
  grant.tokens = {access, refresh, jwt_expiry(access)};
  grant.refresh_expires_at = jwt_expiry(refresh);
  const std::string own = pds_of(body);
  profile = {did, handle.empty() ? did : handle, handle, own.empty() ? pds : own};
  return std::nullopt;
}

std::optional<Failure> create_session(const HttpClient &http, const std::string &pds, const std::string &identifier,
                                      const std::string &password, std::chrono::milliseconds timeout, Grant &grant,
                                      Profile &profile) {
  Call call;
  call.method = "POST";
  call.url = pds + "/xrpc/com.atproto.server.createSession";
  call.headers = {{"Content-Type", "application/json"}};
  call.timeout = timeout;
  call.max_response = kLargestAnswer;
  call.body = Json{{"identifier", identifier}, {"password", password}}.dump();
  return read_session(http.run(call), pds, grant, profile);
}

std::optional<Failure> delete_session(const HttpClient &http, const std::string &pds, const std::string &refresh_token,
                                      std::chrono::milliseconds timeout) {
  Call call;
  call.method = "POST";
  call.url = pds + "/xrpc/com.atproto.server.deleteSession";
  call.headers = {{"Authorization", "Bearer " + refresh_token}};
  call.timeout = timeout;
  const Exchange exchange = http.run(call);
  return exchange.ok() ? std::nullopt : std::optional<Failure>(failure_of(exchange));
}

}  // namespace nexus::publisher
