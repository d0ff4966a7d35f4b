#include "core/recurrence/advice.hpp"

#include <algorithm>

#include "core/recurrence/rule_iterator.hpp"

namespace nexus::recurrence {

void advise(const Rule &rule, LocalTime dtstart, Interrupt interrupt, std::vector<Finding> &findings) {
  auto add = [&findings](const char *part, std::string message, std::string hint) {
    findings.push_back({Finding::Severity::kAdvice, part, -1, std::move(message), std::move(hint)});
  };
  LocalTime end = kMaxLocal;
  // Which instant a local UNTIL means does not matter here: a day more or less decides nothing that is said below.
  if (rule.until) end = std::min(end, rule.until->at + kDay - 1);
  std::optional<LocalTime> first = RuleIterator(rule, dtstart, end, interrupt).next();
  if (!first) {
    if (RuleIterator(rule, dtstart, kMaxLocal, interrupt).next())
      add("UNTIL", "the rule ends before its first occurrence", "Give a later UNTIL.");
    else
      add("", "the rule has no occurrence", "Look for days that no month has and times that INTERVAL never reaches.");
    return;
  }
  if (*first != dtstart)
    add("DTSTART", "dtstart is not an occurrence of the rule and does not count as one",
        "Start at the first occurrence, or add dtstart to rdate.");
  if (rule.frequency != Frequency::kMonthly || rule.skip != Skip::kOmit || !rule.by_day.empty()) return;
  int day = rule.by_month_day.empty() ? to_date(floor_div(dtstart, kDay)).day : rule.by_month_day.front();
  bool one_day = rule.by_month_day.size() < 2;
  if (one_day && day > 28)
    add("BYMONTHDAY", "months without day " + std::to_string(day) + " are left out",
        "BYMONTHDAY=-1 is the last day of every month.");
}

}  // namespace nexus::recurrence
