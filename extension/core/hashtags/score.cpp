#include "core/hashtags/score.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/hashtags/batch.hpp"

namespace nexus::hashtags {

namespace {

constexpr double kShort = 6, kLong = 168;  // half-lives in hours

/// 2^(-hours / half-life) for whole hours.
struct Decay {
  std::array<double, kTrendHours> after_short, after_long;
  Decay() {
    for (std::size_t i = 0; i < after_short.size(); ++i) {
      after_short[i] = std::exp2(-static_cast<double>(i) / kShort);
      after_long[i] = std::exp2(-static_cast<double>(i) / kLong);
    }
  }
};

}  // namespace

Trend trend_of(const std::vector<HourAuthors> &uses, std::int64_t as_of) {
  static const Decay decay;
  constexpr double kFloor = 1.0 / 168;  // one author a week
  Trend trend;
  std::int32_t now = hour_of(as_of);
  for (const HourAuthors &use : uses) {
    if (use.hour > now || use.hour <= now - kTrendHours) continue;
    auto hours = static_cast<std::size_t>(now - use.hour);
    trend.recent += use.authors * decay.after_short[hours];
    trend.usual += use.authors * decay.after_long[hours];
    if (use.hour > now - 24) trend.day += use.authors;
    if (use.hour > now - 168) trend.week += use.authors;
  }
  double begun = (static_cast<double>(as_of) - static_cast<double>(now) * 3.6e9) / 3.6e9;  // of the hour
  trend.recent *= std::exp2(-begun / kShort) * std::log(2.0) / kShort;
  trend.usual *= std::exp2(-begun / kLong) * std::log(2.0) / kLong;
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
