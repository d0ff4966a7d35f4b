// metrics_agg, its state type and what reads it (sql/install/50-metrics.sql).
#include "core/metrics/totals.hpp"

#include <cmath>

#include "core/metrics/clip.hpp"
#include "glue/datum.hpp"
#include "glue/metrics_numeric.hpp"
#include "glue/metrics_state.hpp"

extern "C" {
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
}

namespace nexus::pg {

using metrics::RunningTotals;
using metrics::Totals;
using metrics::Wide;

Datum numeric_datum(Wide value) {
  if (value >= INT64_MIN && value <= INT64_MAX) {
    auto narrow = static_cast<int64>(value);
    return call([narrow] { return NumericGetDatum(int64_to_numeric(narrow)); });
  }
  return numeric_datum(metrics::to_string(value));
}

Datum numeric_datum(const std::string &digits) {
  const char *text = digits.c_str();
  return call([text] {
    return DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
  });
}

namespace {

/// The running state in argument 0, or a new one.
RunningTotals *running(FunctionCallInfo fcinfo) {
  if (!PG_ARGISNULL(0)) return reinterpret_cast<RunningTotals *>(PG_GETARG_POINTER(0));
  return place_in<RunningTotals>(aggregate_context(fcinfo));
}

/// Where a running state puts the sums that leave 64 bits.
auto totals_maker(FunctionCallInfo fcinfo) {
  return [fcinfo] { return place_in<Totals>(aggregate_context(fcinfo)); };
}

Datum stored(const RunningTotals &running) {
  return written_datum(running.most_bytes(), [&running](char *to) { return running.encode(to); });
}

metrics::Weights weights_arg(FunctionCallInfo fcinfo, int index) {
  metrics::Weights weights;
  struct Pair {
    const char *key;
    int size;
    double value;
    bool number;
  };
  struct Pairs {
    Pair *items;
    int count;
    bool object;
  };
  auto pairs = call([fcinfo, index]() -> Pairs {
    Jsonb *json = PG_GETARG_JSONB_P(index);
    if (!JB_ROOT_IS_OBJECT(json)) return {nullptr, 0, false};
    auto *items = static_cast<Pair *>(palloc(sizeof(Pair) * (JB_ROOT_COUNT(json) + 1)));
    int count = 0;
    JsonbIterator *iterator = JsonbIteratorInit(&json->root);
    JsonbValue value;
    JsonbIteratorToken token;
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
      if (token == WJB_KEY) {
        items[count].key = value.val.string.val;
        items[count].size = value.val.string.len;
      } else if (token == WJB_VALUE) {
        items[count].number = value.type == jbvNumeric;
        if (items[count].number)
          items[count].value =
              DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value.val.numeric)));
        ++count;
      }
    }
    return {items, count, true};
  });
  if (!pairs.object) throw invalid_argument("weights must be a JSON object");
  for (int i = 0; i < pairs.count; ++i) {
    const Pair &pair = pairs.items[i];
    std::string_view key(pair.key, static_cast<size_t>(pair.size));
    double *weight = key == "likes"      ? &weights.likes
                     : key == "comments" ? &weights.comments
                     : key == "shares"   ? &weights.shares
                     : key == "saves"    ? &weights.saves
                                         : nullptr;
    if (weight == nullptr)
      throw invalid_argument("unknown weight \"" + metrics::clip(key) + "\"")
          .hint("Weights are given for likes, comments, shares, saves.");
    if (!pair.number || !std::isfinite(pair.value) || pair.value < 0)
      throw invalid_argument("the weight of " + std::string(key) + " must be a number of 0 or more");
    *weight = pair.value;
  }
  return weights;
}

}  // namespace

NEXUS_FUNCTION(nexus_metrics_agg_step) {
  RunningTotals *totals = running(fcinfo);
#pragma GCC unroll 8
  for (int i = 0; i < metrics::kMetrics; ++i)
    if (!PG_ARGISNULL(i + 1))
      totals->add(static_cast<metrics::Metric>(i), PG_GETARG_INT64(i + 1), totals_maker(fcinfo));
  totals->count_sample(totals_maker(fcinfo));
  PG_RETURN_POINTER(totals);
}

NEXUS_FUNCTION(nexus_metrics_state_step) {
  if (PG_ARGISNULL(1) && PG_ARGISNULL(0)) PG_RETURN_NULL();
  RunningTotals *totals = running(fcinfo);
  if (!PG_ARGISNULL(1)) totals->merge(Totals::decode(bytes_arg(fcinfo, 1)), totals_maker(fcinfo));
  PG_RETURN_POINTER(totals);
}

NEXUS_FUNCTION(nexus_metrics_agg_combine) {
  if (PG_ARGISNULL(1) && PG_ARGISNULL(0)) PG_RETURN_NULL();
  RunningTotals *totals = running(fcinfo);
  if (!PG_ARGISNULL(1)) totals->merge(*reinterpret_cast<RunningTotals *>(PG_GETARG_POINTER(1)), totals_maker(fcinfo));
  PG_RETURN_POINTER(totals);
}

NEXUS_FUNCTION(nexus_metrics_agg_serialize) {
  aggregate_context(fcinfo);
  return stored(*reinterpret_cast<RunningTotals *>(PG_GETARG_POINTER(0)));
}

NEXUS_FUNCTION(nexus_metrics_agg_deserialize) {
  auto *totals = place_in<RunningTotals>(aggregate_context(fcinfo));
  totals->merge(Totals::decode(bytes_arg(fcinfo, 0)), totals_maker(fcinfo));
  PG_RETURN_POINTER(totals);
}

NEXUS_FUNCTION(nexus_metrics_agg_final) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  return stored(*reinterpret_cast<RunningTotals *>(PG_GETARG_POINTER(0)));
}

NEXUS_FUNCTION(nexus_metrics_state_in) {
  return bytes_datum(Totals::from_text(PG_GETARG_CSTRING(0)).encode());
}

NEXUS_FUNCTION(nexus_metrics_state_out) {
  return cstring_datum(Totals::decode(bytes_arg(fcinfo, 0)).to_text());
}

NEXUS_FUNCTION(nexus_metrics_state_recv) {
  return bytes_datum(Totals::decode(message_arg(fcinfo)).encode());
}

NEXUS_FUNCTION(nexus_metrics_state_send) {
  return bytes_datum(bytes_arg(fcinfo, 0));
}

NEXUS_FUNCTION(nexus_metrics_total) {
  metrics::Metric metric = metrics::parse_metric(text_arg(fcinfo, 1));
  auto total = Totals::decode(bytes_arg(fcinfo, 0)).total(metric);
  if (!total) PG_RETURN_NULL();
  return numeric_datum(*total);
}

NEXUS_FUNCTION(nexus_metrics_num_samples) {
  std::uint64_t samples = Totals::decode(bytes_arg(fcinfo, 0)).samples();
  if (samples > INT64_MAX) throw Error("22003", "number of samples out of range");
  PG_RETURN_INT64(static_cast<int64>(samples));
}

NEXUS_FUNCTION(nexus_engagement_rate) {
  require_arg(fcinfo, 1, "denominator");
  metrics::Denominator denominator = metrics::parse_denominator(text_arg(fcinfo, 1));
  metrics::Weights weights;
  if (!PG_ARGISNULL(2)) weights = weights_arg(fcinfo, 2);
  std::optional<std::int64_t> followers;
  if (!PG_ARGISNULL(3)) followers = PG_GETARG_INT64(3);
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  auto rate = Totals::decode(bytes_arg(fcinfo, 0)).engagement_rate(denominator, weights, followers);
  if (!rate) PG_RETURN_NULL();
  PG_RETURN_FLOAT8(*rate);
}

}  // namespace nexus::pg
