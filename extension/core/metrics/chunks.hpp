#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string_view>
#include <utility>

namespace nexus::metrics {

/// Records that are only appended, and read from the first on. What is there never moves: with one of these for each of
/// many groups, a vector that doubles would touch twice the memory.
///
///     Chunks records(memory);
///     records.taken(put_varint(records.room(kMostVarint64), value));
///     records.each([](std::string_view whole_records) { ... });
class Chunks {
 public:
  explicit Chunks(std::pmr::memory_resource *memory) : memory_(memory) {}
  Chunks(Chunks &&other) noexcept : memory_(other.memory_) { swap(other); }
  Chunks &operator=(Chunks &&other) noexcept {
    swap(other);
    return *this;
  }
  ~Chunks() {
    while (first_ != nullptr) {
      Chunk *next = first_->next;
      memory_->deallocate(first_, first_->size, alignof(Chunk));
      first_ = next;
    }
  }
  void swap(Chunks &other) noexcept {
    std::swap(end_, other.end_);
    std::swap(limit_, other.limit_);
    std::swap(first_, other.first_);
    std::swap(last_, other.last_);
    std::swap(size_, other.size_);
    std::swap(memory_, other.memory_);
  }

  /// Where a record of up to `most` bytes may be written; taken() says where it ended.
  char *room(std::size_t most) {
    if (static_cast<std::size_t>(limit_ - end_) < most) grow(most);
    return end_;
  }
  /// The same in fewer pieces, which are read faster and at most half empty: each as large as all before it.
  char *wide_room(std::size_t most) {
    if (static_cast<std::size_t>(limit_ - end_) < most) [[unlikely]]
      grow(std::max(most, std::clamp(size_, 2 * kLeast, kMost) - sizeof(Chunk)));
    return end_;
  }
  void taken(char *end) { end_ = end; }
  void append(std::string_view records) { taken(std::copy(records.begin(), records.end(), room(records.size()))); }

  /// Gives the records in order, as many at a time as lie together.
  template <class OnRecords>
  void each(OnRecords &&on_records) const {
    for (const Chunk *chunk = first_; chunk != nullptr; chunk = chunk->next)
      on_records(std::string_view(chunk->bytes(),
                                  chunk == last_ ? static_cast<std::size_t>(end_ - last_->bytes()) : chunk->used));
  }
  /// At least as many bytes as there are.
  std::size_t size() const { return size_; }
  std::pmr::memory_resource *memory() const { return memory_; }

 private:
  struct Chunk {
    Chunk *next;
    std::uint64_t size, used;  // `used` is set when the next one is begun

    char *bytes() { return reinterpret_cast<char *>(this + 1); }
    const char *bytes() const { return reinterpret_cast<const char *>(this + 1); }
  };
  static constexpr std::size_t kLeast = 128, kMost = 8192;

  /// Begins a chunk of about half of what is there, so that at most a third is empty.
  void grow(std::size_t most) {
    std::size_t size = std::max(std::bit_floor(std::clamp(size_ / 2, kLeast, kMost)), sizeof(Chunk) + most);
    auto *chunk = ::new (memory_->allocate(size, alignof(Chunk))) Chunk{nullptr, size, 0};
    if (last_ != nullptr) {
      last_->next = chunk;
      last_->used = static_cast<std::size_t>(end_ - last_->bytes());
    } else {
      first_ = chunk;
    }
    last_ = chunk;
    end_ = chunk->bytes();
    limit_ = reinterpret_cast<char *>(chunk) + size;
    size_ += size;
  }

  char *end_ = nullptr, *limit_ = nullptr;  // of the last chunk
  Chunk *first_ = nullptr, *last_ = nullptr;
  std::size_t size_ = 0;
  std::pmr::memory_resource *memory_;
};

}  // namespace nexus::metrics
