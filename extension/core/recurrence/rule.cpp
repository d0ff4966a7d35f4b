// What is said about a rule: its canonical text, and its findings as an error.
#include "core/recurrence/rule.hpp"

#include <algorithm>
#include <cstdio>

#include "core/error.hpp"

namespace nexus::recurrence {

namespace {

void append_list(std::string &text, std::string_view name, const std::vector<int> &values) {
  if (values.empty()) return;
  text.append(";").append(name);
  char separator = '=';
  for (int value : values) {
    text += separator + std::to_string(value);
    separator = ',';
  }
}

void append_json_string(std::string &json, std::string_view text) {
  json += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
      json += escaped;
    } else {
      json += c;
    }
  }
  json += '"';
}

std::string to_json(const std::vector<const Finding *> &findings) {
  std::string json = "[";
  for (const Finding *finding : findings) {
    if (json.size() > 1) json += ", ";
    json += "{\"part\": ";
    append_json_string(json, finding->part);
    json += ", \"start_char\": " + std::to_string(finding->start_char) + ", \"message\": ";
    append_json_string(json, finding->message);
    json += ", \"hint\": ";
    append_json_string(json, finding->hint);
    json += '}';
  }
  return json + "]";
}

std::string to_text(const Until &until) {
  Date date = to_date(floor_div(until.at, kDay));
  int second = static_cast<int>(floor_mod(until.at, kDay) / kSecond);
  char text[64];
  int size = std::snprintf(text, sizeof text, "%04d%02d%02d", static_cast<int>(date.year), date.month, date.day);
  if (until.form != Until::Form::kDate)
    std::snprintf(text + size, sizeof text - static_cast<std::size_t>(size), "T%02d%02d%02d%s", second / 3600,
                  second / 60 % 60, second % 60, until.form == Until::Form::kUtc ? "Z" : "");
  return text;
}

/// Where a week begins shows only where whole weeks are chosen or numbered.
bool week_start_matters(const Rule &rule) {
  if (!rule.by_week_no.empty()) return true;
  return rule.frequency == Frequency::kWeekly &&
         ((rule.interval > 1 && !rule.by_day.empty()) || !rule.by_set_pos.empty());
}

}  // namespace

std::string normalize(const Rule &rule) {
  std::string text;
  if (rule.skip != Skip::kOmit) text = "RSCALE=GREGORIAN;";
  text.append("FREQ=").append(name_of(rule.frequency));
  if (rule.until) text += ";UNTIL=" + to_text(*rule.until);
  if (rule.count) text += ";COUNT=" + std::to_string(*rule.count);
  if (rule.interval != 1) text += ";INTERVAL=" + std::to_string(rule.interval);
  append_list(text, "BYMONTH", rule.by_month);
  append_list(text, "BYWEEKNO", rule.by_week_no);
  append_list(text, "BYYEARDAY", rule.by_year_day);
  append_list(text, "BYMONTHDAY", rule.by_month_day);
  char separator = '=';
  for (const WeekdayValue &value : rule.by_day) {
    if (separator == '=') text += ";BYDAY";
    text += separator;
    if (value.ordinal != 0) text += std::to_string(value.ordinal);
    text += name_of_weekday(value.weekday);
    separator = ',';
  }
  append_list(text, "BYHOUR", rule.by_hour);
  append_list(text, "BYMINUTE", rule.by_minute);
  append_list(text, "BYSECOND", rule.by_second);
  append_list(text, "BYSETPOS", rule.by_set_pos);
  if (rule.week_start != 0 && week_start_matters(rule)) text.append(";WKST=").append(name_of_weekday(rule.week_start));
  if (rule.skip != Skip::kOmit) text += rule.skip == Skip::kForward ? ";SKIP=FORWARD" : ";SKIP=BACKWARD";
  return text;
}

void throw_if_error(const std::vector<Finding> &findings) {
  std::vector<const Finding *> errors;
  for (const Finding &finding : findings)
    if (finding.severity == Finding::Severity::kError) errors.push_back(&finding);
  if (errors.empty()) return;
  // A rule that is wrong is wrong first, whatever else this engine does not know.
  auto first = std::find_if(errors.begin(), errors.end(), [](const Finding *f) { return !f->unsupported; });
  const Finding &finding = first == errors.end() ? *errors.front() : **first;
  std::string detail = errors.size() > 1
                           ? to_json(errors)
                           : "The part begins at character " + std::to_string(finding.start_char) + " of the rule.";
  throw Error(finding.unsupported ? "0A000" : "NX010", "recurrence rule: " + finding.message)
      .detail(std::move(detail))
      .hint(finding.hint);
}

void check_until_form(std::string_view text, const Rule &rule, bool floating, bool strict,
                      std::vector<Finding> &findings) {
  if (!rule.until) return;
  Until::Form wanted = floating ? Until::Form::kLocal : Until::Form::kUtc;
  if (rule.until->form == wanted) return;
  auto at = std::search(text.begin(), text.end(), std::begin("UNTIL"), std::end("UNTIL") - 1,
                        [](char a, char b) { return (a & ~0x20) == b; });
  auto start = std::count_if(text.begin(), at, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  findings.push_back({strict ? Finding::Severity::kError : Finding::Severity::kAdvice, "UNTIL", static_cast<int>(start),
                      floating ? "UNTIL of a rule without time zone must be a local date-time"
                               : "UNTIL of a rule in a time zone must be in UTC",
                      floating ? "Write UNTIL without Z; it is compared with the wall clock."
                               : "Write UNTIL as UTC, ending in Z; as it stands it is read as wall time of the zone."});
}

}  // namespace nexus::recurrence
