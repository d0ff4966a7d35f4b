#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
// Days and wall time of the proleptic Gregorian calendar as plain integers, so that stepping is arithmetic.
#pragma once

#include <cstdint>

namespace nexus::recurrence {

/// Days since 1970-01-01.
using Day = std::int64_t;
/// A wall clock reading: microseconds since 1970-01-01 00:00 on that clock, whatever zone it hangs in.
using LocalTime = std::int64_t;
/// A point on the time line: microseconds since 1970-01-01 00:00 UTC.
using Instant = std::int64_t;

inline constexpr std::int64_t kSecond = 1000000;
inline constexpr std::int64_t kMinute = 60 * kSecond;
inline constexpr std::int64_t kHour = 60 * kMinute;
inline constexpr std::int64_t kDay = 24 * kHour;

/// Years outside 1 to 9999 exist in no iCalendar text; expansion ends there.
inline constexpr int kMinYear = 1;
inline constexpr int kMaxYear = 9999;

/// After 400 years the Gregorian calendar repeats, weekdays included.
inline constexpr std::int64_t kDaysPerCycle = 146097;

/// Quotient rounded towards minus infinity: floor_div(-1, 7) is -1.
constexpr std::int64_t floor_div(std::int64_t value, std::int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}
/// The remainder that belongs to floor_div, never negative: floor_mod(-1, 7) is 6.
constexpr std::int64_t floor_mod(std::int64_t value, std::int64_t by) {
  std::int64_t rest = value % by;
  return rest < 0 ? rest + by : rest;
}

constexpr bool is_leap_year(std::int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
constexpr int year_length(std::int64_t year) {
  return is_leap_year(year) ? 366 : 365;
}
/// days_in_month(2024, 2) is 29.
constexpr int days_in_month(std::int64_t year, int month) {
  return month == 2 ? (is_leap_year(year) ? 29 : 28) : 30 + ((month + (month >> 3)) & 1);
}

struct Date {
  std::int64_t year;
  int month, day;  // both from 1
};

/// to_day(1970, 1, 1) is 0. Counts years from March, so that the leap day is the last of its year.
constexpr Day to_day(std::int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  std::int64_t era = floor_div(year, 400);
  std::int64_t year_of_era = year - era * 400;
  std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/// The inverse of to_day.
constexpr Date to_date(Day days) {
  days += 719468;
  std::int64_t era = floor_div(days, 146097);
  std::int64_t day_of_era = days - era * 146097;
  std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  std::int64_t from_march = (5 * day_of_year + 2) / 153;
  int month = static_cast<int>(from_march < 10 ? from_march + 3 : from_march - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month,
          static_cast<int>(day_of_year - (153 * from_march + 2) / 5 + 1)};
}

/// 0 is Monday, as in ISO 8601 and in the order of Rule::week_start.
constexpr int weekday_of(Day day) {
  return static_cast<int>(floor_mod(day + 3, 7));
}

inline constexpr LocalTime kMinLocal = to_day(kMinYear, 1, 1) * kDay;
inline constexpr LocalTime kMaxLocal = to_day(kMaxYear + 1, 1, 1) * kDay - 1;

}  // namespace nexus::recurrence
