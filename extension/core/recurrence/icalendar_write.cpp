#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/recurrence/icalendar.hpp"

namespace nexus::recurrence {

namespace {

std::string written(LocalTime at, bool utc = false) {
  Date date = to_date(floor_div(at, kDay));
  int second = static_cast<int>(floor_mod(at, kDay) / kSecond);
  char text[64];
  std::snprintf(text, sizeof text, "%04d%02d%02dT%02d%02d%02d%s", static_cast<int>(date.year), date.month, date.day,
                second / 3600, second / 60 % 60, second % 60, utc ? "Z" : "");
  return text;
}

std::string written_offset(std::int64_t seconds) {
  std::int64_t value = seconds < 0 ? -seconds : seconds;
  char text[64];
  int size = std::snprintf(text, sizeof text, "%c%02d%02d", seconds < 0 ? '-' : '+', static_cast<int>(value / 3600),
                           static_cast<int>(value / 60 % 60));
  if (value % 60 != 0)
    std::snprintf(text + size, sizeof text - static_cast<std::size_t>(size), "%02d", static_cast<int>(value % 60));
  return text;
}

/// A change of offset and the wall time, by the clock before it, at which it comes.
struct Change {
  std::int64_t at, from, to;  // seconds
  LocalTime onset() const { return (at + from) * kSecond; }
};

/// "BYMONTH=3;BYDAY=-1SU" for a change: counted from the end of the month where `from_end` says so.
std::string yearly_rule(const Change &change, bool from_end) {
  Day day = floor_div(change.onset(), kDay);
  Date date = to_date(day);
  int ordinal = from_end ? -((days_in_month(date.year, date.month) - date.day) / 7 + 1) : (date.day - 1) / 7 + 1;
  return "FREQ=YEARLY;BYMONTH=" + std::to_string(date.month) + ";BYDAY=" + std::to_string(ordinal) +
         std::string(name_of_weekday(weekday_of(day)));
}

bool same_clock(const Change &a, const Change &b) {
  return a.from == b.from && a.to == b.to && floor_mod(a.onset(), kDay) == floor_mod(b.onset(), kDay);
}

void append_observance(std::string &calendar, const Change &change, std::string_view rule) {
  const char *name = change.to > change.from ? "DAYLIGHT" : "STANDARD";
  append_content_line(calendar, std::string("BEGIN:") + name);
  append_content_line(calendar, "DTSTART:" + written(change.onset()));
  append_content_line(calendar, "TZOFFSETFROM:" + written_offset(change.from));
  append_content_line(calendar, "TZOFFSETTO:" + written_offset(change.to));
  if (!rule.empty()) append_content_line(calendar, "RRULE:" + std::string(rule));
  append_content_line(calendar, std::string("END:") + name);
}

std::string dates(const std::vector<LocalTime> &times, WallClock &clock, bool utc) {
  std::string text;
  for (LocalTime time : times) text += (text.empty() ? "" : ",") + written(clock.resolve(time).wall, utc);
  return text;
}

}  // namespace

void append_content_line(std::string &calendar, std::string_view line) {
  constexpr std::size_t kMost = 75;
  std::size_t room = kMost;
  while (line.size() > room) {
    std::size_t end = room;
    while (end > 1 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
    calendar.append(line.substr(0, end)).append("\r\n ");
    line.remove_prefix(end);
    room = kMost - 1;  // the space counts
  }
  calendar.append(line).append("\r\n");
}

std::string escape_text(std::string_view text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\\' || c == ';' || c == ',')
      escaped.append({'\\', c});
    else if (c == '\n' || (c == '\r' && text.substr(i + 1, 1) != "\n"))
      escaped += "\\n";
    else if (static_cast<unsigned char>(c) >= 0x20 ? c != 0x7F : c == '\t')
      escaped += c;
  }
  return escaped;
}

std::string write_event(const Schedule &schedule, const Zone *zone, std::string_view tzid, Instant last,
                        const EventText &text, Interrupt interrupt) {
  WallClock clock(zone);
  Rule rule = schedule.rule;
  std::optional<LocalTime> first = RuleIterator(rule, schedule.dtstart, kMaxLocal, interrupt).next();
  if (!first || clock.resolve(*first).instant > std::min(last, last_instant(rule, clock, last))) return "";
  if (rule.until || last < kMaxInstant) {
    Instant end = last_instant(rule, clock, last);
    if (rule.count) {
      Schedule counted{rule, schedule.dtstart, {}, {}, {}};
      std::optional<Instant> at = Occurrences(counted, zone, kMinInstant, kMaxInstant, 1, interrupt).last(end);
      if (!at) return "";
      end = *at;
      rule.count.reset();
    }
    rule.until = Until{Until::Form::kUtc, floor_div(end, kSecond) * kSecond};
  }
  std::string event;
  const bool utc = zone == nullptr;
  const std::string zone_parameter = utc ? "" : ";TZID=" + std::string(tzid);
  auto add_text = [&event](const char *name, const std::string &value) {
    if (!value.empty()) append_content_line(event, std::string(name) + ":" + escape_text(value));
  };
  append_content_line(event, "BEGIN:VEVENT");
  add_text("UID", text.uid);
  append_content_line(event, "DTSTAMP:" + written(text.stamp, true));
  append_content_line(event, "DTSTART" + zone_parameter + ":" + written(*first, utc));
  if (rule.count != 1) append_content_line(event, "RRULE:" + normalize(rule));
  if (!schedule.rdates.empty())
    append_content_line(event, "RDATE" + zone_parameter + ":" + dates(schedule.rdates, clock, utc));
  if (!schedule.exdates.empty())
    append_content_line(event, "EXDATE" + zone_parameter + ":" + dates(schedule.exdates, clock, utc));
  add_text("SUMMARY", text.summary);
  add_text("DESCRIPTION", text.description);
  add_text("CATEGORIES", text.categories);
  add_text("STATUS", text.status);
  append_content_line(event, "END:VEVENT");
  return event;
}

std::string write_timezone(std::string_view tzid, const Zone &zone, Instant from, Instant to) {
  std::string calendar;
  append_content_line(calendar, "BEGIN:VTIMEZONE");
  append_content_line(calendar, "TZID:" + std::string(tzid));
  // A day earlier, so that the first observance is in force at any wall time from `from` on.
  std::int64_t at = floor_div(from, kSecond) - std::int64_t{2} * 86400;
  const std::int64_t end = std::max(floor_div(to, kSecond), at);
  Zone::Offsets offsets = zone.offsets(at);
  append_observance(calendar, {at - offsets.current, offsets.current, offsets.current}, "");
  // Changes of the window, then enough years beyond it to see whether they go on alike.
  constexpr std::size_t kYearsAhead = 6, kMostChanges = 2000;
  std::vector<Change> changes;
  std::size_t beyond = 0;
  for (; offsets.changes && beyond < 2 * kYearsAhead && changes.size() < kMostChanges; offsets = zone.offsets(at)) {
    changes.push_back({offsets.at, offsets.current, offsets.next});
    at = offsets.at;
    if (at > end) ++beyond;
  }
  std::size_t inside = changes.size() - beyond;
  std::string rules[2];
  for (std::size_t kind = 0; kind < 2 && beyond == 2 * kYearsAhead; ++kind) {
    for (bool from_end : {false, true}) {
      const Change &model = changes[inside + kind];
      std::string rule = yearly_rule(model, from_end);
      bool holds = true;
      for (std::size_t year = 1; year < kYearsAhead && holds; ++year) {
        const Change &next = changes[inside + kind + 2 * year];
        holds = same_clock(model, next) && yearly_rule(next, from_end) == rule &&
                to_date(floor_div(next.onset(), kDay)).year ==
                    to_date(floor_div(model.onset(), kDay)).year + static_cast<std::int64_t>(year);
      }
      if (holds) rules[kind] = rule;
    }
  }
  const bool regular = !rules[0].empty() && !rules[1].empty();
  for (std::size_t i = 0; i < (regular ? inside : changes.size()); ++i) append_observance(calendar, changes[i], "");
  for (std::size_t kind = 0; kind < 2 && regular; ++kind)
    append_observance(calendar, changes[inside + kind], rules[kind]);
  append_content_line(calendar, "END:VTIMEZONE");
  return calendar;
}

}  // namespace nexus::recurrence
