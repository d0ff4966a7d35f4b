#include "glue/hashtags_settings.hpp"

#include "glue/guard.hpp"

extern "C" {
#include "utils/datetime.h"
}

namespace nexus::pg {

int hashtag_min_authors = 3;
int hashtag_max_postings = 50000;
int hashtag_max_unfolded = 50000;
int hashtag_cache_size = 65536;
double hashtag_diversity = 0.05;

namespace {

char *as_of = nullptr;

// What timestamptz_in takes, but not the words whose meaning moves with the clock.
bool check_as_of(char **value, void **, GucSource) {
  if (*value == nullptr || **value == '\0') return true;
  for (const char *word : {"now", "today", "tomorrow", "yesterday"})
    if (pg_strcasecmp(*value, word) == 0) {
      GUC_check_errdetail("It must be empty or a fixed timestamp with time zone.");
      return false;
    }
  char work[MAXDATELEN + 1];
  char *fields[MAXDATEFIELDS];
  int types[MAXDATEFIELDS], count, kind, tz;
  struct pg_tm tm;
  fsec_t fraction;
  if (ParseDateTime(*value, work, sizeof(work), fields, types, MAXDATEFIELDS, &count) != 0 ||
      DecodeDateTime(fields, types, count, &kind, &tm, &fraction, &tz) != 0 || kind != DTK_DATE) {
    GUC_check_errdetail("It must be empty or a fixed timestamp with time zone.");
    return false;
  }
  return true;
}

}  // namespace

void define_hashtag_settings() {
  DefineCustomIntVariable("nexus.hashtag_min_authors", "Authors that must have used a hashtag before others see it.",
                          nullptr, &hashtag_min_authors, 3, 1, 1000000, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("nexus.hashtag_max_postings", "Posts that one suggestion looks at, rare words first.",
                          nullptr, &hashtag_max_postings, 50000, 1000, 10000000, PGC_SUSET, 0, nullptr, nullptr,
                          nullptr);
  DefineCustomIntVariable("nexus.hashtag_max_unfolded",
                          "Learned posts that may wait for a fold before suggestions are refused.", nullptr,
                          &hashtag_max_unfolded, 50000, 0, 10000000, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("nexus.hashtag_cache_size", "Memory that a backend keeps of the hashtag model.", nullptr,
                          &hashtag_cache_size, 65536, 1024, 4194304, PGC_SUSET, GUC_UNIT_KB, nullptr, nullptr, nullptr);
  DefineCustomRealVariable("nexus.hashtag_diversity",
                           "How much hashtags of the same posts stand in each other's way in a list.", nullptr,
                           &hashtag_diversity, hashtag_diversity, 0, 1, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("nexus.as_of", "The time at which trends and ages are measured; empty for now.", nullptr,
                             &as_of, "", PGC_USERSET, 0, check_as_of, nullptr, nullptr);
}

std::int64_t hashtag_as_of() {
  if (as_of == nullptr || *as_of == '\0') return call([] { return GetCurrentTransactionStartTimestamp(); });
  return call([]() -> TimestampTz {
    return DatumGetTimestampTz(
        DirectFunctionCall3(timestamptz_in, CStringGetDatum(as_of), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
  });
}

}  // namespace nexus::pg
