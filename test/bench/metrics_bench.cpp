#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <vector>

#include "core/metrics/bucket.hpp"
#include "core/metrics/calendar.hpp"
#include "core/metrics/counter.hpp"
#include "core/metrics/counter_state.hpp"
#include "core/metrics/distinct_state.hpp"
#include "core/metrics/hash.hpp"
#include "core/metrics/quantile_state.hpp"
#include "core/metrics/timestamp.hpp"
#include "core/metrics/totals.hpp"

using namespace nexus::metrics;

namespace {

ZoneRules yearly_changes() {
  std::vector<Transition> transitions;
  for (int year = 1970; year < 2100; ++year) {
    transitions.push_back({day_number(year, 3, 9) * 86400 + 25200, -14400});
    transitions.push_back({day_number(year, 11, 2) * 86400 + 21600, -18000});
  }
  return {-18000, transitions};
}

std::vector<Instant> instants(bool sorted) {
  std::mt19937_64 random(5);
  std::vector<Instant> all(10000);
  for (Instant &instant : all) instant = static_cast<Instant>(random() % (86400000000ULL * 365 * 5)) + 788918400000000;
  if (sorted) std::sort(all.begin(), all.end());
  return all;
}

void bucket(benchmark::State &state, bool sorted) {
  ZoneRules rules = yearly_changes();
  auto all = instants(sorted);
  Buckets days(Unit::day, rules);
  for (auto _ : state)
    for (Instant instant : all) benchmark::DoNotOptimize(days.at(instant).start);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(all.size()));
}
BENCHMARK_CAPTURE(bucket, in_order, true);
BENCHMARK_CAPTURE(bucket, at_random, false);

void running_totals_add(benchmark::State &state) {
  RunningTotals totals;
  Totals wide;
  for (auto _ : state) {
    for (int i = 0; i < kMetrics; ++i) totals.add(static_cast<Metric>(i), i, [&wide] { return &wide; });
    totals.count_sample([&wide] { return &wide; });
    benchmark::DoNotOptimize(totals);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(running_totals_add);

// States from their first value to their stored form; the argument is the number of values.
void distinct_state(benchmark::State &state) {
  for (auto _ : state) {
    DistinctState distinct;
    distinct.use(11);
    for (std::int64_t i = 0; i < state.range(0); ++i) distinct.add(murmur3(i));
    benchmark::DoNotOptimize(distinct.encode());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(distinct_state)->Arg(100)->Arg(10000);

void quantile_state(benchmark::State &state) {
  std::mt19937_64 random(6);
  std::vector<double> values(static_cast<std::size_t>(state.range(0)));
  for (double &value : values) value = std::lognormal_distribution<double>(3, 2)(random);
  for (auto _ : state) {
    QuantileState quantiles;
    for (double value : values) quantiles.add(value);
    benchmark::DoNotOptimize(quantiles.encode());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(quantile_state)->Arg(100)->Arg(100000);

void counter_state(benchmark::State &state) {
  for (auto _ : state) {
    CounterState counter;
    counter.use(Policy(), false);
    for (std::int64_t i = 0; i < state.range(0); ++i) counter.add(i * 1000000, {i * 977 % 100000, 0});
    benchmark::DoNotOptimize(counter.encode());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(counter_state)->Arg(100);

void totals_decode(benchmark::State &state) {
  Totals totals;
  for (int i = 0; i < kMetrics; ++i) totals.add(static_cast<Metric>(i), 1000000 * i);
  const std::string bytes = totals.encode();
  for (auto _ : state) benchmark::DoNotOptimize(Totals::decode(bytes));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(totals_decode);

void counter_step(benchmark::State &state) {
  Policy policy;
  std::int64_t value = 0;
  for (auto _ : state) {
    value = (value + 977) % 100000;
    benchmark::DoNotOptimize(step(policy, 50000, value));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(counter_step);

}  // namespace
