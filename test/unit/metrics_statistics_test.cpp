#include "core/metrics/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "core/error.hpp"
#include "core/metrics/timestamp.hpp"

using namespace nexus::metrics;
using nexus::Interrupt;

namespace {

std::vector<DayValue> average(std::vector<DayValue> days, std::int64_t window, Gaps gaps) {
  return moving_average(std::move(days), window, gaps, Interrupt());
}
std::string show(const std::vector<DayValue> &days) {
  std::string text;
  for (const DayValue &day : days)
    text += std::to_string(day.day) + ":" + std::to_string(*day.value).substr(0, 5) + " ";
  return text;
}

}  // namespace

TEST(MetricsMovingAverage, Gaps) {
  const std::vector<DayValue> days = {{4, 60.0}, {0, 10.0}, {1, 20.0}, {2, std::nullopt}};
  EXPECT_EQ(show(average(days, 3, Gaps::skip)), "0:10.00 1:15.00 4:60.00 ");
  EXPECT_EQ(show(average(days, 3, Gaps::zero)), "0:10.00 1:15.00 2:10.00 3:6.666 4:20.00 ");
  EXPECT_TRUE(average({}, 3, Gaps::zero).empty());
  EXPECT_TRUE(average({{1, std::nullopt}}, 3, Gaps::zero).empty());
}

TEST(MetricsMovingAverage, EqualsRecomputation) {
  std::mt19937 random(11);
  for (int round = 0; round < 50; ++round) {
    std::vector<DayValue> days;
    for (std::int64_t day = -100; day < 100; ++day)
      if (random() % 3 == 0) days.push_back({day, static_cast<double>(random() % 1000)});
    auto window = static_cast<std::int64_t>(1 + random() % 30);
    auto got = average(days, window, Gaps::skip);
    ASSERT_EQ(got.size(), days.size());
    for (std::size_t i = 0; i < days.size(); ++i) {
      double sum = 0, count = 0;
      for (const DayValue &other : days)
        if (other.day <= days[i].day && other.day > days[i].day - window) sum += *other.value, ++count;
      ASSERT_DOUBLE_EQ(*got[i].value, sum / count);
    }
  }
}

TEST(MetricsMovingAverage, HugeValueDoesNotBlurLaterOnes) {
  auto got = average({{0, 1e300}, {1, 1.0}, {2, 2.0}, {3, 3.0}}, 2, Gaps::skip);
  EXPECT_DOUBLE_EQ(*got[2].value, 1.5);
  EXPECT_DOUBLE_EQ(*got[3].value, 2.5);
}

TEST(MetricsMovingAverage, Refusals) {
  EXPECT_THROW(average({{0, 1.0}}, 0, Gaps::skip), nexus::Error);
  EXPECT_THROW(average({{0, 1.0}, {0, 2.0}}, 3, Gaps::skip), nexus::Error);
  EXPECT_THROW(average({{0, 1.0}, {kMostDays, 2.0}}, 3, Gaps::zero), nexus::Error);
  EXPECT_THROW(parse_gaps("none"), nexus::Error);
}

TEST(MetricsEwma, SkipsMissingValues) {
  const std::vector<std::optional<double>> values = {4.0, std::nullopt, 8.0};
  auto got = ewma(values, 0.25);
  EXPECT_DOUBLE_EQ(*got[0], 4);
  EXPECT_FALSE(got[1]);
  EXPECT_DOUBLE_EQ(*got[2], 5);
  for (double bad : {0.0, -0.5, 1.5, std::nan("")}) EXPECT_THROW(ewma(values, bad), nexus::Error);
}

TEST(MetricsAnomalies, Scores) {
  const std::vector<std::optional<double>> values = {1.0, 2.0, 3.0, 4.0, std::nullopt, 100.0};
  auto got = modified_z_scores(values);
  EXPECT_DOUBLE_EQ(*got[0], -0.6745 * 2);
  EXPECT_DOUBLE_EQ(*got[2], 0);
  EXPECT_FALSE(got[4]);
  EXPECT_DOUBLE_EQ(*got[5], 0.6745 * 97);
  const std::vector<std::optional<double>> flat = {5.0, 5.0, 5.0}, one_off = {5.0, 5.0, 5.0, 9.0};
  EXPECT_DOUBLE_EQ(*modified_z_scores(flat)[1], 0);
  EXPECT_DOUBLE_EQ(*modified_z_scores(one_off)[3], 4 / 1.253314);
  EXPECT_TRUE(modified_z_scores({}).empty());
  const std::vector<std::optional<double>> endless = {1.0, INFINITY};
  EXPECT_THROW(modified_z_scores(endless), nexus::Error);
}

TEST(MetricsHeatmap, LocalWallClock) {
  const ZoneRules kathmandu(20700, {});
  Heatmap heatmap(kathmandu);
  heatmap.add(parse_timestamp("2025-03-01T18:20:00Z").value(), 3, 10);  // Sunday 00:05 there
  heatmap.add(parse_timestamp("2025-03-01T18:59:00Z").value(), 1, 0);
  heatmap.add(parse_timestamp("1999-12-31T18:00:00Z").value(), 2, 5);  // Friday 23:45
  auto cells = heatmap.cells();
  ASSERT_EQ(cells.size(), 2U);
  EXPECT_EQ(cells[0].day_of_week, 0);
  EXPECT_EQ(cells[0].hour, 0);
  EXPECT_EQ(cells[0].engagements, 4);
  EXPECT_EQ(cells[0].posts, 2);
  EXPECT_EQ(cells[1].day_of_week, 5);
  EXPECT_EQ(cells[1].hour, 23);
  heatmap.add(0, INT64_MAX, 0);
  EXPECT_THROW(heatmap.add(0, 1, 0), nexus::Error);
}
