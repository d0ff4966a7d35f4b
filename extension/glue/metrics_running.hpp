// What the aggregates over sketches share: a state of the core that grows in the aggregate's memory.
#pragma once

#include <string_view>

#include "glue/datum.hpp"
#include "glue/memory.hpp"
#include "glue/metrics_state.hpp"

namespace nexus::pg {

/// A state of the core whose parts lie in the aggregate's memory and end with it.
template <class State>
struct Running {
  ContextResource memory;
  State state;

  explicit Running(MemoryContext context) : memory(context), state(&memory) {}
  Running(MemoryContext context, std::string_view bytes) : memory(context), state(State::decode(bytes, &memory)) {}

  /// Argument 0 of a transition function, or a new state.
  static Running *of(FunctionCallInfo fcinfo) {
    if (!PG_ARGISNULL(0)) return reinterpret_cast<Running *>(PG_GETARG_POINTER(0));
    MemoryContext context = aggregate_context(fcinfo);
    return place_in<Running>(context, context);
  }
};

/// The stored form of a state, without a detour where the state can write into memory that it is given.
template <class State>
Datum stored_state(State &state) {
  if constexpr (requires { state.most_bytes(); })
    return written_datum(state.most_bytes(), [&state](char *to) { return state.encode(to); });
  else
    return bytes_datum(state.encode());
}

/// Transition of rollup(): takes the stored state in argument 1.
template <class State>
Datum rollup_step(FunctionCallInfo fcinfo) {
  auto *running = Running<State>::of(fcinfo);
  if (!PG_ARGISNULL(1)) running->state.merge(State::decode(bytes_arg(fcinfo, 1)));
  PG_RETURN_POINTER(running);
}

template <class State>
Datum combine_states(FunctionCallInfo fcinfo) {
  auto *running = Running<State>::of(fcinfo);
  if (!PG_ARGISNULL(1)) running->state.merge(reinterpret_cast<Running<State> *>(PG_GETARG_POINTER(1))->state);
  PG_RETURN_POINTER(running);
}

template <class State>
Datum serialize_state(FunctionCallInfo fcinfo) {
  aggregate_context(fcinfo);
  return stored_state(reinterpret_cast<Running<State> *>(PG_GETARG_POINTER(0))->state);
}

template <class State>
Datum deserialize_state(FunctionCallInfo fcinfo) {
  MemoryContext context = aggregate_context(fcinfo);
  PG_RETURN_POINTER(place_in<Running<State>>(context, context, bytes_arg(fcinfo, 0)));
}

/// Final function: the stored form; without rows that of a new state.
template <class State>
Datum final_state(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0)) return bytes_datum(State().encode());
  return stored_state(reinterpret_cast<Running<State> *>(PG_GETARG_POINTER(0))->state);
}

/// text_arg() for a hot loop: a value that lies in the row as it is needs no detour through PostgreSQL.
inline std::string_view plain_text_arg(FunctionCallInfo fcinfo, int index) {
  auto *packed = reinterpret_cast<struct varlena *>(DatumGetPointer(fcinfo->args[index].value));
  if (VARATT_IS_EXTERNAL(packed) || VARATT_IS_COMPRESSED(packed) || GetDatabaseEncoding() != PG_UTF8)
    return text_arg(fcinfo, index);
  return {VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed)};
}

}  // namespace nexus::pg
