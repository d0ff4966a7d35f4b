#pragma once

namespace httplib {
struct Request;
struct Response;
}  // namespace httplib

namespace nexus::bridge {

/// Gives a whole answer (200) to GET or HEAD its entity tag, and makes it 304 without a body when the client has that
/// already (If-None-Match). Caches may keep such an answer but must ask each time; where a caller is named, only their
/// own cache may. What the function set itself stays.
void answer_conditionally(const httplib::Request &request, httplib::Response &response);

}  // namespace nexus::bridge
