// Small functions that the schema and all engines share (sql/install/00-types.sql).
#include "glue/datum.hpp"

extern "C" {
#include "pgtime.h"
}

namespace nexus::pg {

NEXUS_FUNCTION(nexus_is_timezone) {
  // pg_tzset also takes POSIX strings such as XXX99YYY; a name of the tz database is found by enumeration only.
  char *name = call([&] { return text_to_cstring(PG_GETARG_TEXT_PP(0)); });
  bool found = call([name]() -> bool {
    pg_tzenum *zones = pg_tzenumerate_start();
    bool hit = false;
    for (pg_tz *zone = pg_tzenumerate_next(zones); zone != nullptr && !hit; zone = pg_tzenumerate_next(zones))
      hit = pg_strcasecmp(pg_get_timezone_name(zone), name) == 0;
    pg_tzenumerate_end(zones);
    return hit;
  });
  PG_RETURN_BOOL(found);
}

}  // namespace nexus::pg
