// account_gains: what each content of a user gained on each platform (sql/install/57-metrics-questions.sql).
#include "core/metrics/series.hpp"

#include <optional>
#include <string>

#include "glue/datum.hpp"
#include "glue/metrics_numeric.hpp"
#include "glue/metrics_samples.hpp"

namespace nexus::pg {

namespace {

constexpr Oid kParameters[] = {TEXTOID, TIMESTAMPOID, TIMESTAMPOID};  // $1 user_id, $2 after, $3 before

/// The samples of all contents of a user in the window, series by series in order of time and arrival. Each series
/// begins with a row without time, which holds what each counter last was before the window.
std::string account_query(const std::string &schema) {
  const std::string table = schema + ".content_metrics";
  const std::string window =
      " FROM " + schema + ".content c JOIN " + table +
      " m ON m.content_id = c.id WHERE c.user_id = $1 AND m.captured_at >= $2 AND m.captured_at < $3";
  return "SELECT m.platform::text COLLATE \"C\" AS platform, m.captured_at, m.id::bigint AS id, m.content_id AS "
         "content_id" +
         counters_of("m.") + window + " UNION ALL SELECT p.platform::text COLLATE \"C\", NULL, 0, p.content_id" +
         last_counters(table, "p") + " FROM (SELECT DISTINCT m.content_id, m.platform" + window +
         ") p ORDER BY content_id, platform, captured_at NULLS FIRST, id";
}

}  // namespace

NEXUS_FUNCTION(nexus_account_gains) {
  require_arg(fcinfo, 0, "user_id");
  require_arg(fcinfo, 1, "after");
  require_arg(fcinfo, 2, "before");
  Datum parameters[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
  Rows rows(fcinfo);
  std::string platform;
  int32 content_id = 0;
  std::optional<metrics::SeriesGain> series;
  auto write = [&] {
    if (!series) return;
    metrics::Gain gain = series->finish();
    auto increment = [&gain](metrics::Metric metric) { return optional_numeric(gain.increments.total(metric)); };
    using enum metrics::Metric;
    rows.add({Int32GetDatum(content_id), text_datum(platform), increment(views), increment(likes), increment(comments),
              increment(shares), increment(saves), increment(reach), increment(clicks), increment(watch_time_seconds),
              gain.denominator ? optional_numeric(gain.engagements) : std::nullopt,
              gain.engagements ? optional_numeric(gain.denominator) : std::nullopt});
  };
  call([] { SPI_connect(); });
  read_snapshots(kept_plan(account_query(attached_schema()), kParameters), parameters, [&](const Snapshot &snapshot) {
    if (!snapshot.before_window) {
      series->add(snapshot.at, snapshot.counters());
      return;
    }
    write();
    platform = snapshot.platform;
    content_id = snapshot.content_id;
    series.emplace(metrics::Policy(), snapshot.counters());
  });
  write();
  call([] { SPI_finish(); });
  return Datum(0);
}

}  // namespace nexus::pg
