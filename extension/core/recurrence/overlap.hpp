#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
// When two schedules whose occurrences last for a while are in each other's way.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "core/recurrence/occurrences.hpp"

namespace nexus::recurrence {

/// A schedule whose occurrences take `duration` microseconds each: from the instant on, the end not included. One of
/// duration 0 overlaps what is under way at its instant.
struct TimedSchedule {
  const Schedule *schedule;
  const Zone *zone;
  std::int64_t duration;
};

/// One overlap: an occurrence of each, and the time that they share.
struct Overlap {
  Instant first, second;  // starts of the occurrences of the two schedules
  Instant begin, end;
};

/// The overlaps that begin between two instants (both included), in order. Where one schedule pauses for long, the
/// other is not walked through the pause.
///
///     Overlaps overlaps(standup, lunch, from, to, 100000, interrupt);
///     while (std::optional<Overlap> overlap = overlaps.next()) ...
class Overlaps {
 public:
  /// `limit`: more occurrences than that under way at once, or excluded in a row, are NX011.
  Overlaps(TimedSchedule first, TimedSchedule second, Instant from, Instant to, std::int64_t limit,
           Interrupt interrupt);

  std::optional<Overlap> next();

 private:
  struct Side {
    TimedSchedule timed;
    std::unique_ptr<Occurrences> set;
    std::optional<Instant> ahead;
    std::deque<Instant> running;  // started, and not known to have ended
  };
  void open(Side &side, Instant from);
  bool start_next();

  Side sides_[2];
  Instant from_, to_;
  std::int64_t limit_;
  Interrupt interrupt_;
  // The occurrence that started last, and how many of the other side's running ones it has been paired with.
  int started_ = 0;
  Instant start_ = 0;
  std::size_t paired_ = 0, partners_ = 0;
  int idle_ = 0;  // starts in a row that met nothing
};

}  // namespace nexus::recurrence
