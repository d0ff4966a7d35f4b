// The engine alone: parsing, expansion, and the next occurrence 26 years after DTSTART, without a server.
#include <benchmark/benchmark.h>

#include "core/recurrence/occurrences.hpp"

namespace {

using namespace nexus::recurrence;

struct Case {
  const char *name, *rule;
  int month, day, hour;  // of the first instance in 2000
};
constexpr Case kCases[] = {
    {"daily", "FREQ=DAILY", 1, 1, 9},
    {"weekly_mo_we_fr", "FREQ=WEEKLY;BYDAY=MO,WE,FR", 1, 3, 9},
    {"monthly_last_day", "FREQ=MONTHLY;BYMONTHDAY=-1", 1, 31, 9},
    {"monthly_2nd_tuesday", "FREQ=MONTHLY;BYDAY=2TU", 1, 11, 9},
    {"yearly", "FREQ=YEARLY", 1, 1, 9},
    {"last_workday", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", 1, 31, 9},
    {"hourly_in_byhour", "FREQ=HOURLY;BYHOUR=9,10,11,12,13,14,15,16,17", 1, 3, 9},
    {"feb_29", "FREQ=YEARLY", 2, 29, 9},
    {"every_15_minutes", "FREQ=MINUTELY;INTERVAL=15", 1, 1, 9},
    {"yearly_dense", "FREQ=YEARLY;INTERVAL=2;BYMONTH=1;BYDAY=SU;BYHOUR=8,9;BYMINUTE=30", 1, 2, 8},
    {"daily_counted", "FREQ=DAILY;COUNT=100000", 1, 1, 9},
    {"monthly_counted", "FREQ=MONTHLY;BYDAY=2TU;COUNT=10000", 1, 11, 9},
};

/// New York's rule since 2007, applied to all years.
class EasternZone final : public Zone {
 public:
  Offsets offsets(std::int64_t utc_seconds) const override {
    std::int64_t year = to_date(floor_div(utc_seconds, 86400)).year;
    std::int64_t spring = sunday(year, 3, 8) * 86400 + 7 * 3600, autumn = sunday(year, 11, 1) * 86400 + 6 * 3600;
    if (utc_seconds < spring) return {-5 * 3600, true, spring, -4 * 3600};
    if (utc_seconds < autumn) return {-4 * 3600, true, autumn, -5 * 3600};
    return {-5 * 3600, true, sunday(year + 1, 3, 8) * 86400 + 7 * 3600, -4 * 3600};
  }

 private:
  static Day sunday(std::int64_t year, int month, int from) {
    Day day = to_day(year, month, from);
    return day + (6 - weekday_of(day));
  }
};
const EasternZone kEastern;

LocalTime start_of(const Case &c) {
  return to_day(2000, c.month, c.day) * kDay + c.hour * kHour;
}

void parse(benchmark::State &state, const Case &c) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_rule(c.rule));
}

/// From text to answer, as the SQL function does it.
void next_after(benchmark::State &state, const Case &c, const Zone *zone) {
  Instant after = to_day(2026, 6, 15) * kDay + 12 * kHour + 1;
  for (auto _ : state) {
    Schedule schedule{parse_rule(c.rule), start_of(c), {}, {}, {}};
    Occurrences set(schedule, zone, after, kMaxInstant, 100000, nexus::Interrupt());
    benchmark::DoNotOptimize(set.next());
  }
}

void expand(benchmark::State &state, const Case &c, const Zone *zone) {
  Schedule schedule{parse_rule(c.rule), start_of(c), {}, {}, {}};
  std::int64_t count = 0;
  for (auto _ : state) {
    Occurrences set(schedule, zone, kMinInstant, kMaxInstant, 100000, nexus::Interrupt());
    Instant sum = 0;
    for (int i = 0; i < 1000; ++i) sum += set.next().value_or(0);
    benchmark::DoNotOptimize(sum);
    count += 1000;
  }
  state.SetItemsProcessed(count);
}

void prove_empty(benchmark::State &state, const char *rule) {
  Schedule schedule{parse_rule(rule), to_day(2026, 1, 1) * kDay, {}, {}, {}};
  for (auto _ : state) {
    Occurrences set(schedule, nullptr, kMinInstant, kMaxInstant, 100000, nexus::Interrupt());
    benchmark::DoNotOptimize(set.next());
  }
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const Case &c : kCases) {
    std::string name = c.name;
    benchmark::RegisterBenchmark(("parse/" + name).c_str(), parse, c);
    benchmark::RegisterBenchmark(("next_far/" + name).c_str(), next_after, c, nullptr);
    benchmark::RegisterBenchmark(("next_far/" + name + "_eastern").c_str(), next_after, c, &kEastern);
    benchmark::RegisterBenchmark(("expand_1000/" + name).c_str(), expand, c, nullptr);
    benchmark::RegisterBenchmark(("expand_1000/" + name + "_eastern").c_str(), expand, c, &kEastern);
  }
  for (const char *rule : {"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
                           "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=SECONDLY;INTERVAL=60;BYSECOND=1"})
    benchmark::RegisterBenchmark((std::string("prove_empty/") + rule).c_str(), prove_empty, rule);
  return true;
}();

}  // namespace
