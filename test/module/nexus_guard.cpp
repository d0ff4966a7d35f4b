// Failures of every kind, each with a counted C++ object alive on the way: after any of them the count must be 0.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "glue/datum.hpp"
#include "glue/guard.hpp"
#include "glue/memory.hpp"

extern "C" {
PG_MODULE_MAGIC;
}

namespace nexus::pg {

namespace {

std::int64_t live = 0;

/// Counts itself and owns heap memory, so that a skipped destructor shows as a leak.
class Tracked {
 public:
  Tracked() : text_(100, 'x') { ++live; }
  Tracked(const Tracked &) = delete;
  Tracked &operator=(const Tracked &) = delete;
  ~Tracked() { --live; }

 private:
  std::string text_;
};

struct Collected {
  Tracked tracked;
  std::vector<int> values;
};

void raise_postgres_error() {
  call([] {
    ereport(ERROR, (errcode(ERRCODE_DIVISION_BY_ZERO), errmsg("raised by PostgreSQL"), errdetail("The detail."),
                    errhint("The hint.")));
  });
}

}  // namespace

NEXUS_FUNCTION(guard_live_objects) {
  PG_RETURN_INT64(live);
}

NEXUS_FUNCTION(guard_inject) {
  Tracked outer;
  std::string kind(text_arg(fcinfo, 0));
  std::vector<Tracked> several(3);
  if (kind == "nexus") throw Error("NX010", "raised by the core").detail("The detail.").hint("The hint.");
  if (kind == "standard") throw std::runtime_error("raised by a library");
  if (kind == "memory") throw std::bad_alloc();
  if (kind == "foreign") throw 42;
  if (kind == "postgres") raise_postgres_error();
  if (kind == "nested") {
    try {
      raise_postgres_error();
    } catch (const PgError &) {
      Tracked inner;
      throw;
    }
  }
  if (kind == "function") {  // PostgreSQL code that fails deep inside: a cast
    call([] { return DirectFunctionCall1(int4in, CStringGetDatum("not a number")); });
  }
  PG_RETURN_VOID();
}

NEXUS_FUNCTION(guard_spin) {
  Tracked tracked;
  Interrupt stop = interrupt();
  std::uint64_t state = 1;
  for (std::int64_t i = 0; i < PG_GETARG_INT64(0); ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    stop.poll();
  }
  PG_RETURN_INT64(static_cast<int64>(state >> 1));
}

NEXUS_FUNCTION(guard_allocate) {
  Tracked tracked;
  ContextResource resource;
  std::pmr::vector<char> bytes(&resource);
  bytes.reserve(static_cast<size_t>(PG_GETARG_INT64(0)));
  PG_RETURN_INT64(static_cast<int64>(bytes.capacity()));
}

NEXUS_FUNCTION(guard_echo) {
  std::string copy(text_arg(fcinfo, 0));
  return text_datum(copy);
}

NEXUS_FUNCTION(guard_utf8_bytes) {
  PG_RETURN_INT32(static_cast<int32>(text_arg(fcinfo, 0).size()));
}

NEXUS_FUNCTION(guard_rows) {
  if (SRF_IS_FIRSTCALL()) {
    FuncCallContext *first = call([fcinfo] { return init_MultiFuncCall(fcinfo); });
    first->user_fctx = make_in<Collected>(first->multi_call_memory_ctx);
  }
  FuncCallContext *context = call([fcinfo] { return per_MultiFuncCall(fcinfo); });
  int number = static_cast<int>(context->call_cntr) + 1;
  if (number == PG_GETARG_INT32(1)) throw Error("22023", "failed at row " + std::to_string(number));
  if (number > PG_GETARG_INT32(0)) SRF_RETURN_DONE(context);
  static_cast<Collected *>(context->user_fctx)->values.push_back(number);
  SRF_RETURN_NEXT(context, Int32GetDatum(number));
}

NEXUS_FUNCTION(guard_collect_step) {
  MemoryContext context;
  if (AggCheckCallContext(fcinfo, &context) == 0) throw Error("XX000", "called outside an aggregate");
  auto *state = PG_ARGISNULL(0) ? make_in<Collected>(context) : reinterpret_cast<Collected *>(PG_GETARG_POINTER(0));
  int value = PG_GETARG_INT32(1);
  if (value == PG_GETARG_INT32(2)) raise_postgres_error();
  state->values.push_back(value);
  PG_RETURN_POINTER(state);
}

NEXUS_FUNCTION(guard_collect_final) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  PG_RETURN_INT64(static_cast<int64>(reinterpret_cast<Collected *>(PG_GETARG_POINTER(0))->values.size()));
}

}  // namespace nexus::pg
