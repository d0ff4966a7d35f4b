#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>

#include "core/metrics/bucket.hpp"
#include "core/metrics/calendar.hpp"

namespace nexus::metrics {

/// The local days of one zone by number: days since 2000-01-01, PostgreSQL's date.
///
///     LocalDays days(havana);
///     auto when = days.at(noon);            // when.day, when.hour on the wall
///     days.start(when.day) <= noon && noon < days.start(when.day + 1)
///
/// Remembers the last answer. Not thread-safe.
class LocalDays {
 public:
  struct When {
    std::int32_t day;
    int hour;
  };

  /// `rules` must outlive this object.
  explicit LocalDays(const ZoneRules &rules) : rules_(&rules), buckets_(Unit::day, rules) {}

  When at(Instant instant) {
    if (instant < from_ || instant >= to_) find(instant);
    Seconds seconds = floor_div(instant, kMicro);
    if (!era_.holds(seconds)) era_ = rules_->era_at(seconds);
    return {day_, static_cast<int>(floor_mod(seconds + era_.offset, kDay) / 3600)};
  }

  /// The first instant of that day.
  Instant start(std::int32_t day) const { return rules_->first_instant(std::int64_t{day} * kDay) * kMicro; }

  /// 0 for a Sunday.
  static int day_of_week(std::int32_t day) { return static_cast<int>(floor_mod(std::int64_t{day} + 6, 7)); }

 private:
  static constexpr std::int64_t kMicro = 1000000;
  static constexpr Seconds kDay = 86400;

  void find(Instant instant) {
    Buckets::Bucket bucket = buckets_.at(instant);
    Seconds start = floor_div(bucket.start, kMicro);
    day_ = static_cast<std::int32_t>(floor_div(start + rules_->era_at(start).offset, kDay));
    from_ = bucket.start;
    to_ = bucket.end;
  }

  const ZoneRules *rules_;
  Buckets buckets_;
  Era era_{1, 0, 0};  // holds nothing yet
  std::int32_t day_ = 0;
  Instant from_ = 0, to_ = 0;
};

}  // namespace nexus::metrics
