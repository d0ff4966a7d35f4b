// updated_at: set by the database, moves with every change and only then. The trigger's arguments are columns that are
// no part of it: marks that background work leaves.
#include <cstring>

#include "glue/settings.hpp"
#include "glue/trigger.hpp"

extern "C" {
#include "access/xact.h"
}

namespace nexus::pg {

namespace {

bool is_mark(const RowTrigger &row, const char *column) {
  for (int i = 0; i < row.argument_count(); ++i)
    if (std::strcmp(row.argument(i), column) == 0) return true;
  return false;
}

/// Whether the statement sets marks and nothing else: then no column needs to be compared.
bool sets_marks_only(const RowTrigger &row) {
  int marks = 0;
  for (int i = 0; i < row.argument_count(); ++i) {
    int column = row.find_column(row.argument(i));
    if (column > 0 && row.names(column)) ++marks;
  }
  return marks > 0 && marks == row.named_count();
}

}  // namespace

NEXUS_FUNCTION(nexus_updated_at_trigger) {
  RowTrigger row(fcinfo);
  int updated_at = row.column("updated_at");
  // A timestamp that means UTC and a timestamptz are the same number.
  if (row.is_insert()) {
    auto given = row.now(updated_at);
    Datum start = TimestampGetDatum(call([] { return GetCurrentTransactionStartTimestamp(); }));
    if (!given || (*given != start && !import_mode)) row.set(updated_at, start);  // the column's default has set most
    return row.result();
  }
  if (sets_marks_only(row)) return row.result();
  TupleDesc descriptor = RelationGetDescr(row.relation());
  bool changed = false;
  for (int column = 1; column <= descriptor->natts && !changed; ++column) {
    Form_pg_attribute attribute = TupleDescAttr(descriptor, column - 1);
    if (attribute->attisdropped || attribute->attgenerated != '\0' || column == updated_at) continue;
    changed = row.changes(column) && !is_mark(row, NameStr(attribute->attname));
  }
  auto before = row.before(updated_at);
  if (!changed) {
    if (row.changes(updated_at) && !import_mode) row.set(updated_at, before);
    return row.result();
  }
  if (import_mode && row.changes(updated_at)) return row.result();
  // The clock, not the transaction's start: two changes in one transaction are two moves.
  Timestamp now = call([] { return GetCurrentTimestamp(); });
  if (before && DatumGetTimestamp(*before) == now) ++now;
  row.set(updated_at, TimestampGetDatum(now));
  return row.result();
}

}  // namespace nexus::pg
