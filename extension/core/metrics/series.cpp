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
  Buckets::Bucket bucket = buckets_.at(at);
  current_[bucket.start].end = bucket.end;
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (!counters[i]) continue;
    folds_[i].add(at, *counters[i], [this, i](Instant when, Wide, Wide, const Step &step) {
      current_[buckets_.at(when).start].increments.add(static_cast<Metric>(i), step.delta);
    });
  }
}

void Series::end_series() {
  for (std::size_t i = 0; i < folds_.size(); ++i)
    folds_[i].finish([this, i](Instant when, Wide, Wide, const Step &step) {
      current_[buckets_.at(when).start].increments.add(static_cast<Metric>(i), step.delta);
    });
  Metric below = Metric::views;
  for (const auto &[start, sums] : current_)
    if (sums.increments.knows(Metric::reach)) below = Metric::reach;
  for (const auto &[start, sums] : current_) {
    Sums &to = all_[start];
    to.end = sums.end;
    to.increments.merge(sums.increments);
    auto denominator = sums.increments.total(below);
    if (!denominator) continue;
    to.denominator = metrics::add(to.denominator, *denominator);
    for (Metric part : {Metric::likes, Metric::comments, Metric::shares, Metric::saves}) {
      if (!sums.increments.knows(part)) continue;
      to.engagements = metrics::add(to.engagements, *sums.increments.total(part));
      to.has_engagements = true;
    }
  }
  current_.clear();
  folds_.clear();
}

SeriesGain::SeriesGain(const Policy &policy, const Counters &before) : folds_(kMetrics, CounterFold(policy)) {
  for (std::size_t i = 0; i < kMetrics; ++i)
    if (before[i]) folds_[i].base(*before[i]);
}

void SeriesGain::add(Instant at, const Counters &counters) {
  for (std::size_t i = 0; i < kMetrics; ++i)
    if (counters[i])
      folds_[i].add(at, *counters[i], [this, i](Instant, Wide, Wide, const Step &step) {
        increments_.add(static_cast<Metric>(i), step.delta);
      });
}

Gain SeriesGain::finish() {
  for (std::size_t i = 0; i < kMetrics; ++i)
    folds_[i].finish(
        [this, i](Instant, Wide, Wide, const Step &step) { increments_.add(static_cast<Metric>(i), step.delta); });
  Gain gain;
  gain.increments = increments_;
  gain.denominator = increments_.total(increments_.knows(Metric::reach) ? Metric::reach : Metric::views);
  for (Metric part : {Metric::likes, Metric::comments, Metric::shares, Metric::saves})
    if (auto sum = increments_.total(part)) gain.engagements = metrics::add(gain.engagements.value_or(0), *sum);
  return gain;
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
