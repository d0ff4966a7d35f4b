#include "core/recurrence/icalendar.hpp"

#include <gtest/gtest.h>

#include <random>

#include "core/error.hpp"
#include "core/recurrence/overlap.hpp"
#include "recurrence_zones.hpp"

namespace {

using nexus::Error;
using nexus::Interrupt;
using namespace nexus::recurrence;

LocalTime at(int year, int month, int day, int hour = 0, int minute = 0) {
  return to_day(year, month, day) * kDay + hour * kHour + minute * kMinute;
}

std::string line_of(const std::string &calendar, const std::string &name) {
  std::size_t begin = calendar.find("\r\n" + name);
  return begin == std::string::npos ? "" : calendar.substr(begin + 2, calendar.find("\r\n", begin + 2) - begin - 2);
}

std::string event_of(const Schedule &schedule, const Zone *zone, Instant last = kMaxInstant) {
  return write_event(schedule, zone, "Europe/Berlin", last, {"u", "s", "", "", "", 0}, Interrupt());
}

TEST(ICalendar, FoldsOnCharacters) {
  std::string calendar, text = "SUMMARY:";
  for (int i = 0; i < 60; ++i) text += "ä€";
  append_content_line(calendar, text);
  std::string unfolded;
  for (std::size_t begin = 0; begin < calendar.size();) {
    std::size_t end = calendar.find("\r\n", begin);
    EXPECT_LE(end - begin, 75u);
    EXPECT_NE(static_cast<unsigned char>(calendar[begin]) & 0xC0, 0x80);
    unfolded += calendar.substr(begin + (begin > 0 ? 1 : 0), end - begin - (begin > 0 ? 1 : 0));
    begin = end + 2;
  }
  EXPECT_EQ(unfolded, text);
  EXPECT_EQ(escape_text("a;b,c\\d\r\ne\x01"), "a\\;b\\,c\\\\d\\ne");
}

TEST(ICalendar, EventsKeepTheirRule) {
  nexus::test::TableZone berlin = nexus::test::berlin_2026();
  Schedule weekly{parse_rule("FREQ=WEEKLY;BYDAY=MO,FR;UNTIL=20260630"), at(2026, 1, 1, 9), {}, {at(2026, 1, 5, 9)}, {}};
  std::string event = event_of(weekly, &berlin);
  EXPECT_EQ(line_of(event, "DTSTART"), "DTSTART;TZID=Europe/Berlin:20260102T090000");
  EXPECT_EQ(line_of(event, "RRULE"), "RRULE:FREQ=WEEKLY;UNTIL=20260630T215959Z;BYDAY=MO,FR");
  EXPECT_EQ(line_of(event, "EXDATE"), "EXDATE;TZID=Europe/Berlin:20260105T090000");
  // Bounded twice: the earlier end counts, as UNTIL.
  Schedule counted{parse_rule("FREQ=DAILY;COUNT=5"), at(2026, 1, 1, 9), {}, {}, {}};
  EXPECT_EQ(line_of(event_of(counted, nullptr, at(2026, 1, 3, 9)), "RRULE"), "RRULE:FREQ=DAILY;UNTIL=20260103T090000Z");
  EXPECT_EQ(line_of(event_of(counted, nullptr, at(2027, 1, 1)), "RRULE"), "RRULE:FREQ=DAILY;UNTIL=20260105T090000Z");
  EXPECT_EQ(line_of(event_of(counted, nullptr), "RRULE"), "RRULE:FREQ=DAILY;COUNT=5");
  EXPECT_EQ(line_of(event_of({parse_rule("none"), at(2026, 1, 1), {}, {}, {}}, nullptr), "RRULE"), "");
  EXPECT_EQ(event_of({parse_rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), at(2026, 1, 1), {}, {}, {}}, nullptr), "");
}

TEST(ICalendar, ZonesListTheirChanges) {
  nexus::test::TableZone berlin = nexus::test::berlin_2026();
  std::string zone = write_timezone("Europe/Berlin", berlin, at(2026, 1, 1), at(2027, 1, 1));
  EXPECT_NE(zone.find("BEGIN:DAYLIGHT\r\nDTSTART:20260329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"),
            std::string::npos);
  EXPECT_NE(zone.find("BEGIN:STANDARD\r\nDTSTART:20261025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n"),
            std::string::npos);
}

TEST(ICalendar, ReadsEvents) {
  std::vector<WrittenEvent> events = parse_icalendar(
      "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:Custom\r\nX-LIC-LOCATION:Europe/Berlin\r\nEND:VTIMEZONE\r\n"
      "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Custom:20260105T090000\r\nRRULE:FREQ=WEE\r\n KLY\r\n"
      "EXDATE;TZID=\"Custom\":20260112T090000,20260119T090000\r\nRDATE;VALUE=PERIOD:20260201T080000Z/PT1H\r\n"
      "BEGIN:VALARM\r\nUID:not this\r\nEND:VALARM\r\nSUMMARY:a\\, b\r\nEND:VEVENT\r\n"
      "BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260301\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].uid, "1");
  EXPECT_EQ(events[0].summary, "a, b");
  EXPECT_EQ(events[0].rrule, "FREQ=WEEKLY");
  EXPECT_EQ(events[0].dtstart->tzid, "Europe/Berlin");
  ASSERT_EQ(events[0].exdates.size(), 2u);
  EXPECT_EQ(events[0].exdates[1].at, at(2026, 1, 19, 9));
  ASSERT_EQ(events[0].rdates.size(), 1u);
  EXPECT_TRUE(events[0].rdates[0].is_utc);
  EXPECT_EQ(events[1].dtstart->at, at(2026, 3, 1));
  EXPECT_EQ(parse_icalendar("DTSTART:20260105T090000\nRRULE:FREQ=DAILY")[0].rrule, "FREQ=DAILY");
  for (const char *bad :
       {"", "DTSTART:20260230", "DTSTART:2026", "BEGIN:VEVENT\nDTSTART:20260101", "nonsense", "DTSTART;TZID",
        "BEGIN:VEVENT\nEND:VTODO", "RRULE:FREQ=DAILY", "DTSTART:20260101\nUID:a\nUID:b"}) {
    try {
      parse_icalendar(bad);
      ADD_FAILURE() << bad;
    } catch (const Error &error) {
      EXPECT_STREQ(error.sqlstate(), "22023") << bad;
    }
  }
}

/// Against each pair compared with each.
TEST(Overlap, EqualsComparingAll) {
  nexus::test::TableZone berlin = nexus::test::berlin_2026();
  const char *rules[] = {"FREQ=HOURLY;INTERVAL=5",  "FREQ=DAILY;INTERVAL=3;BYHOUR=2,9", "FREQ=WEEKLY;BYDAY=MO,SU",
                         "FREQ=MONTHLY;BYDAY=-1SU", "FREQ=MINUTELY;INTERVAL=45",        "FREQ=DAILY;COUNT=40"};
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    Schedule a{parse_rule(rules[random() % 6]), at(2026, 3, 1, 2), {}, {}, {}};
    Schedule b{parse_rule(rules[random() % 6]), at(2026, 3, 2, 9, 30), {}, {}, {}};
    std::int64_t lengths[] = {0, 20 * kMinute, 3 * kHour, 2 * kDay};
    std::int64_t da = lengths[random() % 4], db = lengths[random() % 4];
    Instant from = at(2026, 3, 10), to = at(2026, 4, 20);
    std::vector<Instant> starts[2];
    Occurrences sets[] = {{a, &berlin, kMinInstant, to, 1000, Interrupt()},
                          {b, nullptr, kMinInstant, to, 1000, Interrupt()}};
    for (int i = 0; i < 2; ++i)
      while (auto next = sets[i].next()) starts[i].push_back(*next);
    std::vector<std::pair<Instant, Instant>> expected, found;
    for (Instant x : starts[0])
      for (Instant y : starts[1])
        if (std::max(x, y) >= from && (x == y || (x < y ? x + da > y : y + db > x))) expected.emplace_back(x, y);
    Overlaps overlaps({&a, &berlin, da}, {&b, nullptr, db}, from, to, 100000, Interrupt());
    Instant previous = from;
    while (auto overlap = overlaps.next()) {
      found.emplace_back(overlap->first, overlap->second);
      EXPECT_GE(overlap->begin, previous);
      EXPECT_EQ(overlap->end, std::min(overlap->first + da, overlap->second + db));
      previous = overlap->begin;
    }
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found, expected) << normalize(a.rule) << " " << da << " / " << normalize(b.rule) << " " << db;
  }
}

}  // namespace
