// The queue's table as its C++ functions see it (sql/install/60-workflow.sql, 62-queue.sql): which rows a claim takes,
// and how rows are changed.
#pragma once

#include <cstddef>

#include "glue/datum.hpp"

extern "C" {
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "storage/itemptr.h"
#include "utils/rel.h"
}

namespace nexus::pg {

/// The columns of nexus.jobs by name.
struct JobColumns {
  Oid table;
  AttrNumber id, kind, ref_id, account_id, lane, priority, state, run_at, attempts, max_attempts, lease_token,
      lease_until, worker, payload, finished_at;
};
const JobColumns &columns_of(Relation jobs);

/// From which lanes, in this order, and of which kinds; nullptr for all.
struct JobFilter {
  Datum *lanes = nullptr, *kinds = nullptr;
  int lane_count = 0, kind_count = 0;
};

/// Rows that this transaction has locked.
struct PickedJobs {
  ItemPointerData *rows;
  int count;
};

/// Up to `need` jobs that are due, locked for update: lane after lane, the smallest priority first, and accounts in
/// turns from where this backend stopped, while more is due than is needed. Reads with the active snapshot.
PickedJobs pick_jobs(Relation jobs, const JobFilter &filter, int need, TimestampTz due);

/// Changes rows of nexus.jobs that this transaction has locked, as an UPDATE of these columns would: row triggers,
/// constraints and indexes are served, statement triggers (there are none) are not. Without a plan, since starting one
/// costs more than the change of one row. For use in call(): it holds C data only.
///
///     JobUpdate update(jobs, {columns.state});
///     update.take(row);                      // the row as it is, locked
///     update.set(columns.state, text);
///     TupleTableSlot *changed = update.store();   // valid until the next take()
///     update.end();
class JobUpdate {
 public:
  JobUpdate(Relation jobs, std::initializer_list<AttrNumber> columns);

  void take(TupleTableSlot *row);
  void set(AttrNumber column, Datum value) {
    changed_->tts_values[column - 1] = value;
    changed_->tts_isnull[column - 1] = false;
  }
  void set_null(AttrNumber column) { changed_->tts_isnull[column - 1] = true; }
  TupleTableSlot *store();
  void end();

 private:
  EState *state_;
  ResultRelInfo *target_;
  EPQState recheck_;
  TupleTableSlot *row_ = nullptr, *changed_;
};

}  // namespace nexus::pg
