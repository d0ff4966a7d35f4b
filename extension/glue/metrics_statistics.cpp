// Moving averages, anomalies and heat maps over arrays (sql/install/52-metrics-statistics.sql).
#include "core/metrics/statistics.hpp"

#include <cmath>

#include "core/metrics/wide.hpp"
#include "glue/datum.hpp"
#include "glue/metrics_arrays.hpp"
#include "glue/metrics_numeric.hpp"
#include "glue/metrics_zone.hpp"

extern "C" {
#include "utils/date.h"
}

namespace nexus::pg {

namespace {

std::vector<std::optional<double>> doubles(const ArrayElements &elements) {
  std::vector<std::optional<double>> values;
  values.reserve(static_cast<size_t>(elements.count));
  for (int i = 0; i < elements.count; ++i)
    values.push_back(elements.nulls[i] ? std::nullopt : std::optional(DatumGetFloat8(elements.values[i])));
  return values;
}

}  // namespace

NEXUS_FUNCTION(nexus_moving_average) {
  ArrayElements days = array_arg(fcinfo, 0), values = array_arg(fcinfo, 1);
  metrics::Gaps gaps = metrics::parse_gaps(text_arg(fcinfo, 3));
  days.refuse_nulls("days");
  values.require_length_of(days, "days and vals");
  std::vector<metrics::DayValue> series;
  series.reserve(static_cast<size_t>(days.count));
  for (int i = 0; i < days.count; ++i) {
    DateADT day = DatumGetDateADT(days.values[i]);
    if (DATE_NOT_FINITE(day)) throw invalid_argument("days must be finite");
    series.push_back({day, values.nulls[i] ? std::nullopt : std::optional(DatumGetFloat8(values.values[i]))});
  }
  Rows rows(fcinfo);
  for (const metrics::DayValue &average :
       metrics::moving_average(std::move(series), PG_GETARG_INT32(2), gaps, interrupt()))
    rows.add({DateADTGetDatum(static_cast<DateADT>(average.day)), optional_float8(average.value)});
  return Datum(0);
}

NEXUS_FUNCTION(nexus_ewma) {
  auto averages = metrics::ewma(doubles(array_arg(fcinfo, 0)), PG_GETARG_FLOAT8(1));
  return call([&averages]() -> Datum {
    int count = static_cast<int>(averages.size());
    auto *values = static_cast<Datum *>(palloc(sizeof(Datum) * (averages.size() + 1)));
    auto *nulls = static_cast<bool *>(palloc(averages.size() + 1));
    for (int i = 0; i < count; ++i) {
      const std::optional<double> &average = averages[static_cast<size_t>(i)];
      nulls[i] = !average.has_value();
      values[i] = Float8GetDatum(average.value_or(0));
    }
    int lower = 1;
    if (count == 0) return PointerGetDatum(construct_empty_array(FLOAT8OID));
    return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower, FLOAT8OID, sizeof(float8),
                                              FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
  });
}

NEXUS_FUNCTION(nexus_anomalies) {
  double threshold = PG_GETARG_FLOAT8(1);
  if (!(threshold > 0)) throw invalid_argument("threshold must be above 0");
  auto values = doubles(array_arg(fcinfo, 0));
  auto scores = metrics::modified_z_scores(values);
  Rows rows(fcinfo);
  for (size_t i = 0; i < values.size(); ++i)
    rows.add({Int32GetDatum(static_cast<int32>(i + 1)), optional_float8(values[i]), optional_float8(scores[i]),
              BoolGetDatum(scores[i] && std::fabs(*scores[i]) > threshold)});
  return Datum(0);
}

NEXUS_FUNCTION(nexus_heatmap) {
  ArrayElements at = array_arg(fcinfo, 0), engagements = array_arg(fcinfo, 1), views = array_arg(fcinfo, 2);
  at.refuse_nulls("at");
  engagements.require_length_of(at, "at and engagements");
  views.require_length_of(at, "at and views");
  metrics::Heatmap heatmap(zone_rules(text_arg(fcinfo, 3)));
  Interrupt interrupt = pg::interrupt();
  for (int i = 0; i < at.count; ++i) {
    interrupt.poll();
    TimestampTz instant = DatumGetTimestampTz(at.values[i]);
    if (TIMESTAMP_NOT_FINITE(instant)) throw invalid_argument("at must be finite");
    heatmap.add(instant, engagements.nulls[i] ? 0 : DatumGetInt64(engagements.values[i]),
                views.nulls[i] ? 0 : DatumGetInt64(views.values[i]));
  }
  Rows rows(fcinfo);
  for (const metrics::HeatCell &cell : heatmap.cells()) {
    std::optional<double> rate;
    if (cell.views != 0) rate = static_cast<double>(cell.engagements) / static_cast<double>(cell.views);
    rows.add({Int32GetDatum(cell.day_of_week), Int32GetDatum(cell.hour), Int64GetDatum(cell.engagements),
              Int64GetDatum(cell.views), Int64GetDatum(cell.posts), optional_float8(rate)});
  }
  return Datum(0);
}

}  // namespace nexus::pg
