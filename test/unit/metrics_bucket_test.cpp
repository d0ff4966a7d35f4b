#include "core/metrics/bucket.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/error.hpp"
#include "core/metrics/calendar.hpp"
#include "core/metrics/timestamp.hpp"

using namespace nexus::metrics;

namespace {

Instant at(const char *text) {
  return parse_timestamp(text).value();
}
Seconds second(const char *text) {
  return at(text) / 1000000;
}

std::string bucket(Unit unit, const ZoneRules &rules, const char *text) {
  Buckets::Bucket found = Buckets(unit, rules).at(at(text));
  auto show = [](Instant instant) {
    std::int64_t seconds = floor_div(instant, 1000000);
    Date date = date_of(floor_div(seconds, 86400));
    auto two = [](std::int64_t n) { return std::to_string(n + 100).substr(1); };
    std::int64_t rest = floor_mod(seconds, 86400);
    return std::to_string(date.year) + "-" + two(date.month) + "-" + two(date.day) + " " + two(rest / 3600) + ":" +
           two(rest / 60 % 60);
  };
  return show(found.start) + " to " + show(found.end);
}

/// The changes of 2025 (Apia: 2011, St. John's: 2006), written down from the tz database.
const ZoneRules kUtc(0, {});
const ZoneRules kBerlin(3600, {{second("2025-03-30 01:00"), 7200}, {second("2025-10-26 01:00"), 3600}});
const ZoneRules kHavana(-18000, {{second("2025-03-09 05:00"), -14400}, {second("2025-11-02 05:00"), -18000}});
const ZoneRules kLordHowe(39600, {{second("2025-04-05 15:00"), 37800}, {second("2025-10-04 15:30"), 39600}});
const ZoneRules kApia(-36000, {{second("2011-12-30 10:00"), 50400}});
const ZoneRules kStJohns(-9000, {{second("2006-10-29 02:31"), -12600}});

}  // namespace

TEST(MetricsCalendar, RoundTrip) {
  EXPECT_EQ(day_number(2000, 1, 1), 0);
  EXPECT_EQ(day_number(1970, 1, 1), -10957);
  EXPECT_EQ(day_number(2000, 3, 1), 60);
  Date before = date_of(-800000);
  for (std::int64_t day = -799999; day < 800000; ++day) {
    Date date = date_of(day);
    ASSERT_EQ(day_number(date.year, date.month, date.day), day);
    bool next_day = date.year == before.year && date.month == before.month && date.day == before.day + 1;
    bool next_month = date.day == 1 && before.day == days_in_month(before.year, before.month) &&
                      (date.month == before.month + 1 || (date.month == 1 && before.month == 12));
    ASSERT_TRUE(next_day || next_month) << day;
    before = date;
  }
  EXPECT_EQ(days_in_month(2024, 2), 29);
  EXPECT_EQ(days_in_month(2100, 2), 28);
  EXPECT_EQ(days_in_month(2025, 12), 31);
}

TEST(MetricsBucket, PlainUnits) {
  EXPECT_EQ(bucket(Unit::hour, kUtc, "2025-05-07 10:59:59.999999"), "2025-05-07 10:00 to 2025-05-07 11:00");
  EXPECT_EQ(bucket(Unit::day, kUtc, "1999-12-31 23:59"), "1999-12-31 00:00 to 2000-01-01 00:00");
  EXPECT_EQ(bucket(Unit::week, kUtc, "2025-05-11 23:00"), "2025-05-05 00:00 to 2025-05-12 00:00");  // a Sunday
  EXPECT_EQ(bucket(Unit::week, kUtc, "2025-05-12 00:00"), "2025-05-12 00:00 to 2025-05-19 00:00");  // a Monday
  EXPECT_EQ(bucket(Unit::month, kUtc, "2024-02-29 12:00"), "2024-02-01 00:00 to 2024-03-01 00:00");
  EXPECT_EQ(bucket(Unit::day, kBerlin, "2025-03-30 12:00"), "2025-03-29 23:00 to 2025-03-30 22:00");  // 23 hours
  EXPECT_EQ(bucket(Unit::day, kBerlin, "2025-10-26 12:00"), "2025-10-25 22:00 to 2025-10-26 23:00");  // 25 hours
}

TEST(MetricsBucket, RepeatedHourIsTwoBuckets) {
  EXPECT_EQ(bucket(Unit::hour, kBerlin, "2025-10-26 00:30"), "2025-10-26 00:00 to 2025-10-26 01:00");
  EXPECT_EQ(bucket(Unit::hour, kBerlin, "2025-10-26 01:30"), "2025-10-26 01:00 to 2025-10-26 02:00");
}

TEST(MetricsBucket, TwoMidnightsTakeTheFirst) {
  EXPECT_EQ(bucket(Unit::day, kHavana, "2025-11-02 04:30"), "2025-11-02 04:00 to 2025-11-03 05:00");
  EXPECT_EQ(bucket(Unit::day, kHavana, "2025-11-02 05:30"), "2025-11-02 04:00 to 2025-11-03 05:00");
  EXPECT_EQ(bucket(Unit::day, kHavana, "2025-11-02 03:59"), "2025-11-01 04:00 to 2025-11-02 04:00");
}

TEST(MetricsBucket, NoMidnightTakesTheJump) {
  EXPECT_EQ(bucket(Unit::day, kHavana, "2025-03-09 12:00"), "2025-03-09 05:00 to 2025-03-10 04:00");
  EXPECT_EQ(bucket(Unit::day, kHavana, "2025-03-09 04:59"), "2025-03-08 05:00 to 2025-03-09 05:00");
}

TEST(MetricsBucket, HalfHourShiftStartsAtTheJump) {
  // 02:00 back to 01:30: the second half of that hour is an hour bucket of its own, of 30 minutes.
  EXPECT_EQ(bucket(Unit::hour, kLordHowe, "2025-04-05 14:45"), "2025-04-05 14:00 to 2025-04-05 15:00");
  EXPECT_EQ(bucket(Unit::hour, kLordHowe, "2025-04-05 15:10"), "2025-04-05 15:00 to 2025-04-05 15:30");
  EXPECT_EQ(bucket(Unit::hour, kLordHowe, "2025-04-05 15:40"), "2025-04-05 15:30 to 2025-04-05 16:30");
  // 02:00 on to 02:30
  EXPECT_EQ(bucket(Unit::hour, kLordHowe, "2025-10-04 15:40"), "2025-10-04 15:30 to 2025-10-04 16:00");
}

TEST(MetricsBucket, SkippedDay) {
  EXPECT_EQ(bucket(Unit::day, kApia, "2011-12-30 09:59"), "2011-12-29 10:00 to 2011-12-30 10:00");
  EXPECT_EQ(bucket(Unit::day, kApia, "2011-12-30 10:00"), "2011-12-30 10:00 to 2011-12-31 10:00");
}

TEST(MetricsBucket, AnswerDoesNotDependOnTheOneBefore) {
  // 00:01 back to 23:01 of the day before: these minutes belong to the older date, whatever was asked last.
  Buckets days(Unit::day, kStJohns);
  const Instant first = at("2006-10-29 02:30:30"), second_evening = at("2006-10-29 03:00"),
                day = at("2006-10-29 12:00");
  for (Instant before : {first, second_evening, day}) {
    days.at(before);
    EXPECT_EQ(days.at(second_evening).start, at("2006-10-28 02:30"));
    days.at(before);
    EXPECT_EQ(days.at(day).start, at("2006-10-29 02:30"));
    days.at(before);
    EXPECT_EQ(days.at(first).start, at("2006-10-29 02:30"));
  }
}

TEST(MetricsBucket, NeighboursMeet) {
  for (const ZoneRules *rules : {&kUtc, &kBerlin, &kHavana, &kLordHowe})
    for (Unit unit : {Unit::hour, Unit::day, Unit::week, Unit::month}) {
      Buckets buckets(unit, *rules);
      Buckets::Bucket bucket = buckets.at(at("2024-12-30 00:00"));
      while (bucket.end < at("2026-02-01 00:00")) {
        Buckets::Bucket next = buckets.at(bucket.end);
        ASSERT_EQ(next.start, bucket.end);
        ASSERT_EQ(buckets.at(next.end - 1).start, next.start);
        ASSERT_LT(next.start, next.end);
        bucket = next;
      }
    }
}

TEST(MetricsZone, RepeatsAfterTheHorizon) {
  // Summer time from April to October of 2000 to 2399, then on by the 400-year cycle.
  std::vector<Transition> transitions;
  for (int year = 2000; year < 2402; ++year) {
    transitions.push_back({day_number(year, 4, 1) * 86400, 3600});
    transitions.push_back({day_number(year, 10, 1) * 86400, 0});
  }
  ZoneRules rules(0, transitions, day_number(2400, 1, 1) * 86400);
  for (std::int64_t year : {2300, 2399, 2400, 2500, 2799, 2800, 9999}) {
    Era summer = rules.era_at(day_number(year, 7, 1) * 86400), winter = rules.era_at(day_number(year, 12, 1) * 86400);
    EXPECT_EQ(summer.offset, 3600) << year;
    EXPECT_EQ(summer.start, day_number(year, 4, 1) * 86400) << year;
    EXPECT_EQ(summer.end, day_number(year, 10, 1) * 86400) << year;
    EXPECT_EQ(winter.offset, 0) << year;
    EXPECT_EQ(winter.end, day_number(year + 1, 4, 1) * 86400) << year;
  }
}

TEST(MetricsZone, DropsChangesOfNameOnly) {
  ZoneRules rules(3600, {{100, 3600}, {200, 7200}});
  EXPECT_EQ(rules.era_at(150).end, 200);
}

TEST(MetricsBucket, Refusals) {
  EXPECT_EQ(parse_unit("WEEK"), Unit::week);
  EXPECT_THROW(parse_unit("year"), nexus::Error);
  EXPECT_THROW(parse_unit(""), nexus::Error);
  EXPECT_THROW(Buckets(Unit::month, kUtc).at(INT64_MAX), nexus::Error);
}

TEST(MetricsTimestamp, Forms) {
  EXPECT_EQ(at("2000-01-01T00:00:00Z"), 0);
  EXPECT_EQ(at("2026-03-08T10:00:00+02:00"), at("2026-03-08 08:00"));
  EXPECT_EQ(at("2026-03-08t10:00:00-0530"), at("2026-03-08 15:30"));
  EXPECT_EQ(at("2026-03-08 10:00+02"), at("2026-03-08 08:00"));
  EXPECT_EQ(at("2000-01-01 00:00:00.5"), 500000);
  EXPECT_EQ(at("2000-01-01 00:00:00.1234565z"), 123457);
  EXPECT_EQ(at("2000-01-01 00:00:59.9999999"), 60000000);
  for (const char *bad : {"",
                          "2025",
                          "2025-02-29 00:00",
                          "2025-13-01 00:00",
                          "2025-00-01 00:00",
                          "2025-01-01",
                          "2025-01-01 24:00",
                          "2025-01-01 00:60",
                          "2025-01-01 00:00:60",
                          "2025-01-01 00:00:00.",
                          "2025-01-01 00:00 Z",
                          "2025-01-01 00:00+",
                          "2025-01-01 00:00+16",
                          "2025-01-01 00:00+02:",
                          "25-01-01 00:00",
                          "0000-01-01 00:00",
                          "2025-1-01 00:00",
                          "2025-01-01X00:00",
                          "now",
                          "infinity",
                          "2025-01-01 00:00Zx"})
    EXPECT_FALSE(parse_timestamp(bad)) << bad;
}
