#pragma once

#include <httplib.h>

#include <string>
#include <string_view>

namespace nexus::bridge::net {

/// The head of an answer as it goes on the wire, with Date, Content-Length (not for HEAD, 204, 304) and, on the last
/// answer of a connection, `Connection: close`.
std::string head_of(const httplib::Request &request, const httplib::Response &response, bool last);

/// The head of a stream. `chunked`: its end is marked (RFC 9112, 7.1); else it is the end of the connection.
std::string stream_head_of(const httplib::Response &response, bool chunked, bool last);

/// Bytes as one chunk.
std::string chunk_of(std::string_view bytes);

/// True when the answer has no body on the wire.
bool without_body(const httplib::Request &request, const httplib::Response &response);

/// "Not Found" for 404.
const char *reason_phrase(int status);

}  // namespace nexus::bridge::net
