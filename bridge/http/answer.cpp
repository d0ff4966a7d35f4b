#include "bridge/http/answer.hpp"

#include <httplib.h>

#include "bridge/http/batch.hpp"
#include "bridge/http/json.hpp"
#include "bridge/http/keyset.hpp"
#include "bridge/http/openapi.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

HeaderList function_headers(const CallResult &result) {
  HeaderList headers;
  if (!result.headers) return headers;
  HttpError wrong(500, "PGRST111",
                  "response.headers guc must be a JSON array composed of objects with a single key and a string value");
  auto list = parse_json(*result.headers);
  if (!list || !list->is_array()) throw HttpError(wrong);
  for (const auto &entry : *list) {
    if (!entry.is_object() || entry.size() != 1 || !entry.begin().value().is_string()) throw HttpError(wrong);
    std::string value = entry.begin().value().get<std::string>();
    if (!header_is_clean(entry.begin().key(), value)) throw HttpError(wrong);
    headers.emplace_back(entry.begin().key(), std::move(value));
  }
  return headers;
}

std::optional<int> function_status(const CallResult &result) {
  if (!result.status) return std::nullopt;
  auto status = whole_number(*result.status);
  if (!status || *status < 200 || *status > 599) {
    throw HttpError(500, "PGRST112", "response.status guc must be a valid status code");
  }
  return static_cast<int>(*status);
}

// Repeated names are sent repeatedly, but all of them replace what the bridge itself would send.
void apply_headers(const HeaderList &headers, httplib::Response &response) {
  for (const auto &header : headers) response.headers.erase(header.first);
  for (const auto &[name, value] : headers) response.headers.emplace(name, value);
}

void check_result(const Plan &plan, const CallResult &result) {
  const auto &limit = plan.preferences.max_affected;
  if (plan.preferences.strict && limit && result.rows > *limit) {
    throw HttpError(400, "PGRST124", "Query result exceeds max-affected preference constraint")
        .with_details("The query affects " + std::to_string(result.rows) + " rows");
  }
  const bool plain_scalar = plan.function->returns == Returns::kScalar && !plan.function->set;
  if (plan.media.shape == Shape::kSingular && result.rows != 1 && !plain_scalar) {
    throw HttpError(406, "PGRST116", "Cannot coerce the result to a single JSON object")
        .with_details("The result contains " + std::to_string(result.rows) + " rows");
  }
  if (result.total && plan.rows.offset > 0 && plan.rows.offset >= *result.total) {
    throw HttpError(416, "PGRST103", "Requested range not satisfiable")
        .with_details("An offset of " + std::to_string(plan.rows.offset) + " was requested, but there are only " +
                      std::to_string(*result.total) + " rows.")
        .with_header("Content-Range", "*/" + std::to_string(*result.total));
  }
}

void add_next_page(const Plan &plan, httplib::Response &response) {
  if (!plan.page_end) return;
  if (*plan.page_end == "!") {
    throw HttpError(400, "PGRST100", "The order does not tell all rows apart: the next page would miss some")
        .with_hint("Add a column to order that is different in each row, such as id.");
  }
  PageKey key;
  for (const auto &value : nlohmann::json::parse(*plan.page_end)) {
    key.push_back(value.is_null() ? std::nullopt : std::optional(value.get<std::string>()));
  }
  const std::string token = page_token(plan.function->schema + "." + plan.function->name, plan.rows.order, key);
  response.headers.emplace("Link", "<" + next_target(plan.target, token) + ">; rel=\"next\"");
}

std::string content_range(const Plan &plan, const CallResult &result) {
  const long long first = plan.function->set ? plan.rows.offset : 0;
  std::string range = "*";
  if (result.rows > 0) range = std::to_string(first) + "-" + std::to_string(first + result.rows - 1);
  if (!plan.preferences.count_exact) return range + "/*";
  return range + "/" + std::to_string(result.total.value_or(result.rows));
}

}  // namespace

void write_answer(const Plan &plan, CallResult result, httplib::Response &response) {
  if (plan.kind == Plan::Kind::kBatch) return write_batch(plan, std::move(result), response);
  if (plan.kind != Plan::Kind::kCall) return write_document(plan, result, response);
  check_result(plan, result);
  const HeaderList headers = function_headers(result);
  const std::optional<int> status = function_status(result);
  const bool is_void = plan.function->returns == Returns::kVoid;
  if (is_void) {
    response.status = 204;
  } else {
    response.status = result.total && *result.total > result.rows ? 206 : 200;
    response.set_header("Content-Type", plan.media.content_type);
    response.set_header("Content-Range", content_range(plan, result));
    response.body = std::move(result.body);
  }
  const std::string applied = applied_preferences(plan.preferences, plan.tx_chosen_by_client);
  if (!applied.empty()) response.set_header("Preference-Applied", applied);
  add_next_page(plan, response);
  if (plan.replayed) response.set_header("Idempotency-Replayed", "true");
  apply_headers(headers, response);
  if (status) response.status = *status;
}

void write_error(const HttpError &error, const std::string &proxy, httplib::Response &response) {
  response.status = error.status;
  response.body = error_body(error);
  for (const auto &[name, value] : error.headers) {
    response.headers.erase(name);
    response.headers.emplace(name, value);
  }
  response.headers.erase("Content-Type");
  response.headers.emplace("Content-Type", kJsonType);
  if (header_is_clean("Proxy-Status", error.code)) {
    response.headers.erase("Proxy-Status");
    response.headers.emplace("Proxy-Status", proxy + "; error=" + error.code);
  }
}

}  // namespace nexus::bridge
