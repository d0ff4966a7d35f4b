#include "glue/metrics_samples.hpp"

#include <unordered_map>

#include "glue/datum.hpp"

extern "C" {
#include "utils/portal.h"
}

namespace nexus::pg {

SPIPlanPtr kept_plan(const std::string &statement, std::span<const Oid> parameters) {
  static std::unordered_map<std::string, SPIPlanPtr> plans;  // a handful: one set for each schema ever attached
  if (auto known = plans.find(statement); known != plans.end()) return known->second;
  const char *text = statement.c_str();
  SPIPlanPtr plan = call([text, parameters] {
    SPIPlanPtr made =
        SPI_prepare(text, static_cast<int>(parameters.size()), const_cast<Oid *>(parameters.data()));  // only read
    if (made == nullptr) elog(ERROR, "SPI_prepare: %s", SPI_result_code_string(SPI_result));
    if (SPI_keepplan(made) != 0) elog(ERROR, "SPI_keepplan failed");
    return made;
  });
  plans.emplace(statement, plan);
  return plan;
}

std::string attached_schema() {
  SPIPlanPtr plan = kept_plan("SELECT pg_catalog.quote_ident(nexus.attached_schema())", {});
  return call([plan]() -> const char * {
    if (SPI_execute_plan(plan, nullptr, nullptr, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
      elog(ERROR, "the attached schema cannot be read");
    return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
  });
}

std::string counters_of(const std::string &table_dot) {
  std::string columns;
  for (const char *name : metrics::kMetricNames) columns += ", " + table_dot + name + "::bigint";
  return columns;
}

std::string last_counters(const std::string &table, const std::string &series) {
  std::string columns;
  for (const char *name : metrics::kMetricNames)
    columns += std::string(", (SELECT b.") + name + "::bigint FROM " + table + " b WHERE b.content_id = " + series +
               ".content_id AND b.platform = " + series + ".platform AND b.captured_at < $2 AND b." + name +
               " IS NOT NULL ORDER BY b.captured_at DESC, b.id DESC LIMIT 1)";
  return columns;
}

Snapshot read_snapshot(HeapTuple row, TupleDesc descriptor) {
  return call([row, descriptor] {
    Snapshot read{};
    bool null;
    text *platform = DatumGetTextPP(heap_getattr(row, 1, descriptor, &null));
    read.platform = {VARDATA_ANY(platform), VARSIZE_ANY_EXHDR(platform)};
    read.at = DatumGetTimestamp(heap_getattr(row, 2, descriptor, &read.before_window));
    read.content_id = DatumGetInt32(heap_getattr(row, 4, descriptor, &null));
    for (int i = 0; i < metrics::kMetrics; ++i) {
      Datum value = heap_getattr(row, i + 5, descriptor, &read.nulls[i]);
      if (!read.nulls[i]) read.values[i] = DatumGetInt64(value);
    }
    return read;
  });
}

}  // namespace nexus::pg
