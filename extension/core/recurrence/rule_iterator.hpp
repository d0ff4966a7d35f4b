#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
// The wall times of one rule in order, from any point, forwards or backwards.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/recurrence/periods.hpp"

namespace nexus::recurrence {

/// Walks the instances of a rule: those of its periods that are not before DTSTART, as many as COUNT allows, up to an
/// end that the caller derives from UNTIL (what UNTIL means depends on the zone). Reaching a point costs the same
/// wherever it lies, except that COUNT over periods of unequal size is counted period by period up to there.
///
///     RuleIterator iterator(rule, dtstart, kMaxLocal, interrupt);
///     iterator.seek(to_day(2026, 6, 1) * kDay);
///     for (int i = 0; i < 10; ++i) std::optional<LocalTime> time = iterator.next();
class RuleIterator {
 public:
  /// `end` is the last wall time that may be returned. The rule must outlive the iterator.
  RuleIterator(const Rule &rule, LocalTime dtstart, LocalTime end, Interrupt interrupt);

  /// Makes next() go on with the first instance at or after `from`.
  void seek(LocalTime from);

  /// The next instance, nullopt when there is none.
  std::optional<LocalTime> next() {
    if (read_ < buffered_) return buffer_[read_++];
    return refill();
  }

  /// The last instance at or before `to`; next() then needs a new seek().
  std::optional<LocalTime> last(LocalTime to);

 private:
  std::optional<LocalTime> refill();
  bool load_next_period(std::int64_t run = 1);
  std::size_t count_before(std::int64_t target);

  const Rule &rule_;
  Periods periods_;
  Interrupt interrupt_;
  LocalTime dtstart_, end_;
  std::int64_t last_period_ = 0;  // later ones begin after end_
  std::int64_t period_ = 0;
  // Periods, and instances, to compute at once: one for a next occurrence, more for a long list.
  static constexpr std::size_t kLongestRun = 128;
  std::size_t run_ = 1;
  std::array<LocalTime, kLongestRun> buffer_;
  std::size_t read_ = 0, buffered_ = 0;
  std::size_t position_ = 0;
  std::int64_t counted_through_ = -1;  // COUNT does not end before the end of this period
  bool started_ = false, finished_ = false;
  bool count_applied_ = false;  // COUNT has been turned into an earlier end_
  std::int64_t remaining_ = 0;  // of COUNT, while walking from DTSTART
  LocalTime from_;              // next() returns nothing earlier
  LocalTime previous_;          // the last instance seen: SKIP=FORWARD can repeat a day
};

}  // namespace nexus::recurrence
