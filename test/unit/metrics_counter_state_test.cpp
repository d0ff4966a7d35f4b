#include "core/metrics/counter_state.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "core/error.hpp"
#include "core/metrics/timestamp.hpp"

using namespace nexus::metrics;

namespace {

template <class F>
std::string sqlstate(F &&body) {
  try {
    body();
  } catch (const nexus::Error &error) {
    return error.sqlstate();
  }
  return "none";
}

CounterState counter(const char *policy, std::initializer_list<std::pair<Instant, std::int64_t>> samples) {
  CounterState state;
  state.use(Policy::parse(policy), false);
  for (const auto &[at, value] : samples) state.add(at, {value, 0});
  return state;
}
std::string delta(const char *policy, std::initializer_list<std::pair<Instant, std::int64_t>> samples) {
  return to_string(counter(policy, samples).summary().delta);
}

}  // namespace

TEST(MetricsDecimal, Forms) {
  for (const char *text : {"0", "-12.5", "1000000000000000000000000000", "0.000000000001", "-0.05", "7"})
    EXPECT_EQ(to_string(parse_decimal(text)), text);
  EXPECT_EQ(to_string(parse_decimal("5.00")), "5");
  EXPECT_EQ(parse_decimal("12.50").scale, 1);
  for (const char *bad : {"NaN", "Infinity", "-Infinity", "0.0000000000001", "1000000000000000000000000001", ""})
    EXPECT_EQ(sqlstate([&] { parse_decimal(bad); }), "22003") << bad;
}

TEST(MetricsCounterState, Policies) {
  EXPECT_EQ(delta("reset", {{1, 10}, {2, 20}, {3, 15}, {4, 50}}), "60");
  EXPECT_EQ(delta("nonneg", {{1, 10}, {2, 20}, {3, 15}, {4, 50}}), "45");
  EXPECT_EQ(delta("correction", {{1, 10}, {2, 20}, {3, 15}, {4, 50}}), "40");
}

TEST(MetricsCounterState, Summary) {
  CounterState state =
      counter("correction", {{3000000, 100}, {1000000, 40}, {5000000, 100}, {7000000, 90}, {9000000, 8}});
  CounterSummary sums = state.summary();
  EXPECT_EQ(sums.samples, 5);
  EXPECT_EQ(sums.changes, 3);
  EXPECT_EQ(sums.corrections, 1);
  EXPECT_EQ(sums.resets, 1);
  EXPECT_EQ(to_string(sums.delta), "58");
  EXPECT_EQ(sums.first_time, 1000000);
  EXPECT_EQ(to_string(sums.last_value), "8");
  EXPECT_DOUBLE_EQ(*sums.rate(), 58.0 / 8);
  EXPECT_FALSE(counter("reset", {{5, 1}, {5, 2}}).summary().rate());
  EXPECT_EQ(CounterState().summary().samples, 0);
}

TEST(MetricsCounterState, OneInstant) {
  EXPECT_EQ(delta("reset", {{1, 10}, {2, 99}, {2, 12}}), "2");  // the later one
  CounterState state;
  state.use(Policy(), true);
  state.add(2, {12, 0}, 9);
  state.add(2, {99, 0}, 3);
  state.add(1, {10, 0}, 1);
  EXPECT_EQ(to_string(state.summary().delta), "2");  // the largest seq
}

TEST(MetricsCounterState, Decimals) {
  CounterState state;
  state.use(Policy(), false);
  state.add(1, {10, 0});
  state.add(2, parse_decimal("10.25"));
  state.add(3, {11, 0});
  EXPECT_EQ(to_string(state.summary().delta), "1");
  EXPECT_EQ(to_string(state.summary().first_value), "10");
  CounterState whole = counter("correction", {{4, 20}});
  whole.merge(state);
  EXPECT_EQ(to_string(whole.summary().delta), "10");
}

TEST(MetricsCounterState, PartitionsMergeInAnyOrder) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 300; ++round) {
    Policy policy = Policy::parse(round % 3 == 0 ? "reset" : round % 3 == 1 ? "nonneg" : "correction");
    CounterState whole, parts[3];
    std::map<Instant, std::pair<std::int64_t, Wide>> settled;  // the plain answer
    for (CounterState *state : {&whole, &parts[0], &parts[1], &parts[2]}) state->use(policy, true);
    for (std::int64_t seq = 0; seq < 40; ++seq) {
      auto at = static_cast<Instant>(random() % 30);
      Wide value = static_cast<std::int64_t>(random() % 1000);
      whole.add(at, {value, 0}, seq);
      parts[random() % 3].add(at, {value, 0}, seq);
      settled[at] = {seq, value};
    }
    Wide sum = 0, before = settled.begin()->second.second;
    for (const auto &[at, sample] : settled) {
      sum += step(policy, before, sample.second).delta;
      before = sample.second;
    }
    ASSERT_EQ(to_string(whole.summary().delta), to_string(sum));
    std::shuffle(std::begin(parts), std::end(parts), random);
    CounterState merged = CounterState::decode(parts[0].encode());
    merged.merge(CounterState::from_text(parts[1].to_text()));
    merged.merge(parts[2]);
    ASSERT_EQ(merged.encode(), whole.encode());
  }
}

TEST(MetricsCounterState, MergeRefusesOtherPolicies) {
  CounterState state = counter("reset", {{1, 1}});
  EXPECT_EQ(sqlstate([&] { state.merge(counter("nonneg", {{2, 2}})); }), "22023");
  EXPECT_EQ(sqlstate([&] { state.merge(counter("nonneg", {})); }), "none");  // nothing to merge
  CounterState numbered;
  numbered.use(Policy::parse("reset"), true);
  numbered.add(1, {1, 0}, 1);
  EXPECT_EQ(sqlstate([&] { state.merge(numbered); }), "22023");
}

TEST(MetricsCounterState, Limits) {
  CounterState state;
  state.use(Policy(), false);
  state.add(INT64_MIN, {-kLargestValue, 0});
  state.add(INT64_MAX, {kLargestValue, 0});
  EXPECT_EQ(CounterState::decode(state.encode()).to_text(), state.to_text());
  EXPECT_EQ(sqlstate([&] { state.add(0, {kLargestValue + 1, 0}); }), "22003");
  EXPECT_EQ(sqlstate([&] { state.add(0, {1, 1}); }), "22003");  // the others do not fit with one more decimal
}

TEST(MetricsCounterState, DecoderRefusesDamage) {
  const std::string good = counter("correction", {{1, 10}, {2, 20}, {9, 15}}).encode();
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(sqlstate([&] { CounterState::decode(good.substr(0, size)); }), "XX001") << size;
  EXPECT_EQ(sqlstate([&] { CounterState::decode(good + '\0'); }), "XX001");
  EXPECT_EQ(sqlstate([&] { CounterState::decode("\x02"); }), "0A000");
  EXPECT_EQ(sqlstate([&] { CounterState::decode("\x01\x03"); }), "XX001");  // no such policy
  // A count of 2^63 samples in a few bytes must not be believed.
  EXPECT_EQ(sqlstate([&] { CounterState::decode(std::string("\x01\x00\x00", 3) + std::string(9, '\xff') + '\x01'); }),
            "XX001");
  for (const char *bad : {"", "v1", "v1 reset", "v1 other scale=0", "v1 reset scale=99", "v1 reset scale=0 1",
                          "v1 reset scale=0 1=", "v1 reset scale=0 =1", "v1 reset scale=0 1=1@",
                          "v1 reset scale=0 1=1@1 2=2", "v2 reset scale=0"})
    EXPECT_EQ(sqlstate([&] { CounterState::from_text(bad); }), "22P02") << bad;
}

TEST(MetricsCounterState, Buckets) {
  const ZoneRules utc(0, {});
  constexpr Instant kHour = 3600000000;
  CounterState state = counter("reset", {{0, 100}, {36 * kHour, 136}, {48 * kHour, 12}, {60 * kHour, 24}});
  auto show = [](const std::vector<BucketDelta> &deltas) {
    std::string text;
    for (const BucketDelta &delta : deltas)
      text += std::to_string(delta.bucket / (24 * kHour)) + ":" + to_string(delta.delta) + " ";
    return text;
  };
  EXPECT_EQ(show(bucket_steps(state, Buckets(Unit::day, utc))), "0:0 1:36 2:24 ");
  EXPECT_EQ(show(bucket_interpolation(state, Buckets(Unit::day, utc))), "0:24 1:24 2:12 ");
  CounterState thirds = counter("reset", {{0, 0}, {72 * kHour, 1}});
  EXPECT_EQ(show(bucket_interpolation(thirds, Buckets(Unit::day, utc))),
            "0:0.333333333333 1:0.333333333334 2:0.333333333333 3:0 ");
  CounterState far = counter("reset", {{0, 0}, {kHour * 24 * 365 * 200, 1}});
  EXPECT_EQ(sqlstate([&] { bucket_interpolation(far, Buckets(Unit::hour, utc)); }), "54000");
  CounterState none;
  EXPECT_TRUE(bucket_interpolation(none, Buckets(Unit::day, utc)).empty());
}

// Samples mostly in order of time, some late, some at one instant: whatever lies packed, the answer is that of all
// samples sorted, the last one given of each instant (or the one with the largest seq) kept.
TEST(MetricsCounterState, LateSamplesAndReadingInBetween) {
  std::mt19937_64 random(21);
  for (bool has_seq : {false, true})
    for (int kind = 0; kind < 40; ++kind) {
      CounterState state, read, parts[3];
      for (CounterState *each : {&state, &read, &parts[0], &parts[1], &parts[2]}) each->use(Policy(), has_seq);
      std::map<Instant, std::pair<std::int64_t, Decimal>> last;  // by instant: seq and value
      int scale = 0;  // of the state: the largest of all samples, of those that do not count too
      for (Instant i = 0; i < 60; ++i) {
        Instant at = random() % 5 == 0 ? static_cast<Instant>(random() % 60) : i;
        Decimal value{static_cast<Wide>(random()) - static_cast<Wide>(random()),
                      kind % 4 == 3 && random() % 30 == 0 ? 2 : 0};
        auto seq = has_seq ? static_cast<std::int64_t>(random() % 100000) * 100 + i : 0;  // all different
        scale = std::max(scale, value.scale);
        state.add(at, value, seq);
        read.add(at, value, seq);
        if (has_seq) parts[random() % 3].add(at, value, seq);
        if (kind % 2 == 0 && random() % 7 == 0) read.summary();
        if (random() % 9 == 0) read.encode();
        auto [entry, fresh] = last.try_emplace(at, seq, value);
        if (!fresh && (!has_seq || seq > entry->second.first)) entry->second = {seq, value};
      }
      CounterState expected;
      expected.use(Policy(), has_seq);
      for (auto entry = last.rbegin(); entry != last.rend(); ++entry) {
        const auto &[at, sample] = *entry;
        expected.add(at, {sample.second.digits * (scale > sample.second.scale ? 100 : 1), scale}, sample.first);
      }
      const std::string text = expected.to_text();
      EXPECT_EQ(CounterState::decode(state.encode()).summary().delta.digits, expected.summary().delta.digits);
      EXPECT_EQ(read.encode(), state.encode());
      EXPECT_EQ(state.to_text(), text);
      EXPECT_EQ(read.to_text(), text);
      if (!has_seq) continue;
      CounterState merged;
      for (const CounterState &part : parts) merged.merge(part);
      EXPECT_EQ(merged.to_text(), text);
    }
}
