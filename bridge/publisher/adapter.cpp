#include "bridge/publisher/adapter.hpp"

#include <cstdio>
#include <ctime>

#include "bridge/auth/base64.hpp"
#include "bridge/http/json.hpp"

namespace nexus::publisher {
namespace {

constexpr double kLongestWait = 86400;

std::string excerpt(const Exchange &exchange) {
  const Json body = parse_json(exchange.body);
  for (const char *name : {"message", "error_description", "error", "detail", "title"}) {
    const std::string text = text_of(body, name);
    if (!text.empty()) return text.substr(0, 300);
  }
  return "";
}

}  // namespace

Counts Adapter::counters(Account &account, const std::vector<std::string> &, const Services &) const {
  return {{}, Failure{"invalid", "no_counters", account.platform + " is not asked for counters", 0, std::nullopt}};
}

Sent failed(const Exchange &exchange) {
  Sent sent;
  Failure &failure = sent.failure;
  switch (exchange.state) {
    case Exchange::State::kRefused:
      sent.outcome = Sent::Outcome::kNotSent;
      failure = {"invalid", "address_refused", exchange.error, 0, std::nullopt};
      return sent;
    case Exchange::State::kNotSent:
      sent.outcome = Sent::Outcome::kNotSent;
      failure = {"transient", "not_reached", exchange.error, 0, std::nullopt};
      return sent;
    case Exchange::State::kCut:
      sent.outcome = Sent::Outcome::kUnknown;
      failure = {"unknown_outcome", "no_answer", exchange.error, 0, std::nullopt};
      return sent;
    case Exchange::State::kAnswered:
      break;
  }
  const int status = exchange.status;
  failure.http_status = status;
  failure.code = "http_" + std::to_string(status);
  const std::string said = excerpt(exchange);
  failure.message = "HTTP " + std::to_string(status) + (said.empty() ? "" : ": " + said);
  sent.outcome = Sent::Outcome::kRejected;
  if (status == 429) {
    failure.type = "rate_limited";
    failure.retry_after = retry_after(exchange, static_cast<double>(std::time(nullptr)));
  } else if (status == 401 || status == 403) {
    failure.type = "auth";
  } else if (status >= 500 || status == 408 || status < 200) {
    sent.outcome = Sent::Outcome::kUnknown;
    failure.type = "unknown_outcome";
  } else {
    failure.type = "invalid";
    if (status >= 300 && status < 400) failure.message += " (redirects are not followed)";
  }
  return sent;
}

Sent failed_before(const Exchange &exchange) {
  Sent sent = failed(exchange);
  if (sent.outcome == Sent::Outcome::kUnknown) sent.failure.type = "transient";
  sent.outcome = Sent::Outcome::kNotSent;
  return sent;
}

Json count_of(const Json &object, const char *name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() && *found >= 0 ? *found : Json();
}

std::optional<double> parse_time(const std::string &text) {
  int year, month, day, hour, minute, used = 0;
  double second;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%lf%n", &year, &month, &day, &hour, &minute, &second, &used) !=
      6) {
    return std::nullopt;
  }
  std::tm parts{};
  parts.tm_year = year - 1900;
  parts.tm_mon = month - 1;
  parts.tm_mday = day;
  parts.tm_hour = hour;
  parts.tm_min = minute;
  double offset = 0;
  const std::string zone = text.substr(static_cast<std::size_t>(used));
  if (zone != "Z") {
    int hours, minutes;
    char sign;
    if (std::sscanf(zone.c_str(), "%c%2d:%2d", &sign, &hours, &minutes) != 3 || (sign != '+' && sign != '-')) {
      return std::nullopt;
    }
    offset = (sign == '+' ? 60 : -60) * (hours * 60 + minutes);
  }
  return static_cast<double>(timegm(&parts)) + second - offset;
}

std::optional<double> retry_after(const Exchange &exchange, double now) {
  std::optional<double> wait;
  const std::string after = exchange.header("Retry-After");
  const std::string iso = exchange.header("X-RateLimit-Reset");
  const std::string epoch = exchange.header("RateLimit-Reset");
  double number = 0;
  if (!after.empty()) {
    std::tm date{};
    if (std::sscanf(after.c_str(), "%lf", &number) == 1) {
      wait = number;
    } else if (strptime(after.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) != nullptr) {
      wait = static_cast<double>(timegm(&date)) - now;
    }
  } else if (const auto at = parse_time(iso)) {
    wait = *at - now;
  } else if (std::sscanf(epoch.c_str(), "%lf", &number) == 1) {
    wait = number > 1e9 ? number - now : number;
  }
  if (wait) wait = std::min(std::max(*wait, 0.0), kLongestWait);
  return wait;
}

Exchange authorized(Call call, Account &account, const Services &services, std::optional<Failure> &refused) {
  call.timeout = services.timeout;
  for (int round = 0;; ++round) {
    if (account.access_token.empty() || round == 1) {
      refused = services.renew(account);
      if (refused) return {};
    }
    Call with = call;
    with.headers.emplace_back("Authorization", "Bearer " + account.access_token);
    Exchange exchange = services.http.run(with);
    const bool expired = exchange.state == Exchange::State::kAnswered &&
                         (exchange.status == 401 ||
                          (exchange.status == 400 && text_of(parse_json(exchange.body), "error") == "ExpiredToken"));
    if (!expired || round == 1) return exchange;
  }
}

std::optional<double> jwt_expiry(const std::string &token) {
  const std::size_t first = token.find('.'), second = token.find('.', first + 1);
  if (first == std::string::npos || second == std::string::npos) return std::nullopt;
  const auto claims = bridge::base64url_decoded(std::string_view(token).substr(first + 1, second - first - 1));
  const Json parsed = claims ? parse_json(*claims) : Json();
  if (!parsed.is_object() || !parsed.value("exp", Json()).is_number()) return std::nullopt;
  return parsed.at("exp").get<double>();
}

std::string percent_encoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    const auto byte = static_cast<unsigned char>(c);
    if (plain) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kHex[byte >> 4];
      encoded += kHex[byte & 15];
    }
  }
  return encoded;
}

Json parse_json(const std::string &text) {
  // what a platform nests without end would overrun the stack
  return bridge::parse_json(text).value_or(Json());
}

std::string text_of(const Json &object, const char *name) {
  if (!object.is_object()) return "";
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace nexus::publisher
