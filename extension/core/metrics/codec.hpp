#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/metrics/wide.hpp"

namespace nexus::metrics {

/// Eight bytes as one number, the first the lowest.
inline std::uint64_t load64(const char *from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof(value));
  return std::endian::native == std::endian::little ? value : __builtin_bswap64(value);
}
inline void store64(char *to, std::uint64_t value) {
  if (std::endian::native != std::endian::little) value = __builtin_bswap64(value);
  std::memcpy(to, &value, sizeof(value));
}

/// Eight times seven bits, one below the other, to the lower seven bits of eight bytes, and back: halves first.
constexpr std::uint64_t spread_sevens(std::uint64_t value) {
  value = (value & 0x00fffffff0000000) << 4 | (value & 0x000000000fffffff);
  value = (value & 0x0fffc0000fffc000) << 2 | (value & 0x00003fff00003fff);
  return (value & 0x3f803f803f803f80) << 1 | (value & 0x007f007f007f007f);
}
constexpr std::uint64_t gather_sevens(std::uint64_t value) {
  value = (value & 0x7f007f007f007f00) >> 1 | (value & 0x007f007f007f007f);
  value = (value & 0x3fff00003fff0000) >> 2 | (value & 0x00003fff00003fff);
  return (value & 0x0fffffff00000000) >> 4 | (value & 0x000000000fffffff);
}
constexpr std::uint64_t kHighBits = 0x8080808080808080;  // "more follows" in each of eight bytes

/// Writes `value` at `to` in seven bits a byte, lowest first; the end of what was written. At most kMostVarint bytes,
/// or kMostVarint64 for up to 70 bits; what lies behind the end, within that room, may be overwritten.
inline char *put_varint(char *to, std::uint64_t value) {
  if (value >> 56 == 0) {  // without a branch on the size, which varies from number to number
    const int more = (static_cast<int>(std::bit_width(value | 1)) - 1) / 7;
    store64(to, spread_sevens(value) | (kHighBits & ((std::uint64_t{1} << (8 * more)) - 1)));
    return to + more + 1;
  }
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}
inline char *put_varint(char *to, UnsignedWide value) {
  for (; value > UINT64_MAX; value >>= 7) *to++ = static_cast<char>(static_cast<std::uint8_t>(value) | 0x80);
  return put_varint(to, static_cast<std::uint64_t>(value));
}
constexpr std::size_t kMostVarint = 19, kMostVarint64 = 10;

/// Small for small magnitudes of either sign: 0, -1, 1, -2 ... become 0, 1, 2, 3 ... One number has one form, whether
/// it comes in 64 or in 128 bits.
constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr UnsignedWide zigzag(Wide value) {
  return (static_cast<UnsignedWide>(value) << 1) ^ static_cast<UnsignedWide>(value >> 127);
}

/// Appends the parts of a stored state: bytes and variable-length integers (seven bits a byte, lowest first).
class Writer {
 public:
  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void varint(UnsignedWide value) {
    char bytes[kMostVarint];
    out_.append(bytes, put_varint(bytes, value));
  }
  void signed_varint(Wide value) { varint(zigzag(value)); }
  /// Eight bytes, the lowest first.
  void fixed64(std::uint64_t value) {
    char bytes[8];
    store64(bytes, value);
    out_.append(bytes, sizeof(bytes));
  }
  /// Eight bytes, the highest first.
  void fixed64_reversed(std::uint64_t value) { fixed64(__builtin_bswap64(value)); }
  void append(std::string_view bytes) { out_.append(bytes); }
  /// The place of that many more bytes, to be written before anything else is.
  char *extend(std::size_t bytes) {
    out_.resize(out_.size() + bytes);
    return out_.data() + (out_.size() - bytes);
  }
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
  /// What Writer::fixed64() wrote.
  std::uint64_t fixed64() { return load64(take(8).data()); }
  std::uint64_t fixed64_reversed() { return __builtin_bswap64(fixed64()); }
  UnsignedWide varint() {
    std::uint64_t low = 0;
    if (short_varint(low)) return low;
    for (int shift = 0; shift < 63; shift += 7) {
      std::uint8_t next = byte();
      low |= static_cast<std::uint64_t>(next & 0x7f) << shift;
      if (next < 0x80) {
        if (next == 0 && shift != 0) damaged("a number has leading zeros");
        return low;
      }
    }
    UnsignedWide value = low;
    for (int shift = 63;; shift += 7) {
      std::uint8_t next = byte();
      if (shift == 126 && next > 3) damaged("a number has more than 128 bits");
      value |= static_cast<UnsignedWide>(next & 0x7f) << shift;
      if (next < 0x80) {
        if (next == 0) damaged("a number has leading zeros");
        return value;
      }
    }
  }
  std::uint64_t varint64() {
    if (std::uint64_t low; short_varint(low)) return low;
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
  std::size_t position() const { return position_; }
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
  /// Reads a number that ends within the next eight bytes, without a branch on its size; false where there is none.
  bool short_varint(std::uint64_t &value) {
    if (left() < 8) return false;
    const std::uint64_t word = load64(bytes_.data() + position_), ends = ~word & kHighBits;
    if (ends == 0) return false;
    const int more = std::countr_zero(ends) / 8;
    value = gather_sevens(word & (ends ^ (ends - 1)) & ~kHighBits);
    if (more > 0 && value >> (7 * more) == 0) damaged("a number has leading zeros");
    position_ += static_cast<std::size_t>(more) + 1;
    return true;
  }

  std::string_view bytes_;
  std::size_t position_ = 0;
  const char *type_;
};

}  // namespace nexus::metrics
