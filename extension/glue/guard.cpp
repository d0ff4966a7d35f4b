#include "glue/guard.hpp"

namespace nexus::pg::detail {

namespace {

/// A copy that cannot raise: this runs inside a catch block. An empty or unaffordable text is left out.
char *copy(const char *text) noexcept {
  size_t size = std::strlen(text) + 1;
  if (size == 1) return nullptr;
  auto *to = static_cast<char *>(MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_NO_OOM));
  if (to != nullptr) std::memcpy(to, text, size);
  return to;
}

char *to_server(char *utf8) {
  if (utf8 == nullptr || GetDatabaseEncoding() == PG_UTF8) return utf8;
  return pg_any_to_server(utf8, static_cast<int>(std::strlen(utf8)), PG_UTF8);
}

}  // namespace

void keep(Failure &failure, const char *sqlstate, const char *message, const char *detail, const char *hint) noexcept {
  failure.failed = true;
  strlcpy(failure.sqlstate, sqlstate, sizeof(failure.sqlstate));
  failure.message = copy(message);
  failure.detail = copy(detail);
  failure.hint = copy(hint);
}

void raise(const Failure &failure) {
  if (failure.data != nullptr) ReThrowError(failure.data);
  const char *state = failure.sqlstate;
  ereport(ERROR, (errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
                  errmsg("%s", failure.message != nullptr ? to_server(failure.message) : "out of memory"),
                  failure.detail != nullptr ? errdetail("%s", to_server(failure.detail)) : 0,
                  failure.hint != nullptr ? errhint("%s", to_server(failure.hint)) : 0));
  pg_unreachable();
}

}  // namespace nexus::pg::detail
