#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>

namespace nexus::metrics {

/// Division that rounds down, also below zero: floor_div(-1, 7) == -1.
constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0);
}
constexpr std::int64_t floor_mod(std::int64_t a, std::int64_t b) {
  return a - floor_div(a, b) * b;
}

/// A date of the proleptic Gregorian calendar, month and day from 1.
struct Date {
  std::int64_t year;
  int month, day;
};

/// Days since 2000-01-01 of a date, and back. Years are counted from March, so that the leap day is a year's last.
constexpr std::int64_t day_number(std::int64_t year, int month, int day) {
  std::int64_t march_year = year - (month <= 2 ? 1 : 0);
  int march_month = month > 2 ? month - 3 : month + 9;
  std::int64_t day_of_year = (153 * march_month + 2) / 5 + day - 1;
  return 365 * march_year + floor_div(march_year, 4) - floor_div(march_year, 100) + floor_div(march_year, 400) +
         day_of_year - 730425;
}
constexpr Date date_of(std::int64_t days) {
  std::int64_t since = days + 730425;              // since 0000-03-01
  std::int64_t era = floor_div(since, 146097);     // 400 years
  std::int64_t day_of_era = since - era * 146097;  // 0 .. 146096
  std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int march_month = static_cast<int>((5 * day_of_year + 2) / 153);
  int day = static_cast<int>(day_of_year - (153 * march_month + 2) / 5) + 1;
  int month = march_month < 10 ? march_month + 3 : march_month - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}
constexpr int days_in_month(std::int64_t year, int month) {
  return static_cast<int>(day_number(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1) -
                          day_number(year, month, 1));
}

}  // namespace nexus::metrics
