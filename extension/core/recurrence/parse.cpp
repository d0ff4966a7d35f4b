// RECUR text -> Rule, with a finding for each thing that RFC 5545 forbids.
#include <algorithm>
#include <array>
#include <charconv>

#include "core/error.hpp"
#include "core/recurrence/rule.hpp"

namespace nexus::recurrence {

namespace {

enum Part : unsigned {
  kFreq,
  kUntil,
  kCount,
  kInterval,
  kBySecond,
  kByMinute,
  kByHour,
  kByDay,
  kByMonthDay,
  kByYearDay,
  kByWeekNo,
  kByMonth,
  kBySetPos,
  kWkst,
  kRscale,
  kSkip,
  kParts
};
constexpr std::array<std::string_view, kParts> kPartNames = {
    "FREQ",       "UNTIL",     "COUNT",    "INTERVAL", "BYSECOND", "BYMINUTE", "BYHOUR", "BYDAY",
    "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH",  "BYSETPOS", "WKST",     "RSCALE", "SKIP"};
constexpr std::array<std::string_view, 7> kFrequencies = {"SECONDLY", "MINUTELY", "HOURLY", "DAILY",
                                                          "WEEKLY",   "MONTHLY",  "YEARLY"};
constexpr std::array<std::string_view, 7> kWeekdays = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};

struct Alias {
  std::string_view name, rule;
};
constexpr Alias kAliases[] = {
    {"none", "FREQ=DAILY;COUNT=1"}, {"daily", "FREQ=DAILY"},     {"weekdays", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"},
    {"weekly", "FREQ=WEEKLY"},      {"monthly", "FREQ=MONTHLY"}, {"yearly", "FREQ=YEARLY"}};

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}
/// Names and enumerated values of iCalendar are the same in any case (RFC 5545 section 2).
bool equal_names(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return upper(x) == upper(y); });
}
template <std::size_t N>
int index_of(const std::array<std::string_view, N> &names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i)
    if (equal_names(names[i], name)) return static_cast<int>(i);
  return -1;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}
int number_of(std::string_view digits) {
  int value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

/// The beginning of user text, cut on a character border.
std::string_view beginning(std::string_view text) {
  std::size_t end = std::min<std::size_t>(text.size(), 40);
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}
/// User text as an error may show it.
std::string shown(std::string_view text) {
  std::string_view start = beginning(text);
  return "\"" + std::string(start) + (start.size() < text.size() ? "...\"" : "\"");
}

/// A list part of numbers: how wide, between what, and whether a sign is allowed (then 1 to max and -max to -1).
struct NumberList {
  std::vector<int> Rule::*list;
  Part part;
  int digits;
  int min, max;
  bool is_signed;
};
constexpr NumberList kNumberLists[] = {
    {&Rule::by_second, kBySecond, 2, 0, 60, false},    {&Rule::by_minute, kByMinute, 2, 0, 59, false},
    {&Rule::by_hour, kByHour, 2, 0, 23, false},        {&Rule::by_month_day, kByMonthDay, 2, 1, 31, true},
    {&Rule::by_year_day, kByYearDay, 3, 1, 366, true}, {&Rule::by_week_no, kByWeekNo, 2, 1, 53, true},
    {&Rule::by_month, kByMonth, 2, 1, 12, false},      {&Rule::by_set_pos, kBySetPos, 3, 1, 366, true}};

constexpr std::size_t kMostFindings = 100;

class Parser {
 public:
  Parser(std::string_view text, std::vector<Finding> &findings) : text_(text), findings_(findings) {}

  Rule parse() {
    std::size_t begin = 0;
    for (std::string_view prefix : {"RRULE:", "EXRULE:"})
      if (text_.size() >= prefix.size() && equal_names(text_.substr(0, prefix.size()), prefix)) begin = prefix.size();
    if (text_.size() > kMaxRuleBytes) {
      refuse_length();
      return rule_;
    }
    start_.fill(-1);
    while (true) {
      std::size_t end = std::min(text_.find(';', begin), text_.size());
      parse_part(begin, text_.substr(begin, end - begin));
      if (end == text_.size()) break;
      // A text with so many faults is no rule: more of them help nobody.
      if (findings_.size() >= kMostFindings) return rule_;
      begin = end + 1;
    }
    check_combinations();
    std::stable_sort(findings_.begin(), findings_.end(),
                     [](const Finding &a, const Finding &b) { return a.start_char < b.start_char; });
    return rule_;
  }

 private:
  /// How many characters lie before a byte. Asked for bytes in ascending order: what was counted is kept.
  int char_at(std::size_t byte) {
    for (; counted_bytes_ < byte; ++counted_bytes_)
      if ((static_cast<unsigned char>(text_[counted_bytes_]) & 0xC0) != 0x80) ++counted_chars_;
    return counted_chars_;
  }
  void refuse_at(int start, std::string part, std::string message, std::string hint) {
    findings_.push_back({Finding::Severity::kError, std::move(part), start, std::move(message), std::move(hint)});
  }
  void refuse(Part part, std::string_view message, std::string hint) {
    refuse_at(start_[part], std::string(kPartNames[part]), std::string(kPartNames[part]) + " " + std::string(message),
              std::move(hint));
  }
  bool has(Part part) const { return start_[part] >= 0; }

  /// Nothing of an overlong text is read; the part that crosses the limit is the one to shorten.
  void refuse_length() {
    std::size_t from = text_.rfind(';', kMaxRuleBytes - 1);
    from = from == std::string_view::npos ? 0 : from + 1;
    std::string_view part = text_.substr(from, 64);
    part = part.substr(0, part.find('='));
    int known = index_of(kPartNames, part);
    std::string name = known >= 0 ? std::string(kPartNames[static_cast<std::size_t>(known)]) : "";
    refuse_at(char_at(from), name,
              (name.empty() ? "the rule" : name) + " runs past the " + std::to_string(kMaxRuleBytes) +
                  " bytes that a rule may have",
              "Write each value once.");
  }

  void parse_part(std::size_t begin, std::string_view part) {
    int start = char_at(begin);
    if (part.empty()) {
      refuse_at(start, "", text_.empty() ? "the rule is empty" : "the rule has an empty part",
                text_.empty() ? "A rule begins with FREQ, for example FREQ=WEEKLY;BYDAY=MO."
                              : "Separate parts by one \";\", with none at the start or end.");
      return;
    }
    std::size_t equals = part.find('=');
    std::string_view name = part.substr(0, equals);
    int known = index_of(kPartNames, name);
    if (known < 0) {
      refuse_at(start, std::string(beginning(name)), "unknown rule part " + shown(name),
                "RFC 5545 knows FREQ, UNTIL, COUNT, INTERVAL, the BY parts and WKST; or use an alias such as weekly.");
      return;
    }
    auto which = static_cast<Part>(known);
    if (has(which)) {
      refuse_at(start, std::string(kPartNames[which]), std::string(kPartNames[which]) + " occurs more than once",
                "Put all values into one part, separated by commas.");
      return;
    }
    start_[which] = start;
    if (equals == std::string_view::npos) {
      refuse(which, "has no value", "Write " + std::string(kPartNames[which]) + "=value.");
      return;
    }
    parse_value(which, part.substr(equals + 1));
  }

  void parse_value(Part part, std::string_view value) {
    for (const NumberList &list : kNumberLists)
      if (list.part == part) return parse_numbers(list, value);
    switch (part) {
      case kFreq: {
        int index = index_of(kFrequencies, value);
        if (index < 0)
          return refuse(part, "is " + shown(value),
                        "Use SECONDLY, MINUTELY, HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY.");
        rule_.frequency = static_cast<Frequency>(index);
        return;
      }
      case kInterval:
      case kCount: {
        std::optional<std::int64_t> number = parse_positive(value);
        if (!number)
          return refuse(part, "must be a whole number from 1 to 2147483647, not " + shown(value),
                        part == kCount ? "Leave COUNT out for a rule without end." : "INTERVAL=2 is every other time.");
        if (part == kCount)
          rule_.count = *number;
        else
          rule_.interval = *number;
        return;
      }
      case kUntil: {
        rule_.until = parse_until(value);
        if (!rule_.until)
          refuse(part, "is not a date or date-time: " + shown(value),
                 "Write UNTIL=20261231, UNTIL=20261231T235959 or UNTIL=20261231T235959Z.");
        return;
      }
      case kByDay:
        return parse_weekdays(value);
      case kWkst: {
        int index = index_of(kWeekdays, value);
        if (index < 0) return refuse(part, "is not a weekday: " + shown(value), "Use one of MO TU WE TH FR SA SU.");
        rule_.week_start = index;
        return;
      }
      case kRscale:
        if (value.empty()) return refuse(part, "has no value", "Use RSCALE=GREGORIAN.");
        if (!equal_names(value, "GREGORIAN")) {
          refuse(part, shown(value) + " is not supported", "Only RSCALE=GREGORIAN is.");
          findings_.back().unsupported = true;
        }
        return;
      case kSkip: {
        constexpr std::array<std::string_view, 3> kSkips = {"OMIT", "FORWARD", "BACKWARD"};
        int index = index_of(kSkips, value);
        if (index < 0) return refuse(part, "is " + shown(value), "Use OMIT, FORWARD or BACKWARD.");
        rule_.skip = static_cast<Skip>(index);
        return;
      }
      default:
        return;
    }
  }

  static std::optional<std::int64_t> parse_positive(std::string_view value) {
    if (!all_digits(value)) return std::nullopt;
    value.remove_prefix(std::min(value.find_first_not_of('0'), value.size()));
    if (value.empty() || value.size() > 10) return std::nullopt;
    std::int64_t number = 0;
    for (char c : value) number = number * 10 + (c - '0');
    if (number > 2147483647) return std::nullopt;
    return number;
  }

  static std::optional<Until> parse_until(std::string_view value) {
    if (value.size() < 8 || !all_digits(value.substr(0, 8))) return std::nullopt;
    int year = number_of(value.substr(0, 4)), month = number_of(value.substr(4, 2)),
        day = number_of(value.substr(6, 2));
    if (year < kMinYear || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return std::nullopt;
    Until until{Until::Form::kDate, to_day(year, month, day) * kDay};
    if (value.size() == 8) return until;
    bool utc = value.back() == 'Z';
    if (value.size() != (utc ? 16u : 15u) || value[8] != 'T' || !all_digits(value.substr(9, 6))) return std::nullopt;
    int hour = number_of(value.substr(9, 2)), minute = number_of(value.substr(11, 2));
    int second = number_of(value.substr(13, 2));
    if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
    until.form = utc ? Until::Form::kUtc : Until::Form::kLocal;
    until.at += hour * kHour + minute * kMinute + std::min(second, 59) * kSecond;  // no leap seconds here: 3.3.12
    return until;
  }

  /// Calls `read` for each value between commas, and refuses lists that are too long.
  template <class Read>
  void for_each_value(Part part, std::string_view list, Read &&read) {
    if (static_cast<std::size_t>(std::count(list.begin(), list.end(), ',')) >= kMaxListValues)
      return refuse(part, "has more than " + std::to_string(kMaxListValues) + " values", "Write each value once.");
    while (true) {
      std::size_t comma = list.find(',');
      if (!read(list.substr(0, comma)) || comma == std::string_view::npos) return;
      list.remove_prefix(comma + 1);
    }
  }

  void parse_numbers(const NumberList &list, std::string_view text) {
    std::vector<int> &values = rule_.*list.list;
    for_each_value(list.part, text, [&](std::string_view value) {
      std::string_view digits = value;
      bool minus = list.is_signed && digits.starts_with('-');
      if (minus || (list.is_signed && digits.starts_with('+'))) digits.remove_prefix(1);
      int number =
          all_digits(digits) && digits.size() <= static_cast<std::size_t>(list.digits) ? number_of(digits) : -1;
      if (number < list.min || number > list.max) {
        std::string range = std::to_string(list.min) + " to " + std::to_string(list.max);
        if (list.is_signed) range += " or -" + std::to_string(list.max) + " to -1";
        refuse(list.part, "takes " + range + ", not " + shown(value),
               list.is_signed ? "Negative values count from the end: -1 is the last." : "Separate values by commas.");
        return false;
      }
      // 3.3.12: without leap seconds the second 60 is read as 59.
      if (list.part == kBySecond) number = std::min(number, 59);
      values.push_back(minus ? -number : number);
      return true;
    });
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
  }

  void parse_weekdays(std::string_view text) {
    std::vector<WeekdayValue> &values = rule_.by_day;
    for_each_value(kByDay, text, [&](std::string_view value) {
      std::size_t split = value.size() < 2 ? 0 : value.size() - 2;
      int weekday = index_of(kWeekdays, value.substr(split));
      std::string_view digits = value.substr(0, split);
      bool bare = digits.empty(), minus = digits.starts_with('-');
      if (minus || digits.starts_with('+')) digits.remove_prefix(1);
      int ordinal = 0;
      if (!bare) ordinal = all_digits(digits) && digits.size() <= 2 ? number_of(digits) : 0;
      if (weekday < 0 || (!bare && (ordinal < 1 || ordinal > 53))) {
        refuse(kByDay, "takes weekdays such as MO, 2TU or -1FR, not " + shown(value),
               "The number in front goes from 1 to 53 or -53 to -1; separate values by commas.");
        return false;
      }
      values.push_back({minus ? -ordinal : ordinal, weekday});
      return true;
    });
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
  }

  void check_combinations() {
    Frequency freq = rule_.frequency;
    if (!has(kFreq)) {
      // A text without any known part is something else than a rule: one finding says so already.
      if (findings_.empty() || std::any_of(start_.begin(), start_.end(), [](int s) { return s >= 0; }))
        refuse_at(0, "FREQ", "FREQ is missing", "A rule begins with FREQ, for example FREQ=WEEKLY;BYDAY=MO.");
      return;
    }
    if (has(kCount) && has(kUntil))
      refuse(kUntil, "cannot stand together with COUNT", "Keep the one that should end the rule.");
    if (has(kByWeekNo) && freq != Frequency::kYearly)
      refuse(kByWeekNo, "is allowed with FREQ=YEARLY only", "Use FREQ=YEARLY, or BYMONTH or BYDAY instead.");
    if (has(kByYearDay) && (freq == Frequency::kDaily || freq == Frequency::kWeekly || freq == Frequency::kMonthly))
      refuse(kByYearDay, "is not allowed with FREQ=" + std::string(name_of(freq)), "Use FREQ=YEARLY.");
    if (has(kByMonthDay) && freq == Frequency::kWeekly)
      refuse(kByMonthDay, "is not allowed with FREQ=WEEKLY", "Use FREQ=MONTHLY, or FREQ=DAILY with BYDAY.");
    bool ordinals =
        std::any_of(rule_.by_day.begin(), rule_.by_day.end(), [](const WeekdayValue &v) { return v.ordinal != 0; });
    if (ordinals && freq != Frequency::kMonthly && freq != Frequency::kYearly)
      refuse(kByDay, "takes numbers with FREQ=MONTHLY and FREQ=YEARLY only", "Write the weekdays without numbers.");
    else if (ordinals && has(kByWeekNo))
      refuse(kByDay, "takes no numbers together with BYWEEKNO", "Write the weekdays without numbers.");
    bool by_part = false;
    for (Part part : {kBySecond, kByMinute, kByHour, kByDay, kByMonthDay, kByYearDay, kByWeekNo, kByMonth})
      by_part = by_part || has(part);
    if (has(kBySetPos) && !by_part)
      refuse(kBySetPos, "needs another BY part to choose from", "Add for example BYDAY=MO,TU,WE,TH,FR.");
    if (has(kSkip) && !has(kRscale)) refuse(kSkip, "needs RSCALE (RFC 7529)", "Begin with RSCALE=GREGORIAN.");
  }

  std::string_view text_;
  std::vector<Finding> &findings_;
  std::size_t counted_bytes_ = 0;
  int counted_chars_ = 0;
  std::array<int, kParts> start_{};  // where each part begins, -1 while it has not been seen
  Rule rule_;
};

}  // namespace

std::string_view name_of(Frequency frequency) {
  return kFrequencies[static_cast<std::size_t>(frequency)];
}

std::string_view name_of_weekday(int weekday) {
  return kWeekdays[static_cast<std::size_t>(weekday)];
}

Rule parse_rule(std::string_view text, std::vector<Finding> &findings) {
  for (const Alias &alias : kAliases)
    if (equal_names(alias.name, text)) text = alias.rule;
  return Parser(text, findings).parse();
}

Rule parse_rule(std::string_view text) {
  std::vector<Finding> findings;
  Rule rule = parse_rule(text, findings);
  throw_if_error(findings);
  return rule;
}

}  // namespace nexus::recurrence
