#include "core/metrics/quantile_state.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"

using nexus::metrics::QuantileState;

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

QuantileState state_of(const std::vector<double> &values) {
  QuantileState state;
  for (double value : values) state.add(value);
  return state;
}

/// How far the ranks of `value` are from what was asked for, as a share of all values.
double rank_error(const std::vector<double> &sorted, double q, double value) {
  auto n = static_cast<double>(sorted.size());
  auto below = static_cast<double>(std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin()) / n;
  auto upto = static_cast<double>(std::upper_bound(sorted.begin(), sorted.end(), value) - sorted.begin()) / n;
  return std::max({0.0, below - q, q - upto});
}

constexpr double kAsked[] = {0, 0.001, 0.005, 0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1};

void expect_within_bounds(QuantileState &state, std::vector<double> values, const char *what) {
  std::sort(values.begin(), values.end());
  ASSERT_EQ(state.count(), values.size());
  EXPECT_EQ(*state.min(), values.front()) << what;
  EXPECT_EQ(*state.max(), values.back()) << what;
  EXPECT_EQ(*state.quantile(0), values.front()) << what;
  EXPECT_EQ(*state.quantile(1), values.back()) << what;
  double before = -std::numeric_limits<double>::infinity();
  for (double q : kAsked) {
    double answer = *state.quantile(q);
    // Between two of n neighbours even percentile_cont is up to 1 / n away.
    double bound = std::max(q <= 0.01 || q >= 0.99 ? 0.002 : 0.01, 1 / static_cast<double>(values.size()));
    EXPECT_LE(rank_error(values, q, answer), bound) << what << " q=" << q;
    EXPECT_GE(answer, before) << what << " q=" << q;
    before = answer;
  }
}

std::vector<double> values_of(const std::string &kind, std::size_t count, std::mt19937_64 &random) {
  std::vector<double> values(count);
  std::size_t index = 0;
  for (double &value : values) {
    if (kind == "uniform") value = std::uniform_real_distribution<double>(-5, 5)(random);
    if (kind == "lognormal") value = std::lognormal_distribution<double>(3, 2)(random);
    if (kind == "few values") value = static_cast<double>(std::geometric_distribution<int>(0.4)(random));
    if (kind == "two values") value = random() % 2 == 0 ? 1e300 : -1e300;
    if (kind == "ascending") value = static_cast<double>(index);
    if (kind == "descending") value = -static_cast<double>(index);
    ++index;
  }
  return values;
}

}  // namespace

TEST(MetricsQuantile, ExactWhileFew) {
  QuantileState empty;
  EXPECT_FALSE(empty.quantile(0.5));
  EXPECT_FALSE(empty.min());
  EXPECT_FALSE(empty.max());
  QuantileState state = state_of({10, 1, 2});
  EXPECT_EQ(*state.quantile(0.5), 2);
  EXPECT_EQ(*state.quantile(0.75), 6);
  EXPECT_EQ(*state_of({7}).quantile(0.3), 7);
  std::vector<double> squares;
  for (int i = 255; i >= 0; --i) squares.push_back(i * i);
  EXPECT_DOUBLE_EQ(*state_of(squares).quantile(0.5), 127.0 * 127 + 127.5);
  constexpr double kLargest = std::numeric_limits<double>::max();
  EXPECT_EQ(*state_of({-kLargest, kLargest}).quantile(0.5), 0);
}

TEST(MetricsQuantile, KeepsEachBitOfAValue) {
  // Values that are floats, then one that is none, at any place.
  for (double odd : {0.1, 1e300, -1e-300, 16777217.0, static_cast<double>(std::numeric_limits<float>::max()) * 2})
    for (std::size_t place : {0U, 1U, 57U, 58U, 59U, 199U}) {
      std::vector<double> values;
      for (std::size_t i = 0; i < 200; ++i) values.push_back(i == place ? odd : static_cast<double>(i * 7919 % 211));
      QuantileState state = state_of(values), merged;
      merged.merge(state_of({values.begin(), values.begin() + 58}));
      merged.merge(QuantileState::decode(state_of({values.begin() + 58, values.end()}).encode()));
      std::sort(values.begin(), values.end());
      for (std::size_t i = 0; i < values.size(); ++i)
        EXPECT_EQ(*state.quantile(static_cast<double>(i) / 199),
                  *state_of(values).quantile(static_cast<double>(i) / 199));
      EXPECT_EQ(*state.min(), values.front());
      EXPECT_EQ(*state.max(), values.back());
      EXPECT_EQ(state.encode(), state_of(values).encode());
      EXPECT_EQ(merged.encode(), state.encode());
      std::string tail = state.encode();
      for (std::size_t i = 0; i < values.size(); ++i)
        EXPECT_EQ(nexus::metrics::load64(tail.data() + tail.size() - 8 * (values.size() - i)),
                  std::bit_cast<std::uint64_t>(values[i]));
    }
}

TEST(MetricsQuantile, RefusesWhatHasNoOrder) {
  QuantileState state;
  EXPECT_EQ(sqlstate([&] { state.add(std::nan("")); }), "22023");
  EXPECT_EQ(sqlstate([&] { state.add(-std::numeric_limits<double>::infinity()); }), "22023");
  for (double q : {-0.1, 1.1, std::nan("")}) EXPECT_EQ(sqlstate([&] { state.quantile(q); }), "22023") << q;
}

TEST(MetricsQuantile, WithinBounds) {
  std::mt19937_64 random(6);
  for (const char *kind : {"uniform", "lognormal", "few values", "two values", "ascending", "descending"})
    for (std::size_t count : {257U, 1000U, 5000U, 100000U}) {
      auto values = values_of(kind, count, random);
      QuantileState state = state_of(values);
      expect_within_bounds(state, values, kind);
    }
}

TEST(MetricsQuantile, MergesAnyPartition) {
  std::mt19937_64 random(7);
  for (const char *kind : {"uniform", "lognormal", "few values", "ascending"})
    for (std::size_t parts : {2U, 8U, 300U}) {
      auto values = values_of(kind, 60000, random);
      std::vector<QuantileState> states(parts);
      // Ascending values deal out disjoint ranges, the others interleaved ones.
      for (std::size_t i = 0; i < values.size(); ++i)
        states[kind == std::string("ascending") ? i * parts / values.size() : random() % parts].add(values[i]);
      QuantileState merged;
      for (QuantileState &state : states) merged.merge(QuantileState::decode(state.encode()));
      expect_within_bounds(merged, values, kind);
      EXPECT_LT(merged.encode().size(), 7000U);
    }
}

TEST(MetricsQuantile, SmallPartitionsStayExact) {
  QuantileState one = state_of({3, 1, 2, 0.0}), left = state_of({2, -0.0}), right = state_of({1, 3});
  left.merge(right);
  left.merge(QuantileState());
  EXPECT_EQ(left.encode(), one.encode());
  QuantileState fresh;
  fresh.merge(one);
  EXPECT_EQ(fresh.encode(), one.encode());
}

TEST(MetricsQuantile, StoredAndReadableForms) {
  std::mt19937_64 random(8);
  for (std::size_t count : {0U, 1U, 200U, 256U, 257U, 10000U}) {
    QuantileState state = state_of(values_of("lognormal", count, random));
    std::string bytes = state.encode();
    QuantileState back = QuantileState::decode(bytes);
    EXPECT_EQ(back.encode(), bytes);
    EXPECT_EQ(back.count(), count);
    EXPECT_EQ(QuantileState::from_text(state.to_text()).encode(), bytes);
    for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 7)
      EXPECT_EQ(sqlstate([&] { QuantileState::decode(std::string_view(bytes).substr(0, size)); }), "XX001") << size;
    EXPECT_EQ(sqlstate([&] { QuantileState::decode(bytes + '\0'); }), "XX001");
  }
  EXPECT_EQ(state_of({2.5, 1, 10}).to_text(), "v1 exact 1 2.5 10");
  EXPECT_EQ(QuantileState::from_text("v1 exact 10 -0 1").to_text(), "v1 exact 0 1 10");
  std::string bytes = state_of({1, 2}).encode();
  bytes[0] = 2;
  EXPECT_EQ(sqlstate([&] { QuantileState::decode(bytes); }), "0A000");
  for (const char *bad :
       {"", "v2 exact", "v1 exact x", "v1 exact 1  2", "v1 exact inf", "v1 digest 1 2", "v1 digest 1 2 1*0",
        "v1 digest 1 2 1*100 2*100", "v1 digest 1 2 2*300 1*300", "v1 digest 1 2 3*300", "v1 digest 1 2 1*-1"})
    EXPECT_EQ(sqlstate([&] { QuantileState::from_text(bad); }), "22P02") << bad;
  EXPECT_EQ(sqlstate([&] { QuantileState::from_text("v1 digest 1 2 1*9223372036854775807 2*1"); }), "22003");
  // Counts that together leave a bigint: no state of ours has them.
  nexus::metrics::Writer out;
  for (std::uint8_t byte : {1, 1, 2}) out.byte(byte);
  for (double value : {1.0, 2.0}) out.fixed64(std::bit_cast<std::uint64_t>(value));
  for (double mean : {1.0, 2.0}) {
    out.varint(std::uint64_t{1} << 62);
    out.fixed64(std::bit_cast<std::uint64_t>(mean));
  }
  std::string many = out.take();
  EXPECT_EQ(sqlstate([&] { QuantileState::decode(many); }), "XX001");
}
