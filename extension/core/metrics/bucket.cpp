#include "core/metrics/bucket.hpp"

#include <algorithm>
#include <string>

#include "core/error.hpp"
#include "core/metrics/calendar.hpp"
#include "core/metrics/clip.hpp"

namespace nexus::metrics {

namespace {

constexpr Seconds kHour = 3600;
constexpr Seconds kDay = 86400;
constexpr std::int64_t kMicro = 1000000;
constexpr std::int64_t kMonday = 2;  // 2000-01-03

Instant instant_of(Seconds seconds) {
  Instant instant;
  if (__builtin_mul_overflow(seconds, kMicro, &instant)) throw Error("22008", "timestamp out of range");
  return instant;
}

/// As instant_of, for limits of which only the order counts.
Instant clamped(Seconds seconds) {
  Instant instant;
  if (__builtin_mul_overflow(seconds, kMicro, &instant)) return seconds < 0 ? INT64_MIN : INT64_MAX;
  return instant;
}

bool same_word(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x - 'A' + 'a' : x) == y; });
}

struct Days {
  std::int64_t first, next;
};

Days days_of(Unit unit, std::int64_t day) {
  if (unit == Unit::day) return {day, day + 1};
  if (unit == Unit::week) {
    std::int64_t monday = day - floor_mod(day - kMonday, 7);
    return {monday, monday + 7};
  }
  Date date = date_of(day);
  std::int64_t first = day - (date.day - 1);
  return {first, first + days_in_month(date.year, date.month)};
}

}  // namespace

Unit parse_unit(std::string_view name) {
  if (same_word(name, "hour")) return Unit::hour;
  if (same_word(name, "day")) return Unit::day;
  if (same_word(name, "week")) return Unit::week;
  if (same_word(name, "month")) return Unit::month;
  throw invalid_argument("unknown unit \"" + clip(name) + "\"").hint("One of hour, day, week, month.");
}

Buckets::Bucket Buckets::find(Instant instant) {
  Seconds second = floor_div(instant, kMicro);
  Era era = rules_->era_at(second);
  Seconds local = second + era.offset;
  Seconds start, end;
  Seconds from = era.start, to = era.end;  // where the wall runs straight and shows the bucket's hours or dates
  if (unit_ == Unit::hour) {
    Seconds hour = local - floor_mod(local, kHour) - era.offset;
    start = std::max(hour, era.start);
    end = std::min(hour + kHour, era.end);
  } else {
    Days days = days_of(unit_, floor_div(local, kDay));
    start = rules_->first_instant(days.first * kDay);
    end = rules_->first_instant(days.next * kDay);
    // Where a clock is set back over midnight, the evening before comes again behind the day's first instant.
    from = std::max(from, days.first * kDay - era.offset);
    to = std::min(to, days.next * kDay - era.offset);
  }
  last_ = {instant_of(start), instant_of(end)};
  valid_from_ = std::max(last_.start, clamped(from));
  valid_to_ = std::min(last_.end, clamped(to));
  return last_;
}

}  // namespace nexus::metrics
