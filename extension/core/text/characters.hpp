#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include "core/text/utf8.hpp"

// The character classes of the link rules that are plain ranges.
namespace nexus::text {

constexpr bool is_x_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 || c == 0x180E ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/// White space as JavaScript's regular expressions have it, which Bluesky's rules are written in.
constexpr bool is_script_space(char32_t c) {
  return c == 0xFEFF || (is_x_space(c) && c != 0x85 && c != 0x180E);
}

/// ASCII punctuation without the double quote and the grave accent.
constexpr bool is_x_punctuation(char32_t c) {
  return c > ' ' && c < 0x7F && !is_ascii_alnum(c) && c != '"' && c != '`';
}

/// Characters that make a post invalid.
constexpr bool is_x_invalid(char32_t c) {
  return c == 0xFFFE || c == 0xFEFF || c == 0xFFFF;
}

constexpr bool is_direction_mark(char32_t c) {
  return (c >= 0x202A && c <= 0x202E) || c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x2066 && c <= 0x2069);
}

/// Accented Latin letters and combining marks.
constexpr bool is_latin_accent(char32_t c) {
  if (c < 0xC0) return false;
  if (c <= 0x24F) return c != 0xD7 && c != 0xF7;
  switch (c) {
    case 0x253:
    case 0x254:
    case 0x256:
    case 0x257:
    case 0x259:
    case 0x25B:
    case 0x263:
    case 0x268:
    case 0x26F:
    case 0x272:
    case 0x289:
    case 0x28B:
    case 0x2BB:
      return true;
    default:
      return (c >= 0x300 && c <= 0x36F) || (c >= 0x1E00 && c <= 0x1EFF);
  }
}

constexpr bool is_hash_sign(char32_t c) {
  return c == '#' || c == 0xFF03;
}
constexpr bool is_at_sign(char32_t c) {
  return c == '@' || c == 0xFF20;
}

}  // namespace nexus::text
