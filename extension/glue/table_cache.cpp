#include "glue/table_cache.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

namespace nexus::pg {

Oid own_table(const char *table) {
  return call([table]() -> Oid {
    Oid schema = get_namespace_oid("nexus", true);
    return OidIsValid(schema) ? get_relname_relid(table, schema) : InvalidOid;
  });
}

TableRows read_own_table(const char *table) {
  Oid relation_oid = own_table(table);
  if (!OidIsValid(relation_oid)) throw Error("55000", std::string("table nexus.") + table + " does not exist");
  return call([relation_oid]() -> TableRows {
    Relation relation = table_open(relation_oid, AccessShareLock);
    Snapshot snapshot = RegisterSnapshot(GetCatalogSnapshot(relation_oid));  // the newest, also in a parallel plan
    TableRows rows{};
    rows.descriptor = CreateTupleDescCopy(RelationGetDescr(relation));
    int room = 64;
    rows.tuples = static_cast<HeapTuple *>(palloc(sizeof(HeapTuple) * room));
    TableScanDesc scan = table_beginscan(relation, snapshot, 0, nullptr);
    for (HeapTuple tuple; (tuple = heap_getnext(scan, ForwardScanDirection)) != nullptr;) {
      if (rows.count == room) {
        room *= 2;
        rows.tuples = static_cast<HeapTuple *>(repalloc(rows.tuples, sizeof(HeapTuple) * room));
      }
      rows.tuples[rows.count++] = heap_copytuple(tuple);
    }
    table_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(relation, AccessShareLock);
    return rows;
  });
}

TableWatch::TableWatch(std::initializer_list<const char *> tables) {
  for (const char *name : tables)
    if (count_ < kMaxTables) names_[count_++] = name;
}

void TableWatch::start() {
  if (!registered_) {
    call([this] { CacheRegisterRelcacheCallback(on_change, PointerGetDatum(this)); });
    registered_ = true;
  }
  for (int i = 0; i < count_; ++i) oids_[i] = own_table(names_[i]);
  fresh_ = true;  // before anything is read: a change meanwhile is noticed
}

void TableWatch::on_change(Datum watch, Oid relation) {
  auto *self = reinterpret_cast<TableWatch *>(DatumGetPointer(watch));
  if (!OidIsValid(relation)) self->fresh_ = false;
  for (int i = 0; i < self->count_; ++i)
    if (self->oids_[i] == relation) self->fresh_ = false;
}

NEXUS_FUNCTION(nexus_invalidate_trigger) {
  if (!CALLED_AS_TRIGGER(fcinfo)) throw Error("39P01", "invalidate_trigger is called by triggers only");
  auto *trigger = reinterpret_cast<TriggerData *>(fcinfo->context);
  call([trigger] { CacheInvalidateRelcache(trigger->tg_relation); });
  PG_RETURN_POINTER(nullptr);
}

}  // namespace nexus::pg
