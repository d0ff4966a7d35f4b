// What the state types and their aggregates share: bytes in and out, and memory that lives as long as the aggregate.
#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"
#include "glue/guard.hpp"

extern "C" {
#include "libpq/pqformat.h"
}

namespace nexus::pg {

/// The bytes of a stored state, or of a bytea.
inline std::string_view bytes_arg(FunctionCallInfo fcinfo, int index) {
  return call([fcinfo, index]() -> std::string_view {
    struct varlena *packed = PG_GETARG_VARLENA_PP(index);
    return {VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed)};
  });
}

/// The bytes of a message that a receive function is given.
inline std::string_view message_arg(FunctionCallInfo fcinfo) {
  return call([fcinfo]() -> std::string_view {
    auto *message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
    int size = message->len - message->cursor;
    return {pq_getmsgbytes(message, size), static_cast<size_t>(size)};
  });
}

/// A varlena of up to `most` bytes that write(char *to) writes, which gives how many there are. Once for each group of
/// an aggregate: an allocation that cannot raise needs no call().
template <class Write>
Datum written_datum(std::size_t most, Write &&write) {
  if (most > MaxAllocSize - VARHDRSZ) throw Error("54000", "state is too large to be stored");
  void *memory = MemoryContextAllocExtended(CurrentMemoryContext, VARHDRSZ + most, MCXT_ALLOC_NO_OOM);
  if (memory == nullptr) throw std::bad_alloc();
  const std::size_t size = write(VARDATA(memory));
  SET_VARSIZE(memory, VARHDRSZ + size);
  return PointerGetDatum(memory);
}
inline Datum bytes_datum(std::string_view bytes) {
  return written_datum(bytes.size(), [bytes](char *to) {
    std::memcpy(to, bytes.data(), bytes.size());
    return bytes.size();
  });
}

inline Datum cstring_datum(const std::string &text) {
  const char *characters = text.c_str();
  return call([characters] { return CStringGetDatum(pstrdup(characters)); });
}

inline MemoryContext aggregate_context(FunctionCallInfo fcinfo) {
  MemoryContext context;
  if (AggCheckCallContext(fcinfo, &context) == 0) throw Error("0A000", "this function is called by an aggregate only");
  return context;
}

/// A T that ends with the memory of `context`, without its destructor: it must own nothing outside that memory.
template <class T, class... Args>
T *place_in(MemoryContext context, Args &&...args) {
  static_assert(alignof(T) <= MAXIMUM_ALIGNOF);
  void *memory = MemoryContextAllocExtended(context, sizeof(T), MCXT_ALLOC_NO_OOM);
  if (memory == nullptr) throw std::bad_alloc();
  return ::new (memory) T(std::forward<Args>(args)...);
}

}  // namespace nexus::pg
