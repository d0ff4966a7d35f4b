// Small functions that the schema and all engines share (sql/install/00-types.sql).
#include "core/recurrence/zone.hpp"

#include "glue/datum.hpp"
#include "glue/timezone.hpp"

namespace nexus::pg {

NEXUS_FUNCTION(nexus_is_timezone) {
  PG_RETURN_BOOL(find_timezone(text_arg(fcinfo, 0)) != nullptr);
}

}  // namespace nexus::pg
