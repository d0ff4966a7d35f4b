// Module load: magic block and settings.
#include "glue/guard.hpp"
#include "glue/hashtags_settings.hpp"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

namespace nexus::pg {
int max_occurrences = 100000;
}

void _PG_init(void) {
  DefineCustomIntVariable("nexus.max_occurrences", "Occurrences after which an expansion is an error.", nullptr,
                          &nexus::pg::max_occurrences, 100000, 1, 100000000, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  nexus::pg::define_hashtag_settings();
  MarkGUCPrefixReserved("nexus");
}
