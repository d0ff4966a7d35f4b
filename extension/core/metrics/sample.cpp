#include "core/metrics/sample.hpp"

#include <algorithm>

#include "core/metrics/clip.hpp"
#include "core/metrics/timestamp.hpp"
#include "core/metrics/wide.hpp"

namespace nexus::metrics {

namespace {

constexpr std::string_view kSources[] = {"api", "import", "manual", "webhook"};
constexpr std::string_view kOtherColumns[] = {"content_id",  "platform",         "captured_at",          "source",
                                              "impressions", "followers_gained", "platform_post_row_id", "revenue"};
constexpr std::string_view kPassedOver[] = {"id", "engagement_rate", "last_updated"};

template <std::size_t N>
bool contains(const std::string_view (&list)[N], std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

/// The shape that the tables demand of a platform: ^[a-z][a-z0-9_]{0,31}$
bool is_slug(std::string_view text) {
  if (text.empty() || text.size() > 32 || text[0] < 'a' || text[0] > 'z') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

/// Digits with an optional fraction of zeros, as 120 or 120.0; the fraction is cut off.
std::string_view without_zero_fraction(std::string_view digits) {
  std::size_t point = digits.find('.');
  if (point == std::string_view::npos || digits.find_first_not_of('0', point + 1) != std::string_view::npos)
    return digits;
  return digits.substr(0, point);
}

bool is_number(const Scalar &value) {
  return value.kind == Scalar::Kind::number || value.kind == Scalar::Kind::string;
}

}  // namespace

void SampleReader::refuse(std::string_view field, const char *code, std::string message) {
  if (!fault_) fault_ = SampleFault{clip(field), code, std::move(message)};
}

std::optional<std::int64_t> SampleReader::integer(std::string_view key, const Scalar &value, std::int64_t least,
                                                  std::int64_t most) {
  std::string name(key);
  // Clients that keep 64-bit numbers exact send them as strings.
  if (!is_number(value)) {
    refuse(key, "wrong_type", name + " must be an integer");
    return std::nullopt;
  }
  std::string_view digits = without_zero_fraction(value.text);
  std::string_view magnitude = digits.starts_with('-') ? digits.substr(1) : digits;
  bool decimal = !magnitude.empty() && magnitude.find_first_not_of("0123456789.") == std::string_view::npos;
  if (!decimal || magnitude.find('.') != std::string_view::npos) {
    refuse(key, decimal ? "not_an_integer" : "wrong_type", name + " must be an integer");
    return std::nullopt;
  }
  Wide wide;
  bool fits = parse_wide(digits, wide);
  if (least >= 0 && digits.starts_with('-') && (!fits || wide < 0)) {
    refuse(key, "negative", name + " must not be negative");
    return std::nullopt;
  }
  if (!fits || wide > most || wide < least) {
    refuse(key, "out_of_range", name + " must be between " + std::to_string(least) + " and " + std::to_string(most));
    return std::nullopt;
  }
  return static_cast<std::int64_t>(wide);
}

std::optional<std::string_view> SampleReader::string(std::string_view key, const Scalar &value) {
  if (value.kind == Scalar::Kind::string) return value.text;
  refuse(key, "wrong_type", std::string(key) + " must be a string");
  return std::nullopt;
}

void SampleReader::set_revenue(const Scalar &value) {
  std::string_view text = value.text;
  std::string_view magnitude = text.starts_with('-') ? text.substr(1) : text;
  std::size_t point = std::min(magnitude.find('.'), magnitude.size());
  std::string_view whole = magnitude.substr(0, point);
  std::string_view decimals = point < magnitude.size() ? magnitude.substr(point + 1) : std::string_view();
  constexpr std::string_view kDigits = "0123456789";
  if (!is_number(value) || whole.empty() || whole.find_first_not_of(kDigits) != std::string_view::npos ||
      decimals.find_first_not_of(kDigits) != std::string_view::npos)
    return refuse("revenue", "wrong_type", "revenue must be a decimal number");
  bool zero = magnitude.find_first_not_of("0.") == std::string_view::npos;
  if (text.starts_with('-') && !zero) return refuse("revenue", "negative", "revenue must not be negative");
  std::size_t first = std::min(whole.find_first_not_of('0'), whole.size());
  if (whole.size() - first > 8 || decimals.find_first_not_of('0', 2) != std::string_view::npos)
    return refuse("revenue", "out_of_range", "revenue must be below 100000000 with at most two decimals");
  sample_.revenue = magnitude;
}

void SampleReader::set(std::string_view key, const Scalar &value) {
  constexpr std::int64_t kInt4 = INT32_MAX;
  std::size_t metric =
      static_cast<std::size_t>(std::find(kMetricNames.begin(), kMetricNames.end(), key) - kMetricNames.begin());
  bool known = metric < kMetrics || contains(kOtherColumns, key) || contains(kPassedOver, key);
  if (!known) return refuse(key, "unknown_key", "content_metrics has no column \"" + clip(key) + "\"");
  if (value.kind == Scalar::Kind::null || contains(kPassedOver, key)) return;
  if (metric < kMetrics) {
    sample_.counters[metric] = integer(key, value, 0, INT64_MAX);
  } else if (key == "content_id") {
    if (auto id = integer(key, value, 1, kInt4)) sample_.content_id = static_cast<std::int32_t>(*id);
    has_content_ = true;
  } else if (key == "platform") {
    if (auto platform = string(key, value)) {
      if (!is_slug(*platform))
        refuse(key, "bad_platform", "platform must be a slug: a lower-case letter, then up to 31 of a-z, 0-9 and _");
      sample_.platform = *platform;
    }
    has_platform_ = true;
  } else if (key == "captured_at") {
    if (auto text = string(key, value)) {
      auto instant = parse_timestamp(*text);
      if (!instant) refuse(key, "bad_timestamp", "captured_at must be a date and time such as 2025-03-08T09:41:42Z");
      if (instant && *instant > latest_) refuse(key, "in_future", "captured_at lies in the future");
      sample_.captured_at = instant.value_or(0);
    }
    has_time_ = true;
  } else if (key == "source") {
    if (auto source = string(key, value)) {
      if (!contains(kSources, *source)) refuse(key, "bad_source", "source must be api, import, manual or webhook");
      sample_.source = *source;
    }
  } else if (key == "impressions") {
    sample_.impressions = integer(key, value, 0, INT64_MAX);
  } else if (key == "followers_gained") {
    if (auto gained = integer(key, value, -kInt4, kInt4)) sample_.followers_gained = static_cast<std::int32_t>(*gained);
  } else if (key == "platform_post_row_id") {
    if (auto id = integer(key, value, 1, kInt4)) sample_.platform_post_row_id = static_cast<std::int32_t>(*id);
  } else {
    set_revenue(value);
  }
}

void SampleReader::finish() {
  if (!has_content_) refuse("content_id", "missing", "content_id is missing");
  if (!has_platform_) refuse("platform", "missing", "platform is missing");
  if (!has_time_) refuse("captured_at", "missing", "captured_at is missing");
}

}  // namespace nexus::metrics
