#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
// A recurrence rule (RFC 5545 section 3.3.10, RFC 7529) as data: parse, judge, write in canonical form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/recurrence/civil.hpp"

namespace nexus::recurrence {

enum class Frequency : std::uint8_t { kSecondly, kMinutely, kHourly, kDaily, kWeekly, kMonthly, kYearly };

/// What becomes of a day that its month does not have (RFC 7529): left out, moved to the first of the next month, or
/// to the last of its own.
enum class Skip : std::uint8_t { kOmit, kForward, kBackward };

/// One value of BYDAY: `ordinal` 0 is every such weekday, 2 the second, -1 the last of the month or year.
struct WeekdayValue {
  int ordinal;
  int weekday;  // 0 is Monday
  bool operator==(const WeekdayValue &) const = default;
  bool operator<(const WeekdayValue &other) const {
    return ordinal != other.ordinal ? ordinal < other.ordinal : weekday < other.weekday;
  }
};

/// UNTIL keeps the form it was written in, because the form says how to compare.
struct Until {
  enum class Form : std::uint8_t { kDate, kLocal, kUtc };
  Form form;
  LocalTime at;  // the start of the day for kDate
  bool operator==(const Until &) const = default;
};

/// A valid rule. Lists are sorted and hold each value once; an empty list means that the part is absent.
struct Rule {
  Frequency frequency = Frequency::kDaily;
  std::int64_t interval = 1;
  std::optional<std::int64_t> count;
  std::optional<Until> until;
  std::vector<int> by_second, by_minute, by_hour;
  std::vector<WeekdayValue> by_day;
  std::vector<int> by_month_day, by_year_day, by_week_no, by_month, by_set_pos;
  int week_start = 0;  // WKST, 0 is Monday
  Skip skip = Skip::kOmit;
  bool operator==(const Rule &) const = default;
};

/// A fault or a piece of advice about a rule's text. `start_char` is the 0-based code point where its part begins.
struct Finding {
  enum class Severity : std::uint8_t { kError, kAdvice };
  Severity severity;
  std::string part;
  int start_char;
  std::string message, hint;
  bool unsupported = false;  // legal, but beyond this engine: SQLSTATE 0A000 instead of NX010
};

inline constexpr std::size_t kMaxRuleBytes = 4096;
inline constexpr std::size_t kMaxListValues = 366;

/// Reads a RECUR value, with or without a leading "RRULE:", or one of the aliases none, daily, weekdays, weekly,
/// monthly, yearly. Appends what is wrong to `findings`; the rule is usable only if none is an error.
///
///     std::vector<Finding> findings;
///     Rule rule = parse_rule("FREQ=WEEKLY;BYDAY=2MO", findings);   // findings[0].part is "BYDAY"
Rule parse_rule(std::string_view text, std::vector<Finding> &findings);

/// As above, for text that must be right: throws NX010 (or 0A000) for the first error, all of them in the detail.
///
///     Rule rule = parse_rule("FREQ=MONTHLY;BYMONTHDAY=-1");
Rule parse_rule(std::string_view text);

/// Throws what parse_rule throws if `findings` holds an error.
void throw_if_error(const std::vector<Finding> &findings);

/// What RFC 5545 3.8.5.3 and 3.3.10 ask of a rule together with its DTSTART: UNTIL in the same form, which is UTC for
/// a start in a zone and wall time for a floating one. A finding has severity kError if `strict`, else kAdvice.
void check_until_form(std::string_view text, const Rule &rule, bool floating, bool strict,
                      std::vector<Finding> &findings);

/// The canonical text: fixed order of parts, sorted lists, defaults left out. Rules with equal texts are equal.
///
///     normalize(parse_rule("wkst=mo;byday=WE,MO;freq=weekly;interval=1"))   // "FREQ=WEEKLY;BYDAY=MO,WE"
std::string normalize(const Rule &rule);

/// "MONTHLY" for Frequency::kMonthly.
std::string_view name_of(Frequency frequency);
/// "MO" for 0.
std::string_view name_of_weekday(int weekday);

}  // namespace nexus::recurrence
