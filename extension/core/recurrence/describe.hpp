#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
// A rule in words, for people who do not read RRULE.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/recurrence/rule.hpp"

namespace nexus::recurrence {

/// One language as data: words and templates in which {list}, {n} and {noun} are filled in. A further language is one
/// more such table (describe_languages.cpp) and nothing else.
struct Language {
  std::string_view code;                     // primary subtag of BCP 47
  std::string_view weekdays[7], months[12];  // as they stand in the templates below
  std::string_view every[7], every_nth[7];   // by Frequency: "every day", "every {n} days"
  /// "the 2nd {noun}", "the last {noun}" for -1.
  std::string (*nth)(int n);
  std::string_view day, instance;                       // nouns for nth
  std::string_view on_days, on_workdays, each_weekday;  // "on {list}", Monday to Friday, one weekday
  std::string_view of_month, of_year;                   // around days counted there, where the rule is yearly
  std::string_view in_months, in_weeks;
  std::string_view at_times, in_hours, in_minutes, in_seconds;
  std::string_view only;  // BYSETPOS
  std::string_view until, once, times;
  std::string_view week_start, skip_forward, skip_backward;
  std::string_view separator, last_separator;  // of a list
  std::string_view join, join_end;             // between the parts of a sentence, and before its end
};

/// All languages, English first.
const std::vector<Language> &languages();

/// The rule in the language of a locale such as en, de-AT or ja_JP; 0A000 names those there are.
///
///     describe(parse_rule("FREQ=MONTHLY;BYDAY=-1FR;COUNT=5"), "en")   // "every month on the last Friday, 5 times"
std::string describe(const Rule &rule, std::string_view locale);

}  // namespace nexus::recurrence
