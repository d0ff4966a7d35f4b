// The triggers that keep the rollups of content_metrics, and the functions that fold and rebuild them
// (sql/install/58-metrics-rollups.sql).
#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <algorithm>
#include <string>

#include "glue/datum.hpp"
#include "glue/metrics_owner.hpp"
#include "glue/metrics_rollup.hpp"
#include "glue/metrics_state.hpp"

extern "C" {
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"
}

namespace nexus::pg {

namespace {

/// So many samples are held in memory at a time; a longer statement is worked off in parts.
constexpr size_t kMostSamples = 500000;
TriggerData *trigger_of(FunctionCallInfo fcinfo) {
  if (!CALLED_AS_TRIGGER(fcinfo)) throw Error("39P01", "this function is called by a trigger only");
  return reinterpret_cast<TriggerData *>(fcinfo->context);
}

/// These functions run with their owner's rights: on a table that is not the application's they do nothing.
bool is_attached(const TriggerData *trigger, const std::string &schema, const char *table) {
  const char *quoted = schema.c_str();
  return call([=] {
    Relation relation = trigger->tg_relation;
    return std::strcmp(RelationGetRelationName(relation), table) == 0 &&
           std::strcmp(quote_identifier(get_namespace_name(RelationGetNamespace(relation))), quoted) == 0;
  });
}

/// Where the columns of content_metrics stand.
struct SampleColumns {
  int id, content_id, platform, captured_at, post_id, counters[metrics::kMetrics];
  bool wide[metrics::kMetrics];
};

SampleColumns sample_columns(Relation relation) {
  return call([relation] {
    TupleDesc descriptor = RelationGetDescr(relation);
    auto number = [descriptor, relation](const char *name) {
      int found = SPI_fnumber(descriptor, name);
      if (found <= 0)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                        errmsg("table \"%s\" has no column \"%s\"", RelationGetRelationName(relation), name)));
      return found;
    };
    SampleColumns columns{};
    columns.id = number("id");
    columns.content_id = number("content_id");
    columns.platform = number("platform");
    columns.captured_at = number("captured_at");
    columns.post_id = number("platform_post_row_id");
    for (int i = 0; i < metrics::kMetrics; ++i) {
      columns.counters[i] = number(metrics::kMetricNames[static_cast<size_t>(i)]);
      columns.wide[i] = SPI_gettypeid(descriptor, columns.counters[i]) == INT8OID;
    }
    return columns;
  });
}

/// The rows of a transition table.
class TransitionTable {
 public:
  TransitionTable(Tuplestorestate *store, Relation relation) : store_(store) {
    slot_ = call([store, relation] {
      int pointer = tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND);
      tuplestore_select_read_pointer(store, pointer);
      tuplestore_rescan(store);
      return MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsMinimalTuple);
    });
  }
  /// Up to `most` rows; `on_row(slot)` must not raise, nor call what may.
  template <class OnRow>
  bool read(size_t most, OnRow &&on_row) {
    for (size_t n = 0; n < most; ++n) {
      bool more = call([this] {
        if (!tuplestore_gettupleslot(store_, true, false, slot_)) return false;
        slot_getallattrs(slot_);
        return true;
      });
      if (!more) return false;
      on_row(slot_);
    }
    return true;
  }
  void close() {
    call([this] { ExecDropSingleTupleTableSlot(slot_); });
  }

 private:
  Tuplestorestate *store_;
  TupleTableSlot *slot_;
};

SampleChange read_change(TupleTableSlot *slot, const SampleColumns &columns, bool added, Names &names) {
  auto value = [slot](int number) { return slot->tts_values[number - 1]; };
  auto null = [slot](int number) { return slot->tts_isnull[number - 1]; };
  SampleChange change{};
  change.added = added;
  change.id = DatumGetInt32(value(columns.id));
  change.content_id = DatumGetInt32(value(columns.content_id));
  change.platform = names.number(stored_bytes(value(columns.platform)));
  change.at = DatumGetTimestamp(value(columns.captured_at));
  change.post_id = null(columns.post_id) ? 0 : DatumGetInt32(value(columns.post_id));
  for (int i = 0; i < metrics::kMetrics; ++i)
    if (!null(columns.counters[i]))
      change.values.set(static_cast<size_t>(i), columns.wide[i] ? DatumGetInt64(value(columns.counters[i]))
                                                                : DatumGetInt32(value(columns.counters[i])));
  return change;
}

/// The settings that its statements are planned and run with, until AtEOXact_GUC. Hot mode runs none, and a writer need
/// not wait for the settings of SQL's CREATE FUNCTION to be made and unmade.
int begin_settings() {
  return call([] {
    int level = NewGUCNestLevel();
    constexpr const char *kSettings[][2] = {
        {"search_path", "pg_catalog, pg_temp"},
        {"enable_seqscan", "off"},
        {"jit", "off"},
        // A plan made for the arrays at hand is the same plan, and making it costs a single sample more than the rest.
        {"plan_cache_mode", "force_generic_plan"}};
    for (const auto &[name, value] : kSettings)
      (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    return level;
  });
}

/// What waits for a lock must then see what its holder has committed.
void require_read_committed(const char *message) {
  if (call([] { return IsolationUsesXactSnapshot(); }))
    throw Error("25001", message).hint("Call it outside a transaction, or after BEGIN ISOLATION LEVEL READ COMMITTED.");
}

}  // namespace

NEXUS_FUNCTION(nexus_roll_up_metrics) {
  TriggerData *trigger = trigger_of(fcinfo);
  if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
      (trigger->tg_newtable == nullptr && trigger->tg_oldtable == nullptr))
    throw Error("39P01", "this function is called AFTER a statement, REFERENCING its rows");
  if (is_attached(trigger, rollup_settings().schema, "content_metrics")) {
    bool hot = rollup_settings().hot;
    int settings = 0;
    std::optional<Rollup> rollup;
    if (!hot) {
      settings = begin_settings();
      call([] { SPI_connect(); });
      rollup.emplace();
    }
    SampleColumns columns = sample_columns(trigger->tg_relation);
    Names names;
    std::vector<SampleChange> changes;
    auto write = [&] {
      if (changes.empty()) return;
      if (hot)
        append_touched(changes, names, rollup_settings().raw_from);
      else
        rollup->apply(changes, names);
      changes.clear();
    };
    for (bool added : {false, true}) {
      Tuplestorestate *rows = added ? trigger->tg_newtable : trigger->tg_oldtable;
      if (rows == nullptr) continue;
      TransitionTable table(rows, trigger->tg_relation);
      for (bool more = true; more;) {
        more = table.read(kMostSamples,
                          [&](TupleTableSlot *slot) { changes.push_back(read_change(slot, columns, added, names)); });
        if (more) write();
      }
      table.close();
    }
    write();
    if (!hot) {
      rollup.reset();
      call([settings] {
        SPI_finish();
        AtEOXact_GUC(true, settings);
      });
    }
  }
  return PointerGetDatum(nullptr);
}

NEXUS_FUNCTION(nexus_forget_metrics) {
  TriggerData *trigger = trigger_of(fcinfo);
  if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
      trigger->tg_oldtable == nullptr)
    throw Error("39P01", "this function is called AFTER DELETE, REFERENCING the rows");
  call([] { SPI_connect(); });
  Rollup rollup;
  if (is_attached(trigger, rollup.store().schema(), "content")) {
    int number = call([trigger] { return SPI_fnumber(RelationGetDescr(trigger->tg_relation), "id"); });
    int owner = call([trigger] { return SPI_fnumber(RelationGetDescr(trigger->tg_relation), "user_id"); });
    Column contents(INT4OID);
    std::set<std::string> owners;
    TransitionTable table(trigger->tg_oldtable, trigger->tg_relation);
    table.read(SIZE_MAX, [&](TupleTableSlot *slot) {
      contents.add(slot->tts_values[number - 1]);
      owners.emplace(slot->tts_isnull[owner - 1] ? std::string_view() : stored_bytes(slot->tts_values[owner - 1]));
    });
    table.close();
    if (!contents.empty()) rollup.forget(contents, owners);
  }
  call([] { SPI_finish(); });
  return PointerGetDatum(nullptr);
}

NEXUS_FUNCTION(nexus_move_metrics) {
  TriggerData *trigger = trigger_of(fcinfo);
  if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
      !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
    throw Error("39P01", "this function is called AFTER UPDATE, FOR EACH ROW");
  call([] { SPI_connect(); });
  Rollup rollup;
  if (is_attached(trigger, rollup.store().schema(), "content")) {
    struct Moved {
      int32 id;
      const char *before, *after;
    };
    auto moved = call([trigger]() -> Moved {
      TupleDesc descriptor = RelationGetDescr(trigger->tg_relation);
      bool null;
      Datum id = heap_getattr(trigger->tg_newtuple, SPI_fnumber(descriptor, "id"), descriptor, &null);
      int number = SPI_fnumber(descriptor, "user_id");
      char *before = SPI_getvalue(trigger->tg_trigtuple, descriptor, number);
      char *after = SPI_getvalue(trigger->tg_newtuple, descriptor, number);
      return {DatumGetInt32(id), before == nullptr ? "" : before, after == nullptr ? "" : after};
    });
    rollup.change_owner(moved.id, moved.before, moved.after);
  }
  call([] { SPI_finish(); });
  return PointerGetDatum(nullptr);
}

NEXUS_FUNCTION(nexus_fold_metrics) {
  int32 most = PG_ARGISNULL(0) ? 10000 : PG_GETARG_INT32(0);
  if (most < 1) throw invalid_argument("max_series must be above 0");
  require_read_committed("rollups are folded in read committed transactions only");
  call([] { SPI_connect(); });
  int64 taken = 0;
  {
    Store store(false);
    // One fold at a time: two would only wait for each other. The key is the table's own number.
    bool alone = false;
    for_rows(store.plan("SELECT pg_try_advisory_xact_lock('nexus.metric_delta'::regclass::oid::bigint)", {}), nullptr,
             false, false,
             [&alone](HeapTuple row, TupleDesc descriptor) { alone = DatumGetBool(column(row, descriptor, 1)); });
    if (alone) {
      Rollup rollup;
      std::vector<SeriesTouch> touched;
      constexpr Oid kTypes[] = {INT4OID};
      Datum parameters[] = {Int32GetDatum(most)};
      for_rows(store.plan("WITH taken AS (DELETE FROM nexus.metric_delta d WHERE d.ctid = ANY (ARRAY("
                          "SELECT ctid FROM nexus.metric_delta LIMIT $1))"
                          " RETURNING content_id, platform, from_at, to_at, post_id)"
                          " SELECT * FROM taken ORDER BY content_id, platform",
                          kTypes),
               parameters, false, false, [&](HeapTuple row, TupleDesc descriptor) {
                 SeriesKey key{DatumGetInt32(column(row, descriptor, 1)),
                               std::string(stored_bytes(column(row, descriptor, 2)))};
                 if (touched.empty() || touched.back().key != key) touched.push_back({key, {}, {}});
                 Timestamp to = DatumGetTimestamp(column(row, descriptor, 4));
                 touched.back().ranges.emplace_back(DatumGetTimestamp(column(row, descriptor, 3)), to);
                 bool null;
                 Datum post = column(row, descriptor, 5, &null);
                 if (!null) touched.back().posts.emplace_back(DatumGetInt32(post), to);
               });
      taken = rollup.refresh(touched);
    }
  }
  call([] { SPI_finish(); });
  PG_RETURN_INT64(taken);
}

NEXUS_FUNCTION(nexus_rebuild_metrics) {
  require_read_committed("rollups are rebuilt in read committed transactions only");
  call([] { SPI_connect(); });
  int64 series = Rollup().rebuild_all();
  call([] { SPI_finish(); });
  PG_RETURN_INT64(series);
}

NEXUS_FUNCTION(nexus_set_metrics_zone) {
  require_arg(fcinfo, 0, "user_id");
  require_arg(fcinfo, 1, "tz");
  require_read_committed("the zone of rollups is set in read committed transactions only");
  call([] { SPI_connect(); });
  constexpr Oid kTypes[] = {TEXTOID};
  Datum parameters[] = {PG_GETARG_DATUM(0)};
  SPIPlanPtr own = kept_plan("SELECT FROM " + attached_schema() + ".users WHERE id = $1 FOR NO KEY UPDATE", kTypes);
  bool may = call([own, &parameters] {
    if (SPI_execute_plan(own, parameters, nullptr, false, 1) < 0) elog(ERROR, "users cannot be read");
    return SPI_processed == 1;
  });
  if (!may) throw Error("NX003", "user does not exist or is not you");
  std::string user(stored_bytes(PG_GETARG_DATUM(0))), zone(stored_bytes(PG_GETARG_DATUM(1)));
  int64 series;
  {
    AsOwner owner;
    series = Rollup().change_zone(user, zone);
  }
  call([] { SPI_finish(); });
  PG_RETURN_INT64(series);
}

NEXUS_FUNCTION(nexus_metric_values) {
  metrics::Values values = metrics::Values::decode(bytes_arg(fcinfo, 0));
  return call([&values] {
    Datum elements[metrics::kMetrics];
    bool nulls[metrics::kMetrics];
    for (size_t i = 0; i < metrics::kMetrics; ++i) {
      elements[i] = Int64GetDatum(values.value[i]);
      nulls[i] = !values.knows(i);
    }
    int size = metrics::kMetrics, lower = 1;
    return PointerGetDatum(construct_md_array(elements, nulls, 1, &size, &lower, INT8OID, sizeof(int64), true, 'd'));
  });
}

}  // namespace nexus::pg
