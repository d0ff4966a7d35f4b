#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/metrics/bucket.hpp"
#include "core/metrics/wide.hpp"

namespace nexus::metrics {

/// What a decrease of a cumulative counter means.
///
///   reset             counting began anew: the new value is the increment
///   nonneg            unknown: the increment is 0
///   correction:THETA  the platform took counts back (an audit) if at least 1 - THETA of the old value is left: the
///                     increment is the negative difference; otherwise counting began anew. THETA is 0.5 if left out
class Policy {
 public:
  enum class Kind : std::uint8_t { reset, nonneg, correction };

  static constexpr std::int32_t kWhole = 1000000000;  ///< what kept() is a part of

  /// The default for social counters: correction:0.5.
  Policy() = default;
  /// Takes the names above; anything else, or a THETA outside [0, 1] or with more than nine decimals, is 22023.
  static Policy parse(std::string_view text);

  /// The policy with that number of its kind and, for a correction, that kept() part; nothing if there is none such.
  static std::optional<Policy> stored(std::uint8_t kind, std::optional<std::uint64_t> kept);

  /// `reset`, `nonneg` or `correction:0.5`: equal policies have equal names.
  std::string name() const;

  Kind kind() const { return kind_; }
  /// The part of the old value, of kWhole, that must be left for a correction.
  std::int32_t kept() const { return kept_; }

  bool operator==(const Policy &) const = default;

 private:
  std::int32_t kept_ = kWhole / 2;
  Kind kind_ = Kind::correction;
};

enum class StepKind : std::uint8_t { same, increase, correction, reset };

/// From one sample of a counter to the next.
struct Step {
  Wide delta;
  StepKind kind;
};

/// Values up to here in magnitude can be judged exactly; larger ones are 22003.
constexpr Wide kLargestValue = Wide(1000000000000000) * 1000000000000;  // 1e27
inline void check_value(Wide value) {
  if (value > kLargestValue || value < -kLargestValue) throw Error("22003", "counter value out of range");
}

/// The increment between two neighbouring samples.
///
///     step(Policy(), 1000, 980) == Step{-20, StepKind::correction}
///     step(Policy(), 1000, 3)   == Step{3, StepKind::reset}
inline Step step(const Policy &policy, Wide before, Wide now) {
  check_value(before);
  check_value(now);
  if (now == before) return {0, StepKind::same};
  if (now > before) return {now - before, StepKind::increase};
  switch (policy.kind()) {
    case Policy::Kind::nonneg:
      return {0, StepKind::reset};
    case Policy::Kind::correction:
      if (now * Policy::kWhole >= before * policy.kept()) return {now - before, StepKind::correction};
      return {now, StepKind::reset};
    case Policy::Kind::reset:
      break;
  }
  return {now, StepKind::reset};
}

/// Turns samples in order of time into steps. Of several samples at one instant the last one given counts.
///
///     CounterFold fold{Policy()};
///     auto print = [](Instant at, Wide before, Wide now, const Step &step) { ... };
///     fold.add(t1, 10, print); fold.add(t2, 15, print); fold.finish(print);      // one step: t2, 5
class CounterFold {
 public:
  explicit CounterFold(const Policy &policy) : policy_(policy) {}

  /// The last value before the samples to come.
  void base(Wide value) {
    base_ = value;
    has_base_ = true;
  }

  template <class OnStep>
  void add(Instant at, Wide value, OnStep &&on_step) {
    if (has_sample_ && at != at_) settle(on_step);
    at_ = at;
    sample_ = value;
    has_sample_ = true;
  }

  template <class OnStep>
  void finish(OnStep &&on_step) {
    if (has_sample_) settle(on_step);
    has_sample_ = false;
  }

 private:
  template <class OnStep>
  void settle(OnStep &&on_step) {
    if (has_base_) on_step(at_, base_, sample_, step(policy_, base_, sample_));
    base(sample_);
  }

  Policy policy_;
  Wide base_ = 0, sample_ = 0;
  Instant at_ = 0;
  bool has_base_ = false, has_sample_ = false;
};

}  // namespace nexus::metrics
