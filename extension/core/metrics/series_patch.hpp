#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/metrics/day_state.hpp"
#include "core/metrics/local_day.hpp"

namespace nexus::metrics {

struct DayRow {
  std::int32_t day;
  DayState state;
};

/// Days from first to last.
struct DaySpan {
  std::int32_t first, last;
};

/// What is stored of one series: its days and its samples. The host implements it over tables, tests over vectors.
class SeriesSource {
 public:
  virtual ~SeriesSource() = default;
  /// The stored days of a span, ascending.
  virtual std::vector<DayRow> days(DaySpan span) = 0;
  /// A few stored days after `day`, ascending, or before it, descending; none when there are no more.
  virtual std::vector<DayRow> days_after(std::int32_t day) = 0;
  virtual std::vector<DayRow> days_before(std::int32_t day) = 0;
  /// The samples with from <= at < to, in order of time and arrival.
  virtual void samples(Instant from, Instant to, const std::function<void(Instant, const Values &)> &on_sample) = 0;
};

/// One day before and after; an empty state is a day without samples, which has no row.
struct DayChange {
  std::int32_t day;
  DayState before, after;
};

/// The days of a span as its samples say, without their bases.
std::vector<DayRow> days_of_samples(SeriesSource &source, LocalDays &days, DaySpan span);

/// Brings the days of some spans up to date with their samples, and the bases of the days that come after them: what
/// the rollup of the series must change. `spans` ascend and do not touch. `latest`, what each counter stands at after
/// all days, is brought up to date too. Cost: the days of the spans, and the next day that knows each counter.
std::vector<DayChange> patch_series(SeriesSource &source, LocalDays &days, const std::vector<DaySpan> &spans,
                                    Values &latest);

}  // namespace nexus::metrics
