#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"
#include "core/metrics/bucket.hpp"

namespace nexus::metrics {

/// A day (days since 2000-01-01) and a value; nothing is a day without a value.
struct DayValue {
  std::int64_t day;
  std::optional<double> value;
};

/// What a moving average makes of days without a value.
enum class Gaps : std::uint8_t {
  skip,  // the average is over the days with a value that lie in the window, and given for such days only
  zero   // they count as 0, and the average is given for every day from the first to the last
};
Gaps parse_gaps(std::string_view name);

/// The average over each day and the window - 1 calendar days before it, in order of days. A window that reaches back
/// before the first day ends there. Days may come in any order, each once (22023); more than kMostDays between first
/// and last are 54000. Window sums are added anew, never subtracted, so one huge value does not blur those after it.
///
///     moving_average({{0, 10}, {1, 20}, {4, 60}}, 3, Gaps::skip)  ->  {0, 10} {1, 15} {4, 60}
std::vector<DayValue> moving_average(std::vector<DayValue> days, std::int64_t window, Gaps gaps, Interrupt interrupt);
constexpr std::int64_t kMostDays = 1000000;

/// Exponentially weighted moving average: each result is alpha of the value and 1 - alpha of the result before. A
/// missing value gives no result and leaves the average as it is. alpha lies in (0, 1], else 22023.
std::vector<std::optional<double>> ewma(std::span<const std::optional<double>> values, double alpha);

/// The modified z-score of each value: 0.6745 (x - median) / MAD, and where MAD, the median absolute deviation, is 0:
/// (x - median) / (1.253314 mean absolute deviation). All equal: 0. Source: Iglewicz and Hoaglin, 1993. Missing values
/// have no score; infinite ones and NaN are 22023.
std::vector<std::optional<double>> modified_z_scores(std::span<const std::optional<double>> values);

/// One hour of the local week, with the posts that came out in it.
struct HeatCell {
  int day_of_week, hour;  // 0 = Sunday, on the zone's wall clock
  std::int64_t engagements = 0, views = 0, posts = 0;
};

/// Adds up posts by local day of week and hour; 22003 where a sum leaves 64 bits.
class Heatmap {
 public:
  explicit Heatmap(const ZoneRules &rules) : rules_(&rules), cells_(std::size_t{7} * 24) {}
  void add(Instant at, std::int64_t engagements, std::int64_t views);
  /// The hours with at least one post, from Sunday 0:00 on.
  std::vector<HeatCell> cells() const;

 private:
  const ZoneRules *rules_;
  Era era_{0, 0, 0};
  std::vector<HeatCell> cells_;
};

}  // namespace nexus::metrics
