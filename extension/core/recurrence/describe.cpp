#include "core/recurrence/describe.hpp"

#include <algorithm>
#include <cstdio>

#include "core/error.hpp"

namespace nexus::recurrence {

namespace {

std::string filled(std::string_view pattern, std::string_view key, std::string_view value) {
  std::string text(pattern);
  std::size_t at = text.find(key);
  if (at != std::string::npos) text.replace(at, key.size(), value);
  return text;
}

std::string two_digits(int value) {
  return (value < 10 ? "0" : "") + std::to_string(value);
}

const Language &language_of(std::string_view locale) {
  std::string code(locale.substr(0, locale.find_first_of("-_.@")));
  std::transform(code.begin(), code.end(), code.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  std::string known;
  for (const Language &language : languages()) {
    if (language.code == code) return language;
    known.append(known.empty() ? "" : ", ").append(language.code);
  }
  throw Error("0A000",
              "locale \"" + std::string(locale.substr(0, locale.size() > 40 ? 0 : 40)) + "\" is not supported yet")
      .hint("Languages are " + known + ".");
}

class Describer {
 public:
  Describer(const Rule &rule, const Language &language) : rule_(rule), language_(language) {}

  std::string sentence() {
    auto frequency = static_cast<std::size_t>(rule_.frequency);
    add(rule_.interval == 1 ? std::string(language_.every[frequency])
                            : filled(language_.every_nth[frequency], "{n}", std::to_string(rule_.interval)));
    add_list(language_.in_months, names(rule_.by_month, language_.months));
    add_list(language_.in_weeks, numbers(rule_.by_week_no));
    add_days();
    add_times();
    add_list(language_.only, ordinals(rule_.by_set_pos, language_.instance));
    if (rule_.week_start != 0 && normalize(rule_).find(";WKST=") != std::string::npos)
      end(filled(language_.week_start, "{noun}", language_.weekdays[static_cast<std::size_t>(rule_.week_start)]));
    if (rule_.skip != Skip::kOmit)
      end(std::string(rule_.skip == Skip::kForward ? language_.skip_forward : language_.skip_backward));
    if (rule_.count == 1)
      end(std::string(language_.once));
    else if (rule_.count)
      end(filled(language_.times, "{n}", std::to_string(*rule_.count)));
    if (rule_.until) end(filled(language_.until, "{list}", until()));
    return text_;
  }

 private:
  using Items = std::vector<std::string>;

  void add(std::string_view part) {
    if (!text_.empty()) text_ += language_.join;
    text_ += part;
  }
  void end(std::string_view part) { text_.append(language_.join_end).append(part); }

  std::string joined(const Items &items) const {
    std::string text;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) text += i + 1 == items.size() ? language_.last_separator : language_.separator;
      text += items[i];
    }
    return text;
  }
  void add_list(std::string_view pattern, const Items &items) {
    if (!items.empty()) add(filled(pattern, "{list}", joined(items)));
  }

  static Items numbers(const std::vector<int> &values) {
    Items items;
    for (int value : values) items.push_back(std::to_string(value));
    return items;
  }
  static Items names(const std::vector<int> &values, const std::string_view *names) {
    Items items;
    for (int value : values) items.emplace_back(names[value - 1]);
    return items;
  }
  std::string nth(int n, std::string_view noun) const { return filled(language_.nth(n), "{noun}", noun); }
  /// From the first to the last: what counts from the end comes after what counts from the beginning.
  Items ordinals(std::vector<int> values, std::string_view noun) const {
    std::stable_partition(values.begin(), values.end(), [](int value) { return value > 0; });
    Items items;
    for (int value : values) items.push_back(nth(value, noun));
    return items;
  }

  void add_days() {
    const bool yearly = rule_.frequency == Frequency::kYearly;
    auto scoped = [&](const Items &items, std::string_view scope) {
      if (!items.empty()) add_list(language_.on_days, {filled(scope, "{list}", joined(items))});
    };
    scoped(ordinals(rule_.by_year_day, language_.day), language_.of_year);
    Items days = ordinals(rule_.by_month_day, language_.day);
    if (rule_.frequency == Frequency::kMonthly)
      add_list(language_.on_days, days);
    else
      scoped(days, language_.of_month);
    if (rule_.by_day.empty()) return;
    Items weekdays, counted;
    std::uint32_t plain = 0;
    for (const WeekdayValue &value : rule_.by_day) {
      std::string_view name = language_.weekdays[static_cast<std::size_t>(value.weekday)];
      if (value.ordinal == 0) {
        weekdays.push_back(filled(language_.each_weekday, "{noun}", name));
        plain |= 1U << value.weekday;
      } else {
        // The list is sorted by the number: those from the end come first there and last here.
        auto where = value.ordinal > 0 ? counted.end() - negatives_ : counted.end();
        counted.insert(where, nth(value.ordinal, name));
        if (value.ordinal < 0) ++negatives_;
      }
    }
    constexpr std::uint32_t kWorkdays = 0x1F;
    if (plain == kWorkdays)
      add(language_.on_workdays);
    else
      add_list(language_.on_days, weekdays);
    if (yearly)
      scoped(counted, rule_.by_month.empty() ? language_.of_year : language_.of_month);
    else
      add_list(language_.on_days, counted);
  }

  void add_times() {
    constexpr std::size_t kMostTimes = 12;
    std::size_t count = rule_.by_hour.size() * std::max<std::size_t>(rule_.by_minute.size(), 1) *
                        std::max<std::size_t>(rule_.by_second.size(), 1);
    // Clock times can be named where hours and minutes are given and few; else each list speaks for itself.
    if (rule_.frequency >= Frequency::kDaily && count > 0 && count <= kMostTimes && !rule_.by_minute.empty()) {
      Items times;
      for (int hour : rule_.by_hour)
        for (int minute : rule_.by_minute) {
          std::string time = two_digits(hour) + ":" + two_digits(minute);
          for (int second : rule_.by_second) times.push_back(time + ":" + two_digits(second));
          if (rule_.by_second.empty()) times.push_back(time);
        }
      return add_list(language_.at_times, times);
    }
    add_list(language_.in_hours, numbers(rule_.by_hour));
    add_list(language_.in_minutes, numbers(rule_.by_minute));
    add_list(language_.in_seconds, numbers(rule_.by_second));
  }

  /// ISO 8601, which reads the same in all languages.
  std::string until() const {
    Date date = to_date(floor_div(rule_.until->at, kDay));
    int second = static_cast<int>(floor_mod(rule_.until->at, kDay) / kSecond);
    char text[64];
    int size = std::snprintf(text, sizeof text, "%04d-%02d-%02d", static_cast<int>(date.year), date.month, date.day);
    if (rule_.until->form != Until::Form::kDate) {
      size += std::snprintf(text + size, sizeof text - static_cast<std::size_t>(size), " %02d:%02d", second / 3600,
                            second / 60 % 60);
      if (second % 60 != 0)
        std::snprintf(text + size, sizeof text - static_cast<std::size_t>(size), ":%02d", second % 60);
    }
    return std::string(text) + (rule_.until->form == Until::Form::kUtc ? " UTC" : "");
  }

  const Rule &rule_;
  const Language &language_;
  std::string text_;
  std::ptrdiff_t negatives_ = 0;
};

}  // namespace

std::string describe(const Rule &rule, std::string_view locale) {
  return Describer(rule, language_of(locale)).sentence();
}

}  // namespace nexus::recurrence
