#include "core/metrics/series.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/error.hpp"

using namespace nexus::metrics;

namespace {

constexpr Instant kDay = 86400000000;
const ZoneRules kUtc(0, {});

Counters views(std::int64_t value) {
  Counters counters;
  counters[0] = value;
  return counters;
}
Counters views_likes_reach(std::optional<std::int64_t> views, std::optional<std::int64_t> likes,
                           std::optional<std::int64_t> reach) {
  Counters counters;
  counters[0] = views;
  counters[1] = likes;
  counters[5] = reach;
  return counters;
}
Series days() {
  return Series(Unit::day, kUtc, Policy());
}
std::string text(const std::vector<SeriesBucket> &buckets) {
  std::string all;
  for (const SeriesBucket &bucket : buckets) {
    auto total = bucket.increments.total(Metric::views);
    all += std::to_string(bucket.start / kDay) + ":" + (total ? to_string(*total) : "unknown") + " ";
  }
  return all;
}
std::string show(const char *policy, std::int64_t before, std::int64_t now) {
  const char *kinds[] = {"same", "increase", "correction", "reset"};
  Step result = step(Policy::parse(policy), before, now);
  return to_string(result.delta) + " " + kinds[static_cast<int>(result.kind)];
}

}  // namespace

TEST(MetricsCounter, Steps) {
  EXPECT_EQ(show("reset", 10, 15), "5 increase");
  EXPECT_EQ(show("reset", 20, 15), "15 reset");
  EXPECT_EQ(show("nonneg", 20, 15), "0 reset");
  EXPECT_EQ(show("correction", 20, 15), "-5 correction");
  EXPECT_EQ(show("correction", 1000, 500), "-500 correction");  // exactly half is left
  EXPECT_EQ(show("correction", 1000, 499), "499 reset");
  EXPECT_EQ(show("correction", 1001, 500), "500 reset");
  EXPECT_EQ(show("correction:0.02", 1000, 980), "-20 correction");
  EXPECT_EQ(show("correction:0.02", 1000, 979), "979 reset");
  EXPECT_EQ(show("correction:1", 1000, 0), "-1000 correction");
  EXPECT_EQ(show("correction:0", 1000, 999), "999 reset");
  EXPECT_EQ(show("correction", 7, 7), "0 same");
  EXPECT_EQ(show("correction", INT64_MAX, INT64_MAX / 2), "4611686018427387903 reset");
  EXPECT_THROW(step(Policy(), kLargestValue + 1, 0), nexus::Error);
}

TEST(MetricsCounter, PolicyNames) {
  for (const char *name :
       {"reset", "nonneg", "correction:0.5", "correction:0", "correction:1", "correction:0.000000001"})
    EXPECT_EQ(Policy::parse(name).name(), name);
  EXPECT_EQ(Policy::parse("correction"), Policy());
  EXPECT_EQ(Policy::parse("correction:0.50"), Policy());
  for (const char *bad :
       {"", "Reset", "correction:", "correction:2", "correction:1.1", "correction:.5", "correction:0.",
        "correction:0.1234567890", "correction:-0.5", "correction:0.5 ", "corrections", "correction:1e-1"})
    EXPECT_THROW(Policy::parse(bad), nexus::Error) << bad;
}

TEST(MetricsSeries, FirstSampleHasNoIncrement) {
  Series series = days();
  series.begin();
  series.add(0, views(100));
  series.add(kDay, views(130));
  series.add(3 * kDay, views(130));
  EXPECT_EQ(text(series.finish()), "0:unknown 1:30 3:0 ");
}

TEST(MetricsSeries, StartsFromTheLastValueBeforeTheWindow) {
  Series series = days();
  series.begin(views(90));
  series.add(0, views(100));
  EXPECT_EQ(text(series.finish()), "0:10 ");
}

TEST(MetricsSeries, AtOneInstantTheLastCounts) {
  Series series = days();
  series.begin(views(90));
  series.add(5, views(100));
  series.add(5, views(95));
  series.add(6, views(96));
  EXPECT_EQ(text(series.finish()), "0:6 ");
}

TEST(MetricsSeries, UnknownCountersAreSkipped) {
  Series series = days();
  series.begin();
  series.add(0, views_likes_reach(10, 1, std::nullopt));
  series.add(kDay, views_likes_reach(std::nullopt, 2, std::nullopt));
  series.add(2 * kDay, views_likes_reach(25, std::nullopt, std::nullopt));
  auto buckets = series.finish();
  EXPECT_EQ(text(buckets), "0:unknown 1:unknown 2:15 ");
  EXPECT_TRUE(buckets[1].increments.total(Metric::likes) == Wide(1));
  EXPECT_FALSE(buckets[2].increments.knows(Metric::likes));
}

TEST(MetricsSeries, PlatformsAddUp) {
  Series series = days();
  series.begin(views(0));
  series.add(0, views(10));
  series.begin(views(1000));
  series.add(kDay / 2, views(1005));
  series.add(kDay, views(1006));
  EXPECT_EQ(text(series.finish()), "0:15 1:1 ");
}

TEST(MetricsSeries, CorrectionsAndResets) {
  Series series = days();
  series.begin(views(1000));
  series.add(0, views(980));
  series.add(kDay, views(3));
  EXPECT_EQ(text(series.finish()), "0:-20 1:3 ");
}

TEST(MetricsSeries, EngagementRate) {
  Series series = days();
  series.begin(views_likes_reach(0, 0, std::nullopt));  // a platform that gives no reach: by views
  series.add(0, views_likes_reach(100, 10, std::nullopt));
  series.begin(views_likes_reach(0, 0, 0));
  series.add(0, views_likes_reach(900, 10, 50));
  series.add(kDay, views_likes_reach(900, 30, std::nullopt));  // reach unknown in this bucket
  series.add(2 * kDay, views_likes_reach(901, 40, 50));        // and not above 0 in this
  auto buckets = series.finish();
  ASSERT_EQ(buckets.size(), 3U);
  EXPECT_DOUBLE_EQ(buckets[0].engagement_rate.value(), 20.0 / 150);
  EXPECT_FALSE(buckets[1].engagement_rate);
  EXPECT_FALSE(buckets[2].engagement_rate);
}

TEST(MetricsDrops, FindsThemInOrder) {
  Drops drops(Policy(), views_likes_reach(100, 50, std::nullopt));
  drops.add(1, views_likes_reach(110, 49, 7));
  drops.add(2, views_likes_reach(60, 0, 7));
  drops.add(3, views_likes_reach(70, std::nullopt, 6));
  drops.add(3, views_likes_reach(70, std::nullopt, 8));  // settles that instant: no drop
  auto found = drops.finish();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].at, 1);
  EXPECT_EQ(found[0].metric, Metric::likes);
  EXPECT_EQ(found[0].kind, StepKind::correction);
  EXPECT_EQ(found[1].metric, Metric::views);
  EXPECT_TRUE(found[1].before == 110 && found[1].now == 60);
  EXPECT_EQ(found[2].metric, Metric::likes);
  EXPECT_EQ(found[2].kind, StepKind::reset);
}

TEST(MetricsSeries, EachDayIsRatedByReachWhereItKnowsReach) {
  Series series(Unit::month, kUtc, Policy());
  series.begin(views_likes_reach(100, 1, std::nullopt));
  series.add(1, views_likes_reach(150, 6, 40));         // the first reach has no increment: 5 over 50
  series.add(kDay + 1, views_likes_reach(180, 9, 60));  // 3 over 20
  auto buckets = series.finish();
  ASSERT_EQ(buckets.size(), 1U);
  EXPECT_DOUBLE_EQ(buckets[0].engagement_rate.value(), 8.0 / 70);
}
