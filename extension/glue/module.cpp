// Module load: magic block and settings.
#include "glue/guard.hpp"
#include "glue/hashtags_settings.hpp"
#include "glue/settings.hpp"
#include "glue/worker.hpp"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

namespace nexus::pg {
int max_occurrences = 100000;
bool import_mode = false;
bool rrule_strict = false;
int metrics_clock_tolerance = 300;
}  // namespace nexus::pg

void _PG_init(void) {
  DefineCustomIntVariable("nexus.max_occurrences", "Occurrences after which an expansion is an error.", nullptr,
                          &nexus::pg::max_occurrences, 100000, 1, 100000000, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("nexus.import_mode", "New rows may come in any state and keep their own updated_at.",
                           "For seeding and backfill; whoever may set it is trusted.", &nexus::pg::import_mode, false,
                           PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("nexus.rrule_strict", "Refuse recurrence rules whose UNTIL has another form than DTSTART.",
                           nullptr, &nexus::pg::rrule_strict, false, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("nexus.metrics_clock_tolerance", "How far ahead of this server's clock a sample may be.",
                          nullptr, &nexus::pg::metrics_clock_tolerance, 300, 0, 86400, PGC_SUSET, GUC_UNIT_S, nullptr,
                          nullptr, nullptr);
  nexus::pg::define_hashtag_settings();
  nexus::pg::define_worker();
  MarkGUCPrefixReserved("nexus");
}
