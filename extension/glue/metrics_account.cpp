// What an account's contents gained, from their rollups (sql/install/57-metrics-questions.sql).
#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <optional>
#include <string>

#include "glue/datum.hpp"
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

/// The contents of a user that the caller sees. Also asks for the right to read content_metrics (42501).
std::vector<int32> visible_contents(const std::string &schema, Datum user) {
  constexpr Oid kTypes[] = {TEXTOID};
  std::vector<int32> ids;
  for_rows(kept_plan("SELECT FROM " + schema + ".content_metrics LIMIT 0", {}), nullptr, true, false,
           [](HeapTuple, TupleDesc) {});
  for_rows(kept_plan("SELECT id FROM " + schema + ".content WHERE user_id = $1", kTypes), &user, true, false,
           [&ids](HeapTuple row, TupleDesc descriptor) { ids.push_back(DatumGetInt32(column(row, descriptor, 1))); });
  return ids;
}

std::optional<Datum> increment(const Cell &cell, metrics::Metric metric) {
  return optional_numeric(cell.total(metric));
}

/// True if the caller sees all contents with samples that the user has.
bool sees_all(const RollupReader &reader, Datum user, size_t seen) {
  constexpr Oid kTypes[] = {TEXTOID};
  int64 all = 0;
  for_rows(
      reader.store().plan("SELECT count(*) FROM " + reader.store().schema() + ".content WHERE user_id = $1", kTypes),
      &user, true, false,
      [&all](HeapTuple row, TupleDesc descriptor) { all = DatumGetInt64(column(row, descriptor, 1)); });
  return all == static_cast<int64>(seen);
}

constexpr const char *kOfUser = " WHERE s.user_id = $1";
constexpr Oid kUser[] = {TEXTOID};

}  // namespace

NEXUS_FUNCTION(nexus_account_gains) {
  require_arg(fcinfo, 0, "user_id");
  require_arg(fcinfo, 1, "after");
  require_arg(fcinfo, 2, "before");
  Datum user[] = {PG_GETARG_DATUM(0)};
  Window window{PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2)};
  Rows rows(fcinfo);
  call([] { SPI_connect(); });
  std::vector<int32> contents = visible_contents(attached_schema(), user[0]);
  if (!contents.empty()) {
    AsOwner owner;
    RollupReader reader;
    reader.read(kOfUser, kUser, user, contents, author_zone(reader.store(), std::string(stored_bytes(user[0]))),
                window);
    for (const RollupReader::Series &series : reader.series()) {
      Cell sum;
      reader.gains(series, window, [&sum](std::int32_t, const Cell &cell) { sum.add(cell); });
      if (sum.samples == 0) continue;
      rows.add({Int32GetDatum(series.head.key.content_id), text_datum(series.head.key.platform), increment(sum, views),
                increment(sum, likes), increment(sum, comments), increment(sum, shares), increment(sum, saves),
                increment(sum, reach), increment(sum, clicks), increment(sum, watch_time_seconds),
                sum.rated != 0 ? std::optional(numeric_datum(sum.engagements)) : std::nullopt,
                sum.rated != 0 ? std::optional(numeric_datum(sum.denominator)) : std::nullopt});
    }
  }
  call([] { SPI_finish(); });
  return Datum(0);
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
    reader.read(kOfUser, kUser, user, contents, zone, window, false);
    bool from_days = sees_all(reader, user[0], contents.size());
    for (const RollupReader::Series &series : reader.series())
      from_days = from_days && reader.whole_days(series, window);
    std::map<std::int32_t, Cell> gained;
    if (from_days) {
      auto inside = [&days, window](std::int32_t day) {
        return days.start(day + 1) > window.after && days.start(day) < window.before;
      };
      constexpr Oid kTypes[] = {TEXTOID, DATEOID, DATEOID};
      auto bound = [&days](Timestamp at, int32 open) { return TIMESTAMP_NOT_FINITE(at) ? open : days.at(at).day; };
      Datum given[] = {user[0], DateADTGetDatum(bound(window.after, -2451545)),
                       DateADTGetDatum(bound(window.before, 100000000))};
      for_rows(reader.store().plan("SELECT platform, day, state FROM nexus.metric_user_days WHERE user_id = $1 AND day"
                                   " BETWEEN $2 AND $3",
                                   kTypes),
               given, true, true, [&](HeapTuple row, TupleDesc descriptor) {
                 std::int32_t day = DatumGetDateADT(column(row, descriptor, 2));
                 if (platform && stored_bytes(column(row, descriptor, 1)) != *platform) return;
                 if (inside(day)) gained[day].add(Cell::decode(stored_bytes(column(row, descriptor, 3))));
               });
      for (const RollupReader::Series &series : reader.series()) {
        if (platform && series.head.key.platform != *platform) continue;
        for (const metrics::DayChange &change : series.not_folded) {
          if (!inside(change.day)) continue;
          if (!change.before.empty()) gained[change.day].add(change.before.cell(), -1);
          if (!change.after.empty()) gained[change.day].add(change.after.cell());
        }
      }
    } else {
      RollupReader full;
      full.read(kOfUser, kUser, user, contents, zone, window);
      for (const RollupReader::Series &series : full.series()) {
        if (platform && series.head.key.platform != *platform) continue;
        full.gains(series, window, [&gained](std::int32_t day, const Cell &cell) { gained[day].add(cell); });
      }
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
    Window always{DT_NOBEGIN, DT_NOEND};
    bool all = sees_all(reader, user[0], contents.size());
    reader.read(kOfUser, kUser, user, contents, zone, always, !all);
    std::map<int, Cell> hours;
    auto add = [&hours](std::int32_t day, const metrics::DayState &state, int sign) {
      for (size_t i = 0; i < state.hours().size(); ++i)
        hours[metrics::LocalDays::day_of_week(day) * 24 + state.hours()[i].hour].add(state.hour_cell(i), sign);
    };
    if (all)
      for_rows(reader.store().plan(
                   "SELECT platform, dow * 24 + hour, state FROM nexus.metric_user_hours WHERE user_id = $1", kUser),
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
        for (const metrics::DayRow &row : series.days) add(row.day, row.state, 1);
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
    reader.read(kOfUser, kUser, user, contents, author_zone(reader.store(), std::string(stored_bytes(user[0]))),
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
