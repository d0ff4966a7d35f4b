// The guard of content_metrics: engagement_rate is computed, never trusted, and what no later sum could stand is
// refused. Reads nothing but the row.
#include <array>
#include <string>

#include "core/metrics/totals.hpp"
#include "glue/datum.hpp"

extern "C" {
#include "commands/trigger.h"
#include "utils/numeric.h"
#include "utils/rel.h"
}

namespace nexus::pg {

namespace {

constexpr int kGuarded = metrics::kMetrics + 1;  // the eight counters, and impressions

const char *guarded_name(int index) {
  return index < metrics::kMetrics ? metrics::kMetricNames[static_cast<size_t>(index)] : "impressions";
}

/// Where the columns stand in the table; looked up once for a statement.
struct Columns {
  Oid relation;
  int numbers[kGuarded];
  Oid types[kGuarded];
  int captured_at, engagement_rate;
};

const Columns *columns_of(FunctionCallInfo fcinfo, Relation relation) {
  auto *known = static_cast<Columns *>(fcinfo->flinfo->fn_extra);
  if (known != nullptr && known->relation == RelationGetRelid(relation)) return known;
  return call([fcinfo, relation]() -> const Columns * {
    TupleDesc descriptor = RelationGetDescr(relation);
    auto number = [descriptor, relation](const char *name) {
      int found = SPI_fnumber(descriptor, name);
      if (found <= 0)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                        errmsg("table \"%s\" has no column \"%s\"", RelationGetRelationName(relation), name),
                        errhint("Deploy the migrations before attaching the tables.")));
      return found;
    };
    auto *made = static_cast<Columns *>(MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(Columns)));
    made->relation = RelationGetRelid(relation);
    for (int i = 0; i < kGuarded; ++i) {
      made->numbers[i] = number(guarded_name(i));
      made->types[i] = SPI_gettypeid(descriptor, made->numbers[i]);
    }
    made->captured_at = number("captured_at");
    made->engagement_rate = number("engagement_rate");
    fcinfo->flinfo->fn_extra = made;
    return made;
  });
}

}  // namespace

NEXUS_FUNCTION(nexus_validate_content_metrics) {
  if (!CALLED_AS_TRIGGER(fcinfo)) throw Error("39P01", "this function is called by a trigger only");
  auto *trigger = reinterpret_cast<TriggerData *>(fcinfo->context);
  if (!TRIGGER_FIRED_BEFORE(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
      TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
    throw Error("39P01", "this function is called BEFORE INSERT OR UPDATE, FOR EACH ROW");
  HeapTuple row = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
  Relation relation = trigger->tg_relation;
  const Columns *columns = columns_of(fcinfo, relation);

  struct Values {
    int64 counters[kGuarded];
    bool nulls[kGuarded];
    bool finite;
  };
  auto values = call([row, relation, columns] {
    Values read{};
    TupleDesc descriptor = RelationGetDescr(relation);
    for (int i = 0; i < kGuarded; ++i) {
      Datum value = heap_getattr(row, columns->numbers[i], descriptor, &read.nulls[i]);
      if (!read.nulls[i]) read.counters[i] = columns->types[i] == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);
    }
    bool null;
    Datum at = heap_getattr(row, columns->captured_at, descriptor, &null);
    read.finite = null || !TIMESTAMP_NOT_FINITE(DatumGetTimestamp(at));
    return read;
  });

  if (!values.finite) throw Error("22008", "captured_at must be finite");
  metrics::Totals totals;
  for (int i = 0; i < kGuarded; ++i) {
    if (values.nulls[i]) continue;
    if (values.counters[i] < 0) throw Error("23514", std::string(guarded_name(i)) + " must not be negative");
    if (i < metrics::kMetrics) totals.add(static_cast<metrics::Metric>(i), values.counters[i]);
  }
  auto rate = totals.engagement_percent_hundredths();
  HeapTuple guarded = call([&]() -> HeapTuple {
    bool null = !rate;
    Datum value = null ? Datum(0) : NumericGetDatum(int64_div_fast_to_numeric(*rate, 2));
    int number = columns->engagement_rate;
    return heap_modify_tuple_by_cols(row, RelationGetDescr(relation), 1, &number, &value, &null);
  });
  return PointerGetDatum(guarded);
}

}  // namespace nexus::pg
