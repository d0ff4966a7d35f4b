// Which jobs a claim takes (sql/install/62-queue.sql): lane after lane, the smallest priority first, and within one a
// loose scan of the index over accounts, so that accounts take turns. Each row is locked as it is met. In SQL the same
// costs more than all else that a claim does.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "glue/queue.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "storage/itemptr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

namespace nexus::pg {

namespace {

constexpr int kMaxLanes = 1000;

/// The claim at work. Everything here is C data of the statement's memory context and resource owner: an ERROR needs
/// no destructor.
struct Claim {
  Oid schema;
  Relation jobs;
  TupleTableSlot *found, *locked;
  AttrNumber kind_column;
  TimestampTz due;
  Datum *kinds = nullptr;  // NULL: of all kinds
  int kind_count = 0;
  int need;
  ItemPointerData *chosen;
  int count = 0;
};

/// A scan of an index of nexus.jobs with its first columns given.
struct Scan {
  Relation index;
  IndexScanDesc scan;
  ScanKeyData keys[3];
  int key_count = 0;
};

Scan open_scan(const Claim &claim, const char *index) {
  Scan scan;
  scan.index = index_open(get_relname_relid(index, claim.schema), AccessShareLock);
  return scan;
}

void add_key(Scan &scan, StrategyNumber strategy, Oid function) {
  const int column = ++scan.key_count;
  ScanKeyEntryInitialize(&scan.keys[column - 1], 0, static_cast<AttrNumber>(column), strategy, InvalidOid,
                         scan.index->rd_indcollation[column - 1], function, Datum(0));
}

void begin(const Claim &claim, Scan &scan) {
  scan.scan = index_beginscan(claim.jobs, scan.index, GetActiveSnapshot(), scan.key_count, 0);
}

/// Starts anew with another value for the last of the given columns.
void restart(Scan &scan, Datum last) {
  scan.keys[scan.key_count - 1].sk_argument = last;
  index_rescan(scan.scan, scan.keys, scan.key_count, nullptr, 0);
}

bool next(const Claim &claim, Scan &scan) {
  CHECK_FOR_INTERRUPTS();
  return index_getnext_slot(scan.scan, ForwardScanDirection, claim.found);
}

void close(Scan &scan) {
  index_endscan(scan.scan);
  index_close(scan.index, AccessShareLock);
}

bool same(Datum left, Datum right) {
  return DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID, left, right));
}

bool has_kind(const Claim &claim) {
  if (claim.kinds == nullptr) return true;
  bool null;
  Datum kind = slot_getattr(claim.found, claim.kind_column, &null);
  return std::any_of(claim.kinds, claim.kinds + claim.kind_count, [kind](Datum wanted) { return same(kind, wanted); });
}

/// Locks the row that was found and takes it; a row that another session holds or has changed is left to that one.
bool take(Claim &claim) {
  TM_FailureData failure;
  ItemPointerData row = claim.found->tts_tid;
  if (table_tuple_lock(claim.jobs, &row, GetActiveSnapshot(), claim.locked, GetCurrentCommandId(false),
                       LockTupleExclusive, LockWaitSkip, 0, &failure) != TM_Ok)
    return false;
  claim.chosen[claim.count++] = row;
  return true;
}

/// The oldest jobs of the scan, but for those that are chosen already.
void take_oldest(Claim &claim, Scan &scan) {
  auto before = [](const ItemPointerData &left, const ItemPointerData &right) {
    return ItemPointerCompare(const_cast<ItemPointer>(&left), const_cast<ItemPointer>(&right)) < 0;
  };
  ItemPointerData *known = claim.chosen + claim.count;
  std::sort(claim.chosen, known, before);
  restart(scan, TimestampTzGetDatum(claim.due));
  while (claim.count < claim.need && next(claim, scan))
    if (has_kind(claim) && !std::binary_search(claim.chosen, known, claim.found->tts_tid, before)) take(claim);
}

/// True where more jobs seem to be due than are wanted. Entries of rows that were taken a moment ago count as well, so
/// it says only which way to go.
bool is_more_due(const Claim &claim, Scan &scan) {
  restart(scan, TimestampTzGetDatum(claim.due));
  for (int seen = claim.count; index_getnext_tid(scan.scan, ForwardScanDirection) != nullptr;)
    if (++seen > claim.need) return true;
  return false;
}

/// Goes round the accounts after `start` once, a few jobs of each, and returns the one it ended with. It looks at a
/// bounded number of accounts, so that many with nothing due cost no more than a few. The index alone tells an entry's
/// account and time: the row is fetched only to be taken.
int take_in_turns(Claim &claim, Scan &scan, const int start) {
  const int need = claim.need - claim.count;
  const int quantum = std::clamp(need / 16, 1, 8);
  constexpr int kWorthJumping = 200;  // entries: about a page, which a new descent would read as a whole
  auto entry = [&scan](int column) {
    bool null;
    return index_getattr(scan.scan->xs_itup, column, scan.scan->xs_itupdesc, &null);
  };
  scan.scan->xs_want_itup = true;
  int last = start;
  restart(scan, Int32GetDatum(last));
  bool wrapped = last < 0, is_served = false;
  int taken = 0, passed = 0, looked_at = 0;
  while (claim.count < claim.need) {
    CHECK_FOR_INTERRUPTS();
    if (index_getnext_tid(scan.scan, ForwardScanDirection) == nullptr) {
      if (wrapped) break;
      wrapped = true;
      last = -1;
      restart(scan, Int32GetDatum(last));
      continue;
    }
    if (int account = DatumGetInt32(entry(3)); account != last) {
      if (start >= 0 && wrapped && account > start) break;  // once round: those after it have had their turn
      if (++looked_at > need + 64) break;
      last = account;
      taken = passed = 0;
      is_served = false;
    }
    if (!is_served && DatumGetTimestampTz(entry(4)) > claim.due) is_served = true;
    if (is_served) {
      if (++passed == kWorthJumping) restart(scan, Int32GetDatum(last));
    } else if (index_fetch_heap(scan.scan, claim.found) && has_kind(claim)) {
      // Sessions that meet at an account part: the one that finds a row taken leaves the account to the other.
      is_served = !take(claim) || ++taken == quantum;
    }
  }
  return last;
}

/// Where this session's rounds stopped, by priority and lane. It is no more than a hint, so it is no part of the
/// transaction and old ones may be forgotten.
int &last_account(int16 priority, std::string_view lane) {
  static std::map<std::string, int> rounds;
  if (rounds.size() > kMaxLanes) rounds.clear();
  return rounds.try_emplace(std::to_string(priority) + ' ' + std::string(lane), -1).first->second;
}

/// The smallest priority above `priority` that the index has an entry for in the lane; false when there is none. Where
/// all its rows were taken a moment ago the next step finds out.
bool next_priority(const Claim &claim, Datum lane, int16 &priority) {
  return call([&] {
    Scan scan = open_scan(claim, "jobs_ready");
    add_key(scan, BTEqualStrategyNumber, F_TEXTEQ);
    add_key(scan, BTGreaterStrategyNumber, F_INT2GT);
    scan.keys[0].sk_argument = lane;
    begin(claim, scan);
    scan.scan->xs_want_itup = true;
    restart(scan, Int16GetDatum(priority));
    bool is_there = index_getnext_tid(scan.scan, ForwardScanDirection) != nullptr;
    if (is_there) {
      bool null;
      priority = DatumGetInt16(index_getattr(scan.scan->xs_itup, 2, scan.scan->xs_itupdesc, &null));
    }
    close(scan);
    return is_there;
  });
}

void take_of_priority(Claim &claim, Datum lane, int16 priority) {
  int &last = last_account(priority, text_view(lane));
  last = call([&, start = last] {
    auto begin_scan = [&](const char *index, StrategyNumber strategy, Oid function) {
      Scan scan = open_scan(claim, index);
      add_key(scan, BTEqualStrategyNumber, F_TEXTEQ);
      add_key(scan, BTEqualStrategyNumber, F_INT2EQ);
      add_key(scan, strategy, function);
      scan.keys[0].sk_argument = lane;
      scan.keys[1].sk_argument = Int16GetDatum(priority);
      begin(claim, scan);
      return scan;
    };
    int stopped = start;
    Scan oldest = begin_scan("jobs_ready", BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE);
    if (is_more_due(claim, oldest)) {
      Scan accounts = begin_scan("jobs_ready_account", BTGreaterStrategyNumber, F_INT4GT);
      stopped = take_in_turns(claim, accounts, start);
      close(accounts);
    }
    if (claim.count < claim.need) take_oldest(claim, oldest);
    close(oldest);
    return stopped;
  });
}

/// True for a lane of nexus.paused_lanes, which holds few rows if any.
bool is_paused(const Claim &claim, Datum lane) {
  return call([&] {
    Relation table = table_open(get_relname_relid("paused_lanes", claim.schema), AccessShareLock);
    TupleTableSlot *slot = table_slot_create(table, nullptr);
    TableScanDesc scan = table_beginscan(table, GetActiveSnapshot(), 0, nullptr);
    bool is_there = false, null;
    while (!is_there && table_scan_getnextslot(scan, ForwardScanDirection, slot))
      is_there = same(lane, slot_getattr(slot, 1, &null));
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
    table_close(table, AccessShareLock);
    return is_there;
  });
}

void take_of_lane(Claim &claim, Datum lane) {
  if (is_paused(claim, lane)) return;
  for (int16 priority = -1; claim.count < claim.need && next_priority(claim, lane, priority);)
    take_of_priority(claim, lane, priority);
}

/// The first lane after `lane` that has a ready job; false when there is none.
bool next_lane(const Claim &claim, Datum &lane) {
  return call([&] {
    Scan scan = open_scan(claim, "jobs_ready");
    add_key(scan, BTGreaterStrategyNumber, F_TEXT_GT);
    begin(claim, scan);
    restart(scan, lane);
    bool is_there = next(claim, scan);
    if (is_there) {
      bool null;
      lane = PointerGetDatum(
          DatumGetTextPCopy(slot_getattr(claim.found, get_attnum(RelationGetRelid(claim.jobs), "lane"), &null)));
    }
    close(scan);
    return is_there;
  });
}

}  // namespace

PickedJobs pick_jobs(Relation jobs, const JobFilter &filter, int need, TimestampTz due) {
  Claim claim;
  call([&] {
    claim.schema = RelationGetNamespace(jobs);
    claim.jobs = jobs;
    claim.kind_column = get_attnum(RelationGetRelid(jobs), "kind");
    claim.due = due;
    claim.kinds = filter.kinds;
    claim.kind_count = filter.kind_count;
    claim.need = need;
    claim.found = table_slot_create(jobs, nullptr);
    claim.locked = table_slot_create(jobs, nullptr);
    claim.chosen = static_cast<ItemPointerData *>(palloc(sizeof(ItemPointerData) * static_cast<std::size_t>(need)));
  });
  if (filter.lanes != nullptr) {
    std::set<std::string_view> seen;  // a lane that is named twice must not hand out its jobs twice
    for (int i = 0; i < filter.lane_count && claim.count < need; ++i)
      if (seen.insert(text_view(filter.lanes[i])).second) take_of_lane(claim, filter.lanes[i]);
  } else {
    Datum lane = text_datum("");
    for (int i = 0; i < kMaxLanes && claim.count < need && next_lane(claim, lane); ++i) take_of_lane(claim, lane);
  }
  call([&] {
    ExecDropSingleTupleTableSlot(claim.found);
    ExecDropSingleTupleTableSlot(claim.locked);
  });
  return {claim.chosen, claim.count};
}

}  // namespace nexus::pg
