#include "core/recurrence/periods.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <numeric>

namespace nexus::recurrence {

using detail::has_bit;
using detail::kAllMonths;

namespace {

constexpr std::uint32_t kEverySeventh = 0x10204081;

template <class Mask>
Mask mask_of(const std::vector<int> &values) {
  Mask mask = values.empty() ? ~Mask{0} : Mask{0};
  for (int value : values) mask |= Mask{1} << value;
  return mask;
}

/// The first day of ISO 8601's week 1 counted from January 1, for weeks that begin at `week_start`.
int first_week(int weekday_of_jan1, int week_start) {
  int into = (weekday_of_jan1 - week_start + 7) % 7;  // days of January 1's week that lie in the year before
  return into <= 3 ? -into : 7 - into;
}

}  // namespace

Periods::Periods(const Rule &rule, LocalTime dtstart) : rule_(rule) {
  sizes_.fill(-1);
  year_days_.fill(-1);
  for (auto &kinds : days_by_kind_) kinds.fill(kUnknownDays);
  Day day = floor_div(dtstart, kDay);
  Date date = to_date(day);
  months_ = mask_of<std::uint32_t>(rule.by_month);
  month_days_ = rule.by_month_day;
  for (const WeekdayValue &value : rule.by_day) {
    if (value.ordinal == 0)
      weekdays_ |= 1U << value.weekday;
    else
      ordinals_.push_back(value);
  }
  has_weekdays_ = !rule.by_day.empty();
  set_time_lists(dtstart);

  std::int64_t repeats = 0;
  switch (rule.frequency) {
    case Frequency::kYearly:
      start_ = date.year;
      repeats = 400;
      if (rule.by_week_no.empty() && rule.by_year_day.empty() && month_days_.empty() && !has_weekdays_) {
        month_days_ = {date.day};
        if (rule.by_month.empty()) months_ = 1U << date.month;
      } else if (!rule.by_week_no.empty() && rule.by_year_day.empty() && month_days_.empty() && !has_weekdays_) {
        weekdays_ = 1U << weekday_of(day);
        has_weekdays_ = true;
      }
      year_ordinals_ = !ordinals_.empty() && rule.by_month.empty();
      needs_year_mask_ = year_ordinals_ || !rule.by_week_no.empty() || !rule.by_year_day.empty();
      leap_day_ = months_ == 1U << 2 && rule.skip == Skip::kOmit && !month_days_.empty() &&
                  std::all_of(month_days_.begin(), month_days_.end(), [](int day) { return std::abs(day) > 28; });
      break;
    case Frequency::kMonthly:
      start_ = date.year * 12 + date.month - 1;
      repeats = 4800;
      if (month_days_.empty() && !has_weekdays_) month_days_ = {date.day};
      break;
    case Frequency::kWeekly:
      start_ = day - (weekday_of(day) - rule.week_start + 7) % 7;
      repeats = kDaysPerCycle / 7;
      if (!has_weekdays_) weekdays_ = 1U << weekday_of(day);
      break;
    case Frequency::kDaily:
      start_ = day;
      unit_us_ = kDay;
      repeats = kDaysPerCycle;
      empty_ = !reaches_a_time();
      break;
    case Frequency::kHourly:
    case Frequency::kMinutely:
    case Frequency::kSecondly:
      unit_us_ = rule.frequency == Frequency::kHourly     ? kHour
                 : rule.frequency == Frequency::kMinutely ? kMinute
                                                          : kSecond;
      start_ = floor_div(dtstart, unit_us_);
      repeats = kDaysPerCycle * (kDay / unit_us_);
      empty_ = !reaches_a_time();
      break;
  }
  if (!rule.by_set_pos.empty()) {
    constexpr std::size_t kMostDays[] = {1, 1, 1, 1, 7, 31, 366};
    std::size_t most = kMostDays[static_cast<std::size_t>(rule.frequency)] * times_.size();
    empty_ = empty_ || std::all_of(rule.by_set_pos.begin(), rule.by_set_pos.end(), [most](int position) {
               return static_cast<std::size_t>(std::abs(position)) > most;
             });
  }
  positions_in_days_ = !rule.by_set_pos.empty() && rule.frequency == Frequency::kMonthly &&
                       rule.skip != Skip::kForward && times_.size() == 1;
  cycle_ = repeats / std::gcd(repeats, rule.interval);
  plain_ = is_plain();
}

/// Whether each period is the one before it, moved on by INTERVAL units.
bool Periods::is_plain() const {
  if (empty_ || !rule_.by_set_pos.empty() || !rule_.by_month.empty()) return false;
  if (rule_.frequency == Frequency::kWeekly) return true;
  if (rule_.frequency > Frequency::kWeekly || has_weekdays_ || !month_days_.empty() || !rule_.by_year_day.empty())
    return false;
  return rule_.frequency == Frequency::kDaily ||
         (rule_.by_hour.empty() && (rule_.frequency == Frequency::kHourly || rule_.by_minute.empty()) &&
          (rule_.frequency != Frequency::kSecondly || rule_.by_second.empty()));
}

/// Times within a base: the lists that the frequency expands, or DTSTART's own value where a list is absent. A fraction
/// of a second, which iCalendar cannot write, is DTSTART's too.
void Periods::set_time_lists(LocalTime dtstart) {
  std::int64_t time = floor_mod(dtstart, kDay);
  auto or_start = [](const std::vector<int> &list, std::int64_t value) {
    return list.empty() ? std::vector<int>{static_cast<int>(value)} : list;
  };
  std::vector<int> hours = or_start(rule_.by_hour, time / kHour);
  std::vector<int> minutes = or_start(rule_.by_minute, time / kMinute % 60);
  std::vector<int> seconds = or_start(rule_.by_second, time / kSecond % 60);
  hours_ = mask_of<std::uint32_t>(rule_.by_hour);
  minutes_ = mask_of<std::uint64_t>(rule_.by_minute);
  seconds_ = mask_of<std::uint64_t>(rule_.by_second);
  if (rule_.frequency <= Frequency::kHourly) hours = {0};
  if (rule_.frequency <= Frequency::kMinutely) minutes = {0};
  if (rule_.frequency <= Frequency::kSecondly) seconds = {0};
  times_.reserve(hours.size() * minutes.size() * seconds.size());
  for (int hour : hours)
    for (int minute : minutes)
      for (int second : seconds) times_.push_back(hour * kHour + minute * kMinute + second * kSecond + time % kSecond);
}

/// Whether the steps of a daily or sub-daily rule ever meet its weekdays and time filters. Modulo a week they reach
/// exactly the times that lie a multiple of gcd(INTERVAL, week) from the start.
bool Periods::reaches_a_time() const {
  const std::int64_t per_week = 7 * kDay / unit_us_;
  const std::int64_t step = std::gcd(rule_.interval, per_week);
  for (std::int64_t unit = floor_mod(start_, step); unit < per_week; unit += step) {
    bool on_day = !has_weekdays_ || has_bit(weekdays_, weekday_of(unit * unit_us_ / kDay));
    if (on_day && (rule_.frequency == Frequency::kDaily || unit_matches(unit))) return true;
  }
  return false;
}

bool Periods::unit_matches(std::int64_t unit) const {
  std::int64_t second = floor_mod(unit, kDay / unit_us_) * (unit_us_ / kSecond);
  if (!has_bit(hours_, second / 3600)) return false;
  if (rule_.frequency <= Frequency::kMinutely && !has_bit(minutes_, second / 60 % 60)) return false;
  return rule_.frequency != Frequency::kSecondly || has_bit(seconds_, second % 60);
}

std::int64_t Periods::index_of(LocalTime at) const {
  std::int64_t unit = 0;
  switch (rule_.frequency) {
    case Frequency::kYearly:
      unit = to_date(floor_div(at, kDay)).year;
      break;
    case Frequency::kMonthly: {
      Date date = to_date(floor_div(at, kDay));
      unit = date.year * 12 + date.month - 1;
      break;
    }
    case Frequency::kWeekly:
      return floor_div(floor_div(at, kDay) - start_, 7 * rule_.interval);
    case Frequency::kDaily:
      unit = floor_div(at, kDay);
      break;
    default:
      unit = floor_div(at, unit_us_);
      break;
  }
  return floor_div(unit - start_, rule_.interval);
}

bool Periods::fill(std::int64_t k) {
  bases_.clear();
  selected_.clear();
  total_ = 0;
  span_ = 1;
  std::int64_t unit = start_ + k * rule_.interval * (rule_.frequency == Frequency::kWeekly ? 7 : 1);
  switch (rule_.frequency) {
    case Frequency::kYearly:
      if (unit > kMaxYear) return false;
      fill_year(unit);
      break;
    case Frequency::kMonthly: {
      std::int64_t year = floor_div(unit, 12);
      int month = static_cast<int>(floor_mod(unit, 12)) + 1;
      if (year > kMaxYear) return false;
      if (has_bit(months_, month)) fill_month(year, month, to_day(year, month, 1), nullptr);
      break;
    }
    case Frequency::kWeekly:
      if (unit > kMaxLocal / kDay) return false;
      for (Day day = unit; day < unit + 7; ++day)
        if (has_bit(weekdays_, weekday_of(day)) && (rule_.by_month.empty() || has_bit(months_, to_date(day).month)))
          bases_.push_back(day * kDay);
      break;
    case Frequency::kDaily:
      if (unit > kMaxLocal / kDay) return false;
      if (day_matches(unit)) bases_.push_back(unit * kDay);
      break;
    default:
      if (unit > kMaxLocal / unit_us_) return false;
      if (!empty_ && unit_matches(unit) && day_matches(floor_div(unit * unit_us_, kDay)))
        bases_.push_back(unit * unit_us_);
      break;
  }
  total_ = bases_.size() * times_.size();
  if (!rule_.by_set_pos.empty() && !positions_in_days_) {
    select_positions(total_, selected_);
    if (selected_.empty()) total_ = 0;
  }
  return true;
}

bool Periods::fill_run(std::int64_t k, std::int64_t most) {
  if (!plain_ || most <= 1) return fill(k);
  const bool weekly = rule_.frequency == Frequency::kWeekly;
  const std::int64_t length = weekly ? 7 * kDay : unit_us_;
  if (rule_.interval > (kMaxLocal - kMinLocal) / length) return fill(k);
  const std::int64_t step = rule_.interval * length;
  LocalTime base = (weekly ? start_ * kDay : start_ * unit_us_) + k * step;
  if (base > kMaxLocal) return false;
  bases_.clear();
  selected_.clear();
  span_ = std::min(most, (kMaxLocal - base) / step + 1);
  for (std::int64_t i = 0; i < span_; ++i, base += step) {
    if (!weekly) {
      bases_.push_back(base);
      continue;
    }
    for (std::uint32_t rest = weekdays_; rest != 0; rest &= rest - 1) {
      // The bits are weekdays from Monday; the week begins at WKST.
      int from_start = std::countr_zero(rest) - rule_.week_start;
      bases_.push_back(base + (from_start < 0 ? from_start + 7 : from_start) * kDay);
    }
    if (rule_.week_start != 0) std::sort(bases_.end() - std::popcount(weekdays_), bases_.end());
  }
  total_ = bases_.size() * times_.size();
  return true;
}

/// What BYSETPOS leaves of a period with `count` values. It counts in the whole period (3.3.10: "the set starts at the
/// beginning of the interval").
void Periods::select_positions(std::size_t count, std::vector<std::size_t> &indexes) const {
  indexes.clear();
  for (int position : rule_.by_set_pos) {
    std::int64_t index = position > 0 ? position - 1 : static_cast<std::int64_t>(count) + position;
    if (index >= 0 && index < static_cast<std::int64_t>(count)) indexes.push_back(static_cast<std::size_t>(index));
  }
  if (indexes.size() < 2) return;
  std::sort(indexes.begin(), indexes.end());
  indexes.erase(std::unique(indexes.begin(), indexes.end()), indexes.end());
}

void Periods::copy(std::size_t i, std::size_t count, LocalTime *to) const {
  if (times_.size() == 1 && selected_.empty()) {
    const LocalTime *base = bases_.data() + i, time = times_[0];
    for (std::size_t n = 0; n < count; ++n) to[n] = base[n] + time;
    return;
  }
  for (std::size_t n = 0; n < count; ++n) to[n] = at(i + n);
}

std::size_t Periods::lower_bound(LocalTime from) const {
  std::size_t low = 0, high = size();
  while (low < high) {
    std::size_t middle = low + (high - low) / 2;
    if (at(middle) < from)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

std::uint32_t Periods::month_days(int length, int weekday_of_first) const {
  std::uint32_t &days =
      days_by_kind_[static_cast<std::size_t>(length - 28)][static_cast<std::size_t>(weekday_of_first)];
  if (days == kUnknownDays) days = compute_month_days(length, weekday_of_first);
  return days;
}

/// The days of a month as bits from 0. Bit `length` stands for the first of the next month: only SKIP=FORWARD sets it.
std::uint32_t Periods::compute_month_days(int length, int weekday_of_first) const {
  std::uint32_t days = ~0U >> (32 - length);
  if (!month_days_.empty()) {
    days = 0;
    for (int value : month_days_) {
      if (value < 0)
        days |= -value <= length ? 1U << (length + value) : 0;
      else if (value <= length)
        days |= 1U << (value - 1);
      else if (rule_.skip != Skip::kOmit && rule_.frequency >= Frequency::kMonthly)
        days |= 1U << (rule_.skip == Skip::kForward ? length : length - 1);
    }
  }
  if (has_weekdays_ && !year_ordinals_) {
    std::uint32_t allowed = 0;
    for (std::uint32_t rest = weekdays_; rest != 0; rest &= rest - 1)
      allowed |= kEverySeventh << ((std::countr_zero(rest) - weekday_of_first + 7) % 7);
    for (const WeekdayValue &value : ordinals_) {
      int first = (value.weekday - weekday_of_first + 7) % 7;
      int last = first + (length - 1 - first) / 7 * 7;
      int day = value.ordinal > 0 ? first + 7 * (value.ordinal - 1) : last + 7 * (value.ordinal + 1);
      if (day >= 0 && day < length) allowed |= 1U << day;
    }
    days &= allowed;
  }
  if (!positions_in_days_) return days;
  std::vector<std::size_t> chosen;
  select_positions(static_cast<std::size_t>(std::popcount(days)), chosen);
  std::uint32_t selected = 0;
  for (std::size_t position = 0, next = 0; next < chosen.size(); days &= days - 1, ++position) {
    if (position != chosen[next]) continue;
    selected |= days & -days;
    ++next;
  }
  return selected;
}

void Periods::fill_month(std::int64_t year, int month, Day first, const YearMask *mask) {
  std::uint32_t days = month_days(days_in_month(year, month), weekday_of(first));
  if (mask != nullptr) {
    auto offset = static_cast<std::size_t>(first - to_day(year, 1, 1));
    std::uint64_t bits = (*mask)[offset / 64] >> (offset % 64);
    if (offset % 64 > 32 && offset / 64 + 1 < mask->size()) bits |= (*mask)[offset / 64 + 1] << (64 - offset % 64);
    days &= static_cast<std::uint32_t>(bits);
  }
  for (; days != 0; days &= days - 1) {
    LocalTime base = (first + std::countr_zero(days)) * kDay;
    // The first of a month can come from the month before as well, by SKIP=FORWARD.
    if (bases_.empty() || bases_.back() != base) bases_.push_back(base);
  }
}

void Periods::fill_year(std::int64_t year) {
  Day first = to_day(year, 1, 1);
  YearMask mask{};
  if (needs_year_mask_) mask = year_mask(year, first);
  constexpr int kDaysBefore[] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  for (std::uint32_t rest = months_ & kAllMonths; rest != 0; rest &= rest - 1) {
    int month = std::countr_zero(rest);
    Day begin = first + kDaysBefore[month] + (month > 2 && is_leap_year(year) ? 1 : 0);
    fill_month(year, month, begin, needs_year_mask_ ? &mask : nullptr);
  }
}

/// The days left over by the parts that count within the year: BYYEARDAY, BYWEEKNO, and BYDAY with ordinals.
Periods::YearMask Periods::year_mask(std::int64_t year, Day first) const {
  const int length = year_length(year);
  const int jan1 = weekday_of(first);
  YearMask all;
  all.fill(~std::uint64_t{0});
  auto set = [length](YearMask &mask, int day) {
    if (day >= 0 && day < length) mask[static_cast<std::size_t>(day) / 64] |= std::uint64_t{1} << (day % 64);
  };
  auto limit = [&all](const YearMask &mask) {
    for (std::size_t i = 0; i < all.size(); ++i) all[i] &= mask[i];
  };
  if (!rule_.by_year_day.empty()) {
    YearMask mask{};
    for (int value : rule_.by_year_day) set(mask, value > 0 ? value - 1 : length + value);
    limit(mask);
  }
  if (!rule_.by_week_no.empty()) {
    // A day belongs to the year it lies in, whatever year its week is numbered in: so the first and last days of a
    // year may be in weeks of the neighbours.
    YearMask mask{};
    for (std::int64_t week_year = year - 1; week_year <= year + 1; ++week_year) {
      Day start = to_day(week_year, 1, 1), end = to_day(week_year + 1, 1, 1);
      start += first_week(weekday_of(start), rule_.week_start);
      end += first_week(weekday_of(end), rule_.week_start);
      int weeks = static_cast<int>((end - start) / 7);
      for (int value : rule_.by_week_no) {
        int week = value > 0 ? value : weeks + 1 + value;
        if (week < 1 || week > weeks) continue;
        for (int day = 0; day < 7; ++day) set(mask, static_cast<int>(start - first) + 7 * (week - 1) + day);
      }
    }
    limit(mask);
  }
  if (year_ordinals_) {
    YearMask mask{};
    for (const WeekdayValue &value : rule_.by_day) {
      int from = (value.weekday - jan1 + 7) % 7;
      int last = from + (length - 1 - from) / 7 * 7;
      if (value.ordinal == 0)
        for (int day = from; day < length; day += 7) set(mask, day);
      else
        set(mask, value.ordinal > 0 ? from + 7 * (value.ordinal - 1) : last + 7 * (value.ordinal + 1));
    }
    limit(mask);
  }
  return all;
}

/// The parts that limit days where the period is a day or less.
bool Periods::day_matches(Day day) const {
  return (!has_weekdays_ || has_bit(weekdays_, weekday_of(day))) && date_matches(day);
}

bool Periods::date_matches(Day day) const {
  if (rule_.by_month.empty() && month_days_.empty() && rule_.by_year_day.empty()) return true;
  Date date = to_date(day);
  if (!has_bit(months_, date.month)) return false;
  if (!month_days_.empty()) {
    int from_end = date.day - days_in_month(date.year, date.month) - 1;
    if (!std::binary_search(month_days_.begin(), month_days_.end(), date.day) &&
        !std::binary_search(month_days_.begin(), month_days_.end(), from_end))
      return false;
  }
  if (rule_.by_year_day.empty()) return true;
  int day_of_year = static_cast<int>(day - to_day(date.year, 1, 1)) + 1;
  return std::binary_search(rule_.by_year_day.begin(), rule_.by_year_day.end(), day_of_year) ||
         std::binary_search(rule_.by_year_day.begin(), rule_.by_year_day.end(),
                            day_of_year - year_length(date.year) - 1);
}

}  // namespace nexus::recurrence
