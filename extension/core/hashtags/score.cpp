#include "core/hashtags/score.hpp"

#include <algorithm>
#include <cmath>

#include "core/hashtags/batch.hpp"

namespace nexus::hashtags {

Trend trend_of(const std::vector<HourAuthors> &uses, std::int64_t as_of) {
  constexpr double kShort = 6, kLong = 168, kFloor = 1.0 / 168;
  Trend trend;
  std::int32_t now = hour_of(as_of);
  for (const HourAuthors &use : uses) {
    if (use.hour > now || use.hour <= now - kTrendHours) continue;
    double age = (static_cast<double>(as_of) - static_cast<double>(use.hour) * 3.6e9) / 3.6e9;
    trend.recent += use.authors * std::exp2(-age / kShort);
    trend.usual += use.authors * std::exp2(-age / kLong);
    if (use.hour > now - 24) trend.day += use.authors;
    if (use.hour > now - 168) trend.week += use.authors;
  }
  trend.recent *= std::log(2.0) / kShort;
  trend.usual *= std::log(2.0) / kLong;
  trend.ratio = std::log((trend.recent + kFloor) / (trend.usual + kFloor));
  auto day = static_cast<double>(trend.day);
  if (trend.day >= 3) trend.value = day / (day + 10) * trend.ratio;
  return trend;
}

double trend_excess(const Trend &tag, const Trend &all) {
  if (tag.day < 3) return 0;
  auto day = static_cast<double>(tag.day);
  return day / (day + 10) * (tag.ratio - all.ratio);
}

double engagement_of(std::int64_t sum, std::int64_t posts) {
  return static_cast<double>(sum) / 1e6 / (static_cast<double>(posts) + 10);
}

double competition_of(const Trend &trend, double reach) {
  double rate = static_cast<double>(trend.week) / 168;
  return rate == 0 ? 0 : rate / (rate + reach / 1000);
}

std::vector<std::size_t> diverse(const std::vector<double> &scores,
                                 const std::function<double(std::size_t, std::size_t)> &overlap, std::size_t count,
                                 double lambda) {
  std::vector<std::size_t> taken;
  std::vector<double> nearest(scores.size(), 0);
  std::vector<bool> used(scores.size(), false);
  double scale = 0;
  for (double score : scores) scale = std::max(scale, score);
  if (scale <= 0) scale = 1;
  while (taken.size() < std::min(count, scores.size())) {
    std::size_t best = scores.size();
    double value = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (used[i]) continue;
      double here = lambda * scores[i] / scale - (1 - lambda) * nearest[i];
      if (best == scores.size() || here > value) {
        best = i;
        value = here;
      }
    }
    used[best] = true;
    taken.push_back(best);
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (!used[i]) nearest[i] = std::max(nearest[i], overlap(i, best));
  }
  return taken;
}

}  // namespace nexus::hashtags
