#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Stepping through valid UTF-8 by byte offset. No function here checks validity: the border has done that.
namespace nexus::text {

/// A code point and the number of its bytes.
struct Decoded {
  char32_t code;
  unsigned size;
};

inline bool is_ascii(std::string_view text) {
  unsigned char bits = 0;
  for (char c : text) bits |= static_cast<unsigned char>(c);
  return bits < 0x80;
}

inline bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

/// The code point that starts at `at`, which is below text.size(). A sequence cut short by the end of the text (never
/// in valid UTF-8) is read as if zero bytes followed, so that no byte outside the text is touched.
///
///     decode_at("é", 0)  // {U+00E9, 2}
inline Decoded decode_at(std::string_view text, std::size_t at) {
  auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {first, 1};
  unsigned size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  std::size_t left = text.size() - at;
  auto decode = [first, size](const char *bytes) -> char32_t {
    auto bits = [bytes](int i) -> char32_t { return static_cast<unsigned char>(bytes[i]) & 0x3F; };
    if (size == 2) return (first & 0x1FU) << 6 | bits(1);
    if (size == 3) return (first & 0x0FU) << 12 | bits(1) << 6 | bits(2);
    return (first & 0x07U) << 18 | bits(1) << 12 | bits(2) << 6 | bits(3);
  };
  if (left >= size) return {decode(text.data() + at), size};
  char cut[4] = {};
  text.copy(cut, left, at);
  return {decode(cut), static_cast<unsigned>(left)};
}

/// Where the code point before `at` starts; `at` is above 0.
inline std::size_t previous(std::string_view text, std::size_t at) {
  do --at;
  while (at > 0 && is_continuation(text[at]));
  return at;
}

/// UTF-16 code units of a code point.
inline int utf16_size(char32_t code) {
  return code < 0x10000 ? 1 : 2;
}

inline void append(std::string &text, char32_t code) {
  auto put = [&](char32_t bits) { text.push_back(static_cast<char>(bits)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

constexpr bool is_ascii_digit(char32_t c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_ascii_letter(char32_t c) {
  return (c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80;
}
constexpr bool is_ascii_alnum(char32_t c) {
  return is_ascii_letter(c) || is_ascii_digit(c);
}

}  // namespace nexus::text
