// The server's time-zone rules in the form that core/metrics takes.
#pragma once

#include <string_view>

#include "core/metrics/zone.hpp"
#include "glue/guard.hpp"

namespace nexus::pg {

/// The rules of a zone that pg_timezone_names lists (in any case), read once per backend; 22023 for any other name,
/// POSIX strings included.
const metrics::ZoneRules &zone_rules(std::string_view name);

}  // namespace nexus::pg
