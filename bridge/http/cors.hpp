#pragma once

#include <string>
#include <vector>

namespace httplib {
struct Request;
struct Response;
}  // namespace httplib

namespace nexus::bridge {

/// Answers a preflight (an OPTIONS that names an origin and the method to come) and returns true. With a list of
/// allowed origins the preflight of any other origin is no preflight: false, it is an ordinary OPTIONS.
///
///     if (answer_preflight(settings.server_cors_allowed_origins, request, response)) return;
bool answer_preflight(const std::vector<std::string> &allowed_origins, const httplib::Request &request,
                      httplib::Response &response);

/// Adds the Access-Control headers that every answer to that request carries. Without a list every origin may read, but
/// without credentials; with a list the origin is named, and caches are told that the answer depends on it.
void add_cors_headers(const std::vector<std::string> &allowed_origins, const httplib::Request &request,
                      httplib::Response &response);

}  // namespace nexus::bridge
