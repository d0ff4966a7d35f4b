// topk_agg, its state type and what reads it (sql/install/56-metrics-topk.sql).
#include "core/metrics/topk_state.hpp"

#include "glue/metrics_numeric.hpp"
#include "glue/metrics_running.hpp"

namespace nexus::pg {

using metrics::TopkState;

namespace {

template <class Add>
Datum step(FunctionCallInfo fcinfo, TopkState::Keys keys, Add &&add) {
  auto *running = Running<TopkState>::of(fcinfo);
  require_arg(fcinfo, 3, "k");
  running->state.use(keys, PG_GETARG_INT32(3));
  if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2)) add(running->state, PG_GETARG_INT64(2));
  PG_RETURN_POINTER(running);
}

/// Text keys come out as text again, so bytes from a client must be UTF-8.
TopkState checked(TopkState state) {
  if (state.keys() == TopkState::Keys::text)
    state.each_key([](std::string_view key) {
      call([key] { (void)pg_verify_mbstr(PG_UTF8, key.data(), static_cast<int>(key.size()), false); });
    });
  return state;
}

}  // namespace

NEXUS_FUNCTION(nexus_topk_agg_step_int8) {
  return step(fcinfo, TopkState::Keys::bigint,
              [fcinfo](TopkState &state, int64 weight) { state.add_bigint(PG_GETARG_INT64(1), weight); });
}
NEXUS_FUNCTION(nexus_topk_agg_step_text) {
  return step(fcinfo, TopkState::Keys::text,
              [fcinfo](TopkState &state, int64 weight) { state.add_text(plain_text_arg(fcinfo, 1), weight); });
}
NEXUS_FUNCTION(nexus_topk_state_step) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return rollup_step<TopkState>(fcinfo);
}
NEXUS_FUNCTION(nexus_topk_agg_combine) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return combine_states<TopkState>(fcinfo);
}
NEXUS_FUNCTION(nexus_topk_agg_serialize) {
  return serialize_state<TopkState>(fcinfo);
}
NEXUS_FUNCTION(nexus_topk_agg_deserialize) {
  return deserialize_state<TopkState>(fcinfo);
}
NEXUS_FUNCTION(nexus_topk_agg_final) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  return final_state<TopkState>(fcinfo);
}

NEXUS_FUNCTION(nexus_topk_state_in) {
  return bytes_datum(checked(TopkState::from_text(PG_GETARG_CSTRING(0))).encode());
}
NEXUS_FUNCTION(nexus_topk_state_out) {
  return cstring_datum(TopkState::decode(bytes_arg(fcinfo, 0)).to_text());
}
NEXUS_FUNCTION(nexus_topk_state_recv) {
  return bytes_datum(checked(TopkState::decode(message_arg(fcinfo))).encode());
}
NEXUS_FUNCTION(nexus_topk_state_send) {
  return bytes_datum(bytes_arg(fcinfo, 0));
}

NEXUS_FUNCTION(nexus_topk) {
  TopkState state = TopkState::decode(bytes_arg(fcinfo, 0));
  Rows rows(fcinfo);
  for (const metrics::Ranked &ranked : state.top()) rows.add({text_datum(ranked.key), numeric_datum(ranked.weight)});
  return Datum(0);
}
NEXUS_FUNCTION(nexus_topk_error) {
  return numeric_datum(TopkState::decode(bytes_arg(fcinfo, 0)).error());
}

}  // namespace nexus::pg
