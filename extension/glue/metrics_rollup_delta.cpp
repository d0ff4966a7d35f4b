#include "glue/metrics_rollup_delta.hpp"

#include <algorithm>
#include <tuple>

#include "glue/table_cache.hpp"

extern "C" {
#include "access/table.h"
#include "access/tableam.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
}

namespace nexus::pg {

namespace {

/// Touched instants further apart are remembered apart, so that a late sample costs its own days.
constexpr Timestamp kGap = 2 * USECS_PER_DAY;
constexpr size_t kMostRanges = 4;

/// A row of metric_delta.
struct Entry {
  int32 content_id;
  const char *platform;
  size_t platform_size;
  Timestamp from, to;
  int32 post_id;  // 0: none
};

void insert(Oid table, Oid sequence, std::span<const Entry> entries) {
  call([=] {
    constexpr int kColumns = 6;  // id, content_id, platform, from_at, to_at, post_id
    Relation relation = table_open(table, RowExclusiveLock);
    if (RelationGetDescr(relation)->natts != kColumns) elog(ERROR, "metric_delta has other columns");
    EState *state = CreateExecutorState();
    ResultRelInfo *result = makeNode(ResultRelInfo);
    InitResultRelInfo(result, relation, 0, nullptr, 0);
    ExecOpenIndices(result, false);
    TupleTableSlot *slot = table_slot_create(relation, nullptr);
    CommandId command = GetCurrentCommandId(true);
    MemoryContext outer = MemoryContextSwitchTo(GetPerTupleMemoryContext(state));
    for (const Entry &entry : entries) {
      CHECK_FOR_INTERRUPTS();
      Datum values[kColumns] = {
          Int64GetDatum(nextval_internal(sequence, false)),
          Int32GetDatum(entry.content_id),
          PointerGetDatum(cstring_to_text_with_len(entry.platform, static_cast<int>(entry.platform_size))),
          TimestampGetDatum(entry.from),
          TimestampGetDatum(entry.to),
          Int32GetDatum(entry.post_id)};
      ExecClearTuple(slot);
      for (int i = 0; i < kColumns; ++i) {
        slot->tts_values[i] = values[i];
        slot->tts_isnull[i] = false;
      }
      slot->tts_isnull[kColumns - 1] = entry.post_id == 0;
      ExecStoreVirtualTuple(slot);
      table_tuple_insert(relation, slot, command, 0, nullptr);
      ExecInsertIndexTuples(result, slot, state, false, false, nullptr, NIL);
      ResetPerTupleExprContext(state);
    }
    MemoryContextSwitchTo(outer);
    ExecDropSingleTupleTableSlot(slot);
    ExecCloseIndices(result);
    FreeExecutorState(state);
    table_close(relation, NoLock);  // the lock stays until the transaction ends
    CommandCounterIncrement();
  });
}

}  // namespace

void append_delta(const std::vector<SeriesTouch> &touched) {
  static Oid table, sequence;
  static TableWatch watch({"metric_delta"});
  watch.rebuild([] {
    table = own_table("metric_delta");
    sequence = own_table("metric_delta_id_seq");
  });
  std::vector<Entry> entries;
  for (const SeriesTouch &touch : touched)
    for (size_t i = 0; i < touch.ranges.size(); ++i)
      entries.push_back({touch.key.content_id, touch.key.platform.data(), touch.key.platform.size(),
                         touch.ranges[i].first, touch.ranges[i].second,
                         i + 1 == touch.ranges.size() && !touch.posts.empty() ? touch.posts.back().first : 0});
  if (!entries.empty()) insert(table, sequence, entries);
}

void append_touched(std::vector<SampleChange> &changes, const Names &names, Timestamp raw_from) {
  std::sort(changes.begin(), changes.end(), [](const SampleChange &a, const SampleChange &b) {
    return std::tie(a.content_id, a.platform, a.at) < std::tie(b.content_id, b.platform, b.at);
  });
  std::vector<SeriesTouch> touched;
  for (const SampleChange &change : changes) {
    if (raw_from != DT_NOBEGIN && change.added && change.at < raw_from + USECS_PER_DAY)
      throw Error("22008", "samples of that time are closed").hint("freeze_metrics() set the instant.");
    const std::string &platform = names.name(change.platform);
    if (touched.empty() || touched.back().key.content_id != change.content_id ||
        touched.back().key.platform != platform)
      touched.push_back({{change.content_id, platform}, {}, {}});
    auto &ranges = touched.back().ranges;
    if (ranges.empty() || change.at - ranges.back().second > kGap)
      ranges.emplace_back(change.at, change.at);
    else
      ranges.back().second = change.at;
    // A series that is touched all over is read again as a whole.
    if (ranges.size() > kMostRanges) ranges = {{ranges.front().first, ranges.back().second}};
    if (change.added && change.post_id != 0) touched.back().posts = {{change.post_id, change.at}};
  }
  append_delta(touched);
}

}  // namespace nexus::pg
