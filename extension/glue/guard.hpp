// The border between C and C++.
//
// PostgreSQL raises errors by longjmp, which skips destructors; C++ raises them by exceptions, which must not reach a
// C frame. Each crossing has one guard:
//   entry()  C calls C++: every SQL function runs in it (NEXUS_FUNCTION). The only place that raises a PostgreSQL
//   error,
//            after all C++ objects of the function are gone.
//   call()   C++ calls PostgreSQL: an ERROR becomes the exception PgError, and destructors run.
#pragma once

#include <cstring>
#include <exception>
#include <new>
#include <type_traits>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "glue/postgres.hpp"

namespace nexus::pg {

/// A PostgreSQL error on its way through C++ frames. `data` lives in the memory context that was current at call().
struct PgError {
  ErrorData *data;
};

/// Runs PostgreSQL code; its ERROR is thrown as PgError. Costs some 20 ns: wrap a block, not each line of a hot loop.
/// Nothing inside `body` may own C++ memory or throw: a longjmp would skip it.
template <class F>
auto call(F &&body) -> decltype(body()) {
  using Result = decltype(body());
  MemoryContext context = CurrentMemoryContext;
  sigjmp_buf *outer_stack = PG_exception_stack;
  ErrorContextCallback *outer_callbacks = error_context_stack;
  sigjmp_buf here;
  if (sigsetjmp(here, 0) == 0) {
    PG_exception_stack = &here;
    if constexpr (std::is_void_v<Result>) {
      body();
      PG_exception_stack = outer_stack;
      error_context_stack = outer_callbacks;
      return;
    } else {
      Result result = body();
      PG_exception_stack = outer_stack;
      error_context_stack = outer_callbacks;
      return result;
    }
  }
  PG_exception_stack = outer_stack;
  error_context_stack = outer_callbacks;
  MemoryContextSwitchTo(context);
  ErrorData *data = CopyErrorData();
  FlushErrorState();
  throw PgError{data};
}

/// For Interrupt: lets cancel, statement_timeout and termination end a loop of the core.
inline void check_interrupts() {
  if (InterruptPending) call([] { CHECK_FOR_INTERRUPTS(); });
}
inline Interrupt interrupt() {
  return Interrupt(check_interrupts);
}

namespace detail {

/// What entry() keeps of an exception after the exception itself is gone. Plain C, so that a longjmp may skip it.
struct Failure {
  bool failed = false;
  ErrorData *data = nullptr;
  char sqlstate[6] = "XX000";
  char *message = nullptr, *detail = nullptr, *hint = nullptr;
};

void keep(Failure &failure, const char *sqlstate, const char *message, const char *detail, const char *hint) noexcept;
[[noreturn]] void raise(const Failure &failure);

}  // namespace detail

/// Runs the body of a SQL function; whatever it throws becomes a PostgreSQL error with SQLSTATE, DETAIL and HINT.
template <class F>
auto entry(F &&body) -> decltype(body()) {
  detail::Failure failure;
  try {
    return body();
  } catch (const PgError &error) {
    failure.data = error.data;
  } catch (const Error &error) {
    detail::keep(failure, error.sqlstate(), error.message().c_str(), error.detail().c_str(), error.hint().c_str());
  } catch (const std::bad_alloc &) {
    detail::keep(failure, "53200", "out of memory", "", "");
  } catch (const std::exception &error) {
    detail::keep(failure, "XX000", error.what(), "", "");
  } catch (...) {
    detail::keep(failure, "XX000", "unknown C++ exception", "", "");
  }
  detail::raise(failure);
}

}  // namespace nexus::pg

/// Defines a SQL-callable function `name` whose body runs inside entry(): NEXUS_FUNCTION(nexus_foo) { ...
/// PG_RETURN_X(); }
#define NEXUS_FUNCTION(name)                                                        \
  extern "C" {                                                                      \
  PGDLLEXPORT Datum name(PG_FUNCTION_ARGS);                                         \
  PG_FUNCTION_INFO_V1(name);                                                        \
  }                                                                                 \
  static Datum name##_body(FunctionCallInfo fcinfo);                                \
  extern "C" Datum name(PG_FUNCTION_ARGS) {                                         \
    return ::nexus::pg::entry([fcinfo]() -> Datum { return name##_body(fcinfo); }); \
  }                                                                                 \
  static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
