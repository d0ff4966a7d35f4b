// Zones for tests: a table of changes instead of a tz database.
#pragma once

#include <utility>
#include <vector>

#include "core/recurrence/zone.hpp"

namespace nexus::test {

class TableZone final : public recurrence::Zone {
 public:
  /// `changes`: instants in UTC seconds, ascending, each with the offset from then on.
  TableZone(std::int64_t first, std::vector<std::pair<std::int64_t, std::int64_t>> changes)
      : first_(first), changes_(std::move(changes)) {}

  Offsets offsets(std::int64_t utc_seconds) const override {
    std::int64_t current = first_;
    for (const auto &[at, offset] : changes_) {
      if (at > utc_seconds) return {current, true, at, offset};
      current = offset;
    }
    return {current, false, 0, 0};
  }

 private:
  std::int64_t first_;
  std::vector<std::pair<std::int64_t, std::int64_t>> changes_;
};

inline std::int64_t utc(int year, int month, int day, int hour) {
  return recurrence::to_day(year, month, day) * 86400 + hour * 3600;
}

inline TableZone berlin_2026() {
  return {3600, {{utc(2025, 10, 26, 1), 3600}, {utc(2026, 3, 29, 1), 7200}, {utc(2026, 10, 25, 1), 3600}}};
}

/// Samoa went from one side of the date line to the other and had no December 30 in 2011.
inline TableZone apia_2011() {
  return {-10 * 3600, {{utc(2011, 12, 30, 10), 14 * 3600}}};
}

}  // namespace nexus::test
