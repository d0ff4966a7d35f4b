#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
// Wall time of a zone <-> instants, on rules that somebody else keeps.
#pragma once

#include <cstdint>

#include "core/recurrence/civil.hpp"

namespace nexus::recurrence {

/// The rules of a time zone. The glue implements it with the server's pg_tz, tests with a table.
class Zone {
 public:
  /// The offset in force at an instant and the first change after it; times and offsets (east of UTC) in seconds.
  struct Offsets {
    std::int64_t current;
    bool changes;       // false: `current` is in force for good, the rest means nothing
    std::int64_t at;    // the instant of the change
    std::int64_t next;  // the offset from then on
  };
  virtual ~Zone() = default;
  /// May throw for instants that the zone's rules do not cover.
  virtual Offsets offsets(std::int64_t utc_seconds) const = 0;
};

/// Converts between wall time and instants as RFC 5545 3.3.5 reads them: a time that the clock skips is read with the
/// offset before the gap, so it moves forward; a time that the clock shows twice is the first of the two. (SQL's AT
/// TIME ZONE takes the second.) Without a zone the wall clock is UTC.
///
///     WallClock clock(&new_york);
///     clock.resolve(local(2026, 3, 8, 2, 30)).wall;     // 03:30: that night there is no 02:30
class WallClock {
 public:
  explicit WallClock(const Zone *zone) : zone_(zone) {
    if (zone == nullptr) calm_to_ = kMaxLocal + 1;
  }

  struct Resolved {
    Instant instant;
    LocalTime wall;  // what the clock shows at `instant`; later than what was asked for in a gap
  };
  Resolved resolve(LocalTime local) {
    if (local >= calm_from_ && local < calm_to_) return {local - calm_offset_, local};
    return resolve_near_change(local);
  }

  /// What the clock shows at an instant.
  LocalTime local(Instant instant);

  /// Bounds for searches in wall time: no time before earliest(t) resolves to t or later, none after latest(t)
  /// resolves to t or earlier. Near a change of offset they lie a day off, elsewhere they are exact.
  LocalTime earliest(Instant instant);
  LocalTime latest(Instant instant);

 private:
  Resolved resolve_near_change(LocalTime local);
  const Zone::Offsets &offsets(std::int64_t utc_seconds);
  bool changed_lately(Instant instant);

  const Zone *zone_;
  // The answer for every instant from known_from_ up to the change: inside it a conversion is one subtraction.
  Zone::Offsets known_{};
  std::int64_t known_from_ = 1;
  bool any_known_ = false;
  // Wall times of that stretch that no change is near to.
  LocalTime calm_from_ = kMinLocal, calm_to_ = kMinLocal;
  std::int64_t calm_offset_ = 0;
};

}  // namespace nexus::recurrence
