#include "glue/timezone.hpp"

#include <algorithm>
#include <string>

namespace nexus::pg {

namespace {

struct ZoneNames {
  char **names;
  int count;
};

int compare_names(const void *a, const void *b) {
  return pg_strcasecmp(*static_cast<char *const *>(a), *static_cast<char *const *>(b));
}

/// Reads the whole tz database, some 30 ms: once in a backend, and only for names that could be POSIX strings.
ZoneNames load_names() {
  return call([]() -> ZoneNames {
    MemoryContext context = AllocSetContextCreate(TopMemoryContext, "nexus time zone names", ALLOCSET_SMALL_SIZES);
    int size = 1024;
    ZoneNames all{static_cast<char **>(MemoryContextAlloc(context, sizeof(char *) * static_cast<size_t>(size))), 0};
    pg_tzenum *zones = pg_tzenumerate_start();
    for (pg_tz *zone = pg_tzenumerate_next(zones); zone != nullptr; zone = pg_tzenumerate_next(zones)) {
      if (all.count == size) {
        size *= 2;
        all.names = static_cast<char **>(repalloc(all.names, sizeof(char *) * static_cast<size_t>(size)));
      }
      all.names[all.count++] = MemoryContextStrdup(context, pg_get_timezone_name(zone));
    }
    pg_tzenumerate_end(zones);
    qsort(all.names, static_cast<size_t>(all.count), sizeof(char *), compare_names);
    return all;
  });
}

}  // namespace

pg_tz *find_timezone(std::string_view name) {
  if (name.empty() || name.size() > TZ_STRLEN_MAX || name.find('\0') != std::string_view::npos) return nullptr;
  char text[TZ_STRLEN_MAX + 1];
  name.copy(text, name.size());
  text[name.size()] = '\0';
  pg_tz *zone = call([&text] { return pg_tzset(text); });
  if (zone == nullptr || !pg_tz_acceptable(zone)) return nullptr;
  // A POSIX string has an offset in it, so a name without digits has been found as a file.
  if (name.find_first_of("0123456789") == std::string_view::npos) return zone;
  static ZoneNames known = load_names();
  const char *key = text;
  bool found = bsearch(&key, known.names, static_cast<size_t>(known.count), sizeof(char *), compare_names) != nullptr;
  return found ? zone : nullptr;
}

pg_tz *require_timezone(std::string_view name) {
  pg_tz *zone = find_timezone(name);
  if (zone == nullptr)
    throw Error("22023", "tz: time zone \"" + std::string(name.substr(0, 64)) + "\" is not known")
        .hint("Use a name of pg_timezone_names, such as America/New_York.");
  return zone;
}

recurrence::Zone::Offsets ServerZone::offsets(std::int64_t utc_seconds) const {
  pg_time_t from = utc_seconds, at = 0;
  long before = 0, after = 0;
  int before_is_dst = 0, after_is_dst = 0;
  int found = pg_next_dst_boundary(&from, &before, &before_is_dst, &at, &after, &after_is_dst, zone_);
  if (found < 0) throw Error("22008", "a time is out of the range of its time zone");
  return {before, found > 0, at, after};
}

}  // namespace nexus::pg
