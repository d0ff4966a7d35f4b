// What an account's contents gained, from their rollups (sql/install/57-metrics-questions.sql).
#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "glue/datum.hpp"
#include "glue/metrics_account.hpp"
#include "glue/metrics_numeric.hpp"
#include "glue/metrics_owner.hpp"
#include "glue/metrics_rollup_read.hpp"
#include "glue/metrics_zone.hpp"

extern "C" {
#include "utils/builtins.h"
}

namespace nexus::pg {

using metrics::Cell;
using enum metrics::Metric;

namespace {

std::optional<Datum> increment(const Cell &cell, metrics::Metric metric) {
  return optional_numeric(cell.total(metric));
}

}  // namespace

std::vector<int32> visible_contents(const std::string &schema, Datum user) {
  constexpr Oid kTypes[] = {TEXTOID};
  std::vector<int32> ids;
  for_rows(kept_plan("SELECT FROM " + schema + ".content_metrics LIMIT 0", {}), nullptr, true, false,
           [](HeapTuple, TupleDesc) {});
  for_rows(kept_plan("SELECT id FROM " + schema + ".content WHERE user_id = $1", kTypes), &user, true, false,
           [&ids](HeapTuple row, TupleDesc descriptor) { ids.push_back(DatumGetInt32(column(row, descriptor, 1))); });
  return ids;
}

bool sees_all(const RollupReader &reader, Datum user, size_t seen) {
  constexpr Oid kTypes[] = {TEXTOID};
  int64 all = 0;
  for_rows(
      reader.store().plan("SELECT count(*) FROM " + reader.store().schema() + ".content WHERE user_id = $1", kTypes),
      &user, true, false,
      [&all](HeapTuple row, TupleDesc descriptor) { all = DatumGetInt64(column(row, descriptor, 1)); });
  return all == static_cast<int64>(seen);
}

bool in_whole_days(RollupReader &reader, Datum user, const std::vector<int32> &contents, const std::string &zone,
                   Window window) {
  if (reader.waits_for_fold()) {
    reader.read_user(user, contents, zone, window, false);
    return std::all_of(reader.series().begin(), reader.series().end(), [&](const RollupReader::Series &series) {
      return series.head.zone == zone && reader.whole_days(zone, series.head.last_at, window);
    });
  }
  bool whole = true;
  constexpr Oid kTypes[] = {TEXTOID};
  for_rows(
      reader.store().plan("SELECT tz, max(last_at) FROM nexus.metric_series WHERE user_id = $1 GROUP BY tz", kTypes),
      &user, true, false, [&](HeapTuple row, TupleDesc descriptor) {
        bool null;
        Datum last = column(row, descriptor, 2, &null);
        whole = whole && stored_bytes(column(row, descriptor, 1)) == zone &&
                reader.whole_days(zone, null ? DT_NOBEGIN : DatumGetTimestamp(last), window);
      });
  return whole;
}

NEXUS_FUNCTION(nexus_account_series) {
  require_arg(fcinfo, 0, "user_id");
  require_arg(fcinfo, 3, "unit");
  metrics::Unit unit = metrics::parse_unit(text_arg(fcinfo, 3));
  if (unit == metrics::Unit::hour)
    throw invalid_argument("unit must be day, week or month").hint("metrics_series() gives the hours of one content.");
  Datum user[] = {PG_GETARG_DATUM(0)};
  Window window{PG_ARGISNULL(1) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(1),
                PG_ARGISNULL(2) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(2)};
  std::optional<std::string> platform;
  if (!PG_ARGISNULL(4)) platform = stored_bytes(PG_GETARG_DATUM(4));
  Rows rows(fcinfo);
  call([] { SPI_connect(); });
  std::vector<int32> contents = visible_contents(attached_schema(), user[0]);
  if (!contents.empty()) {
    AsOwner owner;
    RollupReader reader;
    std::string zone = author_zone(reader.store(), std::string(stored_bytes(user[0])));
    metrics::LocalDays &days = reader.days_of(zone);
    std::map<std::int32_t, Cell> gained;
    auto asked = [&platform](std::string_view of) { return !platform || of == *platform; };
    if (sees_all(reader, user[0], contents.size()) && in_whole_days(reader, user[0], contents, zone, window)) {
      read_user_days(reader, user[0], days, window,
                     [&](std::string_view of, std::int32_t day, const Cell &cell, int sign) {
                       if (asked(of)) gained[day].add(cell, sign);
                     });
    } else {
      RollupReader full;
      full.read_user(user[0], contents, zone, window);
      for (const RollupReader::Series &series : full.series())
        if (asked(series.head.key.platform))
          full.gains(series, window, [&gained](std::int32_t day, const Cell &cell) { gained[day].add(cell); });
    }
    metrics::Buckets buckets(unit, zone_rules(zone));
    std::map<metrics::Instant, std::pair<metrics::Instant, Cell>> sums;
    for (const auto &[day, cell] : gained) {
      if (cell.samples == 0) continue;
      metrics::Buckets::Bucket bucket = buckets.at(days.start(day));
      sums[bucket.start].first = bucket.end;
      sums[bucket.start].second.add(cell);
    }
    for (const auto &[start, found] : sums) {
      const Cell &sum = found.second;
      rows.add({TimestampTzGetDatum(start), TimestampTzGetDatum(found.first), increment(sum, views),
                increment(sum, likes), increment(sum, comments), increment(sum, shares), increment(sum, saves),
                increment(sum, reach), increment(sum, clicks), increment(sum, watch_time_seconds),
                optional_float8(sum.engagement_rate())});
    }
  }
  call([] { SPI_finish(); });
  return Datum(0);
}

NEXUS_FUNCTION(nexus_account_heatmap) {
  require_arg(fcinfo, 0, "user_id");
  Datum user[] = {PG_GETARG_DATUM(0)};
  std::optional<std::string> platform;
  if (!PG_ARGISNULL(1)) platform = stored_bytes(PG_GETARG_DATUM(1));
  Rows rows(fcinfo);
  call([] { SPI_connect(); });
  std::vector<int32> contents = visible_contents(attached_schema(), user[0]);
  if (!contents.empty()) {
    AsOwner owner;
    RollupReader reader;
    std::string zone = author_zone(reader.store(), std::string(stored_bytes(user[0])));
    bool all = sees_all(reader, user[0], contents.size());
    if (!all || reader.waits_for_fold()) reader.read_user(user[0], contents, zone, {DT_NOBEGIN, DT_NOEND}, !all);
    std::map<int, Cell> hours;
    auto add = [&hours](std::int32_t day, const metrics::DayState &state, int sign) {
      for (size_t i = 0; i < state.hours().size(); ++i)
        hours[metrics::LocalDays::day_of_week(day) * 24 + state.hours()[i].hour].add(state.hour_cell(i), sign);
    };
    constexpr Oid kTypes[] = {TEXTOID};
    if (all)
      for_rows(reader.store().plan(
                   "SELECT platform, dow * 24 + hour, state FROM nexus.metric_user_hours WHERE user_id = $1", kTypes),
               user, true, false, [&](HeapTuple row, TupleDesc descriptor) {
                 if (platform && stored_bytes(column(row, descriptor, 1)) != *platform) return;
                 hours[DatumGetInt32(column(row, descriptor, 2))].add(
                     Cell::decode(stored_bytes(column(row, descriptor, 3))));
               });
    for (const RollupReader::Series &series : reader.series()) {
      if (platform && series.head.key.platform != *platform) continue;
      if (all) {
        for (const metrics::DayChange &change : series.not_folded) {
          add(change.day, change.before, -1);
          add(change.day, change.after, 1);
        }
      } else {
        for (const metrics::DayRow &row : reader.days(series)) add(row.day, row.state, 1);
      }
    }
    for (const auto &[at, sum] : hours) {
      if (sum.samples == 0) continue;
      rows.add({Int32GetDatum(at / 24), Int32GetDatum(at % 24), Int64GetDatum(sum.samples), increment(sum, views),
                increment(sum, likes), increment(sum, comments), increment(sum, shares), increment(sum, saves),
                increment(sum, reach), increment(sum, clicks), increment(sum, watch_time_seconds),
                optional_float8(sum.engagement_rate())});
    }
  }
  call([] { SPI_finish(); });
  return Datum(0);
}

NEXUS_FUNCTION(nexus_account_latest) {
  require_arg(fcinfo, 0, "user_id");
  Datum user[] = {PG_GETARG_DATUM(0)};
  Rows rows(fcinfo);
  call([] { SPI_connect(); });
  std::vector<int32> contents = visible_contents(attached_schema(), user[0]);
  if (!contents.empty()) {
    AsOwner owner;
    RollupReader reader;
    reader.read_user(user[0], contents, author_zone(reader.store(), std::string(stored_bytes(user[0]))),
                     {DT_NOBEGIN, DT_NOEND}, false);
    for (const RollupReader::Series &series : reader.series()) {
      if (series.head.last_at == DT_NOBEGIN) continue;
      auto value = [&series](metrics::Metric metric) -> std::optional<Datum> {
        auto index = static_cast<size_t>(metric);
        if (!series.head.latest.knows(index)) return std::nullopt;
        return Int64GetDatum(series.head.latest.value[index]);
      };
      rows.add({Int32GetDatum(series.head.key.content_id), text_datum(series.head.key.platform),
                TimestampTzGetDatum(series.head.last_at), value(views), value(likes), value(comments), value(shares),
                value(saves), value(reach), value(clicks), value(watch_time_seconds)});
    }
  }
  call([] { SPI_finish(); });
  return Datum(0);
}

}  // namespace nexus::pg
