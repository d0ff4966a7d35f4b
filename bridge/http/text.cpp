#include "bridge/http/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace nexus::bridge {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char &c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string> split_trimmed(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    const std::string_view part = trimmed(text.substr(0, end));
    if (!part.empty()) parts.emplace_back(part);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

std::string joined(const std::vector<std::string> &parts, std::string_view separator) {
  std::string all;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) all += separator;
    all += parts[i];
  }
  return all;
}

std::optional<long long> whole_number(std::string_view text) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<std::chrono::milliseconds> duration_of(std::string_view text) {
  text = trimmed(text);
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = whole_number(text.substr(0, digits));
  const std::string_view unit = trimmed(text.substr(digits));
  if (!number) return std::nullopt;
  constexpr std::array<std::pair<std::string_view, long long>, 6> kUnits{
      {{"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}}};
  constexpr std::chrono::milliseconds kForever{std::chrono::hours(24 * 365)};
  std::optional<std::chrono::milliseconds> time;
  if (unit == "us") time = std::chrono::milliseconds((*number + 999) / 1000);
  for (const auto &[name, factor] : kUnits) {
    if (unit == name)
      time = std::chrono::milliseconds(*number < kForever.count() / factor ? *number * factor : kForever.count());
  }
  if (time && time->count() == 0) time = kForever;
  return time;
}

}  // namespace nexus::bridge
