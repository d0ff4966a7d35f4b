#include "core/metrics/series.hpp"

#include <algorithm>
#include <utility>

namespace nexus::metrics {

void Series::begin(const Counters &before) {
  end_series();
  folds_.assign(kMetrics, CounterFold(policy_));
  for (std::size_t i = 0; i < kMetrics; ++i)
    if (before[i]) folds_[i].base(*before[i]);
}

void Series::add(Instant at, const Counters &counters) {
  current_[parts_.at(at).start].count_sample();
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (!counters[i]) continue;
    folds_[i].add(at, *counters[i], [this, i](Instant when, Wide, Wide, const Step &step) {
      current_[parts_.at(when).start].add(static_cast<Metric>(i), step.delta);
    });
  }
}

void Series::end_series() {
  for (std::size_t i = 0; i < folds_.size(); ++i)
    folds_[i].finish([this, i](Instant when, Wide, Wide, const Step &step) {
      current_[parts_.at(when).start].add(static_cast<Metric>(i), step.delta);
    });
  for (const auto &[start, increments] : current_) {
    Buckets::Bucket bucket = buckets_.at(start);
    Sums &to = all_[bucket.start];
    to.end = bucket.end;
    to.increments.merge(increments);
    auto denominator = increments.total(increments.knows(Metric::reach) ? Metric::reach : Metric::views);
    if (!denominator) continue;
    to.denominator = metrics::add(to.denominator, *denominator);
    for (Metric part : {Metric::likes, Metric::comments, Metric::shares, Metric::saves}) {
      if (!increments.knows(part)) continue;
      to.engagements = metrics::add(to.engagements, *increments.total(part));
      to.has_engagements = true;
    }
  }
  current_.clear();
  folds_.clear();
}

Drops::Drops(const Policy &policy, const Counters &before) : folds_(kMetrics, CounterFold(policy)) {
  for (std::size_t i = 0; i < kMetrics; ++i)
    if (before[i]) folds_[i].base(*before[i]);
}

void Drops::keep(std::size_t metric, Instant at, Wide before, Wide now, const Step &step) {
  if (step.kind == StepKind::correction || step.kind == StepKind::reset)
    drops_.push_back({at, static_cast<Metric>(metric), before, now, step.kind});
}

void Drops::add(Instant at, const Counters &counters) {
  for (std::size_t i = 0; i < kMetrics; ++i)
    if (counters[i])
      folds_[i].add(at, *counters[i], [this, i](Instant when, Wide before, Wide now, const Step &step) {
        keep(i, when, before, now, step);
      });
}

std::vector<Drop> Drops::finish() {
  for (std::size_t i = 0; i < kMetrics; ++i)
    folds_[i].finish(
        [this, i](Instant when, Wide before, Wide now, const Step &step) { keep(i, when, before, now, step); });
  std::sort(drops_.begin(), drops_.end(),
            [](const Drop &a, const Drop &b) { return a.at != b.at ? a.at < b.at : a.metric < b.metric; });
  return std::move(drops_);
}

std::vector<SeriesBucket> Series::finish() {
  end_series();
  std::vector<SeriesBucket> buckets;
  buckets.reserve(all_.size());
  for (const auto &[start, sums] : all_) {
    std::optional<double> rate;
    if (sums.has_engagements && sums.denominator > 0)
      rate =
          static_cast<double>(static_cast<long double>(sums.engagements) / static_cast<long double>(sums.denominator));
    buckets.push_back({start, sums.end, sums.increments, rate});
  }
  all_.clear();
  return buckets;
}

}  // namespace nexus::metrics
