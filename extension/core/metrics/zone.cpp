#include "core/metrics/zone.hpp"

#include <algorithm>

namespace nexus::metrics {

namespace {

constexpr Seconds kDay = 86400;
constexpr Seconds kCycle = 146097 * kDay;  // 400 Gregorian years, a whole number of weeks

}  // namespace

ZoneRules::ZoneRules(std::int32_t offset, const std::vector<Transition> &transitions, Seconds horizon)
    : horizon_(horizon) {
  eras_.push_back({INT64_MIN, kForever, offset});
  for (const Transition &next : transitions) {
    if (next.offset == eras_.back().offset) continue;
    eras_.back().end = next.at;
    eras_.push_back({next.at, kForever, next.offset});
  }
  if (eras_.size() == 1) horizon_ = kForever;
}

Era ZoneRules::era_at(Seconds instant) const {
  Seconds shift = 0;
  if (instant >= horizon_) shift = ((instant - horizon_) / kCycle + 1) * kCycle;
  Seconds within = instant - shift;
  auto after =
      std::upper_bound(eras_.begin(), eras_.end(), within, [](Seconds at, const Era &era) { return at < era.start; });
  Era era = *std::prev(after);
  if (shift != 0) {
    era.start += shift;
    if (era.end != kForever) era.end += shift;
  }
  return era;
}

Seconds ZoneRules::first_instant(Seconds local) const {
  // Offsets are below a day, so the instant before which the wall cannot show `local` is a day earlier.
  Era era = era_at(local - kDay);
  for (;;) {
    Seconds reading = local - era.offset;
    if (reading < era.end) return std::max(reading, era.start);
    era = era_at(era.end);
  }
}

}  // namespace nexus::metrics
