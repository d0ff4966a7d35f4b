#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/recurrence/icalendar.hpp"

namespace nexus::recurrence {

namespace {

std::string upper(std::string_view text) {
  std::string result(text);
  for (char &c : result)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return result;
}

struct ContentLine {
  int number;  // from 1, of its first physical line
  std::string name, value;
  std::map<std::string, std::string> parameters;
};

[[noreturn]] void refuse(int line, const std::string &what, const char *hint) {
  throw Error("22023", "ics: line " + std::to_string(line) + ": " + what).hint(hint);
}

std::string unescape_text(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      char c = text[++i];
      plain += c == 'n' || c == 'N' ? '\n' : c;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

ContentLine read_line(std::string_view text, int number) {
  ContentLine line{number, "", "", {}};
  std::size_t end = text.find_first_of(";:");
  if (end == std::string_view::npos || end == 0)
    refuse(number, "is no content line", "A line is NAME:value or NAME;PARAMETER=value:value.");
  line.name = upper(text.substr(0, end));
  while (text[end] == ';') {
    std::size_t begin = end + 1, equals = text.find('=', begin);
    bool quoted = false;
    for (end = begin; end < text.size() && (quoted || (text[end] != ';' && text[end] != ':')); ++end)
      if (text[end] == '"') quoted = !quoted;
    if (end >= text.size() || equals == std::string_view::npos || equals >= end)
      refuse(number, line.name + " has a parameter without value", "Write ;NAME=value before the colon.");
    std::string_view value = text.substr(equals + 1, end - equals - 1);
    if (value.size() > 1 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    line.parameters[upper(text.substr(begin, equals - begin))] = value;
  }
  line.value = text.substr(end + 1);
  return line;
}

bool digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int number(std::string_view text) {
  int value = 0;
  for (char c : text) value = value * 10 + (c - '0');
  return value;
}

WrittenTime read_time(const ContentLine &line, std::string_view value) {
  auto bad = [&] {
    refuse(line.number, line.name + " is not a date or date-time",
           "Write 20261231, 20261231T090000 or 20261231T090000Z.");
  };
  value = value.substr(0, value.find('/'));  // the start of a PERIOD
  WrittenTime time{0, false, ""};
  if (value.size() < 8 || !digits(value.substr(0, 8))) bad();
  int year = number(value.substr(0, 4)), month = number(value.substr(4, 2)), day = number(value.substr(6, 2));
  if (year < kMinYear || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) bad();
  time.at = to_day(year, month, day) * kDay;
  if (value.size() == 8) return time;
  time.is_utc = value.back() == 'Z';
  if (value.size() != (time.is_utc ? 16u : 15u) || value[8] != 'T' || !digits(value.substr(9, 6))) bad();
  int hour = number(value.substr(9, 2)), minute = number(value.substr(11, 2)), second = number(value.substr(13, 2));
  if (hour > 23 || minute > 59 || second > 60) bad();
  time.at += hour * kHour + minute * kMinute + std::min(second, 59) * kSecond;
  if (auto zone = line.parameters.find("TZID"); zone != line.parameters.end() && !time.is_utc) time.tzid = zone->second;
  return time;
}

void read_times(const ContentLine &line, std::vector<WrittenTime> &times) {
  std::string_view rest = line.value;
  while (true) {
    std::size_t comma = rest.find(',');
    times.push_back(read_time(line, rest.substr(0, comma)));
    if (times.size() > kMaxDates)
      throw Error("54000", "ics: an event has more than " + std::to_string(kMaxDates) + " dates in " + line.name);
    if (comma == std::string_view::npos) return;
    rest.remove_prefix(comma + 1);
  }
}

void read_property(const ContentLine &line, WrittenEvent &event) {
  auto first = [&line](bool known) {
    if (known) refuse(line.number, line.name + " comes twice in one event", "Leave one of them out (RFC 5545 3.6.1).");
  };
  if (line.name == "UID") {
    first(!event.uid.empty());
    event.uid = unescape_text(line.value);
  }
  if (line.name == "SUMMARY") {
    first(!event.summary.empty());
    event.summary = unescape_text(line.value);
  }
  if (line.name == "DTSTART") {
    first(event.dtstart.has_value());
    event.dtstart = read_time(line, line.value);
  }
  if (line.name == "RECURRENCE-ID") {
    first(event.recurrence_id.has_value());
    event.recurrence_id = read_time(line, line.value);
  }
  if (line.name == "RDATE") read_times(line, event.rdates);
  if (line.name == "EXDATE") read_times(line, event.exdates);
  if (line.name == "EXRULE") event.exrules.push_back(line.value);
  if (line.name != "RRULE") return;
  if (!event.rrule.empty())
    throw Error("0A000",
                "ics: line " + std::to_string(line.number) + ": a second RRULE in one event is not supported yet")
        .hint("Write the events one by one, or the further dates as RDATE.");
  event.rrule = line.value;
}

}  // namespace

std::vector<WrittenEvent> parse_icalendar(std::string_view text) {
  if (text.size() > kMaxCalendarBytes)
    throw Error("54000", "ics must not have more than " + std::to_string(kMaxCalendarBytes) + " bytes");
  std::vector<WrittenEvent> events;
  WrittenEvent loose;
  std::vector<std::string> open;  // components
  std::map<std::string, std::string> locations;
  std::string zone_id;
  bool any_component = false;
  int physical = 0;
  std::string logical;
  int logical_number = 0;
  auto finish = [&] {
    if (logical.empty()) return;
    ContentLine line = read_line(logical, logical_number);
    logical.clear();
    if (line.name == "BEGIN") {
      any_component = true;
      constexpr std::size_t kDeepest = 16;
      if (open.size() == kDeepest)
        refuse(line.number, "components are nested too deep", "A VEVENT stands in a VCALENDAR.");
      open.push_back(upper(line.value));
      if (open.back() == "VEVENT") events.emplace_back();
    } else if (line.name == "END") {
      if (open.empty() || open.back() != upper(line.value))
        refuse(line.number, "END does not match BEGIN", "Close components in the order in which they were opened.");
      open.pop_back();
    } else if (open.empty()) {
      read_property(line, loose);
    } else if (open.back() == "VEVENT") {
      read_property(line, events.back());
    } else if (open.back() == "VTIMEZONE") {
      if (line.name == "TZID") zone_id = line.value;
      if (line.name == "X-LIC-LOCATION") locations[zone_id] = line.value;
    }
  };
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++physical;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!line.empty() && (line.front() == ' ' || line.front() == '\t') && !logical.empty()) {
      logical += line.substr(1);
      continue;
    }
    finish();
    logical = line;
    logical_number = physical;
  }
  finish();
  if (!open.empty()) refuse(physical, open.back() + " is not closed", "Add END lines for all BEGIN lines.");
  if (!any_component) events.push_back(std::move(loose));
  auto locate = [&locations](WrittenTime &time) {
    if (auto found = locations.find(time.tzid); found != locations.end()) time.tzid = found->second;
  };
  for (WrittenEvent &event : events) {
    if (!event.dtstart)
      throw Error("22023", "ics: an event has no DTSTART")
          .hint("Add DTSTART, for example DTSTART;TZID=Europe/Berlin:20260105T090000.");
    locate(*event.dtstart);
    if (event.recurrence_id) locate(*event.recurrence_id);
    std::for_each(event.rdates.begin(), event.rdates.end(), locate);
    std::for_each(event.exdates.begin(), event.exdates.end(), locate);
  }
  return events;
}

}  // namespace nexus::recurrence
