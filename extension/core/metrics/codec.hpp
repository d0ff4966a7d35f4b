#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/metrics/wide.hpp"

namespace nexus::metrics {

/// Appends the parts of a stored state: bytes and variable-length integers (seven bits a byte, lowest first).
class Writer {
 public:
  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void varint(UnsignedWide value) {
    while (value >= 0x80) {
      byte(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    byte(static_cast<std::uint8_t>(value));
  }
  /// Small for small magnitudes of either sign: 0, -1, 1, -2 ... become 0, 1, 2, 3 ...
  void signed_varint(Wide value) {
    varint((static_cast<UnsignedWide>(value) << 1) ^ static_cast<UnsignedWide>(value >> 127));
  }
  void append(std::string_view bytes) { out_.append(bytes); }
  void reserve(std::size_t bytes) { out_.reserve(bytes); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

/// Reads what Writer wrote. Whatever bytes it is given it stays inside them: a state that ends early, goes on after its
/// end or holds a number that Writer would have written otherwise is XX001, naming the type.
class Reader {
 public:
  Reader(std::string_view bytes, const char *type) : bytes_(bytes), type_(type) {}

  std::uint8_t byte() {
    if (position_ == bytes_.size()) damaged("it ends early");
    return static_cast<std::uint8_t>(bytes_[position_++]);
  }
  /// The next bytes, as many as asked for.
  std::string_view take(std::size_t size) {
    if (size > left()) damaged("it ends early");
    std::string_view taken = bytes_.substr(position_, size);
    position_ += size;
    return taken;
  }
  UnsignedWide varint() {
    UnsignedWide value = 0;
    for (int shift = 0;; shift += 7) {
      std::uint8_t next = byte();
      if (shift == 126 && next > 3) damaged("a number has more than 128 bits");
      value |= static_cast<UnsignedWide>(next & 0x7f) << shift;
      if (next < 0x80) {
        if (next == 0 && shift != 0) damaged("a number has leading zeros");
        return value;
      }
    }
  }
  std::uint64_t varint64() {
    UnsignedWide value = varint();
    if (value > UINT64_MAX) damaged("a count has more than 64 bits");
    return static_cast<std::uint64_t>(value);
  }
  Wide signed_varint() {
    UnsignedWide value = varint();
    return static_cast<Wide>(value >> 1) ^ -static_cast<Wide>(value & 1);
  }
  void end() const {
    if (position_ != bytes_.size()) damaged("bytes follow its end");
  }
  std::size_t left() const { return bytes_.size() - position_; }
  /// The first byte of every state is the version of its format.
  void version(std::uint8_t known) {
    std::uint8_t found = byte();
    if (found != known)
      throw Error("0A000", std::string(type_) + " of format version " + std::to_string(found) + " is not supported yet")
          .detail("This version reads format version " + std::to_string(known) + ".");
  }
  [[noreturn]] void damaged(const char *what) const {
    throw Error("XX001", std::string("damaged ") + type_ + ": " + what);
  }

 private:
  std::string_view bytes_;
  std::size_t position_ = 0;
  const char *type_;
};

}  // namespace nexus::metrics
