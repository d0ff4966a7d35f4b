// From period to period without looking at each: over empty ones, and over those that only count.
#include <algorithm>
#include <bit>

#include "core/recurrence/periods.hpp"

namespace nexus::recurrence {

using detail::has_bit;
using detail::kAllMonths;

namespace {

constexpr std::int64_t kMonthsPerCycle = 4800;

/// Counted from one end only, days of a month are as many in every month; from both ends they may meet in some.
bool same_sign(const std::vector<int> &sorted) {
  return sorted.front() > 0 || sorted.back() < 0;
}
bool same_sign(const std::vector<WeekdayValue> &sorted) {
  return sorted.front().ordinal > 0 || sorted.back().ordinal < 0;
}

}  // namespace

/// The nearest day in direction `step` that passes the filters, `from` itself included.
std::optional<Day> Periods::matching_day(Day from, int step, Interrupt &interrupt) const {
  constexpr std::int64_t kPatience = 24;
  const std::uint32_t months = months_ & kAllMonths;
  for (std::int64_t tried = 0; tried < kMonthsPerCycle; ++tried) {
    interrupt.poll();
    Date date = to_date(from);
    const Day first = from - (date.day - 1);
    std::uint32_t days = 0;
    if (has_bit(months, date.month)) days = month_days(days_in_month(date.year, date.month), weekday_of(first));
    days &= step > 0 ? ~0U << (date.day - 1) : ~0U >> (32 - date.day);
    while (days != 0) {
      const int day = step > 0 ? std::countr_zero(days) : 31 - std::countl_zero(days);
      if (rule_.by_year_day.empty() || date_matches(first + day)) return first + day;
      days ^= 1U << day;
    }
    if (tried == kPatience && !some_day_matches()) return std::nullopt;
    // On to the next month that the filters allow.
    do date.month += step;
    while (date.month >= 1 && date.month <= 12 && !has_bit(months, date.month));
    if (date.month < 1 || date.month > 12) {
      date.month = step > 0 ? std::countr_zero(months) : 31 - std::countl_zero(months);
      date.year += step;
      // A search that goes on for years skips those in which no day passes: 14 kinds tell all of them.
      while (tried >= kPatience && date.year >= kMinYear && date.year <= kMaxYear &&
             days_of_year(date.year, to_day(date.year, 1, 1)) == 0)
        date.year += step;
    }
    if (date.year < kMinYear || date.year > kMaxYear) return std::nullopt;
    from = to_day(date.year, date.month, step > 0 ? 1 : days_in_month(date.year, date.month));
  }
  return std::nullopt;
}

/// Whether the filters leave any day at all. Weekdays need no look: within 400 years each date falls on all of them.
bool Periods::some_day_matches() const {
  for (std::int64_t year : {2000, 2001})
    for (Day day = to_day(year, 1, 1), end = to_day(year + 1, 1, 1); day < end; ++day)
      if (date_matches(day)) return true;
  return false;
}

/// For a day or sub-daily unit that fails a filter: the nearest unit in direction `step` that can pass the coarsest
/// filter it fails. Jumps over days, hours or minutes at once; INTERVAL is not looked at.
std::optional<std::int64_t> Periods::next_unit(std::int64_t unit, int step, Interrupt &interrupt) const {
  std::int64_t per_day = kDay / unit_us_, per_hour = kHour / unit_us_, per_minute = kMinute / unit_us_;
  Day day = floor_div(unit, per_day);
  if (!day_matches(day)) {
    std::optional<Day> match = matching_day(day, step, interrupt);
    if (!match) return std::nullopt;
    return step > 0 ? *match * per_day : (*match + 1) * per_day - 1;
  }
  if (rule_.frequency == Frequency::kDaily) return unit + step;
  // The next value that a filter allows within the unit above it, or the border of that unit.
  auto leave = [&](std::uint64_t mask, std::int64_t value, std::int64_t size, std::int64_t above) {
    std::int64_t begin = floor_div(unit, above) * above, values = above / size;
    do value += step;
    while (value >= 0 && value < values && !has_bit(mask, value));
    return begin + (step > 0 ? value * size : (value + 1) * size - 1);
  };
  std::int64_t second = floor_mod(unit, per_day) * (unit_us_ / kSecond);
  if (!has_bit(hours_, second / 3600)) return leave(hours_, second / 3600, per_hour, per_day);
  if (per_minute > 0 && !has_bit(minutes_, second / 60 % 60))
    return leave(minutes_, second / 60 % 60, per_minute, per_hour);
  if (rule_.frequency == Frequency::kSecondly && !has_bit(seconds_, second % 60))
    return leave(seconds_, second % 60, 1, per_minute);
  return unit + step;
}

/// Where the steps of a sub-daily rule fall on the same times every day, each matching day has as many values: counts
/// days instead of steps.
std::int64_t Periods::skip_days(std::int64_t from, std::int64_t k, std::int64_t target, std::int64_t &left,
                                Interrupt &interrupt) const {
  if (rule_.frequency > Frequency::kDaily) return k;
  const std::int64_t per_day = kDay / unit_us_;
  auto day_of = [&](std::int64_t period) { return floor_div(start_ + period * rule_.interval, per_day); };
  Day day = day_of(k);
  const Day end = day_of(target);
  if (per_day % rule_.interval != 0 || day_of(from) == day || day >= end) return k;
  std::int64_t each = 0;
  for (std::int64_t unit = floor_mod(start_, rule_.interval); unit < per_day; unit += rule_.interval)
    each += rule_.frequency == Frequency::kDaily || unit_matches(unit) ? 1 : 0;
  std::vector<std::size_t> selected;
  if (!rule_.by_set_pos.empty()) select_positions(times_.size(), selected);
  each *= static_cast<std::int64_t>(rule_.by_set_pos.empty() ? times_.size() : selected.size());
  Date date = to_date(day);
  Day new_year = to_day(date.year + (date.month == 1 && date.day == 1 ? 0 : 1), 1, 1);
  for (; day < end; ++day) {
    interrupt.poll();
    if (day == new_year) {
      std::int64_t year = to_date(day).year, length = year_length(year);
      new_year += length;
      std::int64_t whole = new_year <= end ? each * days_of_year(year, day) : left;
      if (whole < left) {
        left -= whole;
        day = new_year - 1;
        continue;
      }
    }
    if (!day_matches(day)) continue;
    if (left <= each) break;
    left -= each;
  }
  return floor_div(day * per_day - start_ + rule_.interval - 1, rule_.interval);
}

/// Days of a year that pass the filters: as many in all years of that length that begin on the same weekday.
std::int64_t Periods::days_of_year(std::int64_t year, Day first) const {
  std::int32_t &days = year_days_[static_cast<std::size_t>(weekday_of(first)) * 2 + (is_leap_year(year) ? 1 : 0)];
  if (days < 0) {
    days = 0;
    for (Day day = first; day < first + year_length(year); ++day) days += day_matches(day) ? 1 : 0;
  }
  return days;
}

std::optional<std::size_t> Periods::size_of(std::int64_t k) {
  const std::int64_t unit = start_ + k * rule_.interval;
  const bool monthly = rule_.frequency == Frequency::kMonthly;
  const std::int64_t year = monthly ? floor_div(unit, 12) : unit;
  if (year > kMaxYear) return std::nullopt;
  // A year's first days may be in the last week of the year before: its length tells which number that week has.
  const std::int64_t month = monthly ? floor_mod(unit, 12) + 1 : is_leap_year(year - 1) ? 1 : 0;
  const int weekday = weekday_of(to_day(year, monthly ? static_cast<int>(month) : 1, 1));
  std::int32_t &size =
      sizes_[static_cast<std::size_t>((std::int64_t{weekday} * 2 + (is_leap_year(year) ? 1 : 0)) * 13 + month)];
  if (size < 0) {
    if (!fill(k)) return std::nullopt;
    size = static_cast<std::int32_t>(this->size());
  }
  return static_cast<std::size_t>(size);
}

std::optional<std::int64_t> Periods::after_empty(std::int64_t k, Interrupt &interrupt) const {
  if (empty_) return std::nullopt;
  if (leap_day_) {
    std::int64_t year = start_ + k * rule_.interval;
    do {
      ++k;
      year += rule_.interval;
    } while (!is_leap_year(year) && year <= kMaxYear);
    return k;
  }
  if (rule_.frequency > Frequency::kDaily) return k + 1;
  std::optional<std::int64_t> unit = next_unit(start_ + k * rule_.interval, 1, interrupt);
  if (!unit) return std::nullopt;
  return std::max(k + 1, floor_div(*unit - start_ + rule_.interval - 1, rule_.interval));
}

std::optional<std::int64_t> Periods::before_empty(std::int64_t k, Interrupt &interrupt) const {
  if (empty_) return std::nullopt;
  if (rule_.frequency > Frequency::kDaily) return k - 1;
  std::optional<std::int64_t> unit = next_unit(start_ + k * rule_.interval, -1, interrupt);
  if (!unit) return std::nullopt;
  return std::min(k - 1, floor_div(*unit - start_, rule_.interval));
}

std::optional<std::size_t> Periods::constant_size() {
  if (!rule_.by_month.empty() || !rule_.by_year_day.empty()) return std::nullopt;
  bool constant = false;
  switch (rule_.frequency) {
    case Frequency::kYearly:
      break;
    case Frequency::kMonthly:
      // Every month has 28 days and each weekday four times.
      if (has_weekdays_)
        constant = weekdays_ == 0 && month_days_.empty() &&
                   std::all_of(ordinals_.begin(), ordinals_.end(),
                               [](const WeekdayValue &v) { return v.ordinal >= -4 && v.ordinal <= 4; }) &&
                   same_sign(ordinals_);
      else
        constant = same_sign(month_days_) && month_days_.front() >= -28 && month_days_.back() <= 28;
      break;
    case Frequency::kWeekly:
      constant = true;
      break;
    default: {
      bool filters_time = rule_.frequency < Frequency::kDaily && hours_ != ~0U;
      filters_time = filters_time || (rule_.frequency < Frequency::kHourly && minutes_ != ~std::uint64_t{0});
      filters_time = filters_time || (rule_.frequency == Frequency::kSecondly && seconds_ != ~std::uint64_t{0});
      constant = !has_weekdays_ && month_days_.empty() && !filters_time;
      break;
    }
  }
  if (!constant || !fill(0)) return std::nullopt;
  return size();
}

}  // namespace nexus::recurrence
