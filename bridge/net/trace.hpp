#pragma once

#include <httplib.h>

#include <string>

namespace nexus::bridge::net {

/// What a request is known by in logs, here and in the services around.
struct Trace {
  std::string request_id;                    ///< of X-Request-Id, or made up
  std::string trace_id, span_id, parent_id;  ///< W3C Trace Context; parent_id is empty where the trace starts here
  std::string flags = "00";

  /// The value of the header traceparent for what this request asks of others.
  std::string traceparent() const { return "00-" + trace_id + "-" + span_id + "-" + flags; }
};

/// Goes on with the trace that the request's traceparent names, or starts one where there is none or it is malformed;
/// takes its X-Request-Id when it has 1 to 128 characters that are harmless in logs.
Trace trace_of(const httplib::Request &request);

}  // namespace nexus::bridge::net
