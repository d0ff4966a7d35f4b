// counter_agg, its state type and what reads it; increments by bucket (sql/install/53-metrics-counter.sql).
#include "core/metrics/counter_state.hpp"

#include "glue/datum.hpp"
#include "glue/metrics_arrays.hpp"
#include "glue/metrics_numeric.hpp"
#include "glue/metrics_running.hpp"
#include "glue/metrics_zone.hpp"

extern "C" {
#include "utils/fmgrprotos.h"
}

namespace nexus::pg {

using metrics::CounterState;
using metrics::CounterSummary;
using metrics::Decimal;
using metrics::Policy;

namespace {

/// Argument 3, parsed once for as long as it stays the same.
const Policy &policy_of_call(FunctionCallInfo fcinfo) {
  struct Kept {
    Policy policy;
    size_t size;
    char text[32];
  };
  std::string_view text = plain_text_arg(fcinfo, 3);
  auto *kept = static_cast<Kept *>(fcinfo->flinfo->fn_extra);
  if (kept != nullptr && text == std::string_view(kept->text, kept->size)) return kept->policy;
  Policy policy = Policy::parse(text);
  if (kept == nullptr) fcinfo->flinfo->fn_extra = kept = place_in<Kept>(fcinfo->flinfo->fn_mcxt);
  kept->policy = policy;
  kept->size = text.copy(kept->text, sizeof(kept->text));  // a known policy is short
  return kept->policy;
}

template <class Value>
Datum step(FunctionCallInfo fcinfo, Value &&value) {
  auto *running = Running<CounterState>::of(fcinfo);
  Policy policy;
  if (PG_NARGS() > 3) {
    require_arg(fcinfo, 3, "policy");
    policy = policy_of_call(fcinfo);
  }
  running->state.use(policy, PG_NARGS() > 4);
  if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2)) {
    if (PG_NARGS() > 4) require_arg(fcinfo, 4, "seq");
    TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);
    if (TIMESTAMP_NOT_FINITE(at)) throw Error("22008", "the time of a sample must be finite");
    running->state.add(at, value(), PG_NARGS() > 4 ? PG_GETARG_INT64(4) : 0);
  }
  PG_RETURN_POINTER(running);
}

Decimal decimal_of(Datum numeric) {
  return metrics::parse_decimal(
      call([numeric]() -> const char * { return DatumGetCString(DirectFunctionCall1(numeric_out, numeric)); }));
}

Datum decimal_datum(const Decimal &value) {
  return value.scale == 0 ? numeric_datum(value.digits) : numeric_datum(metrics::to_string(value));
}

CounterSummary summary_arg(FunctionCallInfo fcinfo) {
  return CounterState::summary_of(bytes_arg(fcinfo, 0));
}

}  // namespace

NEXUS_FUNCTION(nexus_counter_agg_step_int4) {
  return step(fcinfo, [fcinfo] { return Decimal{PG_GETARG_INT32(2), 0}; });
}
NEXUS_FUNCTION(nexus_counter_agg_step_int8) {
  return step(fcinfo, [fcinfo] { return Decimal{PG_GETARG_INT64(2), 0}; });
}
NEXUS_FUNCTION(nexus_counter_agg_step_numeric) {
  return step(fcinfo, [fcinfo] { return decimal_of(PG_GETARG_DATUM(2)); });
}

NEXUS_FUNCTION(nexus_counter_state_step) {
  return rollup_step<CounterState>(fcinfo);
}
NEXUS_FUNCTION(nexus_counter_agg_combine) {
  return combine_states<CounterState>(fcinfo);
}
NEXUS_FUNCTION(nexus_counter_agg_serialize) {
  return serialize_state<CounterState>(fcinfo);
}
NEXUS_FUNCTION(nexus_counter_agg_deserialize) {
  return deserialize_state<CounterState>(fcinfo);
}
NEXUS_FUNCTION(nexus_counter_agg_final) {
  return final_state<CounterState>(fcinfo);
}

NEXUS_FUNCTION(nexus_counter_state_in) {
  return bytes_datum(CounterState::from_text(PG_GETARG_CSTRING(0)).encode());
}
NEXUS_FUNCTION(nexus_counter_state_out) {
  return cstring_datum(CounterState::decode(bytes_arg(fcinfo, 0)).to_text());
}
NEXUS_FUNCTION(nexus_counter_state_recv) {
  return bytes_datum(CounterState::decode(message_arg(fcinfo)).encode());
}
NEXUS_FUNCTION(nexus_counter_state_send) {
  return bytes_datum(bytes_arg(fcinfo, 0));
}

NEXUS_FUNCTION(nexus_counter_delta) {
  CounterSummary summary = summary_arg(fcinfo);
  if (summary.samples == 0) PG_RETURN_NULL();
  return decimal_datum(summary.delta);
}
NEXUS_FUNCTION(nexus_counter_rate) {
  auto rate = summary_arg(fcinfo).rate();
  if (!rate) PG_RETURN_NULL();
  PG_RETURN_FLOAT8(*rate);
}
NEXUS_FUNCTION(nexus_counter_num_samples) {
  PG_RETURN_INT64(summary_arg(fcinfo).samples);
}
NEXUS_FUNCTION(nexus_counter_num_resets) {
  PG_RETURN_INT64(summary_arg(fcinfo).resets);
}
NEXUS_FUNCTION(nexus_counter_num_corrections) {
  PG_RETURN_INT64(summary_arg(fcinfo).corrections);
}
NEXUS_FUNCTION(nexus_counter_num_changes) {
  PG_RETURN_INT64(summary_arg(fcinfo).changes);
}
NEXUS_FUNCTION(nexus_counter_first_value) {
  CounterSummary summary = summary_arg(fcinfo);
  if (summary.samples == 0) PG_RETURN_NULL();
  return decimal_datum(summary.first_value);
}
NEXUS_FUNCTION(nexus_counter_last_value) {
  CounterSummary summary = summary_arg(fcinfo);
  if (summary.samples == 0) PG_RETURN_NULL();
  return decimal_datum(summary.last_value);
}
NEXUS_FUNCTION(nexus_counter_first_time) {
  CounterSummary summary = summary_arg(fcinfo);
  if (summary.samples == 0) PG_RETURN_NULL();
  PG_RETURN_TIMESTAMPTZ(summary.first_time);
}
NEXUS_FUNCTION(nexus_counter_last_time) {
  CounterSummary summary = summary_arg(fcinfo);
  if (summary.samples == 0) PG_RETURN_NULL();
  PG_RETURN_TIMESTAMPTZ(summary.last_time);
}

NEXUS_FUNCTION(nexus_counter_by_bucket) {
  ArrayElements times = array_arg(fcinfo, 0), values = array_arg(fcinfo, 1);
  values.require_length_of(times, "ts and vals");
  metrics::Buckets buckets(metrics::parse_unit(text_arg(fcinfo, 2)), zone_rules(text_arg(fcinfo, 3)));
  CounterState state;
  state.use(Policy::parse(text_arg(fcinfo, 4)), false);
  Interrupt interrupt = pg::interrupt();
  for (int i = 0; i < times.count; ++i) {
    interrupt.poll(16);
    if (times.nulls[i] || values.nulls[i]) continue;
    TimestampTz at = DatumGetTimestampTz(times.values[i]);
    if (TIMESTAMP_NOT_FINITE(at)) throw Error("22008", "the time of a sample must be finite");
    state.add(at, decimal_of(values.values[i]));
  }
  Rows rows(fcinfo);
  auto deltas = PG_GETARG_BOOL(5) ? bucket_interpolation(state, buckets) : bucket_steps(state, buckets);
  for (const metrics::BucketDelta &delta : deltas)
    rows.add({TimestampTzGetDatum(delta.bucket), decimal_datum(delta.delta)});
  return Datum(0);
}

}  // namespace nexus::pg
