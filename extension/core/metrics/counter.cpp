#include "core/metrics/counter.hpp"

#include <string>

#include "core/metrics/clip.hpp"

namespace nexus::metrics {

namespace {

/// 0.25 as 250000000; false for anything but a decimal from 0 to 1 with at most nine decimals.
bool parse_fraction(std::string_view text, std::int32_t &billionths) {
  std::size_t point = text.find('.');
  std::string_view whole = text.substr(0, point);
  std::string_view decimals = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if ((whole != "0" && whole != "1") || decimals.size() > 9) return false;
  if (point != std::string_view::npos && decimals.empty()) return false;
  std::int64_t value = whole[0] - '0';
  for (std::size_t i = 0; i < 9; ++i) {
    char c = i < decimals.size() ? decimals[i] : '0';
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  if (value > Policy::kWhole) return false;
  billionths = static_cast<std::int32_t>(value);
  return true;
}

}  // namespace

Policy Policy::parse(std::string_view text) {
  constexpr std::string_view kCorrection = "correction";
  Policy policy;
  if (text == "reset") {
    policy.kind_ = Kind::reset;
  } else if (text == "nonneg") {
    policy.kind_ = Kind::nonneg;
  } else if (text != kCorrection) {
    std::int32_t theta;
    if (!text.starts_with(kCorrection) || text[kCorrection.size()] != ':' ||
        !parse_fraction(text.substr(kCorrection.size() + 1), theta))
      throw invalid_argument("unknown counter policy \"" + clip(text) + "\"")
          .hint("One of reset, nonneg, correction, or correction:THETA with THETA from 0 to 1.");
    policy.kept_ = kWhole - theta;
  }
  return policy;
}

std::optional<Policy> Policy::stored(std::uint8_t kind, std::optional<std::uint64_t> kept) {
  if (kind > static_cast<std::uint8_t>(Kind::correction) || kept.value_or(0) > kWhole) return std::nullopt;
  Policy policy;
  policy.kind_ = static_cast<Kind>(kind);
  if (kept) policy.kept_ = static_cast<std::int32_t>(*kept);
  return policy;
}

std::string Policy::name() const {
  if (kind_ == Kind::reset) return "reset";
  if (kind_ == Kind::nonneg) return "nonneg";
  std::int32_t theta = kWhole - kept_;
  std::string decimals = std::to_string(theta % kWhole + kWhole).substr(1);
  std::size_t last = decimals.find_last_not_of('0');
  std::string text = "correction:" + std::to_string(theta / kWhole);
  if (last != std::string::npos) text += "." + decimals.substr(0, last + 1);
  return text;
}

}  // namespace nexus::metrics
