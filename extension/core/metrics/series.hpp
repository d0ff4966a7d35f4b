#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "core/metrics/bucket.hpp"
#include "core/metrics/counter.hpp"
#include "core/metrics/totals.hpp"

namespace nexus::metrics {

/// The counters of one sample, or the last known before a window.
using Counters = std::array<std::optional<std::int64_t>, kMetrics>;

/// What happened in one bucket.
struct SeriesBucket {
  Instant start, end;
  Totals increments;
  /// Engagements over reach, or over views where a series has no reach in that local day (that hour for hours); added
  /// up over series and days before the one division. Where the denominator is unknown nothing is added. Nothing where
  /// the sum is 0 or negative (a platform took more back than it gave).
  std::optional<double> engagement_rate;
};

/// Turns snapshots of cumulative counters into increments per local bucket.
///
/// A series is what one platform counts for one post; its samples come in order of time, series after series. An
/// increment belongs to the bucket of its later sample. A counter that is unknown in a sample is skipped there, and its
/// next increment goes back to the last known value. Without any earlier value there is no increment, which is not 0.
///
///     Series series(Unit::week, rules, Policy());
///     series.begin(last_before_window);
///     series.add(at, counters); ...
///     for (const SeriesBucket &bucket : series.finish()) ...
class Series {
 public:
  Series(Unit unit, const ZoneRules &rules, const Policy &policy)
      : buckets_(unit, rules), parts_(unit == Unit::hour ? unit : Unit::day, rules), policy_(policy) {}

  void begin(const Counters &before = {});
  void add(Instant at, const Counters &counters);
  /// Buckets in order of time, those only in which a sample lies.
  std::vector<SeriesBucket> finish();

 private:
  struct Sums {
    Instant end = 0;
    Totals increments;
    Wide engagements = 0, denominator = 0;
    bool has_engagements = false;
  };

  void end_series();

  Buckets buckets_, parts_;  // parts: the days, or hours, that are rated by themselves
  Policy policy_;
  std::vector<CounterFold> folds_;
  std::map<Instant, Totals> current_;  // by start of the part
  std::map<Instant, Sums> all_;        // by start of the bucket
};

/// A counter that fell: `before` is its last known value, `now` the one at `at`.
struct Drop {
  Instant at;
  Metric metric;
  Wide before, now;
  StepKind kind;  // correction or reset
};

/// Finds the decreases of one series, whose samples come as Series takes them.
class Drops {
 public:
  explicit Drops(const Policy &policy, const Counters &before = {});

  void add(Instant at, const Counters &counters);
  /// In order of time, then of metric.
  std::vector<Drop> finish();

 private:
  void keep(std::size_t metric, Instant at, Wide before, Wide now, const Step &step);

  std::vector<CounterFold> folds_;
  std::vector<Drop> drops_;
};

}  // namespace nexus::metrics
