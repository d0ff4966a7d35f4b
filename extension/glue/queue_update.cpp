#include <cstring>

#include "glue/queue.hpp"

extern "C" {
#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "nodes/parsenodes.h"
#include "storage/lockdefs.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
}

namespace nexus::pg {

// A column keeps its number as long as the table is the same one.
const JobColumns &columns_of(Relation jobs) {
  static JobColumns known{};
  const Oid table = RelationGetRelid(jobs);
  if (known.table == table) return known;
  call([table] {
    auto number = [table](const char *name) {
      AttrNumber found = get_attnum(table, name);
      if (found == InvalidAttrNumber) elog(ERROR, "nexus.jobs has no column %s", name);
      return found;
    };
    known.table = InvalidOid;
    known.id = number("id");
    known.kind = number("kind");
    known.ref_id = number("ref_id");
    known.account_id = number("account_id");
    known.lane = number("lane");
    known.priority = number("priority");
    known.state = number("state");
    known.run_at = number("run_at");
    known.attempts = number("attempts");
    known.max_attempts = number("max_attempts");
    known.lease_token = number("lease_token");
    known.lease_until = number("lease_until");
    known.worker = number("worker");
    known.payload = number("payload");
    known.finished_at = number("finished_at");
    known.table = table;
  });
  return known;
}

JobUpdate::JobUpdate(Relation jobs, std::initializer_list<AttrNumber> columns) {
  state_ = CreateExecutorState();
  auto *entry = makeNode(RangeTblEntry);
  entry->rtekind = RTE_RELATION;
  entry->relid = RelationGetRelid(jobs);
  entry->relkind = jobs->rd_rel->relkind;
  entry->rellockmode = RowExclusiveLock;
  for (AttrNumber column : columns)  // triggers of UPDATE OF ask for them
    entry->updatedCols = bms_add_member(entry->updatedCols, column - FirstLowInvalidHeapAttributeNumber);
  ExecInitRangeTable(state_, list_make1(entry));
  state_->es_snapshot = GetActiveSnapshot();
  state_->es_output_cid = GetCurrentCommandId(true);
  target_ = makeNode(ResultRelInfo);
  InitResultRelInfo(target_, jobs, 1, nullptr, 0);
  ExecOpenIndices(target_, false);
  state_->es_opened_result_relations = lappend(NIL, target_);  // row triggers that come after look for it there
  EvalPlanQualInit(&recheck_, state_, nullptr, NIL, -1);
  changed_ = table_slot_create(jobs, &state_->es_tupleTable);
  AfterTriggerBeginQuery();
}

void JobUpdate::take(TupleTableSlot *row) {
  row_ = row;
  slot_getallattrs(row);
  ExecClearTuple(changed_);
  const auto count = static_cast<std::size_t>(row->tts_tupleDescriptor->natts);
  std::memcpy(changed_->tts_values, row->tts_values, count * sizeof(Datum));
  std::memcpy(changed_->tts_isnull, row->tts_isnull, count * sizeof(bool));
}

TupleTableSlot *JobUpdate::store() {
  ExecStoreVirtualTuple(changed_);
  ExecSimpleRelationUpdate(target_, state_, &recheck_, row_, changed_);
  ResetPerTupleExprContext(state_);
  slot_getallattrs(changed_);
  return changed_;
}

void JobUpdate::end() {
  AfterTriggerEndQuery(state_);
  EvalPlanQualEnd(&recheck_);
  ExecCloseResultRelations(state_);
  ExecResetTupleTable(state_->es_tupleTable, false);
  FreeExecutorState(state_);
  CommandCounterIncrement();
}

}  // namespace nexus::pg
