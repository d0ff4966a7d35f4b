// Days of a series patched after any change of its samples equal days made anew.
#include "core/metrics/series_patch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace nexus::metrics {
namespace {

constexpr Instant kHour = 3600 * std::int64_t{1000000};

struct Sample {
  Instant at;
  int id;
  Values values;
};

struct Store : SeriesSource {
  std::vector<Sample> raw;
  std::map<std::int32_t, DayState> stored;
  int looked = 0;

  std::vector<DayRow> days(DaySpan span) override {
    std::vector<DayRow> rows;
    for (auto i = stored.lower_bound(span.first); i != stored.end() && i->first <= span.last; ++i)
      rows.push_back({i->first, i->second});
    return rows;
  }
  std::vector<DayRow> days_after(std::int32_t day) override {
    std::vector<DayRow> rows;
    for (auto i = stored.upper_bound(day); i != stored.end() && rows.size() < 2; ++i)
      rows.push_back({i->first, i->second});
    looked += static_cast<int>(rows.size());
    return rows;
  }
  std::vector<DayRow> days_before(std::int32_t day) override {
    std::vector<DayRow> rows;
    for (auto i = stored.lower_bound(day); i != stored.begin() && rows.size() < 2;) {
      --i;
      rows.push_back({i->first, i->second});
    }
    return rows;
  }
  void samples(Instant from, Instant to, const std::function<void(Instant, const Values &)> &on_sample) override {
    std::sort(raw.begin(), raw.end(),
              [](const Sample &a, const Sample &b) { return std::tie(a.at, a.id) < std::tie(b.at, b.id); });
    for (const Sample &sample : raw)
      if (sample.at >= from && sample.at < to) on_sample(sample.at, sample.values);
  }
  void apply(const std::vector<DayChange> &changes) {
    for (const DayChange &change : changes) {
      auto found = stored.find(change.day);
      EXPECT_EQ(found == stored.end() ? DayState() : found->second, change.before);
      if (change.after.empty())
        stored.erase(change.day);
      else
        stored[change.day] = change.after;
    }
  }
};

/// Berlin's rules around 2025.
ZoneRules berlin() {
  return ZoneRules(3600, {{796352400, 7200}, {814496400, 3600}});
}

Values random_values(std::mt19937 &random) {
  Values values;
  for (std::size_t i = 0; i < kMetrics; ++i)
    if (random() % 3 != 0) values.set(i, static_cast<std::int64_t>(random() % 1000));
  return values;
}

TEST(MetricsSeriesPatch, EqualsMakingAnew) {
  int with_resets = 0, without = 0;
  ZoneRules rules = berlin();
  std::mt19937 random(7);
  for (int run = 0; run < 200; ++run) {
    Store store;
    Values latest;
    int ids = 0;
    for (int turn = 0; turn < 30; ++turn) {
      LocalDays days(rules);
      std::vector<std::int32_t> touched;
      for (int n = 0; n < 1 + static_cast<int>(random() % 4); ++n) {
        if (!store.raw.empty() && random() % 3 == 0) {
          std::size_t gone = random() % store.raw.size();
          touched.push_back(days.at(store.raw[gone].at).day);
          store.raw.erase(store.raw.begin() + static_cast<std::ptrdiff_t>(gone));
        } else {
          Instant at = 796300000 * std::int64_t{1000000} + static_cast<Instant>(random() % 500) * kHour;
          store.raw.push_back({at, ++ids, random_values(random)});
          touched.push_back(days.at(at).day);
        }
      }
      std::sort(touched.begin(), touched.end());
      std::vector<DaySpan> spans;
      for (std::int32_t day : touched) {
        if (!spans.empty() && day <= spans.back().last + 1)
          spans.back().last = day;
        else
          spans.push_back({day, day});
      }
      store.apply(patch_series(store, days, spans, latest));

      Store anew;
      anew.raw = store.raw;
      Values anew_latest;
      anew.apply(patch_series(anew, days, {{0, 20000}}, anew_latest));
      ASSERT_EQ(store.stored, anew.stored) << run << " " << turn;
      ASSERT_EQ(latest, anew_latest);

      // And both say what the fold over all samples says.
      std::vector<CounterFold> folds(kMetrics, CounterFold(Policy()));
      Cell all, folded;
      auto add = [&](std::size_t i) {
        return [&, i](Instant, Wide, Wide, const Step &step) { folded.sums[i] += step.delta; };
      };
      for (const Sample &sample : anew.raw)
        for (std::size_t i = 0; i < kMetrics; ++i)
          if (sample.values.knows(i)) folds[i].add(sample.at, sample.values.value[i], add(i));
      for (std::size_t i = 0; i < kMetrics; ++i) folds[i].finish(add(i));
      for (const auto &[day, state] : store.stored) {
        all.add(state.cell());
        Cell hours;
        for (std::size_t h = 0; h < state.hours().size(); ++h) hours.add(state.hour_cell(h));
        ASSERT_EQ(hours.sums, state.cell().sums);
        ASSERT_EQ(hours.samples, state.cell().samples);
        ASSERT_EQ(DayState::decode(state.encode()), state);
        ASSERT_EQ(DayState::decode_cell(state.encode()), state.cell());
      }
      ASSERT_EQ(all.sums, folded.sums);
      // The ends of all days tell the same, but for days with resets.
      for (std::size_t i = 0; i < kMetrics; ++i) {
        Wide sum = 0;
        std::optional<std::int64_t> before;
        for (const auto &[day, state] : store.stored) {
          auto ends = DayState::decode_ends(state.encode(), static_cast<Metric>(i));
          ASSERT_EQ(ends.has_value(), state.knows(i));
          if (!ends) continue;
          ASSERT_EQ(ends->based, before.has_value());
          ASSERT_EQ(ends->before, before.value_or(0));
          ASSERT_EQ(ends->first, state.first().value[i]);
          before = ends->last;
          bool differs = state.resets(state.cell());
          (differs ? with_resets : without) += 1;
          sum += differs ? state.cell().sums[i] : ends->difference();
        }
        ASSERT_EQ(sum, folded.sums[i]);
        ASSERT_EQ(latest.knows(i), before.has_value());
      }
      ASSERT_EQ(all.samples, static_cast<std::int64_t>(store.raw.size()));
    }
  }
  EXPECT_GT(with_resets, 0);
  EXPECT_GT(without, 0);
}

TEST(MetricsSeriesPatch, LateSampleCostsItsDayAndTheNextBase) {
  ZoneRules rules = berlin();
  LocalDays days(rules);
  Store store;
  Values latest;
  for (int day = 0; day < 300; ++day) {
    Values values;
    values.set(0, 10 * day);
    store.raw.push_back({(day * 24 + 12) * kHour, day, values});
  }
  store.apply(patch_series(store, days, {{0, 400}}, latest));
  store.looked = 0;
  Values late;
  late.set(0, 105);
  store.raw.push_back({(10 * 24 + 15) * kHour, 1000, late});
  auto changes = patch_series(store, days, {{10, 10}}, latest);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].day, 10);
  EXPECT_EQ(changes[1].day, 11);
  EXPECT_TRUE(changes[0].after.cell().total(Metric::views) == Wide(15));
  EXPECT_TRUE(changes[1].after.cell().total(Metric::views) == Wide(5));
  EXPECT_LE(store.looked, 2);
  EXPECT_EQ(latest.value[0], 2990);
}

TEST(MetricsSeriesPatch, CellsTakeBackWhatTheyWereGiven) {
  std::mt19937 random(3);
  Cell sum;
  std::vector<Cell> given;
  for (int i = 0; i < 50; ++i) {
    DayState state;
    state.append(3, 1, random_values(random));
    state.append(4, 2, random_values(random));
    given.push_back(state.cell());
    sum.add(given.back());
    EXPECT_EQ(Cell::decode(sum.encode()), sum);
  }
  for (const Cell &cell : given) sum.add(cell, -1);
  EXPECT_EQ(sum, Cell());
  EXPECT_EQ(sum.encode(), std::string("\1\0\0\0\0\0", 6));
}

TEST(MetricsSeriesPatch, DamagedStatesAreRefused) {
  EXPECT_THROW(DayState::decode(""), Error);
  EXPECT_THROW(DayState::decode("\2"), Error);
  EXPECT_THROW(DayState::decode_cell(""), Error);
  EXPECT_THROW(Cell::decode(std::string("\1\0\1", 3)), Error);
  EXPECT_THROW(Values::decode(std::string("\1\1", 2)), Error);
}

TEST(MetricsLocalDays, NumberDaysAndHoursOnTheWall) {
  ZoneRules rules = berlin();
  LocalDays days(rules);
  EXPECT_EQ(days.at(0).day, 0);  // 2000-01-01 01:00
  EXPECT_EQ(days.at(0).hour, 1);
  EXPECT_EQ(days.at(23 * kHour).day, 1);
  EXPECT_EQ(LocalDays::day_of_week(0), 6);  // a Saturday
  EXPECT_EQ(LocalDays::day_of_week(1), 0);
  EXPECT_EQ(days.start(1), 23 * kHour);
}

}  // namespace
}  // namespace nexus::metrics
