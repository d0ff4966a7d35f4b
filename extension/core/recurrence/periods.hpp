#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
// The periods of a rule (its days, weeks, months, hours ...) and the wall times that each of them yields.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/interrupt.hpp"
#include "core/recurrence/rule.hpp"

namespace nexus::recurrence {

namespace detail {
inline constexpr std::uint32_t kAllMonths = 0x1FFE;  // bit m for month m
template <class Mask>
constexpr bool has_bit(Mask mask, std::int64_t bit) {
  return (mask >> bit & 1) != 0;
}
}  // namespace detail

/// The table of RFC 5545 3.3.10: which days and times of a period the BY parts expand to or leave over.
///
/// Period 0 holds DTSTART, period k begins k * INTERVAL units later; every period is reached by arithmetic alone. One
/// period is held at a time: fill(k) computes it, size() and at(i) read it in ascending order. COUNT and UNTIL are not
/// looked at here, and period 0 is given in full, also what lies before DTSTART.
///
///     Periods periods(parse_rule("FREQ=MONTHLY;BYDAY=-1FR"), dtstart);
///     if (periods.fill(12)) first = periods.at(0);      // a year after DTSTART's month
class Periods {
 public:
  Periods(const Rule &rule, LocalTime dtstart);

  /// The period that holds `at`, or the last one that begins before it.
  std::int64_t index_of(LocalTime at) const;

  /// Computes period k; false if it begins after year 9999.
  bool fill(std::int64_t k);

  /// Computes period k and, where periods follow each other by plain arithmetic, up to `most` of them at once: span()
  /// says how many. What they hold reads as one ascending list.
  bool fill_run(std::int64_t k, std::int64_t most);
  std::int64_t span() const { return span_; }

  std::size_t size() const { return selected_.empty() ? total_ : selected_.size(); }
  LocalTime at(std::size_t i) const {
    std::size_t index = selected_.empty() ? i : selected_[i];
    if (times_.size() == 1) return bases_[index] + times_[0];
    return bases_[index / times_.size()] + times_[index % times_.size()];
  }
  /// Writes `count` values from position `i` on to `to`.
  void copy(std::size_t i, std::size_t count, LocalTime *to) const;
  /// The position of the first value not before `from`, size() if there is none.
  std::size_t lower_bound(LocalTime from) const;

  /// After period k came out empty: the next period, or the one before, that may hold something; nullopt if none does.
  /// The rule is empty for good once cycle() periods in a row were empty.
  std::optional<std::int64_t> after_empty(std::int64_t k, Interrupt &interrupt) const;
  std::optional<std::int64_t> before_empty(std::int64_t k, Interrupt &interrupt) const;
  std::int64_t cycle() const { return cycle_; }

  /// For counting: from period k, the first not empty after `from`, goes on by whole days as long as they lie before
  /// period `target` and hold fewer than `left` values, which it takes off `left`. Returns the period it came to.
  std::int64_t skip_days(std::int64_t from, std::int64_t k, std::int64_t target, std::int64_t &left,
                         Interrupt &interrupt) const;
  /// For counting in months and years: how many values period k has, known by its kind once one of that kind has been
  /// computed; what fill() had computed is lost. nullopt after year 9999.
  bool has_kinds() const { return rule_.frequency >= Frequency::kMonthly && rule_.skip != Skip::kForward; }
  std::optional<std::size_t> size_of(std::int64_t k);
  /// How many values each full period has, where all have the same number.
  std::optional<std::size_t> constant_size();

 private:
  using YearMask = std::array<std::uint64_t, 6>;  // a bit for each day of a year

  void set_time_lists(LocalTime dtstart);
  bool is_plain() const;
  bool reaches_a_time() const;
  void fill_month(std::int64_t year, int month, Day first, const YearMask *mask);
  void fill_year(std::int64_t year);
  YearMask year_mask(std::int64_t year, Day first) const;
  std::uint32_t month_days(int length, int weekday_of_first) const;
  std::uint32_t compute_month_days(int length, int weekday_of_first) const;
  bool day_matches(Day day) const;
  bool date_matches(Day day) const;
  bool some_day_matches() const;
  std::int64_t days_of_year(std::int64_t year, Day first) const;
  std::optional<Day> matching_day(Day from, int step, Interrupt &interrupt) const;
  bool unit_matches(std::int64_t unit) const;
  std::optional<std::int64_t> next_unit(std::int64_t unit, int step, Interrupt &interrupt) const;
  void select_positions(std::size_t count, std::vector<std::size_t> &indexes) const;

  const Rule &rule_;
  std::int64_t start_ = 0;    // DTSTART's unit: its day, first day of its week, month or year number, hour, minute ...
  std::int64_t cycle_ = 0;    // after so many periods the calendar repeats
  std::int64_t unit_us_ = 0;  // length of a unit where that is a day or less
  // What the rule leaves to DTSTART is filled in here.
  std::uint32_t months_ = 0;            // bit m for month m
  std::vector<int> month_days_;         // BYMONTHDAY
  std::uint32_t weekdays_ = 0;          // BYDAY without ordinal, a bit each
  std::vector<WeekdayValue> ordinals_;  // BYDAY with ordinal
  bool has_weekdays_ = false, year_ordinals_ = false, needs_year_mask_ = false;
  std::uint64_t seconds_ = 0, minutes_ = 0;  // filters of sub-daily rules
  std::uint32_t hours_ = 0;
  bool plain_ = false;            // no filter but weekdays of a week: periods are arithmetic
  bool leap_day_ = false;         // yields nothing but February 29ths
  bool empty_ = false;            // no step meets the time filters, or no position exists
  std::vector<LocalTime> times_;  // offsets from a base
  // The current period, or run of periods.
  std::vector<LocalTime> bases_;  // starts of the days (or of the one sub-daily unit) it yields
  std::size_t total_ = 0;
  std::int64_t span_ = 1;
  // Sizes by kind of month (weekday of the first, leap year, month) or year (and whether the one before is leap).
  std::array<std::int32_t, std::size_t{7} * 2 * 13> sizes_;
  // Days that a month yields, by its length and the weekday of its first; bit 31 where that is not known yet.
  static constexpr std::uint32_t kUnknownDays = std::uint32_t{1} << 31;
  mutable std::array<std::array<std::uint32_t, 7>, 4> days_by_kind_;
  bool positions_in_days_ = false;  // BYSETPOS chooses among the days of a month: days_by_kind_ has the chosen ones
  // Days that pass the filters, by kind of year.
  mutable std::array<std::int32_t, std::size_t{7} * 2> year_days_;
  std::vector<std::size_t> selected_;  // what BYSETPOS leaves, as indexes into bases x times
};

}  // namespace nexus::recurrence
