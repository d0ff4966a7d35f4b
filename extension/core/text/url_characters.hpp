#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/text/characters.hpp"

// What may stand where in a URL, as X sees it; ASCII by a table.
namespace nexus::text {

namespace url_class {
constexpr std::uint8_t kDomain = 1, kPath = 2, kPathEnd = 4, kQuery = 8, kQueryEnd = 16, kBare = 32, kPrecedes = 64;

constexpr std::array<std::uint8_t, 128> make_table() {
  std::array<std::uint8_t, 128> table{};
  for (unsigned char c = 0; c < 128; ++c) {
    bool word = is_ascii_alnum(c);
    if (!is_x_punctuation(c) && !is_x_space(c)) table[c] |= kDomain;
    if (word) table[c] |= kPath | kPathEnd | kQuery | kQueryEnd | kBare;
    if (!word && c != '@' && c != '$' && c != '#') table[c] |= kPrecedes;
  }
  auto add = [&table](std::string_view characters, std::uint8_t bit) {
    for (char c : characters) table[static_cast<unsigned char>(c)] |= bit;
  };
  add("!*';:=+,.$/%#[]-_~@|&", kPath);
  add("+-=_#/", kPathEnd);
  add("!?*'@();:&=+$/%#[]-_.,~|", kQuery);
  add("-_&=#/", kQueryEnd);
  add("-", kBare);
  return table;
}
inline constexpr std::array<std::uint8_t, 128> kTable = make_table();

inline bool ascii_in(char32_t c, std::uint8_t bit) {
  return (kTable[c] & bit) != 0;
}
inline bool is_other_word(char32_t c) {
  return (c >= 0x400 && c <= 0x4FF) || is_latin_accent(c);
}
}  // namespace url_class

/// May begin and end a label of a domain.
inline bool is_domain_character(char32_t c) {
  if (c < 0x80) return url_class::ascii_in(c, url_class::kDomain);
  return !is_x_space(c) && !is_x_invalid(c) && !is_direction_mark(c);
}
inline bool is_label_character(char32_t c) {
  return c == '-' || c == '_' || is_domain_character(c);
}
/// May stand in front of a URL.
inline bool may_precede(char32_t c) {
  if (c < 0x80) return url_class::ascii_in(c, url_class::kPrecedes);
  return !is_at_sign(c) && !is_hash_sign(c) && !is_x_invalid(c);
}
/// What a domain may consist of when there is no protocol.
inline bool is_bare_character(char32_t c) {
  return c < 0x80 ? url_class::ascii_in(c, url_class::kBare) : is_latin_accent(c);
}
inline bool is_path_character(char32_t c) {
  return c < 0x80 ? url_class::ascii_in(c, url_class::kPath) : c == 0x2013 || url_class::is_other_word(c);
}
/// May end a path.
inline bool is_path_end(char32_t c) {
  return c < 0x80 ? url_class::ascii_in(c, url_class::kPathEnd) : url_class::is_other_word(c);
}
inline bool is_query_character(char32_t c) {
  return c < 0x80 && url_class::ascii_in(c, url_class::kQuery);
}
/// May end a query.
inline bool is_query_end(char32_t c) {
  return c < 0x80 && url_class::ascii_in(c, url_class::kQueryEnd);
}

/// True if `text` starts with `lower`, which is lower-case ASCII, in any case.
inline bool starts_with_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != lower[i]) return false;
  }
  return true;
}

/// Bytes of the `http://` or `https://` that the text starts with, in any case; 0 if it does not.
inline std::size_t protocol_size(std::string_view text) {
  if (starts_with_ignoring_case(text, "http://")) return 7;
  return starts_with_ignoring_case(text, "https://") ? 8 : 0;
}

}  // namespace nexus::text
