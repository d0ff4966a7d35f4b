// Small functions that the schema and all engines share (sql/install/00-types.sql).
#include <string>
#include <unordered_set>

#include "glue/datum.hpp"

extern "C" {
#include "pgtime.h"
}

namespace nexus::pg {

namespace {

std::string folded(std::string_view name) {
  std::string lower(name);
  for (char &c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

/// The names of the tz database, folded. pg_tzset also takes POSIX strings such as XXX99YYY, so that a name is told by
/// enumeration only; that reads every zone (some 25 ms), once per backend.
const std::unordered_set<std::string> &zone_names() {
  static std::unordered_set<std::string> names;
  if (!names.empty()) return names;
  std::unordered_set<std::string> read;
  pg_tzenum *zones = call([] { return pg_tzenumerate_start(); });
  while (pg_tz *zone = call([zones] { return pg_tzenumerate_next(zones); }))
    read.insert(folded(pg_get_timezone_name(zone)));
  call([zones] { pg_tzenumerate_end(zones); });
  names = std::move(read);
  return names;
}

}  // namespace

NEXUS_FUNCTION(nexus_is_timezone) {
  PG_RETURN_BOOL(zone_names().contains(folded(text_arg(fcinfo, 0))));
}

}  // namespace nexus::pg
