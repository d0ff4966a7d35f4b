// C++ memory on PostgreSQL's memory contexts.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <new>
#include <utility>

#include "glue/guard.hpp"

namespace nexus::pg {

/// A std::pmr resource over a memory context: what C++ forgets ends with the context, and a request that cannot be met
/// is std::bad_alloc (SQLSTATE 53200), never a dead backend. Alignments above MAXALIGN are refused.
class ContextResource final : public std::pmr::memory_resource {
 public:
  explicit ContextResource(MemoryContext context = CurrentMemoryContext) noexcept : context_(context) {}

 private:
  void *do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (alignment > MAXIMUM_ALIGNOF) throw std::bad_alloc();
    if (bytes >= MaxAllocHugeSize) throw std::bad_alloc();
    void *memory = MemoryContextAllocExtended(context_, bytes, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  void do_deallocate(void *memory, std::size_t, std::size_t) override { pfree(memory); }
  bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override { return this == &other; }

  MemoryContext context_;
};

/// Makes a T whose life ends with `context`: for state that outlives one call (aggregates, fn_extra, SRF state). The
/// destructor runs when the context is reset, also after an error; it must not throw, raise or touch that context.
template <class T, class... Args>
T *make_in(MemoryContext context, Args &&...args) {
  struct Box {
    MemoryContextCallback callback;
    alignas(T) unsigned char raw[sizeof(T)];
  };
  void *memory = MemoryContextAllocExtended(context, sizeof(Box), MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
  if (memory == nullptr) throw std::bad_alloc();
  auto *box = static_cast<Box *>(memory);
  T *object = ::new (static_cast<void *>(box->raw)) T(std::forward<Args>(args)...);
  box->callback.func = [](void *pointer) { static_cast<T *>(pointer)->~T(); };
  box->callback.arg = object;
  MemoryContextRegisterResetCallback(context, &box->callback);
  return object;
}

}  // namespace nexus::pg
