#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bridge/http/error.hpp"
#include "bridge/http/plan.hpp"

namespace httplib {
struct Response;
}

namespace nexus::bridge {

/// What the one call of a transaction gave.
struct CallResult {
  std::optional<long long> total;  ///< with count=exact
  long long rows = 0;
  std::string body;
  std::optional<std::string> headers, status;  ///< response.headers and response.status
  std::vector<CallResult> more;                ///< of a batch: what the calls behind the first one gave
};

/// Fills the answer. Throws HttpError when the result is no answer (406, 416 and so on): the caller rolls back then.
void write_answer(const Plan &plan, CallResult result, httplib::Response &response);

/// Fills an error answer; `proxy` is the name in Proxy-Status.
void write_error(const HttpError &error, const std::string &proxy, httplib::Response &response);

}  // namespace nexus::bridge
