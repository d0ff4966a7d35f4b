#include "bridge/http/keyset.hpp"

#include <nlohmann/json.hpp>

#include "bridge/auth/base64.hpp"
#include "bridge/http/error.hpp"
#include "bridge/http/json.hpp"

namespace nexus::bridge {
namespace {

constexpr std::size_t kLongestToken = 4096;  // a URI has 8 KiB
constexpr std::string_view kName = "page-token";

std::string order_text(const std::vector<OrderItem> &order) {
  std::string text;
  for (const auto &item : order) {
    text += item.field.column;
    for (const auto &step : item.field.path) text += (step.as_text ? "->>" : "->") + step.key;
    text += item.descending ? ".desc" : ".asc";
    if (item.nulls_first) text += *item.nulls_first ? ".nullsfirst" : ".nullslast";
    text += ',';
  }
  return text;
}

HttpError not_of_this(const char *details) {
  return HttpError(400, "PGRST100", "failed to parse page-token")
      .with_details(details)
      .with_hint("Follow the Link of the page before as it is.");
}

}  // namespace

std::string page_token(const std::string &function, const std::vector<OrderItem> &order, const PageKey &key) {
  nlohmann::json values = nlohmann::json::array();
  for (const auto &value : key) values.push_back(value ? nlohmann::json(*value) : nlohmann::json());
  std::string token = base64url_encoded(nlohmann::json{function, order_text(order), values}.dump());
  if (token.size() > kLongestToken) {
    throw HttpError(400, "PGRST100", "The columns of the order are too long for a page token")
        .with_hint("Order by shorter columns.");
  }
  return token;
}

PageKey page_key(const std::string &token, const std::string &function, const std::vector<OrderItem> &order) {
  const auto text = token.size() > kLongestToken ? std::nullopt : base64url_decoded(token);
  const auto parts = text ? parse_json(*text) : std::nullopt;
  const bool whole = parts && parts->is_array() && parts->size() == 3 && (*parts)[0].is_string() &&
                     (*parts)[1].is_string() && (*parts)[2].is_array();
  if (!whole) throw not_of_this("it is no page token");
  if ((*parts)[0] != function || (*parts)[1] != order_text(order) || (*parts)[2].size() != order.size()) {
    throw not_of_this("it belongs to another function or order");
  }
  PageKey key;
  for (const auto &value : (*parts)[2]) {
    if (!value.is_string() && !value.is_null()) throw not_of_this("it is no page token");
    key.push_back(value.is_null() ? std::nullopt : std::optional(value.get<std::string>()));
    if (key.back() && key.back()->find('\0') != std::string::npos) throw not_of_this("it is no page token");
  }
  return key;
}

std::string next_target(std::string_view target, const std::string &token) {
  const std::size_t mark = target.find('?');
  std::string next(target.substr(0, mark));
  next += '?';
  std::string_view rest = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.empty() || pair.substr(0, pair.find('=')) == kName) continue;
    next.append(pair).append("&");
  }
  return next.append(kName).append("=").append(token);
}

}  // namespace nexus::bridge
