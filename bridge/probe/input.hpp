#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace nexus::probe {

/// The bytes of a file: of a descriptor that is read from whatever position, or of memory.
class Input {
 public:
  /// A regular file; the descriptor stays the caller's. Throws std::runtime_error for anything else.
  explicit Input(int fd);
  Input(const std::uint8_t *data, std::size_t size) : size_(static_cast<std::int64_t>(size)), data_(data) {}
  ~Input();
  Input(const Input &) = delete;
  Input &operator=(const Input &) = delete;

  std::int64_t size() const { return size_; }

  /// Reads up to `count` bytes; less only at the end. Throws std::runtime_error when the file cannot be read.
  std::size_t read(std::int64_t offset, void *buffer, std::size_t count) const;

  /// All of it at once, mapped. For files whose size was looked at.
  const std::uint8_t *whole();

  /// Hexadecimal.
  std::string sha256() const;

 private:
  int fd_ = -1;
  std::int64_t size_ = 0;
  const std::uint8_t *data_ = nullptr;
  bool mapped_ = false;
};

}  // namespace nexus::probe
