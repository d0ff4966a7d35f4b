#include "bridge/http/error.hpp"

#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>

#include "bridge/http/json.hpp"

namespace nexus::bridge {
namespace {

nlohmann::json or_null(const std::optional<std::string> &text) {
  if (!text) return nullptr;
  return *text;
}

bool starts_with(const std::string &text, std::string_view prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

constexpr const char *kMessageHint =
    "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.";
constexpr const char *kDetailHint =
    "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";

HttpError unreadable_raise(std::string details, const char *hint) {
  return HttpError(500, "PGRST121", "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error")
      .with_details(std::move(details))
      .with_hint(hint);
}

std::optional<std::string> text_member(const nlohmann::json &object, const char *name) {
  auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

// RAISE SQLSTATE 'PGRST': MESSAGE is the error object, DETAIL the status and the headers.
HttpError from_raise(const DatabaseError &error) {
  auto message = parse_json(error.message);
  if (!message || !message->is_object() || !text_member(*message, "code") || !text_member(*message, "message")) {
    return unreadable_raise("Invalid JSON value for MESSAGE: '" + error.message + "'", kMessageHint);
  }
  if (!error.detail) return unreadable_raise("DETAIL is missing in the RAISE statement", kDetailHint);
  auto detail = parse_json(*error.detail);
  bool usable = detail && detail->is_object() && detail->contains("status") &&
                (*detail)["status"].is_number_integer() && detail->contains("headers") &&
                (*detail)["headers"].is_object();
  int status = usable ? (*detail)["status"].get<int>() : 0;
  if (usable) {
    for (const auto &header : (*detail)["headers"].items()) {
      usable = usable && header.value().is_string() && header_is_clean(header.key(), header.value().get<std::string>());
    }
  }
  if (!usable || status < 200 || status > 599) {
    return unreadable_raise("Invalid JSON value for DETAIL: '" + *error.detail + "'", kDetailHint);
  }
  HttpError answer(status, *text_member(*message, "code"), *text_member(*message, "message"));
  answer.details = text_member(*message, "details");
  answer.hint = text_member(*message, "hint");
  for (const auto &header : (*detail)["headers"].items()) {
    answer.headers.emplace_back(header.key(), header.value().get<std::string>());
  }
  return answer;
}

// The status that RAISE SQLSTATE 'PTnnn' asks for.
int raised_status(const std::string &sqlstate) {
  int status = 0;
  for (std::size_t i = 2; i < sqlstate.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(sqlstate[i])) == 0) return 500;
    status = status * 10 + (sqlstate[i] - '0');
  }
  return status >= 200 && status <= 599 ? status : 500;
}

struct Rule {
  std::string_view prefix;
  int status;
};

// The first prefix that fits wins.
constexpr std::array kRules{
    Rule{"NX001", 422}, Rule{"NX010", 422}, Rule{"NX002", 409}, Rule{"NX020", 409}, Rule{"NX003", 403},
    Rule{"NX011", 400}, Rule{"08", 503},    Rule{"53400", 500}, Rule{"53", 503},    Rule{"0L", 403},
    Rule{"0P", 403},    Rule{"28", 403},    Rule{"25006", 405}, Rule{"09", 500},    Rule{"25", 500},
    Rule{"2D", 500},    Rule{"38", 500},    Rule{"39", 500},    Rule{"3B", 500},    Rule{"40", 500},
    Rule{"54", 500},    Rule{"55", 500},    Rule{"57P01", 503}, Rule{"57P02", 503}, Rule{"57P03", 503},
    Rule{"57", 500},    Rule{"58", 500},    Rule{"F0", 500},    Rule{"HV", 500},    Rule{"P0001", 400},
    Rule{"P0", 500},    Rule{"XX", 500},    Rule{"42P17", 500}, Rule{"23503", 409}, Rule{"23505", 409},
    Rule{"42883", 404}, Rule{"42P01", 404},
};

}  // namespace

std::string error_body(const HttpError &error) {
  nlohmann::json body{{"code", error.code},
                      {"details", or_null(error.details)},
                      {"hint", or_null(error.hint)},
                      {"message", error.message}};
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

int sqlstate_status(const std::string &sqlstate, bool anonymous) {
  if (starts_with(sqlstate, "PT")) return raised_status(sqlstate);
  if (sqlstate == "42501") return anonymous ? 401 : 403;
  for (const auto &rule : kRules) {
    if (starts_with(sqlstate, rule.prefix)) return rule.status;
  }
  return 400;
}

HttpError from_database(const DatabaseError &error, bool anonymous) {
  if (error.sqlstate == "PGRST") return from_raise(error);
  HttpError answer(sqlstate_status(error.sqlstate, anonymous), error.sqlstate, error.message);
  const bool prints_row = error.sqlstate == "23514" || error.sqlstate == "23502" || error.sqlstate == "44000";
  if (!prints_row) answer.details = error.detail;
  answer.hint = error.hint;
  // set_config('role', ...) refused a role that does not exist: the token is at fault.
  if (error.step == Step::kContext && error.sqlstate == "22023") answer.status = 401;
  if (answer.status == 401 && error.sqlstate == "42501") answer.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (answer.status == 503) answer.headers.emplace_back("Retry-After", "1");
  return answer;
}

HttpError unavailable(std::string code, std::string message, std::optional<std::string> details) {
  HttpError answer(503, std::move(code), std::move(message));
  answer.details = std::move(details);
  answer.headers.emplace_back("Retry-After", "1");
  return answer;
}

HttpError answer_too_large() {
  return HttpError(500, "HTTP500", "The answer is too large").with_hint("Ask for fewer rows with limit and offset.");
}

}  // namespace nexus::bridge
