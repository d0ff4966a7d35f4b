// metrics_series and metric_drops: what one content did, from its rollups or, for hours and other zones than the
// author's, from its samples through core/metrics/series.
#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <map>
#include <optional>
#include <string>

#include "glue/datum.hpp"
#include "glue/metrics_numeric.hpp"
#include "glue/metrics_owner.hpp"
#include "glue/metrics_rollup_read.hpp"
#include "glue/metrics_samples.hpp"
#include "glue/metrics_zone.hpp"

namespace nexus::pg {

namespace {

constexpr Oid kParameters[] = {INT4OID, TIMESTAMPOID, TIMESTAMPOID};  // $1 content_id, $2 after, $3 before

struct Request {
  Datum parameters[3];  // content_id, after, before

  Timestamp after() const { return DatumGetTimestamp(parameters[1]); }
  Timestamp before() const { return DatumGetTimestamp(parameters[2]); }
};

/// Arguments 0 to 2; a missing bound is open.
Request window_args(FunctionCallInfo fcinfo) {
  require_arg(fcinfo, 0, "content_id");
  return {{Int32GetDatum(PG_GETARG_INT32(0)),
           TimestampGetDatum(PG_ARGISNULL(1) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(1)),
           TimestampGetDatum(PG_ARGISNULL(2) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(2))}};
}

/// The attached schema; NX003 where the caller cannot see the content, in the same words whether it exists or not.
std::string schema_of_content(Request window) {
  std::string schema = attached_schema();
  SPIPlanPtr plan = kept_plan("SELECT FROM " + schema + ".content WHERE id = $1", kParameters);
  bool visible = call([plan, &window] {
    if (SPI_execute_plan(plan, window.parameters, nullptr, true, 1) != SPI_OK_SELECT)
      elog(ERROR, "content cannot be read");
    return SPI_processed > 0;
  });
  if (!visible)
    throw Error("NX003",
                "content " + std::to_string(DatumGetInt32(window.parameters[0])) + " does not exist or is not yours");
  for_rows(kept_plan("SELECT FROM " + schema + ".content_metrics LIMIT 0", {}), nullptr, true, false,
           [](HeapTuple, TupleDesc) {});  // 42501 for who may not read samples
  return schema;
}

/// The samples in the window, platform by platform in order of time and arrival. Each platform begins with a row
/// without time, which holds what each counter last was before the window.
std::string samples_query(const std::string &schema) {
  const std::string table = schema + ".content_metrics";
  const std::string window = " FROM " + table + " WHERE content_id = $1 AND captured_at >= $2 AND captured_at < $3";
  return "SELECT platform::text COLLATE \"C\" AS platform, captured_at, id::bigint AS id, content_id" +
         counters_of("") + window + " UNION ALL SELECT p.platform::text COLLATE \"C\", NULL, 0, p.content_id" +
         last_counters(table, "p") + " FROM (SELECT DISTINCT content_id, platform" + window +
         ") p ORDER BY platform, captured_at NULLS FIRST, id";
}

/// Gives each platform's last counters before the window to `on_platform(platform, counters)`, then its samples to
/// `on_sample(at, counters)`: a thousand rows at a time, so that a long history needs no more memory than a short one.
template <class OnPlatform, class OnSample>
void read_samples(const std::string &schema, Request window, OnPlatform &&on_platform, OnSample &&on_sample) {
  read_snapshots(kept_plan(samples_query(schema), kParameters), window.parameters, [&](const Snapshot &snapshot) {
    if (snapshot.before_window)
      on_platform(snapshot.platform, snapshot.counters());
    else
      on_sample(snapshot.at, snapshot.counters());
  });
}

}  // namespace

namespace {

using enum metrics::Metric;

template <class Increments>
void add_bucket(Rows &rows, metrics::Instant start, metrics::Instant end, const Increments &increments,
                std::optional<double> rate) {
  auto increment = [&increments](metrics::Metric metric) { return optional_numeric(increments.total(metric)); };
  rows.add({TimestampTzGetDatum(start), TimestampTzGetDatum(end), increment(views), increment(likes),
            increment(comments), increment(shares), increment(saves), increment(reach), increment(clicks),
            increment(watch_time_seconds), optional_float8(rate)});
}

struct Author {
  std::string zone;
  Timestamp raw_from;
};

/// The rows of a series from the rollups, if the unit and the zone (that of the author, if none is given) allow it.
std::optional<Author> series_from_rollups(Rows &rows, const std::string &schema, const Request &window,
                                          metrics::Unit unit, std::optional<std::string_view> zone) {
  AsOwner owner;
  RollupReader reader;
  std::string user;
  for_rows(kept_plan("SELECT coalesce(user_id, '') FROM " + schema + ".content WHERE id = $1",
                     std::span(kParameters).first(1)),
           window.parameters, true, false,
           [&user](HeapTuple row, TupleDesc descriptor) { user = stored_bytes(column(row, descriptor, 1)); });
  Author author{author_zone(reader.store(), user), reader.store().raw_from()};
  if (unit == metrics::Unit::hour || (zone && *zone != author.zone)) return author;
  Window wanted{window.after(), window.before()};
  reader.read(" WHERE s.content_id = $1", std::span(kParameters).first(1), window.parameters,
              {DatumGetInt32(window.parameters[0])}, author.zone, wanted);
  std::map<std::int32_t, metrics::Cell> days;
  for (const RollupReader::Series &series : reader.series())
    reader.gains(series, wanted, [&days](std::int32_t day, const metrics::Cell &cell) { days[day].add(cell); });
  metrics::Buckets buckets(unit, zone_rules(author.zone));
  std::map<metrics::Instant, std::pair<metrics::Instant, metrics::Cell>> sums;
  for (const auto &[day, cell] : days) {
    metrics::Buckets::Bucket bucket = buckets.at(reader.days_of(author.zone).start(day));
    sums[bucket.start].first = bucket.end;
    sums[bucket.start].second.add(cell);
  }
  for (const auto &[start, found] : sums)
    add_bucket(rows, start, found.first, found.second, found.second.engagement_rate());
  return std::nullopt;
}

}  // namespace

NEXUS_FUNCTION(nexus_metrics_series) {
  require_arg(fcinfo, 3, "unit");
  metrics::Unit unit = metrics::parse_unit(text_arg(fcinfo, 3));
  std::optional<std::string_view> zone = optional_text_arg(fcinfo, 4);
  if (zone) zone_rules(*zone);  // refuses an unknown one
  Request window = window_args(fcinfo);
  Rows rows(fcinfo);

  call([] { SPI_connect(); });
  std::string schema = schema_of_content(window);
  if (auto author = series_from_rollups(rows, schema, window, unit, zone)) {
    if (window.after() < author->raw_from)
      throw Error("55000", "the samples of that time are gone")
          .hint("Before the instant that freeze_metrics() set, ask for days, weeks or months of the author's zone.");
    metrics::Series series(unit, zone_rules(zone ? *zone : author->zone), metrics::Policy());
    read_samples(
        schema, window, [&series](std::string_view, const metrics::Counters &before) { series.begin(before); },
        [&series](Timestamp at, const metrics::Counters &counters) { series.add(at, counters); });
    for (const metrics::SeriesBucket &bucket : series.finish())
      add_bucket(rows, bucket.start, bucket.end, bucket.increments, bucket.engagement_rate);
  }
  call([] { SPI_finish(); });
  return Datum(0);
}

NEXUS_FUNCTION(nexus_metrics_latest) {
  require_arg(fcinfo, 0, "content_id");
  Request window{{Int32GetDatum(PG_GETARG_INT32(0)), TimestampGetDatum(DT_NOBEGIN), TimestampGetDatum(DT_NOEND)}};
  Rows rows(fcinfo);
  call([] { SPI_connect(); });
  schema_of_content(window);
  {
    AsOwner owner;
    RollupReader reader;
    reader.read(" WHERE s.content_id = $1", std::span(kParameters).first(1), window.parameters,
                {DatumGetInt32(window.parameters[0])}, "UTC", {DT_NOBEGIN, DT_NOEND}, false);
    for (const RollupReader::Series &series : reader.series()) {
      if (series.head.last_at == DT_NOBEGIN) continue;
      auto value = [&series](metrics::Metric metric) -> std::optional<Datum> {
        auto index = static_cast<size_t>(metric);
        if (!series.head.latest.knows(index)) return std::nullopt;
        return Int64GetDatum(series.head.latest.value[index]);
      };
      rows.add({text_datum(series.head.key.platform), TimestampTzGetDatum(series.head.last_at), value(views),
                value(likes), value(comments), value(shares), value(saves), value(reach), value(clicks),
                value(watch_time_seconds)});
    }
  }
  call([] { SPI_finish(); });
  return Datum(0);
}

NEXUS_FUNCTION(nexus_metric_drops) {
  Request window = window_args(fcinfo);
  Rows rows(fcinfo);
  std::string platform;
  std::optional<metrics::Drops> drops;
  auto write = [&] {
    if (!drops) return;
    for (const metrics::Drop &drop : drops->finish())
      rows.add({text_datum(platform), text_datum(metrics::kMetricNames[static_cast<size_t>(drop.metric)]),
                TimestampTzGetDatum(drop.at), numeric_datum(drop.before), numeric_datum(drop.now),
                text_datum(drop.kind == metrics::StepKind::correction ? "correction" : "reset")});
  };
  call([] { SPI_connect(); });
  read_samples(
      schema_of_content(window), window,
      [&](std::string_view next, const metrics::Counters &before) {
        write();
        platform = next;
        drops.emplace(metrics::Policy(), before);
      },
      [&drops](Timestamp at, const metrics::Counters &counters) { drops->add(at, counters); });
  write();
  call([] { SPI_finish(); });
  return Datum(0);
}

}  // namespace nexus::pg
