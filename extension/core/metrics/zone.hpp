#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <vector>

namespace nexus::metrics {

/// Seconds since 2000-01-01 00:00, on the UTC clock (an instant) or on a wall (local). PostgreSQL's epoch.
using Seconds = std::int64_t;
constexpr Seconds kForever = INT64_MAX;

/// From `at` on, clocks show UTC plus `offset` seconds.
struct Transition {
  Seconds at;
  std::int32_t offset;
};

/// A stretch of time with one offset: instants in [start, end).
struct Era {
  Seconds start, end;
  std::int32_t offset;

  bool holds(Seconds instant) const { return instant >= start && instant < end; }
};

/// The rules of one time zone as a table. The core reads no tz database: the host hands the table over (the extension
/// takes it from the server's own pg_tz, tests write it down).
///
///     ZoneRules berlin(3600, {{from, 7200}, {to, 3600}});
///     berlin.era_at(from).offset == 7200
class ZoneRules {
 public:
  /// `offset` holds before the first transition; transitions ascend. Those that change nothing (only a name or a flag)
  /// are dropped, so that an Era ends only where clocks jump. `horizon`: up to there the table is complete, and what
  /// comes later repeats the 400 years before it, as the calendar does; kForever: the last offset stays.
  ZoneRules(std::int32_t offset, const std::vector<Transition> &transitions, Seconds horizon = kForever);

  Era era_at(Seconds instant) const;

  /// The first instant at which the wall shows `local` or more: the first of two readings where an hour is repeated,
  /// the jump itself where `local` is skipped.
  Seconds first_instant(Seconds local) const;

 private:
  std::vector<Era> eras_;
  Seconds horizon_;
};

}  // namespace nexus::metrics
