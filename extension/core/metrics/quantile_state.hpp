#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics/chunks.hpp"
#include "core/metrics/codec.hpp"

namespace nexus::metrics {

/// Quantiles of a set of numbers in little memory: the state of quantile_agg.
///
/// Up to kMostExact values are kept as they are and answered exactly. More become a t-digest: groups of neighbours with
/// their mean, small at both ends and larger in the middle, so that the rank of an answer is within 0.01 of what was
/// asked for, and within 0.002 beyond 0.01 and 0.99. Source: Dunning and Ertl, "Computing extremely accurate quantiles
/// using t-digests", 2019 (scale function k1, merging form).
///
///     QuantileState state; state.add(1); state.add(2); state.add(10);
///     state.quantile(0.5) == 2; state.quantile(0.75) == 6
class QuantileState {
 public:
  static constexpr std::size_t kMostExact = 256;

  explicit QuantileState(std::pmr::memory_resource *memory = std::pmr::get_default_resource())
      : singles_(memory), groups_(memory) {}

  /// 22023 for NaN and infinities.
  void add(double value) {
    if (!std::isfinite(value)) [[unlikely]]
      refuse();
    push(value + 0.0);  // -0 and 0 are one value, so that equal sets have equal bytes
  }
  void merge(const QuantileState &other);

  std::uint64_t count() const { return grouped_ + num_singles_; }
  std::optional<double> min();
  std::optional<double> max();

  /// The value below which the share q of all values lies, interpolated between neighbours as percentile_cont does;
  /// nothing without values. 22023 for q outside 0 to 1.
  std::optional<double> quantile(double q);

  /// The stored form: version, kind, then sorted values or groups. Equal sets of up to kMostExact values have equal
  /// bytes.
  std::string encode();
  /// The same, written at `to`, which has room for most_bytes(); how many bytes it took. Only reading lies between.
  std::size_t encode(char *to) const;
  std::size_t most_bytes();
  /// Throws XX001 for damaged bytes and 0A000 for a format that is not ours; never reads outside `bytes`.
  static QuantileState decode(std::string_view bytes,
                              std::pmr::memory_resource *memory = std::pmr::get_default_resource());

  /// The readable form: `v1 exact 1 2.5 10`, or `v1 digest 1 10 1*1 2.5*300 10*1` with the least and the largest value
  /// first and then mean*count of each group.
  std::string to_text();
  /// Throws 22P02 for any other form.
  static QuantileState from_text(std::string_view text);

 private:
  struct Group {
    double mean;
    std::uint64_t count;
  };
  static constexpr std::size_t kBuffered = 2048;

  /// What a counter says is nearly always a float too, and then takes half the memory: half the pages, half the misses.
  void push(double value) {
    const auto narrow = static_cast<float>(value);
    if (!wide_ && static_cast<double>(narrow) != value) [[unlikely]]
      widen_singles();
    if (wide_)
      append(singles_, value);
    else
      append(singles_, narrow);
    if (++num_singles_ == kBuffered) [[unlikely]]
      compress();
  }
  template <class Number>
  static void append(Chunks &numbers, Number number) {
    char *to = numbers.wide_room(sizeof(number));
    std::memcpy(to, &number, sizeof(number));
    numbers.taken(to + sizeof(number));
  }
  /// Calls on_value(double) for each of singles_.
  template <class OnValue>
  void each_single(OnValue &&on_value) const {
    singles_.each([this, &on_value](std::string_view bytes) {
      auto each = [&]<class Number>(Number number) {
        for (std::size_t at = 0; at < bytes.size(); at += sizeof(number)) {
          std::memcpy(&number, bytes.data() + at, sizeof(number));
          on_value(static_cast<double>(number));
        }
      };
      if (wide_)
        each(double{});
      else
        each(float{});
    });
  }
  void widen_singles();
  [[noreturn]] static void refuse();
  void group_more(std::uint64_t more);
  void widen(double least, double largest);
  void settle();
  void compress();
  /// The values that are in no group, in order, in `room`, which has a place for each.
  std::span<double> sorted_singles(double *room) const;
  /// What is wrong with groups that did not come from compress(); nullptr if nothing is.
  const char *fault_of_groups() const;

  // With one of these for each of many groups, what add() touches lies together, and all of it within 128 bytes.
  std::uint32_t num_singles_ = 0;
  bool wide_ = false;               // singles_ are doubles: one of them was no float
  Chunks singles_;                  // all values while exact, those not yet in groups_ after that
  std::pmr::vector<Group> groups_;  // by mean
  std::uint64_t grouped_ = 0;       // how many values are in groups_
  double min_ = 0, max_ = 0;        // of the values in groups_
};

}  // namespace nexus::metrics
