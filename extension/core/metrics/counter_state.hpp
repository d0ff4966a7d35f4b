#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics/bucket.hpp"
#include "core/metrics/chunks.hpp"
#include "core/metrics/codec.hpp"
#include "core/metrics/counter.hpp"
#include "core/metrics/wide.hpp"

namespace nexus::metrics {

/// An exact decimal: `digits` times 10 to the power of -`scale`.
struct Decimal {
  Wide digits = 0;
  int scale = 0;
};
constexpr int kMostScale = 12;

/// Reads `-12.50` as {-125, 1}; 22003 for NaN, infinities, more than kMostScale decimals or beyond kLargestValue.
Decimal parse_decimal(std::string_view text);
/// "-12.5", as numeric_in takes it.
std::string to_string(const Decimal &value);

/// What became of one counter between its first and its last sample.
struct CounterSummary {
  std::int64_t samples = 0, resets = 0, corrections = 0, changes = 0;
  Instant first_time = 0, last_time = 0;
  Decimal first_value, last_value;
  Decimal delta;

  /// Increase a second; nothing for fewer than two instants.
  std::optional<double> rate() const;
};

/// The samples of one counter: the state of counter_agg. Keeps them all, so that states whose time ranges interleave
/// merge to the same answer in any order; stored it takes some five bytes a sample.
///
///     CounterState state;
///     state.use(Policy::parse("reset"), false);
///     state.add(t1, {20, 0}); state.add(t2, {15, 0});
///     state.summary().delta.digits == 15
///
/// Of samples at one instant the one with the largest `seq` counts, among equals and without `seq` the last one given.
class CounterState {
 public:
  explicit CounterState(std::pmr::memory_resource *memory = std::pmr::get_default_resource())
      : packed_(memory), late_(memory) {}

  /// Sets policy and use of `seq` before the first sample; 22023 if the state already has others.
  void use(const Policy &policy, bool has_seq);
  void add(Instant at, const Decimal &value, std::int64_t seq = 0);
  /// Takes the samples of `other` as given after those here; 22023 if it has another policy or use of `seq`.
  void merge(const CounterState &other);

  bool empty() const { return packed_count_ == 0; }
  CounterSummary summary();

  /// Gives each sample in order of time to `on_sample(at, step)`; the first one's step is 0.
  template <class OnSample>
  void each(OnSample &&on_sample) {
    settle();
    Wide before = 0;
    bool first = true;
    each_packed([&](const Point &point) {
      on_sample(point.at, first ? Step{0, StepKind::same} : step(policy_, before, point.value));
      before = point.value;
      first = false;
    });
  }
  /// Deltas of each() are in units of 10 to the power of -scale().
  int scale() const { return scale_; }

  /// The stored form: version, policy, scale, then differences of time, value and seq. Equal states have equal bytes.
  std::string encode();
  /// Throws XX001 for damaged bytes and 0A000 for a format that is not ours; never reads outside `bytes`.
  static CounterState decode(std::string_view bytes,
                             std::pmr::memory_resource *memory = std::pmr::get_default_resource());

  /// summary() of decode(bytes), without making the state.
  static CounterSummary summary_of(std::string_view bytes);

  /// The readable form: `v1 correction:0.5 scale=0 794744502000000=100 794744503000000=130`, each sample as
  /// microseconds since 2000 = digits, with @seq behind where the state has it.
  std::string to_text();
  /// Throws 22P02 for any other form.
  static CounterState from_text(std::string_view text);

 private:
  struct Point {
    Instant at;
    std::int64_t seq;
    PackedWide value;

    bool operator==(const Point &) const = default;
  };
  class Summing;

  template <class OnPoint>
  void each_packed(OnPoint &&on_point) const;
  void add(const Point &point);
  void pack(const Point &point);
  void settle();
  void rescale(int scale);

  /// What a stored state begins with.
  struct Header {
    Policy policy;
    bool has_seq;
    int scale;
    std::uint64_t count;
  };
  static Header read_header(Reader &in);

  // The samples that come in order of time lie packed as they are stored, in a fifth of the room. Those that come late
  // stand beside them until settle() brings them in; none of them is later than last_. What add() needs stands first:
  // with many groups each row finds its state outside the caches.
  Point last_{0, 0, 0};  // of the packed ones
  std::uint64_t packed_count_ = 0;
  Policy policy_;
  int scale_ = 0;
  bool has_seq_ = false;
  Chunks packed_;
  std::pmr::vector<Point> late_;
};

/// The increase of one bucket; digits in units of 10 to the power of -scale.
struct BucketDelta {
  Instant bucket;
  Decimal delta;
};

/// The increases of a counter by bucket. Steps: an increment belongs to the bucket of its later sample, and every
/// bucket with a sample is given. Interpolated: the curve of increments, straight between samples, read at the edges of
/// all buckets from the first sample to the last, to twelve decimals; more than kMostBuckets are 54000. Both add up to
/// the same total.
std::vector<BucketDelta> bucket_steps(CounterState &state, Buckets buckets);
std::vector<BucketDelta> bucket_interpolation(CounterState &state, Buckets buckets);
constexpr std::size_t kMostBuckets = 1000000;

}  // namespace nexus::metrics
