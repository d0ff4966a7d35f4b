#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <string_view>

#include "core/metrics/zone.hpp"

namespace nexus::metrics {

/// Microseconds since 2000-01-01 00:00 UTC: PostgreSQL's timestamptz.
using Instant = std::int64_t;

enum class Unit : std::uint8_t { hour, day, week, month };

/// The unit of that name, in any case; 22023 for any other.
Unit parse_unit(std::string_view name);

/// The local hours, days, weeks (from Monday) or months of one zone.
///
/// A bucket starts at the first instant of its local day (the first of two midnights, the jump where midnight is
/// skipped) and ends where the next one starts. Hours are real: the two hours that share a name are two buckets, and
/// where clocks jump inside an hour a bucket starts at the jump.
///
///     Buckets days(Unit::day, havana);
///     Bucket b = days.at(noon);            // b.start <= noon < b.end
///
/// Remembers the last answer, because rows come in order of time more often than not. Not thread-safe.
class Buckets {
 public:
  struct Bucket {
    Instant start, end;
  };

  /// `rules` must outlive this object.
  Buckets(Unit unit, const ZoneRules &rules) : unit_(unit), rules_(&rules) {}

  /// 22008 where a bucket would start or end outside the 64-bit range.
  Bucket at(Instant instant) {
    if (instant >= valid_from_ && instant < valid_to_) return last_;
    return find(instant);
  }

 private:
  Bucket find(Instant instant);

  Unit unit_;
  const ZoneRules *rules_;
  Bucket last_{};
  Instant valid_from_ = 0, valid_to_ = 0;  // the instants for which last_ is the answer
};

}  // namespace nexus::metrics
