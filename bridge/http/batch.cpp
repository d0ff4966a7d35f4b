#include "bridge/http/batch.hpp"

#include <httplib.h>

#include <nlohmann/json.hpp>

#include "bridge/http/error.hpp"
#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

using nlohmann::json;

constexpr std::size_t kMostCalls = 100;

HttpError bad_batch(const std::string &details) {
  return HttpError(400, "PGRST102", "A batch is an array of calls").with_details(details);
}

std::string place_of(std::size_t place) {
  return "Call " + std::to_string(place + 1);
}

// The call as the request that it would be by itself.
httplib::Request single_request(const httplib::Request &request, std::string_view call, std::size_t place) {
  httplib::Request single;
  single.method = "POST";
  single.headers = request.headers;
  for (const char *name : {"Accept", "Content-Type", "Content-Length", "Idempotency-Key", "Range"}) {
    single.headers.erase(name);
  }
  single.headers.emplace("Accept", "application/json");
  std::string function, query;
  for (const auto &[key, value] : json_members(call)) {
    if (key == "arguments") {
      if (value.empty() || value.front() != '{') throw bad_batch(place_of(place) + ": arguments must be an object");
      single.body = std::string(value);
    } else if (key == "function" || key == "query") {
      const json text = json::parse(value);
      if (!text.is_string()) throw bad_batch(place_of(place) + ": " + key + " must be a string");
      (key == "function" ? function : query) = text.get<std::string>();
    } else {
      throw bad_batch(place_of(place) + ": the member " + key + " is unknown");
    }
  }
  if (function.empty()) throw bad_batch(place_of(place) + ": function is missing");
  single.path = function;
  single.target = "/rpc/x?" + query;
  return single;
}

Plan plan_single(const Settings &settings, const CataloguePtr &catalogue, const httplib::Request &request,
                 const Identity &identity, std::size_t place) {
  try {
    Plan plan = plan_call(settings, catalogue, request, request.path, identity, true);
    if (plan.media.shape != Shape::kJson)
      throw bad_batch("A function that makes its own media type is not for a batch");
    return plan;
  } catch (HttpError &error) {
    error.details = place_of(place) + (error.details ? ": " + *error.details : "");
    throw;
  }
}

std::string answer_text(const httplib::Response &response) {
  json headers = json::object();
  for (const auto &[name, value] : response.headers) headers[name] = value;
  std::string text = "{\"status\":" + std::to_string(response.status) +
                     ",\"headers\":" + headers.dump(-1, ' ', false, json::error_handler_t::replace) + ",\"body\":";
  return text + (response.body.empty() ? "null" : response.body) + "}";
}

}  // namespace

Plan plan_batch(const Settings &settings, const CataloguePtr &catalogue, const httplib::Request &request,
                const Identity &identity) {
  if (request.has_header("Idempotency-Key")) {
    throw HttpError(400, "NX030", "An Idempotency-Key is not supported for a batch yet");
  }
  if (outline_json(request.body).kind == JsonKind::kInvalid) throw HttpError(400, "PGRST102", "Empty or invalid json");
  if (outline_json(request.body).kind != JsonKind::kArrayOfObjects) {
    throw bad_batch("The body must be an array of objects that nests at most " + std::to_string(kMaxJsonDepth) +
                    " levels.");
  }
  const auto calls = json_elements(request.body);
  if (calls.empty() || calls.size() > kMostCalls) {
    throw bad_batch("There must be 1 to " + std::to_string(kMostCalls) + " calls.");
  }
  std::vector<Plan> plans;
  bool read_only = true;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].empty() || calls[i].front() != '{') throw bad_batch(place_of(i) + " must be an object.");
    plans.push_back(plan_single(settings, catalogue, single_request(request, calls[i], i), identity, i));
    read_only = read_only && plans.back().read_only;
  }
  Plan plan = std::move(plans.front());
  plan.kind = Plan::Kind::kBatch;
  plan.read_only = read_only;
  plan.more.assign(std::make_move_iterator(plans.begin() + 1), std::make_move_iterator(plans.end()));
  add_context(settings, request, plan);
  return plan;
}

void write_batch(const Plan &plan, CallResult result, httplib::Response &response) {
  std::vector<CallResult> results;
  results.swap(result.more);
  results.insert(results.begin(), std::move(result));
  std::string body = "[";
  for (std::size_t i = 0; i < results.size(); ++i) {
    httplib::Response single;
    Plan call = i == 0 ? plan : plan.more[i - 1];
    call.kind = Plan::Kind::kCall;
    try {
      write_answer(call, std::move(results[i]), single);
    } catch (HttpError &error) {
      error.details = place_of(i) + (error.details ? ": " + *error.details : "");
      throw;
    }
    body += (i == 0 ? "" : ",\n ") + answer_text(single);
  }
  if (results.size() != 1 + plan.more.size()) throw HttpError(500, "XX000", "the batch gave no answer");
  response.status = 200;
  response.set_header("Content-Type", kJsonType);
  response.body = body + "]";
}

}  // namespace nexus::bridge
