#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics/counter.hpp"
#include "core/metrics/totals.hpp"

namespace nexus::metrics {

/// The counters of one sample or of one moment: those whose bit is set in `known`.
struct Values {
  std::array<std::int64_t, kMetrics> value{};
  std::uint8_t known = 0;

  bool knows(std::size_t metric) const { return known >> metric & 1; }
  void set(std::size_t metric, std::int64_t to) {
    value[metric] = to;
    known |= static_cast<std::uint8_t>(1U << metric);
  }
  void forget(std::size_t metric) {
    value[metric] = 0;
    known &= static_cast<std::uint8_t>(~(1U << metric));
  }
  /// Takes over what `later` knows.
  void update(const Values &later) {
    for (std::size_t i = 0; i < kMetrics; ++i)
      if (later.knows(i)) set(i, later.value[i]);
  }
  bool operator==(const Values &) const = default;

  std::string encode() const;
  static Values decode(std::string_view bytes);
};

/// A sum of increments that rows can be added to and taken from: what an account gained in a day or an hour of the
/// week. Each sum knows how many series gave to it, so that "unknown" comes back when the last one is taken out.
struct Cell {
  std::int64_t samples = 0;
  std::array<Wide, kMetrics> sums{};
  std::array<std::int64_t, kMetrics> counts{};
  Wide engagements = 0, denominator = 0;  // of the series whose denominator is known
  std::int64_t rated = 0;                 // how many of them gave engagements

  void add(const Cell &other, int sign = 1);
  bool knows(Metric metric) const { return counts[static_cast<std::size_t>(metric)] != 0; }
  std::optional<Wide> total(Metric metric) const {
    if (!knows(metric)) return std::nullopt;
    return sums[static_cast<std::size_t>(metric)];
  }
  /// Engagements over the denominator; nothing where no series gave engagements or the denominator is not above 0.
  std::optional<double> engagement_rate() const;
  bool operator==(const Cell &) const = default;

  std::string encode() const;
  static Cell decode(std::string_view bytes);
};

/// What one series (the samples of one content on one platform) did in one local day: for each counter its first and
/// last value, what it stood at before the day (the base), and the steps between, by local hour. Increments follow
/// from that alone, so a late sample costs its own day, and the base of the next day that knows the counter.
///
///     DayState day; day.rebase(before);
///     day.append(hour, 1, values); ...           // in order of time, one call for each instant
///     day.increments().total(Metric::views)
class DayState {
 public:
  struct Hour {
    std::uint8_t hour = 0;     // 0 to 23, on the wall
    std::uint8_t seen = 0;     // counters known in it
    std::uint8_t stepped = 0;  // counters with a step inside the day that ends in it
    std::uint32_t samples = 0;
    std::array<Wide, kMetrics> steps{};
    bool operator==(const Hour &) const = default;
  };

  /// The next instant of the day; `rows` is how many samples were merged into it.
  void append(int hour, std::uint32_t rows, const Values &values);
  /// Sets what counters this day knows stood at before it; the others are left out.
  void rebase(const Values &before);
  void rebase(std::size_t metric, bool known, std::int64_t value);

  bool empty() const { return hours_.empty(); }
  bool knows(std::size_t metric) const { return first_.knows(metric); }
  const Values &base() const { return base_; }
  const Values &first() const { return first_; }
  const Values &last() const { return last_; }
  const std::vector<Hour> &hours() const { return hours_; }

  /// What the day gained.
  Cell cell() const;
  /// What its part in hours()[index] gained.
  Cell hour_cell(std::size_t index) const;

  bool operator==(const DayState &) const = default;

  std::string encode() const;
  static DayState decode(std::string_view bytes);
  /// decode(bytes).cell(), without making the state.
  static Cell decode_cell(std::string_view bytes);

  /// What a counter of the day stood at.
  struct Ends {
    bool based = false;  // it was known before the day
    std::int64_t before = 0, first = 0, last = 0;
    /// The increment of the day, but for resets.
    Wide difference() const { return Wide(last) - (based ? before : first); }
  };
  /// Nothing where the day does not know the counter. Cheaper than decode().
  static std::optional<Ends> decode_ends(std::string_view bytes, Metric metric);
  /// True if a counter was reset in the day; `gained` is cell(). Over days without, it has gained what it stood at
  /// after the last one less what it stood at before the first.
  bool resets(const Cell &gained) const;

 private:
  void add_hour(Cell &cell, std::size_t index) const;

  std::vector<Hour> hours_;  // in order of appearance
  Values base_, first_, last_;
};

/// Sets engagements, denominator and rated of a cell that holds the increments of one series: engagements are likes +
/// comments + shares + saves gained, measured by reach gained, or by views gained where reach is unknown.
void rate_cell(Cell &cell);

/// Puts samples of one series, in order of time and arrival, into instants: of several samples at one instant the last
/// known value of each counter counts.
class Instants {
 public:
  /// Calls on_instant(at, rows, values) for the instant before, if `at` is another one.
  template <class OnInstant>
  void add(Instant at, const Values &values, OnInstant &&on_instant) {
    if (rows_ > 0 && at != at_) finish(on_instant);
    at_ = at;
    values_.update(values);
    ++rows_;
  }
  template <class OnInstant>
  void finish(OnInstant &&on_instant) {
    if (rows_ == 0) return;
    on_instant(at_, rows_, values_);
    rows_ = 0;
    values_ = {};
  }

 private:
  Instant at_ = 0;
  std::uint32_t rows_ = 0;
  Values values_;
};

}  // namespace nexus::metrics
