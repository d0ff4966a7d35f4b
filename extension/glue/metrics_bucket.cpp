// local_bucket and local_bucket_end.
#include "core/metrics/bucket.hpp"

#include "glue/datum.hpp"
#include "glue/metrics_zone.hpp"

namespace nexus::pg {

using metrics::Buckets;

namespace {

/// What one call leaves to the next of the same expression: the parsed unit and zone, and the bucket last found. The
/// texts are compared as the server holds them, which takes no conversion.
struct BucketCall {
  Buckets buckets;
  int unit_size, zone_size;
  char unit[16], zone[TZ_STRLEN_MAX + 1];
};

std::string_view raw_text(Datum value) {
  auto *packed = reinterpret_cast<struct varlena *>(DatumGetPointer(value));
  if (VARATT_IS_COMPRESSED(packed) || VARATT_IS_EXTERNAL(packed))
    packed = call([packed] { return pg_detoast_datum_packed(packed); });
  return {VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed)};
}

bool same(std::string_view text, const char *kept, int size) {
  return text.size() == static_cast<size_t>(size) && std::memcmp(text.data(), kept, text.size()) == 0;
}

Buckets &buckets_of_call(FunctionCallInfo fcinfo) {
  std::string_view unit = raw_text(fcinfo->args[0].value), zone = raw_text(fcinfo->args[2].value);
  auto *kept = static_cast<BucketCall *>(fcinfo->flinfo->fn_extra);
  if (kept != nullptr && same(unit, kept->unit, kept->unit_size) && same(zone, kept->zone, kept->zone_size))
    return kept->buckets;
  metrics::Unit parsed = metrics::parse_unit(text_arg(fcinfo, 0));
  const metrics::ZoneRules &rules = zone_rules(text_arg(fcinfo, 2));
  if (kept == nullptr) {
    void *memory = MemoryContextAllocExtended(fcinfo->flinfo->fn_mcxt, sizeof(BucketCall), MCXT_ALLOC_NO_OOM);
    if (memory == nullptr) throw std::bad_alloc();
    kept = ::new (memory) BucketCall{Buckets(parsed, rules), 0, 0, {}, {}};
    fcinfo->flinfo->fn_extra = kept;
  } else {
    kept->buckets = Buckets(parsed, rules);
  }
  // A known unit and a known zone are short.
  kept->unit_size = static_cast<int>(unit.copy(kept->unit, sizeof(kept->unit)));
  kept->zone_size = static_cast<int>(zone.copy(kept->zone, sizeof(kept->zone)));
  return kept->buckets;
}

void check_range(TimestampTz value) {
  if (!IS_VALID_TIMESTAMP(value)) throw Error("22008", "timestamp out of range");
}

}  // namespace

NEXUS_FUNCTION(nexus_local_bucket) {
  Buckets &buckets = buckets_of_call(fcinfo);
  TimestampTz instant = PG_GETARG_TIMESTAMPTZ(1);
  if (TIMESTAMP_NOT_FINITE(instant)) PG_RETURN_TIMESTAMPTZ(instant);
  TimestampTz start = buckets.at(instant).start;
  check_range(start);
  PG_RETURN_TIMESTAMPTZ(start);
}

NEXUS_FUNCTION(nexus_local_bucket_end) {
  Buckets &buckets = buckets_of_call(fcinfo);
  TimestampTz instant = PG_GETARG_TIMESTAMPTZ(1);
  if (TIMESTAMP_NOT_FINITE(instant)) PG_RETURN_TIMESTAMPTZ(instant);
  TimestampTz end = buckets.at(instant).end;
  check_range(end);
  PG_RETURN_TIMESTAMPTZ(end);
}

}  // namespace nexus::pg
