// metrics_series and metric_drops: the samples of one content through core/metrics/series, read with the caller's
// rights.
#include "core/metrics/series.hpp"

#include <string>

#include "glue/datum.hpp"
#include "glue/metrics_numeric.hpp"
#include "glue/metrics_samples.hpp"
#include "glue/metrics_zone.hpp"

namespace nexus::pg {

namespace {

constexpr Oid kParameters[] = {INT4OID, TIMESTAMPOID, TIMESTAMPOID};  // $1 content_id, $2 after, $3 before

struct Window {
  Datum parameters[3];  // content_id, after, before
};

/// Arguments 0 to 2; a missing bound is open.
Window window_args(FunctionCallInfo fcinfo) {
  require_arg(fcinfo, 0, "content_id");
  return {{Int32GetDatum(PG_GETARG_INT32(0)),
           TimestampGetDatum(PG_ARGISNULL(1) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(1)),
           TimestampGetDatum(PG_ARGISNULL(2) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(2))}};
}

/// The attached schema; NX003 where the caller cannot see the content, in the same words whether it exists or not.
std::string schema_of_content(Window window) {
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
void read_samples(const std::string &schema, Window window, OnPlatform &&on_platform, OnSample &&on_sample) {
  read_snapshots(kept_plan(samples_query(schema), kParameters), window.parameters, [&](const Snapshot &snapshot) {
    if (snapshot.before_window)
      on_platform(snapshot.platform, snapshot.counters());
    else
      on_sample(snapshot.at, snapshot.counters());
  });
}

}  // namespace

NEXUS_FUNCTION(nexus_metrics_series) {
  require_arg(fcinfo, 3, "unit");
  metrics::Unit unit = metrics::parse_unit(text_arg(fcinfo, 3));
  const metrics::ZoneRules &rules = zone_rules(PG_ARGISNULL(4) ? "UTC" : text_arg(fcinfo, 4));
  Window window = window_args(fcinfo);
  Rows rows(fcinfo);
  metrics::Series series(metrics::Buckets(unit, rules), metrics::Policy());

  call([] { SPI_connect(); });
  read_samples(
      schema_of_content(window), window,
      [&series](std::string_view, const metrics::Counters &before) { series.begin(before); },
      [&series](Timestamp at, const metrics::Counters &counters) { series.add(at, counters); });
  call([] { SPI_finish(); });

  for (const metrics::SeriesBucket &bucket : series.finish()) {
    auto increment = [&bucket](metrics::Metric metric) { return optional_numeric(bucket.increments.total(metric)); };
    using enum metrics::Metric;
    rows.add({TimestampTzGetDatum(bucket.start), TimestampTzGetDatum(bucket.end), increment(views), increment(likes),
              increment(comments), increment(shares), increment(saves), increment(reach), increment(clicks),
              increment(watch_time_seconds), optional_float8(bucket.engagement_rate)});
  }
  return Datum(0);
}

NEXUS_FUNCTION(nexus_metric_drops) {
  Window window = window_args(fcinfo);
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
