// distinct_agg, its state type and what reads it (sql/install/55-metrics-distinct.sql).
#include "core/metrics/distinct_state.hpp"
#include "core/metrics/hash.hpp"

#include "glue/metrics_running.hpp"

namespace nexus::pg {

using metrics::DistinctState;

namespace {

template <class Hash>
Datum step(FunctionCallInfo fcinfo, Hash &&hash) {
  auto *running = Running<DistinctState>::of(fcinfo);
  if (PG_NARGS() > 2) {
    require_arg(fcinfo, 2, "log2m");
    running->state.use(PG_GETARG_INT32(2));
  }
  if (!PG_ARGISNULL(1)) running->state.add(hash());
  PG_RETURN_POINTER(running);
}

}  // namespace

NEXUS_FUNCTION(nexus_distinct_agg_step_int8) {
  return step(fcinfo, [fcinfo] { return metrics::murmur3(static_cast<std::int64_t>(PG_GETARG_INT64(1))); });
}
NEXUS_FUNCTION(nexus_distinct_agg_step_text) {
  return step(fcinfo, [fcinfo] { return metrics::murmur3(plain_text_arg(fcinfo, 1)); });
}
NEXUS_FUNCTION(nexus_distinct_state_step) {
  return rollup_step<DistinctState>(fcinfo);
}
NEXUS_FUNCTION(nexus_distinct_agg_combine) {
  return combine_states<DistinctState>(fcinfo);
}
NEXUS_FUNCTION(nexus_distinct_agg_serialize) {
  return serialize_state<DistinctState>(fcinfo);
}
NEXUS_FUNCTION(nexus_distinct_agg_deserialize) {
  return deserialize_state<DistinctState>(fcinfo);
}
NEXUS_FUNCTION(nexus_distinct_agg_final) {
  return final_state<DistinctState>(fcinfo);
}

NEXUS_FUNCTION(nexus_distinct_state_in) {
  return bytes_datum(DistinctState::from_text(PG_GETARG_CSTRING(0)).encode());
}
NEXUS_FUNCTION(nexus_distinct_state_out) {
  return cstring_datum(DistinctState::decode(bytes_arg(fcinfo, 0)).to_text());
}
NEXUS_FUNCTION(nexus_distinct_state_recv) {
  return bytes_datum(DistinctState::decode(message_arg(fcinfo)).encode());
}
NEXUS_FUNCTION(nexus_distinct_state_send) {
  return bytes_datum(bytes_arg(fcinfo, 0));
}

NEXUS_FUNCTION(nexus_distinct_count) {
  PG_RETURN_INT64(static_cast<int64>(DistinctState::decode(bytes_arg(fcinfo, 0)).count()));
}
NEXUS_FUNCTION(nexus_distinct_union) {
  DistinctState state = DistinctState::decode(bytes_arg(fcinfo, 0));
  state.merge(DistinctState::decode(bytes_arg(fcinfo, 1)));
  return bytes_datum(state.encode());
}
NEXUS_FUNCTION(nexus_distinct_to_hll) {
  return bytes_datum(DistinctState::decode(bytes_arg(fcinfo, 0)).to_hll());
}
NEXUS_FUNCTION(nexus_distinct_from_hll) {
  return bytes_datum(DistinctState::from_hll(bytes_arg(fcinfo, 0)).encode());
}

}  // namespace nexus::pg
