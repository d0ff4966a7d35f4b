#pragma once

#include <string>

#include "bridge/http/answer.hpp"
#include "bridge/http/plan.hpp"

namespace nexus::bridge {

/// Plans `POST /batch`: several calls in one transaction, all or nothing. The body is an array of at most 100 calls:
///
///     [{"function": "add_post", "arguments": {"title": "t"}}, {"function": "posts", "query": "select=id&limit=5"}]
///
/// "query" is what would stand behind the question mark of a POST. Throws 400 PGRST102 and all that plan_call() throws.
Plan plan_batch(const Settings &settings, const CataloguePtr &catalogue, const httplib::Request &request,
                const Identity &identity);

/// Fills the answer: an array with one {"status", "headers", "body"} for each call, in order. Throws what
/// write_answer() throws for any of them: nothing is kept then.
void write_batch(const Plan &plan, CallResult result, httplib::Response &response);

}  // namespace nexus::bridge
