#include "core/validation/draft.hpp"

#include <cmath>
#include <cstdio>

namespace nexus::validation {

namespace {

void append_string(std::string &json, std::string_view text) {
  json.push_back('"');
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json.push_back('\\');
      json.push_back(c);
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", byte);
      json.append(escape);
    } else {
      json.push_back(c);
    }
  }
  json.push_back('"');
}

void append_member(std::string &json, const char *key, std::string_view text) {
  if (text.empty()) return;
  if (json.back() != '{') json.append(", ");
  append_string(json, key);
  json.append(": ");
  append_string(json, text);
}

template <class Number>
void append_number(std::string &json, const char *key, const std::optional<Number> &value) {
  if (!value) return;
  if (json.back() != '{') json.append(", ");
  append_string(json, key);
  json.append(": ").append(number_text(static_cast<double>(*value)));
}

}  // namespace

std::string number_text(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return std::to_string(static_cast<std::int64_t>(value));
  char text[64];
  if (std::abs(value) >= 1e15) {
    std::snprintf(text, sizeof(text), "%.17g", value);
    return text;
  }
  std::snprintf(text, sizeof(text), "%.4f", value);
  std::string trimmed(text);
  trimmed.erase(trimmed.find_last_not_of('0') + 1);
  if (trimmed.back() == '.') trimmed.pop_back();
  return trimmed;
}

std::string to_json(const std::vector<Finding> &findings) {
  std::string json = "[";
  for (const Finding &finding : findings) {
    if (json.size() > 1) json.append(", ");
    json.push_back('{');
    append_member(json, "platform", finding.platform);
    append_member(json, "code", finding.code);
    append_member(json, "severity", name(finding.severity));
    append_member(json, "field", finding.field);
    append_member(json, "message", finding.message);
    append_member(json, "hint", finding.hint);
    append_number(json, "start_char", finding.start_char);
    append_number(json, "end_char", finding.end_char);
    append_number(json, "actual", finding.actual);
    append_number(json, "allowed", finding.allowed);
    append_member(json, "rule_id", finding.rule_id);
    append_member(json, "source", finding.source);
    json.push_back('}');
  }
  return json.append("]");
}

}  // namespace nexus::validation
