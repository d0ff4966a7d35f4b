#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace nexus::hashtags {

/// Authors by the hour in which each has used a tag last.
struct HourAuthors {
  std::int32_t hour = 0;  // see hour_of()
  std::uint32_t authors = 0;
};

/// How a tag is used now against how it is used at large. Each author counts once, at the hour of the last use: one who
/// posts a thousand times makes no trend.
struct Trend {
  std::uint64_t day = 0, week = 0;  // authors of the last 24 and 168 hours
  double recent = 0, usual = 0;     // authors an hour, decayed with half-lives of 6 hours and 7 days
  double ratio = 0;                 // ln((recent + e) / (usual + e)), e = one author a week
  double value = 0;                 // ratio shrunk by day / (day + 10); 0 for fewer than three authors in a day
};

/// Counts what was used up to `as_of` (microseconds) and at most kTrendHours ago; an hour is as old as its start.
///
///     trend_of({{hour, 12}}, as_of).value
Trend trend_of(const std::vector<HourAuthors> &uses, std::int64_t as_of);
constexpr std::int32_t kTrendHours = 28 * 24;

/// What the trend adds to a score: how far it goes beyond that of all posts together, so that a busy hour lifts no tag
/// and a model that was filled in one go has no trends.
double trend_excess(const Trend &tag, const Trend &all);

/// The mean lift of a tag's posts, drawn towards 0 as if 10 more posts had none. `sum` in millionths.
double engagement_of(std::int64_t sum, std::int64_t posts);

/// How crowded a tag is for an author who reaches `reach` people: a / (a + reach / 1000), a the authors an hour who
/// used it within a week.
double competition_of(const Trend &trend, double reach);

/// The weights of the parts beside relevance, which weighs 1.
struct ScoreWeights {
  double affinity = 0.3, trend = 0.05, engagement = 0.05, competition = 0.05;
};

/// Maximal marginal relevance: which of the entries (best score first) to show, in which order. Each step takes the one
/// with the largest lambda * score / best - (1 - lambda) * (its largest overlap with those taken); the earlier on a
/// tie.
///
///     diverse({0.9, 0.8, 0.7}, overlap, 2, 0.8) -> {0, 2} where overlap(0, 1) is 1
std::vector<std::size_t> diverse(const std::vector<double> &scores,
                                 const std::function<double(std::size_t, std::size_t)> &overlap, std::size_t count,
                                 double lambda);

}  // namespace nexus::hashtags
