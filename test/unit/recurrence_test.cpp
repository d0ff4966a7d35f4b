#include "core/recurrence/occurrences.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "recurrence_zones.hpp"

namespace {

using nexus::Error;
using nexus::Interrupt;
using namespace nexus::recurrence;

LocalTime at(int year, int month, int day, int hour = 0, int minute = 0) {
  return to_day(year, month, day) * kDay + hour * kHour + minute * kMinute;
}

std::string shown(LocalTime time) {
  Date date = to_date(floor_div(time, kDay));
  auto minute = static_cast<int>(floor_mod(time, kDay) / kMinute);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d", static_cast<int>(date.year), date.month, date.day,
                minute / 60, minute % 60);
  return text;
}

Schedule schedule(const char *rule, LocalTime dtstart) {
  return {parse_rule(rule), dtstart, {}, {}, {}};
}

/// The first `count` instants from `from` on, each as the UTC clock shows it.
std::vector<std::string> list(const Schedule &schedule, std::size_t count, const Zone *zone = nullptr,
                              Instant from = kMinInstant) {
  Occurrences set(schedule, zone, from, kMaxInstant, 1000, Interrupt());
  std::vector<std::string> texts;
  while (texts.size() < count) {
    std::optional<Instant> next = set.next();
    if (!next) break;
    texts.push_back(shown(*next));
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(Civil, DaysGoBothWays) {
  EXPECT_EQ(to_day(1970, 1, 1), 0);
  EXPECT_EQ(to_day(2000, 3, 1), 11017);
  EXPECT_EQ(weekday_of(to_day(2026, 11, 25)), 2);
  EXPECT_EQ(weekday_of(to_day(1, 1, 1)), 0);
  for (Day day = to_day(1, 1, 1); day <= to_day(9999, 12, 31); day += 97) {
    Date date = to_date(day);
    ASSERT_EQ(to_day(date.year, date.month, date.day), day);
    ASSERT_LE(date.day, days_in_month(date.year, date.month));
  }
}

TEST(Recurrence, MonthsWithoutTheDayAreLeftOut) {
  EXPECT_EQ(list(schedule("monthly", at(2026, 1, 31, 9)), 4),
            (Texts{"2026-01-31 09:00", "2026-03-31 09:00", "2026-05-31 09:00", "2026-07-31 09:00"}));
  EXPECT_EQ(list(schedule("FREQ=MONTHLY;BYMONTHDAY=-1", at(2028, 1, 31)), 3),
            (Texts{"2028-01-31 00:00", "2028-02-29 00:00", "2028-03-31 00:00"}));
}

TEST(Recurrence, SkipMovesTheDay) {
  EXPECT_EQ(list(schedule("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD;COUNT=3", at(2026, 1, 30)), 9),
            (Texts{"2026-01-30 00:00", "2026-02-28 00:00", "2026-03-30 00:00"}));
  EXPECT_EQ(list(schedule("RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD", at(2024, 2, 29)), 3),
            (Texts{"2024-02-29 00:00", "2025-03-01 00:00", "2026-03-01 00:00"}));
  // February 30 and 31 and March 1 are one day, and COUNT counts it once, from wherever it is read.
  Schedule same = schedule("RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=1,30,31;SKIP=FORWARD;COUNT=6", at(2026, 1, 30));
  EXPECT_EQ(list(same, 9), (Texts{"2026-01-30 00:00", "2026-01-31 00:00", "2026-02-01 00:00", "2026-03-01 00:00",
                                  "2026-03-30 00:00", "2026-03-31 00:00"}));
  EXPECT_EQ(list(same, 9, nullptr, at(2026, 2, 15)),
            (Texts{"2026-03-01 00:00", "2026-03-30 00:00", "2026-03-31 00:00"}));
}

TEST(Recurrence, WeeksBeginWhereWkstSays) {
  // The example of RFC 5545: the same rule, another week start, other days.
  EXPECT_EQ(list(schedule("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", at(1997, 8, 5)), 9),
            (Texts{"1997-08-05 00:00", "1997-08-10 00:00", "1997-08-19 00:00", "1997-08-24 00:00"}));
  EXPECT_EQ(list(schedule("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", at(1997, 8, 5)), 9),
            (Texts{"1997-08-05 00:00", "1997-08-17 00:00", "1997-08-19 00:00", "1997-08-31 00:00"}));
}

TEST(Recurrence, OrdinalsCountInMonthOrYear) {
  EXPECT_EQ(list(schedule("FREQ=YEARLY;BYDAY=20MO", at(1997, 5, 19)), 2),
            (Texts{"1997-05-19 00:00", "1998-05-18 00:00"}));
  EXPECT_EQ(list(schedule("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", at(2026, 1, 1)), 2),
            (Texts{"2026-11-26 00:00", "2027-11-25 00:00"}));
  EXPECT_EQ(list(schedule("FREQ=MONTHLY;BYDAY=MO,-1MO,1SU", at(2026, 6, 20)), 3),
            (Texts{"2026-06-22 00:00", "2026-06-29 00:00", "2026-07-05 00:00"}));
  EXPECT_TRUE(list(schedule("FREQ=MONTHLY;BYDAY=6MO", at(2026, 1, 1)), 1).empty());
}

TEST(Recurrence, SetPosCountsTheWholeFirstPeriod) {
  EXPECT_EQ(list(schedule("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=2,-1", at(2026, 6, 15, 8)), 3),
            (Texts{"2026-06-30 08:00", "2026-07-02 08:00", "2026-07-31 08:00"}));
}

TEST(Recurrence, WeekNumbers) {
  EXPECT_EQ(list(schedule("FREQ=YEARLY;BYWEEKNO=53;BYDAY=TH", at(2020, 1, 1)), 3),
            (Texts{"2020-12-31 00:00", "2026-12-31 00:00", "2032-12-30 00:00"}));
  EXPECT_EQ(list(schedule("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", at(2018, 1, 1)), 3),
            (Texts{"2018-01-01 00:00", "2018-12-31 00:00", "2019-12-30 00:00"}));
}

TEST(Recurrence, SubDailySteps) {
  EXPECT_EQ(list(schedule("FREQ=HOURLY;INTERVAL=7;BYHOUR=3,6", at(2025, 1, 1, 3, 5)), 3),
            (Texts{"2025-01-01 03:05", "2025-01-07 06:05", "2025-01-08 03:05"}));
  EXPECT_EQ(list(schedule("FREQ=MINUTELY;BYMONTH=12;BYMONTHDAY=25;BYHOUR=7;BYMINUTE=0", at(2026, 1, 1)), 2),
            (Texts{"2026-12-25 07:00", "2027-12-25 07:00"}));
}

TEST(Recurrence, RulesWithoutInstancesEndAtOnce) {
  for (const char *rule : {"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=31",
                           "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
                           "FREQ=HOURLY;INTERVAL=2;BYHOUR=9", "FREQ=SECONDLY;INTERVAL=60;BYSECOND=1",
                           "FREQ=YEARLY;INTERVAL=4;BYMONTHDAY=29;BYMONTH=2", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
                           "FREQ=SECONDLY;BYHOUR=1;BYSETPOS=2", "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
                           "FREQ=MINUTELY;INTERVAL=70;BYHOUR=7;BYMINUTE=5;BYDAY=MO",
                           "FREQ=WEEKLY;INTERVAL=2147483647;COUNT=2147483647;BYMONTH=1"}) {
    EXPECT_TRUE(list(schedule(rule, at(2026, 7, 1, 8)), 1).empty()) << rule;
    Schedule empty = schedule(rule, at(2026, 7, 1, 8));
    EXPECT_FALSE(Occurrences(empty, nullptr, kMinInstant, kMaxInstant, 10, Interrupt()).last(kMaxInstant)) << rule;
  }
}

TEST(Recurrence, TheEndOfTime) {
  EXPECT_EQ(list(schedule("FREQ=DAILY", at(9999, 12, 30)), 9), (Texts{"9999-12-30 00:00", "9999-12-31 00:00"}));
  EXPECT_EQ(list(schedule("FREQ=WEEKLY;INTERVAL=2147483647", at(1, 1, 1)), 9), (Texts{"0001-01-01 00:00"}));
}

TEST(Recurrence, UntilByItsForm) {
  EXPECT_EQ(list(schedule("FREQ=HOURLY;INTERVAL=12;UNTIL=20260102", at(2026, 1, 2, 6)), 9).size(), 2u);
  EXPECT_EQ(list(schedule("FREQ=DAILY;UNTIL=20260103T090000", at(2026, 1, 2, 9)), 9).size(), 2u);
  nexus::test::TableZone berlin = nexus::test::berlin_2026();
  EXPECT_EQ(list(schedule("FREQ=DAILY;UNTIL=20260103T080000Z", at(2026, 1, 2, 9)), 9, &berlin).size(), 2u);
  EXPECT_EQ(list(schedule("FREQ=DAILY;UNTIL=20260103T075959Z", at(2026, 1, 2, 9)), 9, &berlin).size(), 1u);
  EXPECT_EQ(list(schedule("FREQ=DAILY;UNTIL=20260103T090000", at(2026, 1, 2, 9)), 9, &berlin).size(), 2u);
}

TEST(Recurrence, GapsMoveForwardAndRepeatedTimesAreTheFirst) {
  nexus::test::TableZone berlin = nexus::test::berlin_2026();
  EXPECT_EQ(list(schedule("FREQ=DAILY;COUNT=3", at(2026, 3, 28, 2, 30)), 9, &berlin),
            (Texts{"2026-03-28 01:30", "2026-03-29 01:30", "2026-03-30 00:30"}));
  EXPECT_EQ(list(schedule("FREQ=DAILY;COUNT=3", at(2026, 10, 24, 2, 30)), 9, &berlin),
            (Texts{"2026-10-24 00:30", "2026-10-25 00:30", "2026-10-26 01:30"}));
}

TEST(Recurrence, GapTimesAreSortedAndMerged) {
  nexus::test::TableZone berlin = nexus::test::berlin_2026();
  // 02:00 moves to 03:00 and 02:30 to 03:30, between and onto the times that exist: five wall times, four instants.
  Schedule nights = schedule("FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30;COUNT=5", at(2026, 3, 29, 1));
  EXPECT_EQ(list(nights, 9, &berlin), (Texts{"2026-03-29 01:00", "2026-03-29 01:30", "2026-03-30 00:00"}));
  Schedule order = schedule("FREQ=DAILY;BYHOUR=2,3;BYMINUTE=20,30,40", at(2026, 3, 29, 1));
  order.exdates = {at(2026, 3, 29, 2, 20)};
  EXPECT_EQ(list(order, 3, &berlin), (Texts{"2026-03-29 01:30", "2026-03-29 01:40", "2026-03-30 00:20"}));
}

TEST(WallClock, ResolvesBothWaysAndBoundsSearches) {
  nexus::test::TableZone berlin = nexus::test::berlin_2026(), apia = nexus::test::apia_2011();
  for (const auto &[zone, from] : {std::pair<const Zone *, LocalTime>(&berlin, at(2026, 3, 27)),
                                   {&berlin, at(2026, 10, 23)},
                                   {&apia, at(2011, 12, 28)}}) {
    WallClock clock(zone);
    std::vector<std::pair<LocalTime, Instant>> all;
    for (LocalTime local = from; local < from + 4 * kDay; local += 10 * kMinute) {
      WallClock::Resolved resolved = clock.resolve(local);
      ASSERT_EQ(clock.local(resolved.instant), resolved.wall);
      ASSERT_GE(resolved.wall, local);
      all.emplace_back(local, resolved.instant);
    }
    for (const auto &[unused, bound] : all) {
      LocalTime earliest = clock.earliest(bound), latest = clock.latest(bound);
      for (const auto &[local, instant] : all) {
        ASSERT_TRUE(local >= earliest || instant < bound) << shown(local);
        ASSERT_TRUE(local <= latest || instant > bound) << shown(local);
      }
    }
  }
}

TEST(Recurrence, ADayThatAZoneSkipped) {
  nexus::test::TableZone apia = nexus::test::apia_2011();
  EXPECT_EQ(list(schedule("FREQ=DAILY;COUNT=4", at(2011, 12, 29, 9)), 9, &apia),
            (Texts{"2011-12-29 19:00", "2011-12-30 19:00", "2011-12-31 19:00"}));
}

TEST(Recurrence, Sets) {
  Schedule set = schedule("FREQ=DAILY;COUNT=5", at(2026, 1, 1, 8));
  set.rdates = {at(2026, 2, 1), at(2026, 1, 2, 8), at(2025, 1, 1)};
  set.exdates = {at(2026, 1, 3, 8), at(2030, 1, 1)};
  set.exrules = {parse_rule("FREQ=DAILY;INTERVAL=3")};
  EXPECT_EQ(list(set, 9), (Texts{"2025-01-01 00:00", "2026-01-02 08:00", "2026-01-05 08:00", "2026-02-01 00:00"}));
  Occurrences back(set, nullptr, kMinInstant, kMaxInstant, 1000, Interrupt());
  EXPECT_EQ(shown(*back.last(at(2026, 1, 31))), "2026-01-05 08:00");
}

TEST(Recurrence, AnExclusionOfEverythingIsAnError) {
  Schedule all = schedule("FREQ=SECONDLY", at(2026, 1, 1));
  all.exrules = {parse_rule("FREQ=SECONDLY")};
  try {
    list(all, 1);
    FAIL();
  } catch (const Error &error) {
    EXPECT_STREQ(error.sqlstate(), "NX011");
  }
}

/// Whatever point a rule is entered at, forwards or backwards, it gives what walking from DTSTART gives.
TEST(Recurrence, SeekingEqualsWalking) {
  const char *rules[] = {"FREQ=DAILY;INTERVAL=3",
                         "FREQ=DAILY;INTERVAL=2;COUNT=150;BYHOUR=8,20",
                         "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,SU;WKST=SU",
                         "FREQ=WEEKLY;BYDAY=SA;COUNT=100;BYMONTH=3,4",
                         "FREQ=MONTHLY;BYMONTHDAY=31",
                         "FREQ=MONTHLY;INTERVAL=5;BYDAY=-1FR,2TU;COUNT=77",
                         "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=1,29,31;SKIP=FORWARD;COUNT=90",
                         "FREQ=YEARLY;BYDAY=1SU,-1SU",
                         "FREQ=YEARLY;BYWEEKNO=1,52,53;BYDAY=MO,SU;COUNT=120",
                         "FREQ=HOURLY;INTERVAL=5;BYDAY=TU",
                         "FREQ=MINUTELY;INTERVAL=45;BYHOUR=1,2,3;COUNT=400",
                         "FREQ=MINUTELY;INTERVAL=45;BYHOUR=1,2,3;BYDAY=SA;COUNT=81",
                         "FREQ=SECONDLY;INTERVAL=20;BYHOUR=0,3;BYMINUTE=30;BYSECOND=0,20;BYMONTH=1;COUNT=120",
                         "FREQ=HOURLY;INTERVAL=6;BYMINUTE=1,2,3;BYSETPOS=1,-1;BYMONTH=1,2;COUNT=450",
                         "FREQ=SECONDLY;INTERVAL=1000;BYSECOND=0,10;BYDAY=MO,FR;COUNT=300",
                         "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1;BYHOUR=2,3",
                         "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=3,-1;COUNT=77",
                         "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=29,30,31;BYSETPOS=-1;SKIP=BACKWARD",
                         "FREQ=YEARLY;INTERVAL=3;BYMONTH=2;BYMONTHDAY=29,-29",
                         "FREQ=DAILY;BYMONTH=4,11;BYMONTHDAY=13,-1;BYDAY=FR,SA",
                         "FREQ=DAILY;INTERVAL=7;BYMONTH=12",
                         "FREQ=HOURLY;INTERVAL=7;BYMONTH=1,12;BYMONTHDAY=-1,1;BYYEARDAY=1,-1"};
  nexus::test::TableZone berlin = nexus::test::berlin_2026();
  std::mt19937 random(7);
  for (const char *rule : rules) {
    for (const Zone *zone : {static_cast<const Zone *>(nullptr), static_cast<const Zone *>(&berlin)}) {
      Schedule set = schedule(rule, at(2025, 10, 31, 2, 30));
      Occurrences walk(set, zone, kMinInstant, kMaxInstant, 1000, Interrupt());
      std::vector<Instant> all;
      while (all.size() < 500) {
        std::optional<Instant> next = walk.next();
        if (!next) break;
        ASSERT_TRUE(all.empty() || *next > all.back()) << rule;
        all.push_back(*next);
      }
      ASSERT_FALSE(all.empty()) << rule;
      for (int i = 0; i < 100; ++i) {
        std::size_t index = random() % all.size();
        Instant from = all[index] - static_cast<Instant>(random() % 3) + 1;
        auto next = std::lower_bound(all.begin(), all.end(), from);
        std::optional<Instant> found = Occurrences(set, zone, from, kMaxInstant, 1000, Interrupt()).next();
        if (next != all.end()) {
          ASSERT_EQ(found, *next) << rule << " from " << shown(from);
        }
        auto past = std::upper_bound(all.begin(), all.end(), from);
        found = Occurrences(set, zone, kMinInstant, kMaxInstant, 1000, Interrupt()).last(from);
        ASSERT_EQ(found, past == all.begin() ? std::optional<Instant>() : *std::prev(past)) << rule << shown(from);
      }
    }
  }
}

/// Days that filters leave over are searched by months: they must be those that a look at each day finds.
TEST(Recurrence, FiltersEqualALookAtEachDay) {
  struct Case {
    const char *rule;
    bool (*passes)(Date date, int weekday);
  };
  const Case cases[] = {
      {"FREQ=DAILY;BYMONTHDAY=13;BYDAY=FR", [](Date date, int weekday) { return date.day == 13 && weekday == 4; }},
      {"FREQ=DAILY;BYMONTH=2,12;BYMONTHDAY=-1,-29",
       [](Date date, int) {
         int left = days_in_month(date.year, date.month) - date.day;
         return (date.month == 2 || date.month == 12) && (left == 0 || left == 28);
       }},
      {"FREQ=HOURLY;BYHOUR=0;BYYEARDAY=60;BYMONTH=2", [](Date date, int) { return date.month == 2 && date.day == 29; }},
      {"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29,30", [](Date date, int) { return date.month == 2 && date.day == 29; }},
      {"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
       [](Date date, int weekday) {
         int left = days_in_month(date.year, date.month) - date.day;
         return weekday < 5 && (left == 0 || (weekday == 4 && left < 3));
       }},
  };
  for (const Case &c : cases) {
    Schedule set = schedule(c.rule, at(1895, 5, 1));
    Occurrences forwards(set, nullptr, kMinInstant, kMaxInstant, 1000, Interrupt());
    for (Day day = to_day(1895, 5, 1); day < to_day(2110, 1, 1); ++day) {
      if (!c.passes(to_date(day), weekday_of(day))) continue;
      ASSERT_EQ(forwards.next(), day * kDay) << c.rule;
      Occurrences backwards(set, nullptr, kMinInstant, kMaxInstant, 1000, Interrupt());
      ASSERT_EQ(backwards.last(day * kDay + kHour), day * kDay) << c.rule;
    }
  }
}

/// COUNT over periods of unequal size is counted by kinds of months and years and by cycles: it must end where walking
/// ends.
TEST(Recurrence, CountingEqualsWalking) {
  const char *rules[] = {"FREQ=MONTHLY;BYDAY=MO",
                         "FREQ=MONTHLY;INTERVAL=7;BYMONTHDAY=29,31",
                         "FREQ=MONTHLY;BYMONTH=2;BYDAY=5SU",
                         "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=29,31;SKIP=FORWARD",
                         "FREQ=YEARLY;BYWEEKNO=1,52,53",
                         "FREQ=YEARLY;INTERVAL=3;BYDAY=53MO,MO",
                         "FREQ=YEARLY;BYYEARDAY=366,-366,100",
                         "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29",
                         "FREQ=DAILY;BYDAY=FR;BYMONTHDAY=13;BYHOUR=1,2",
                         "FREQ=DAILY;INTERVAL=5;BYMONTH=3",
                         "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO,SU",
                         "FREQ=WEEKLY;INTERVAL=400;BYMONTH=2,3",
                         "FREQ=HOURLY;INTERVAL=6;BYDAY=SU;BYMONTH=1"};
  std::mt19937 random(11);
  for (const char *rule : rules) {
    Schedule endless = schedule(rule, at(1995, 2, 7, 2));
    Occurrences walk(endless, nullptr, kMinInstant, kMaxInstant, 1000, Interrupt());
    std::vector<Instant> all;
    while (all.size() < 60000) {
      std::optional<Instant> next = walk.next();
      if (!next) break;
      all.push_back(*next);
    }
    for (int round = 0; round < 12; ++round) {
      std::size_t count = random() % all.size() + 1;
      Schedule counted = endless;
      counted.rule.count = static_cast<std::int64_t>(count);
      ASSERT_EQ(Occurrences(counted, nullptr, kMinInstant, kMaxInstant, 1000, Interrupt()).last(kMaxInstant),
                all[count - 1])
          << rule << " COUNT " << count;
      std::size_t from = random() % all.size();
      std::optional<Instant> next = Occurrences(counted, nullptr, all[from], kMaxInstant, 1000, Interrupt()).next();
      ASSERT_EQ(next, from < count ? std::optional<Instant>(all[from]) : std::nullopt) << rule << " COUNT " << count;
    }
  }
}

bool interrupted = false;
void interrupt_now() {
  interrupted = true;
  throw Error("57014", "canceled");
}

TEST(Recurrence, LongSearchesPoll) {
  interrupted = false;
  Schedule all = schedule("FREQ=DAILY", at(2026, 1, 5));
  all.exrules = {parse_rule("FREQ=DAILY")};
  Occurrences set(all, nullptr, kMinInstant, kMaxInstant, 1000000000, Interrupt(interrupt_now));
  EXPECT_THROW(set.next(), Error);
  EXPECT_TRUE(interrupted);
}

}  // namespace
