#include "core/recurrence/zone.hpp"

#include <algorithm>

namespace nexus::recurrence {

namespace {
constexpr std::int64_t kDaySeconds = 86400;
}

const Zone::Offsets &WallClock::offsets(std::int64_t utc_seconds) {
  if (!any_known_ || utc_seconds < known_from_ || (known_.changes && utc_seconds >= known_.at)) {
    known_ = zone_->offsets(utc_seconds);
    known_from_ = utc_seconds;
    any_known_ = true;
    calm_from_ = (utc_seconds + kDaySeconds) * kSecond;
    calm_to_ = known_.changes ? (known_.at + std::min(known_.current, known_.next)) * kSecond : kMaxLocal + 1;
    calm_offset_ = known_.current * kSecond;
  }
  return known_;
}

WallClock::Resolved WallClock::resolve_near_change(LocalTime local) {
  if (zone_ == nullptr) return {local, local};
  std::int64_t seconds = floor_div(local, kSecond);
  // A day earlier is before any change that could concern this wall time, and after the one before that.
  const Zone::Offsets &known = offsets(seconds - kDaySeconds);
  if (!known.changes) return {local - known.current * kSecond, local};
  std::int64_t before = seconds - known.current, after = seconds - known.next;
  if (before < known.at) return {local - known.current * kSecond, local};
  if (after >= known.at) return {local - known.next * kSecond, local};
  return {local - known.current * kSecond, local + (known.next - known.current) * kSecond};
}

LocalTime WallClock::local(Instant instant) {
  if (zone_ == nullptr) return instant;
  return instant + offsets(floor_div(instant, kSecond)).current * kSecond;
}

/// Two days cover the longest jump, a whole day where a zone crossed the date line.
bool WallClock::changed_lately(Instant instant) {
  std::int64_t seconds = floor_div(instant, kSecond);
  const Zone::Offsets &known = offsets(seconds - 2 * kDaySeconds);
  return known.changes && known.at <= seconds;
}

LocalTime WallClock::earliest(Instant instant) {
  if (zone_ == nullptr) return instant;
  LocalTime at = local(instant);
  return changed_lately(instant) ? at - kDay : at;
}

LocalTime WallClock::latest(Instant instant) {
  if (zone_ == nullptr) return instant;
  LocalTime at = local(instant);
  return changed_lately(instant) ? at + kDay : at;
}

}  // namespace nexus::recurrence
