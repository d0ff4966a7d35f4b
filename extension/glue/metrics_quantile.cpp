// quantile_agg, its state type and what reads it (sql/install/54-metrics-quantile.sql).
#include "core/metrics/quantile_state.hpp"

#include "glue/metrics_running.hpp"

namespace nexus::pg {

using metrics::QuantileState;

NEXUS_FUNCTION(nexus_quantile_agg_step) {
  auto *running = Running<QuantileState>::of(fcinfo);
  if (!PG_ARGISNULL(1)) running->state.add(PG_GETARG_FLOAT8(1));
  PG_RETURN_POINTER(running);
}
NEXUS_FUNCTION(nexus_quantile_state_step) {
  return rollup_step<QuantileState>(fcinfo);
}
NEXUS_FUNCTION(nexus_quantile_agg_combine) {
  return combine_states<QuantileState>(fcinfo);
}
NEXUS_FUNCTION(nexus_quantile_agg_serialize) {
  return serialize_state<QuantileState>(fcinfo);
}
NEXUS_FUNCTION(nexus_quantile_agg_deserialize) {
  return deserialize_state<QuantileState>(fcinfo);
}
NEXUS_FUNCTION(nexus_quantile_agg_final) {
  return final_state<QuantileState>(fcinfo);
}

NEXUS_FUNCTION(nexus_quantile_state_in) {
  return bytes_datum(QuantileState::from_text(PG_GETARG_CSTRING(0)).encode());
}
NEXUS_FUNCTION(nexus_quantile_state_out) {
  return cstring_datum(QuantileState::decode(bytes_arg(fcinfo, 0)).to_text());
}
NEXUS_FUNCTION(nexus_quantile_state_recv) {
  return bytes_datum(QuantileState::decode(message_arg(fcinfo)).encode());
}
NEXUS_FUNCTION(nexus_quantile_state_send) {
  return bytes_datum(bytes_arg(fcinfo, 0));
}

NEXUS_FUNCTION(nexus_quantile) {
  auto value = QuantileState::decode(bytes_arg(fcinfo, 0)).quantile(PG_GETARG_FLOAT8(1));
  if (!value) PG_RETURN_NULL();
  PG_RETURN_FLOAT8(*value);
}
NEXUS_FUNCTION(nexus_quantile_min_value) {
  auto value = QuantileState::decode(bytes_arg(fcinfo, 0)).min();
  if (!value) PG_RETURN_NULL();
  PG_RETURN_FLOAT8(*value);
}
NEXUS_FUNCTION(nexus_quantile_max_value) {
  auto value = QuantileState::decode(bytes_arg(fcinfo, 0)).max();
  if (!value) PG_RETURN_NULL();
  PG_RETURN_FLOAT8(*value);
}
NEXUS_FUNCTION(nexus_quantile_num_values) {
  PG_RETURN_INT64(static_cast<int64>(QuantileState::decode(bytes_arg(fcinfo, 0)).count()));
}

}  // namespace nexus::pg
