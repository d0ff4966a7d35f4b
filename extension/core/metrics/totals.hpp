#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/metrics/codec.hpp"
#include "core/metrics/wide.hpp"

namespace nexus::metrics {

/// The eight counters, in the order of metrics_agg's arguments.
enum class Metric : std::uint8_t { views, likes, comments, shares, saves, reach, clicks, watch_time_seconds };
constexpr int kMetrics = 8;
constexpr std::array<const char *, kMetrics> kMetricNames = {"views", "likes", "comments", "shares",
                                                             "saves", "reach", "clicks",   "watch_time_seconds"};

/// The metric of that name; 22023 for any other name.
Metric parse_metric(std::string_view name);

/// What is counted as an engagement, and how much.
struct Weights {
  double likes = 1, comments = 1, shares = 1, saves = 1;
};

/// What an engagement rate is measured by.
enum class Denominator : std::uint8_t { views, reach, followers };
Denominator parse_denominator(std::string_view name);

/// Sums of the eight counters: the state of metrics_agg. Trivially copyable, so that it can live in any memory.
///
/// A counter that was never given has no sum, which is not the same as 0.
///
///     Totals a; a.add(Metric::likes, 5); a.add(Metric::reach, 100);
///     a.total(Metric::likes) == 5; a.total(Metric::views) == std::nullopt
class Totals {
 public:
  void add(Metric metric, Wide value) {
    auto index = static_cast<unsigned>(metric);
    sums_[index] = metrics::add(sums_[index], value);
    known_ |= static_cast<std::uint8_t>(1U << index);
  }
  void count_sample() { ++samples_; }
  void count_samples(std::uint64_t more);
  void merge(const Totals &other);

  bool knows(Metric metric) const { return known_ >> static_cast<unsigned>(metric) & 1; }
  std::optional<Wide> total(Metric metric) const;
  std::uint64_t samples() const { return samples_; }

  /// likes + comments + shares + saves with their weights; nothing if none of the four was ever given.
  std::optional<long double> engagements(const Weights &weights = {}) const;

  /// Engagements over the denominator, divided once, after all sums. Nothing where either is unknown or the
  /// denominator is 0. Never clamped.
  std::optional<double> engagement_rate(Denominator denominator, const Weights &weights = {},
                                        std::optional<std::int64_t> followers = std::nullopt) const;

  /// The rate as content_metrics.engagement_rate keeps it, NUMERIC(5,2) percent of views: in hundredths of a percent,
  /// rounded half up and at most 99999, because 1 view with 20 likes (2000 %) would not fit. Counters are 0 or more.
  std::optional<std::int64_t> engagement_percent_hundredths() const;

  /// The stored form: version, mask of the known counters, number of samples, sums. Equal totals have equal bytes.
  std::string encode() const;
  /// The same, written at `to`, which has room for kMostBytes; how many bytes it took.
  std::size_t encode(char *to) const;
  static constexpr std::size_t kMostBytes = 2 + kMostVarint64 + kMetrics * kMostVarint;
  /// Throws XX001 for damaged bytes and 0A000 for a format that is not ours; never reads outside `bytes`.
  static Totals decode(std::string_view bytes);

  /// The readable form: `v1 samples=2 views=10 likes=3`.
  std::string to_text() const;
  /// Throws 22P02 for any other form.
  static Totals from_text(std::string_view text);

  bool operator==(const Totals &other) const = default;

 private:
  friend class RunningTotals;

  PackedWide sums_[kMetrics] = {};
  std::uint64_t samples_ = 0;
  std::uint8_t known_ = 0;
};

/// Totals while rows are still being added, in one cache line: there may be one for each of a million groups. Sums are
/// of 48 bits; one that would leave them moves into Totals, which `make_totals` places when that happens first.
///
///     RunningTotals sums; Totals wide; auto make_totals = [&wide] { return &wide; };
///     sums.add(Metric::likes, 5, make_totals); sums.count_sample(make_totals);
///     sums.totals().total(Metric::likes) == 5
///
/// Trivially copyable; what `make_totals` gives must live as long, and belongs to this object alone.
class RunningTotals {
 public:
  template <class MakeTotals>
  void add(Metric metric, std::int64_t value, MakeTotals &&make_totals) {
    const auto index = static_cast<unsigned>(metric);
    samples_and_known_ |= std::uint64_t{1} << index;
    std::int64_t sum;
    if (__builtin_add_overflow(sum_of(index), value, &sum) || !is_narrow(sum)) [[unlikely]] {
      if (wide_ == nullptr) wide_ = make_totals();
      sum = widen(metric, value);
    }
    low_[index] = static_cast<std::uint32_t>(sum);
    high_[index] = static_cast<std::int16_t>(sum >> 32);
  }
  template <class MakeTotals>
  void count_sample(MakeTotals &&make_totals) {
    count_samples(1, make_totals);
  }

  template <class MakeTotals>
  void merge(const Totals &other, MakeTotals &&make_totals) {
    count_samples(other.samples_, make_totals);
    samples_and_known_ |= other.known_;
    for (int i = 0; i < kMetrics; ++i) {
      auto metric = static_cast<Metric>(i);
      Wide sum = other.sums_[i];
      if (!other.knows(metric)) continue;
      if (sum >= INT64_MIN && sum <= INT64_MAX) {
        add(metric, static_cast<std::int64_t>(sum), make_totals);
      } else {
        if (wide_ == nullptr) wide_ = make_totals();
        wide_->add(metric, sum);
      }
    }
  }
  template <class MakeTotals>
  void merge(const RunningTotals &other, MakeTotals &&make_totals) {
    merge(other.totals(), make_totals);
  }

  Totals totals() const;
  /// The stored form of totals(), written at `to`, which has room for most_bytes(); how many bytes it took.
  std::size_t encode(char *to) const;
  std::size_t most_bytes() const { return wide_ == nullptr ? kMostNarrowBytes : Totals::kMostBytes; }

 private:
  static constexpr std::size_t kMostNarrowBytes = 2 + kMostVarint64 + kMetrics * kMostVarint64;
  static constexpr int kKnownBits = kMetrics, kHighBits = 16;

  static bool is_narrow(std::int64_t sum) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) << kHighBits) >> kHighBits == sum;
  }
  std::int64_t sum_of(unsigned index) const {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(high_[index]) << 32 | low_[index]);
  }
  /// Moves the sum, and a value that is as wide, into wide_; what is left to be kept here.
  std::int64_t widen(Metric metric, std::int64_t value);
  std::uint8_t known() const { return static_cast<std::uint8_t>(samples_and_known_); }

  template <class MakeTotals>
  void count_samples(std::uint64_t more, MakeTotals &&make_totals) {
    constexpr std::uint64_t kMostNarrow = UINT64_MAX >> kKnownBits;
    const std::uint64_t samples = samples_and_known_ >> kKnownBits;
    if (more <= kMostNarrow - samples) [[likely]] {
      samples_and_known_ += more << kKnownBits;
      return;
    }
    if (wide_ == nullptr) wide_ = make_totals();
    wide_->count_samples(samples);
    wide_->count_samples(more);
    samples_and_known_ = known();
  }

  std::uint32_t low_[kMetrics] = {};  // of each sum
  std::int16_t high_[kMetrics] = {};
  std::uint64_t samples_and_known_ = 0;  // the number of samples above the mask of the known counters
  Totals *wide_ = nullptr;               // what else there is
};
static_assert(sizeof(RunningTotals) == 64);

}  // namespace nexus::metrics
