// claim_jobs and complete_jobs (sql/install/62-queue.sql). They are called for every job, so they are done without
// statements: of a plan for one row most of the time goes into starting and ending it.
#include <algorithm>
#include <utility>

#include "glue/hashtags_spi.hpp"
#include "glue/queue.hpp"
#include "glue/table_cache.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "commands/sequence.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
}

namespace nexus::pg {

namespace {

/// nexus.jobs with a snapshot of its own that sees what this command has done so far, as a statement in a function
/// would have.
class OpenJobs {
 public:
  explicit OpenJobs(const char *command) {
    Oid table = own_table("jobs");
    call([&] {
      PreventCommandIfReadOnly(command);
      jobs_ = table_open(table, RowExclusiveLock);
      see_now();
    });
  }

  Relation get() const { return jobs_; }
  /// After a statement that changed rows. In call() only.
  void see_again() {
    PopActiveSnapshot();
    see_now();
  }
  /// Closes both. In call() only; an error closes them with the transaction.
  void close() {
    PopActiveSnapshot();
    table_close(jobs_, NoLock);
  }

 private:
  static void see_now() {
    CommandCounterIncrement();
    PushActiveSnapshot(GetTransactionSnapshot());
  }

  Relation jobs_ = nullptr;
};

Interval length(int days, TimeOffset microseconds) {
  Interval interval{};
  interval.day = days;
  interval.time = microseconds;
  return interval;
}

void require_lease(const Interval *lease) {
  auto is_less = [](const Interval &left, const Interval &right) {
    return DatumGetBool(DirectFunctionCall2(interval_lt, IntervalPGetDatum(&left), IntervalPGetDatum(&right)));
  };
  if (lease == nullptr || is_less(*lease, length(0, USECS_PER_SEC)) || is_less(length(1, 0), *lease))
    throw Error("22023", "lease must be from one second to one day");
}

/// True where a lease has ended. The bound keeps the scan away from what is left of leases that were given up in time.
bool has_lapsed_lease(Relation jobs, Oid index_oid, TimestampTz due) {
  Relation index = index_open(index_oid, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, 1, BTLessStrategyNumber, F_TIMESTAMPTZ_LT, TimestampTzGetDatum(due));
  TupleTableSlot *slot = table_slot_create(jobs, nullptr);
  IndexScanDesc scan = index_beginscan(jobs, index, GetActiveSnapshot(), 1, 0);
  index_rescan(scan, &key, 1, nullptr, 0);
  bool is_there = index_getnext_slot(scan, ForwardScanDirection, slot);
  index_endscan(scan);
  ExecDropSingleTupleTableSlot(slot);
  index_close(index, AccessShareLock);
  return is_there;
}

bool has_rows(Oid table_oid) {
  Relation table = table_open(table_oid, AccessShareLock);
  TupleTableSlot *slot = table_slot_create(table, nullptr);
  TableScanDesc scan = table_beginscan(table, GetActiveSnapshot(), 0, nullptr);
  bool is_there = table_scan_getnextslot(scan, ForwardScanDirection, slot);
  table_endscan(scan);
  ExecDropSingleTupleTableSlot(slot);
  table_close(table, AccessShareLock);
  return is_there;
}

void run(SpiStatement &statement, std::initializer_list<std::optional<Datum>> values) {
  Spi spi;
  statement.write(values);
  spi.finish();
}

/// Those of the picked rows for which the buckets of their account and app have a token.
PickedJobs take_tokens(const PickedJobs &picked, TimestampTz due) {
  static SpiStatement take("SELECT nexus.take_tokens($1, $2)", {TIDARRAYOID, TIMESTAMPTZOID});
  Datum rows = call([&]() -> Datum {
    auto *items = static_cast<Datum *>(palloc(sizeof(Datum) * static_cast<std::size_t>(picked.count)));
    for (int i = 0; i < picked.count; ++i) items[i] = PointerGetDatum(&picked.rows[i]);
    return PointerGetDatum(
        construct_array(items, picked.count, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT));
  });
  Spi spi;
  Datum allowed = *take.write({rows, TimestampTzGetDatum(due)}).get(0, 1);
  PickedJobs left{picked.rows, 0};
  call([&] {
    Datum *items;
    deconstruct_array(DatumGetArrayTypeP(allowed), TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT, &items,
                      nullptr, &left.count);
    for (int i = 0; i < left.count; ++i) left.rows[i] = *reinterpret_cast<ItemPointer>(DatumGetPointer(items[i]));
  });
  spi.finish();
  return left;
}

}  // namespace

NEXUS_FUNCTION(nexus_claim_jobs) {
  static SpiStatement reap("SELECT nexus.reap_leases()", {});
  if (PG_ARGISNULL(1) || PG_GETARG_INT32(1) < 1 || PG_GETARG_INT32(1) > 10000)
    throw Error("22023", "max_jobs must be from 1 to 10000");
  Interval *lease = PG_ARGISNULL(2) ? nullptr : PG_GETARG_INTERVAL_P(2);
  require_lease(lease);
  JobFilter filter;
  call([&] {
    auto elements = [&](int argument, Datum *&values, int &count) {
      if (!PG_ARGISNULL(argument))
        deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), TEXTOID, -1, false, TYPALIGN_INT, &values, nullptr, &count);
    };
    elements(0, filter.lanes, filter.lane_count);
    elements(4, filter.kinds, filter.kind_count);
  });
  Rows rows(fcinfo);
  OpenJobs jobs("claim_jobs()");
  const TimestampTz due = GetCurrentTimestamp();
  const Oid leases = own_table("jobs_lease"), buckets = own_table("rate_buckets"), tokens = own_table("lease_token");
  bool has_lapsed = false, is_limited = false;
  call([&] {
    has_lapsed = has_lapsed_lease(jobs.get(), leases, due);
    is_limited = has_rows(buckets);
  });
  if (has_lapsed) {
    run(reap, {});
    call([&] { jobs.see_again(); });
  }
  PickedJobs picked = pick_jobs(jobs.get(), filter, PG_GETARG_INT32(1), due);
  if (is_limited && picked.count > 0) {
    picked = take_tokens(picked, due);
    call([&] { jobs.see_again(); });
  }
  if (picked.count > 0) {
    const JobColumns &of = columns_of(jobs.get());
    TupleTableSlot *job = nullptr;
    Datum leased = 0, until = 0;
    JobUpdate update = call([&] {
      job = table_slot_create(jobs.get(), nullptr);
      leased = CStringGetTextDatum("leased");
      until = DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()),
                                  IntervalPGetDatum(lease));
      return JobUpdate(jobs.get(), {of.state, of.attempts, of.lease_token, of.lease_until, of.worker});
    });
    for (int i = 0; i < picked.count; ++i) {
      TupleTableSlot *now = call([&]() -> TupleTableSlot * {
        CHECK_FOR_INTERRUPTS();
        if (!table_tuple_fetch_row_version(jobs.get(), &picked.rows[i], GetActiveSnapshot(), job))
          elog(ERROR, "a locked job is gone");
        update.take(job);
        update.set(of.state, leased);
        update.set(of.attempts, Int32GetDatum(DatumGetInt32(job->tts_values[of.attempts - 1]) + 1));
        update.set(of.lease_token, Int64GetDatum(nextval_internal(tokens, false)));
        update.set(of.lease_until, until);
        if (PG_ARGISNULL(3)) {
          update.set_null(of.worker);
        } else {
          update.set(of.worker, PG_GETARG_DATUM(3));
        }
        return update.store();
      });
      auto value = [now](AttrNumber column) -> std::optional<Datum> {
        if (now->tts_isnull[column - 1]) return std::nullopt;
        return now->tts_values[column - 1];
      };
      rows.add({value(of.id), value(of.kind), value(of.lane), value(of.ref_id), value(of.account_id),
                Int32GetDatum(DatumGetInt16(*value(of.priority))), value(of.attempts), value(of.max_attempts),
                value(of.run_at), value(of.lease_until), value(of.lease_token), value(of.payload)});
    }
    call([&] {
      update.end();
      ExecDropSingleTupleTableSlot(job);
    });
  }
  call([&] { jobs.close(); });
  PG_RETURN_NULL();
}

namespace {

/// What a worker shows to report a job.
using Lease = std::pair<int64, int64>;  // id, token

struct Leases {
  Lease *given = nullptr;
  int count = 0;
};

/// The pairs of two arrays, in the order of their ids, so that two calls cannot wait for each other; those with a NULL
/// are left out, as no row is equal to them.
Leases leases_of(FunctionCallInfo fcinfo) {
  Datum *ids = nullptr, *tokens = nullptr;
  bool *no_id = nullptr, *no_token = nullptr;
  int id_count = 0, token_count = 0;
  Leases leases;
  call([&] {
    auto elements = [&](int argument, Datum *&values, bool *&nulls, int &count) {
      if (!PG_ARGISNULL(argument))
        deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values,
                          &nulls, &count);
    };
    elements(0, ids, no_id, id_count);
    elements(1, tokens, no_token, token_count);
    leases.given = static_cast<Lease *>(palloc(sizeof(Lease) * static_cast<std::size_t>(std::max(id_count, 1))));
  });
  if (PG_ARGISNULL(0) != PG_ARGISNULL(1) || id_count != token_count)
    throw Error("22023", "ids and lease_tokens must have the same length");
  for (int i = 0; i < id_count; ++i)
    if (!no_id[i] && !no_token[i]) leases.given[leases.count++] = {DatumGetInt64(ids[i]), DatumGetInt64(tokens[i])};
  std::sort(leases.given, leases.given + leases.count);
  return leases;
}

}  // namespace

NEXUS_FUNCTION(nexus_complete_jobs) {
  const Leases leases = leases_of(fcinfo);
  Rows rows(fcinfo, true);
  OpenJobs jobs("complete_jobs()");
  const Oid primary_key = own_table("jobs_pkey");
  const JobColumns &of = columns_of(jobs.get());
  Relation index = nullptr;
  IndexScanDesc scan = nullptr;
  TupleTableSlot *found = nullptr, *locked = nullptr;
  Datum done = 0, ended = 0;
  JobUpdate update = call([&] {
    index = index_open(primary_key, AccessShareLock);
    scan = index_beginscan(jobs.get(), index, GetActiveSnapshot(), 1, 0);
    found = table_slot_create(jobs.get(), nullptr);
    locked = table_slot_create(jobs.get(), nullptr);
    done = CStringGetTextDatum("done");
    ended = TimestampTzGetDatum(GetCurrentTimestamp());
    return JobUpdate(jobs.get(), {of.state, of.finished_at, of.lease_token, of.lease_until});
  });
  auto holds = [&of](TupleTableSlot *row, int64 token) {  // a job has a token while it is leased, and only then
    bool is_null;
    Datum held = slot_getattr(row, of.lease_token, &is_null);
    return !is_null && DatumGetInt64(held) == token;
  };
  auto complete = [&](const Lease &lease) {
    CHECK_FOR_INTERRUPTS();
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(lease.first));
    index_rescan(scan, &key, 1, nullptr, 0);
    if (!index_getnext_slot(scan, ForwardScanDirection, found) || !holds(found, lease.second)) return false;
    TM_FailureData failure;
    ItemPointerData row = found->tts_tid;
    const bool is_fixed = IsolationUsesXactSnapshot();
    TM_Result result = table_tuple_lock(jobs.get(), &row, GetActiveSnapshot(), locked, GetCurrentCommandId(false),
                                        LockTupleNoKeyExclusive, LockWaitBlock,
                                        is_fixed ? 0 : TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
    if (is_fixed && (result == TM_Updated || result == TM_Deleted))
      ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                      errmsg("could not serialize access due to concurrent update")));
    if (result != TM_Ok || !holds(locked, lease.second)) return false;
    update.take(locked);
    update.set(of.state, done);
    update.set(of.finished_at, ended);
    update.set_null(of.lease_token);
    update.set_null(of.lease_until);
    update.store();
    return true;
  };
  for (int i = 0; i < leases.count; ++i)
    if (call([&] { return complete(leases.given[i]); })) rows.add({Int64GetDatum(leases.given[i].first)});
  call([&] {
    update.end();
    index_endscan(scan);
    index_close(index, AccessShareLock);
    ExecDropSingleTupleTableSlot(found);
    ExecDropSingleTupleTableSlot(locked);
    jobs.close();
  });
  PG_RETURN_NULL();
}

}  // namespace nexus::pg
