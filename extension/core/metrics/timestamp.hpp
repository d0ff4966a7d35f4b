#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <optional>
#include <string_view>

#include "core/metrics/bucket.hpp"

namespace nexus::metrics {

/// An RFC 3339 date and time, years 1 to 9999: `2025-03-08T09:41:42.5Z`. A blank may stand for the T, seconds and their
/// fraction may be left out, an offset is applied, and without one the time is UTC (what the application's timestamp
/// columns mean). Digits after the sixth are rounded. Nothing for any other text.
///
///     parse_timestamp("2026-03-08T10:00:00+02:00") == parse_timestamp("2026-03-08 08:00")
std::optional<Instant> parse_timestamp(std::string_view text);

}  // namespace nexus::metrics
