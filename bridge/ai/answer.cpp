#include <ctime>

#include "bridge/ai/completion.hpp"
#include "bridge/http/json.hpp"
#include "bridge/publisher/adapter.hpp"

namespace nexus::ai {
namespace {

using publisher::Exchange;
using Kind = Outcome::Kind;

constexpr std::size_t kMaxText = 300;
constexpr std::int64_t kMaxTokens = 100'000'000;  // more than that in one answer is no count of tokens

std::string one_line(std::string text) {
  if (!bridge::is_utf8(text)) return "";
  for (char &c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  if (text.size() > kMaxText) {
    std::size_t end = kMaxText;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
  }
  return text;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Outcome failure(std::string failure_class, std::string message) {
  Outcome outcome;
  outcome.failure_class = std::move(failure_class);
  outcome.message = std::move(message);
  return outcome;
}

Outcome refusal(const Exchange &exchange, const Provider &provider) {
  const int status = exchange.status;
  const std::string who = "the provider " + provider.name;
  const std::string said = error_text(exchange);
  const std::string answered =
      who + " answered " + std::to_string(status) + (said.empty() ? std::string() : ": " + said);
  if (status == 429) {
    Outcome outcome = failure("rate_limited", answered);
    outcome.retry_after = publisher::retry_after(exchange, static_cast<double>(std::time(nullptr)));
    return outcome;
  }
  // Some repeat the key, or a part of it: what they say is not passed on.
  if (status == 401 || status == 403) {
    return failure("auth", who + " refuses the key, or there is none: " + provider.key_variable() + " of the worker");
  }
  if (status >= 500 || status == 408 || status == 409 || status == 425) return failure("transient", answered);
  return failure("invalid", answered);
}

std::optional<int> count_of(const Json &usage, const char *name) {
  if (!usage.is_object() || !usage.contains(name) || !usage[name].is_number_integer()) return std::nullopt;
  if (usage[name].is_number_unsigned() && usage[name].get<std::uint64_t>() > kMaxTokens) return std::nullopt;
  const auto count = usage[name].get<std::int64_t>();
  if (count < 0 || count > kMaxTokens) return std::nullopt;
  return static_cast<int>(count);
}

// A member, or null where the path leads nowhere.
Json member(const Json &json, const char *name) {
  return json.is_object() ? json.value(name, Json()) : Json();
}

}  // namespace

std::string error_text(const Exchange &exchange) {
  const auto json = bridge::parse_json(exchange.body);
  if (!json) return "";
  const Json error = member(*json, "error");
  for (const Json &text : {member(error, "message"), error, member(*json, "message"), member(*json, "detail")}) {
    if (text.is_string()) return one_line(text.get<std::string>());
  }
  return "";
}

std::string_view without_fence(std::string_view text) {
  text = trimmed(text);
  constexpr std::string_view kFence = "```";
  if (text.size() < 2 * kFence.size() || text.substr(0, 3) != kFence || text.substr(text.size() - 3) != kFence) {
    return text;
  }
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos) return text;
  const std::string_view language = trimmed(text.substr(3, line - 3));
  if (!language.empty() && language != "json" && language != "JSON") return text;
  return trimmed(text.substr(line + 1, text.size() - 3 - line - 1));
}

std::int64_t cost_micros(const Provider &provider, int input_tokens, int output_tokens) {
  constexpr __int128 kMillion = 1'000'000;
  const __int128 sum = static_cast<__int128>(provider.input_price) * input_tokens +
                       static_cast<__int128>(provider.output_price) * output_tokens;
  return static_cast<std::int64_t>((sum + kMillion - 1) / kMillion);
}

Outcome read_answer(const Exchange &exchange, const Provider &provider) {
  if (exchange.state != Exchange::State::kAnswered) {
    return failure("transient", "the provider " + provider.name + ": " + exchange.error);
  }
  if (!exchange.ok()) return refusal(exchange, provider);
  Outcome outcome;
  outcome.kind = Kind::kFault;
  const auto json = bridge::parse_json(exchange.body);
  if (!json || !json->is_object()) {
    outcome.message = "the provider " + provider.name + " answered what is no chat completion";
    return outcome;
  }
  const Json usage = member(*json, "usage");
  const auto input = count_of(usage, "prompt_tokens"), output = count_of(usage, "completion_tokens");
  outcome.has_usage = input && output;
  outcome.input_tokens = input.value_or(0);
  outcome.output_tokens = output.value_or(0);
  if (const Json model = member(*json, "model"); model.is_string()) {
    outcome.model = one_line(model.get<std::string>()).substr(0, 200);
    if (!bridge::is_utf8(outcome.model)) outcome.model.clear();
  }
  const Json choices = member(*json, "choices");
  if (!choices.is_array() || choices.empty()) {
    outcome.message = "the provider " + provider.name + " answered what is no chat completion";
    return outcome;
  }
  const Json message = member(choices[0], "message"), content = member(message, "content");
  const Json reason = member(choices[0], "finish_reason"), refused = member(message, "refusal");
  if (refused.is_string() && !refused.get<std::string>().empty()) {
    outcome.message = "the model refuses: " + one_line(refused.get<std::string>());
  } else if (reason == "length") {
    outcome.message = "the answer was cut off at max_tokens";
  } else if (reason == "content_filter") {
    outcome.message = "the provider's filter held the answer back";
  } else if (!content.is_string()) {
    outcome.message = "the answer has no text";
  } else {
    const std::string text = content.get<std::string>();
    const std::string_view value = without_fence(text);
    if (!bridge::parse_json(value)) {
      outcome.message = "the answer is no JSON: " + one_line(std::string(value.substr(0, 80)));
    } else {
      outcome.kind = Kind::kResult;
      outcome.result = std::string(value);
    }
  }
  return outcome;
}

}  // namespace nexus::ai
