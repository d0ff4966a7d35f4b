#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "bridge/net/trace.hpp"

namespace nexus::bridge::net {

/// One request, as the log tells of it: never its query, headers or body, which hold what is private.
struct RequestLine {
  const Trace &trace;
  std::string_view client, method, path;
  int status = 0;  ///< 499: the client left before the answer
  std::chrono::microseconds duration{};
  std::size_t bytes_in = 0, bytes = 0;  ///< of the bodies
  std::string_view sqlstate;            ///< of the error that the database raised; empty: it raised none
  std::string_view reason;              ///< why it was no request at all; empty: it was one
};

/// The line's members as JSON without the braces: "request_id":"...","traceparent":"...".
std::string json_members(const RequestLine &line);

/// The line for a reader.
std::string log_text(const RequestLine &line);

/// Logs to standard error from now on: one JSON object a line, or text.
void start_log(bool json, const std::string &level);

/// Logs a request.
void log_request(const RequestLine &line);

}  // namespace nexus::bridge::net
