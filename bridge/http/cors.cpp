#include "bridge/http/cors.hpp"

#include <httplib.h>

#include <algorithm>

#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

bool is_allowed(const std::vector<std::string> &allowed_origins, const std::string &origin) {
  return allowed_origins.empty() ||
         std::find(allowed_origins.begin(), allowed_origins.end(), origin) != allowed_origins.end();
}

bool is_preflight(const httplib::Request &request) {
  return request.method == "OPTIONS" && request.has_header("Origin") &&
         request.has_header("Access-Control-Request-Method");
}

}  // namespace

bool answer_preflight(const std::vector<std::string> &allowed_origins, const httplib::Request &request,
                      httplib::Response &response) {
  if (!is_preflight(request) || !is_allowed(allowed_origins, request.get_header_value("Origin"))) return false;
  response.status = 200;
  response.set_header("Access-Control-Allow-Methods", "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD");
  std::string allowed = "Authorization, ";
  const std::string requested = request.get_header_value("Access-Control-Request-Headers");
  if (!requested.empty()) allowed += joined(split_trimmed(requested, ','), ", ") + ", ";
  response.set_header("Access-Control-Allow-Headers", allowed + "Accept, Accept-Language, Content-Language");
  response.set_header("Access-Control-Max-Age", "86400");
  return true;
}

void add_cors_headers(const std::vector<std::string> &allowed_origins, const httplib::Request &request,
                      httplib::Response &response) {
  if (!allowed_origins.empty()) response.headers.emplace("Vary", "Origin");
  const std::string origin = request.get_header_value("Origin");
  if (origin.empty() || !is_allowed(allowed_origins, origin)) return;
  if (allowed_origins.empty()) {
    response.set_header("Access-Control-Allow-Origin", "*");
  } else {
    response.set_header("Access-Control-Allow-Origin", origin);
    response.set_header("Access-Control-Allow-Credentials", "true");
  }
  if (is_preflight(request)) return;
  response.set_header("Access-Control-Expose-Headers",
                      "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, "
                      "Transfer-Encoding, Range-Unit, Consistency-Token, ETag, Idempotency-Replayed, Link, "
                      "Preference-Applied, Proxy-Status, Retry-After, Server-Timing, WWW-Authenticate, X-Request-Id");
}

}  // namespace nexus::bridge
