#include "glue/table_writer.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "glue/table_cache.hpp"

extern "C" {
#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_type_d.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace nexus::pg {

namespace {

/// So many rows go to the table at once, as COPY does it.
constexpr int kBatch = 256;
constexpr int kMostIntegers = 3;

/// A row's key in an index over integers.
struct IntegerKey {
  int32 key[kMostIntegers];
  uint32 row;
  bool operator<(const IntegerKey &other) const {
    return std::tie(key[0], key[1], key[2], row) < std::tie(other.key[0], other.key[1], other.key[2], other.row);
  }
};

RegProcedure equality_of(Oid type) {
  switch (type) {
    case INT2OID:
      return F_INT2EQ;
    case INT4OID:
      return F_INT4EQ;
    case DATEOID:
      return F_DATE_EQ;
    case TEXTOID:
      return F_TEXTEQ;
    default:
      elog(ERROR, "rows are not found by columns of type %u", type);
  }
}

void fill(TupleTableSlot *slot, const Datum *const *columns, size_t row) {
  ExecClearTuple(slot);
  for (int c = 0; c < slot->tts_tupleDescriptor->natts; ++c) {
    slot->tts_values[c] = columns[c][row];
    slot->tts_isnull[c] = false;
  }
  ExecStoreVirtualTuple(slot);
}

/// The rows in the order of an index over integers; nullptr if it is over something else.
IntegerKey *index_order(Relation index, const IndexInfo *info, const Datum *const *columns, size_t rows) {
  int keys = info->ii_NumIndexAttrs;
  if (rows < 2 || keys > kMostIntegers) return nullptr;
  for (int k = 0; k < keys; ++k) {
    Oid type = TupleDescAttr(RelationGetDescr(index), k)->atttypid;
    if (info->ii_IndexAttrNumbers[k] <= 0 || (type != INT4OID && type != DATEOID)) return nullptr;
  }
  auto *order = static_cast<IntegerKey *>(palloc_extended(rows * sizeof(IntegerKey), MCXT_ALLOC_HUGE));
  for (size_t row = 0; row < rows; ++row) {
    order[row] = {{0, 0, 0}, static_cast<uint32>(row)};
    for (int k = 0; k < keys; ++k) order[row].key[k] = DatumGetInt32(columns[info->ii_IndexAttrNumbers[k] - 1][row]);
  }
  if (!std::is_sorted(order, order + rows)) std::sort(order, order + rows);
  return order;
}

}  // namespace

TableWriter::TableWriter(const char *table) {
  Oid table_oid = own_table(table);
  call([=, this] {
    CommandCounterIncrement();
    table_ = table_open(table_oid, RowExclusiveLock);
    state_ = CreateExecutorState();
    MemoryContext outer = MemoryContextSwitchTo(state_->es_query_cxt);
    target_ = makeNode(ResultRelInfo);
    InitResultRelInfo(target_, table_, 0, nullptr, 0);
    ExecOpenIndices(target_, false);
    const Oid index_oid = RelationGetPrimaryKeyIndex(table_);
    for (int i = 0; i < target_->ri_NumIndices; ++i)
      if (RelationGetRelid(target_->ri_IndexRelationDescs[i]) == index_oid) index_ = target_->ri_IndexRelationDescs[i];
    if (index_ == nullptr) elog(ERROR, "%s has no primary key", table);
    snapshot_ = RegisterSnapshot(GetLatestSnapshot());
    command_ = GetCurrentCommandId(true);
    MemoryContextSwitchTo(outer);
  });
}

TupleTableSlot *TableWriter::find(std::initializer_list<Datum> key) {
  const Datum *values = key.begin();
  int keys = static_cast<int>(key.size());
  return call([=, this]() -> TupleTableSlot * {
    if (keys != keys_) {
      MemoryContext outer = MemoryContextSwitchTo(state_->es_query_cxt);
      if (scan_ != nullptr) index_endscan(scan_);
      if (found_ == nullptr) found_ = table_slot_create(table_, nullptr);
      scan_ = index_beginscan(table_, index_, snapshot_, keys, 0);
      keys_ = keys;
      MemoryContextSwitchTo(outer);
    }
    ScanKeyData conditions[INDEX_MAX_KEYS];
    for (int k = 0; k < keys; ++k)
      ScanKeyInit(&conditions[k], static_cast<AttrNumber>(k + 1), BTEqualStrategyNumber,
                  equality_of(TupleDescAttr(RelationGetDescr(index_), k)->atttypid), values[k]);
    index_rescan(scan_, conditions, keys, nullptr, 0);
    if (!index_getnext_slot(scan_, ForwardScanDirection, found_)) return nullptr;
    slot_getallattrs(found_);
    return found_;
  });
}

namespace {

void fail_serialization() {
  ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                  errmsg("could not serialize access due to a concurrent change of rollups"),
                  errhint("Run the transaction again.")));
}

}  // namespace

void TableWriter::require_unchanged() {
  if (IsolationUsesXactSnapshot() && !table_tuple_satisfies_snapshot(table_, found_, GetTransactionSnapshot()))
    fail_serialization();
}

void TableWriter::require_done(TM_Result result) {
  if (result == TM_Updated || result == TM_Deleted) fail_serialization();
  if (result != TM_Ok) elog(ERROR, "a row of rollups cannot be written: %d", static_cast<int>(result));
}

void TableWriter::update(std::initializer_list<std::pair<int, Datum>> columns) {
  const auto *begin = columns.begin(), *end = columns.end();
  call([=, this] {
    require_unchanged();
    MemoryContext outer = MemoryContextSwitchTo(state_->es_query_cxt);
    if (changed_ == nullptr) changed_ = table_slot_create(table_, nullptr);
    MemoryContextSwitchTo(GetPerTupleMemoryContext(state_));
    ExecClearTuple(changed_);
    const auto count = static_cast<size_t>(RelationGetDescr(table_)->natts);
    std::memcpy(changed_->tts_values, found_->tts_values, count * sizeof(Datum));
    std::memcpy(changed_->tts_isnull, found_->tts_isnull, count * sizeof(bool));
    for (const auto *column = begin; column != end; ++column) {
      changed_->tts_values[column->first - 1] = column->second;
      changed_->tts_isnull[column->first - 1] = false;
    }
    ExecStoreVirtualTuple(changed_);
    TM_FailureData failure;
    LockTupleMode mode;
    bool indexes;
    require_done(table_tuple_update(table_, &found_->tts_tid, changed_, command_, snapshot_, InvalidSnapshot, true,
                                    &failure, &mode, &indexes));
    if (indexes) ExecInsertIndexTuples(target_, changed_, state_, false, false, nullptr, NIL);
    ExecClearTuple(changed_);
    MemoryContextSwitchTo(outer);
    ResetPerTupleExprContext(state_);
  });
}

void TableWriter::remove() {
  call([this] {
    require_unchanged();
    TM_FailureData failure;
    require_done(
        table_tuple_delete(table_, &found_->tts_tid, command_, snapshot_, InvalidSnapshot, true, &failure, false));
  });
}

void TableWriter::insert(std::span<const Datum *const> columns, size_t rows) {
  if (rows == 0) return;
  call([=, this] {
    if (columns.size() != static_cast<size_t>(RelationGetDescr(table_)->natts))
      elog(ERROR, "%s has other columns", RelationGetRelationName(table_));
    MemoryContext outer = MemoryContextSwitchTo(state_->es_query_cxt);
    auto *places = static_cast<ItemPointerData *>(palloc_extended(rows * sizeof(ItemPointerData), MCXT_ALLOC_HUGE));
    TupleTableSlot *slots[kBatch];
    const int made = static_cast<int>(std::min<size_t>(kBatch, rows));
    for (int i = 0; i < made; ++i) slots[i] = table_slot_create(table_, nullptr);
    MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "rows to be inserted", ALLOCSET_DEFAULT_SIZES);
    MemoryContextSwitchTo(batch);
    for (size_t from = 0; from < rows; from += kBatch) {
      CHECK_FOR_INTERRUPTS();
      const int count = static_cast<int>(std::min<size_t>(kBatch, rows - from));
      for (int i = 0; i < count; ++i) fill(slots[i], columns.data(), from + static_cast<size_t>(i));
      table_multi_insert(table_, slots, count, command_, 0, nullptr);
      for (int i = 0; i < count; ++i) places[from + static_cast<size_t>(i)] = slots[i]->tts_tid;
      MemoryContextReset(batch);
    }
    MemoryContextSwitchTo(state_->es_query_cxt);
    MemoryContextDelete(batch);
    for (int i = 0; i < made; ++i) ExecDropSingleTupleTableSlot(slots[i]);
    for (int i = 0; i < target_->ri_NumIndices; ++i) insert_into_index(i, columns, rows, places);
    pfree(places);
    MemoryContextSwitchTo(outer);
  });
}

/// One index after the other, each in its own order: pages next to each other stay at hand, and where the keys are
/// above all others PostgreSQL does not search for their place.
void TableWriter::insert_into_index(int index, std::span<const Datum *const> columns, size_t rows,
                                    ItemPointerData *places) {
  Relation relation = target_->ri_IndexRelationDescs[index];
  IndexInfo *info = target_->ri_IndexRelationInfo[index];
  if (!info->ii_ReadyForInserts) return;
  IntegerKey *order = index_order(relation, info, columns.data(), rows);
  ExprState *predicate = info->ii_Predicate == NIL ? nullptr : ExecPrepareQual(info->ii_Predicate, state_);
  TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(table_), &TTSOpsVirtual);
  ExprContext *context = GetPerTupleExprContext(state_);
  context->ecxt_scantuple = slot;
  MemoryContext outer = MemoryContextSwitchTo(GetPerTupleMemoryContext(state_));
  for (size_t i = 0; i < rows; ++i) {
    CHECK_FOR_INTERRUPTS();
    const size_t row = order == nullptr ? i : order[i].row;
    fill(slot, columns.data(), row);
    if (predicate == nullptr || ExecQual(predicate, context)) {
      Datum values[INDEX_MAX_KEYS];
      bool nulls[INDEX_MAX_KEYS];
      FormIndexDatum(info, slot, state_, values, nulls);
      index_insert(relation, values, nulls, &places[row], table_, info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
                   false, info);
    }
    ResetPerTupleExprContext(state_);
  }
  MemoryContextSwitchTo(outer);
  ExecDropSingleTupleTableSlot(slot);
  if (order != nullptr) pfree(order);
}

void TableWriter::close() {
  call([this] {
    if (scan_ != nullptr) index_endscan(scan_);
    if (found_ != nullptr) ExecDropSingleTupleTableSlot(found_);
    if (changed_ != nullptr) ExecDropSingleTupleTableSlot(changed_);
    UnregisterSnapshot(snapshot_);
    ExecCloseIndices(target_);
    FreeExecutorState(state_);
    table_close(table_, NoLock);  // the lock stays until the transaction ends
    CommandCounterIncrement();
  });
}

}  // namespace nexus::pg
