// Time zones by name, and their rules for the core: one tz database for server and extension.
#pragma once

#include <string_view>

#include "core/recurrence/zone.hpp"
#include "glue/guard.hpp"

extern "C" {
#include "pgtime.h"
}

namespace nexus::pg {

/// The zone of that name (in any case) in pg_timezone_names, or null. POSIX strings such as XXX99YYY, which AT TIME
/// ZONE takes for a zone, are not names.
pg_tz *find_timezone(std::string_view name);

/// As above; 22023 for anything else.
pg_tz *require_timezone(std::string_view name);

/// The rules of a pg_tz; null is UTC, which needs none.
class ServerZone final : public recurrence::Zone {
 public:
  explicit ServerZone(pg_tz *zone) : zone_(zone) {}
  Offsets offsets(std::int64_t utc_seconds) const override;

 private:
  pg_tz *zone_;
};

}  // namespace nexus::pg
