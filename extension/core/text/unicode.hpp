#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// What the text engine knows of a code point: one word of bits, from tables that scripts/unicode_tables.py makes.
namespace nexus::text {

/// The version of the Unicode Character Database behind all answers, "15.0.0".
std::string_view unicode_version();

/// Grapheme_Cluster_Break (UAX #29).
enum class GraphemeBreak : std::uint8_t {
  other,
  cr,
  lf,
  control,
  extend,
  zwj,
  regional_indicator,
  prepend,
  spacing_mark,
  l,
  v,
  t,
  lv,
  lvt
};

/// Indic_Conjunct_Break, for rule GB9c.
enum class ConjunctBreak : std::uint8_t { none, consonant, extend, linker };

class Properties {
 public:
  constexpr explicit Properties(std::uint16_t word) : word_(word) {}

  constexpr GraphemeBreak grapheme_break() const { return static_cast<GraphemeBreak>(word_ & 0xF); }
  constexpr bool pictographic() const { return (word_ & 1U << 4) != 0; }  ///< Extended_Pictographic
  constexpr ConjunctBreak conjunct_break() const { return static_cast<ConjunctBreak>(word_ >> 5 & 3); }
  constexpr bool nfc_open() const { return (word_ & 1U << 7) != 0; }      ///< NFC_Quick_Check is not Yes
  constexpr bool x_tag_letter() const { return (word_ & 1U << 8) != 0; }  ///< letter or mark, as X counts them
  constexpr bool x_tag() const { return (word_ & 3U << 8) != 0; }         ///< may stand in a hashtag on X
  constexpr bool word() const { return (word_ & 1U << 10) != 0; }         ///< alphabetic, mark, digit or connector
  constexpr bool punctuation() const { return (word_ & 1U << 11) != 0; }  ///< general category P
  constexpr bool emoji_start() const { return (word_ & 1U << 12) != 0; }  ///< emoji_size() is worth asking
  constexpr bool combining() const { return (word_ & 1U << 13) != 0; }    ///< Canonical_Combining_Class is not 0
  constexpr bool x_heavy() const { return (word_ & 1U << 14) != 0; }      ///< weighs 2 on X, not 1
  /// Starts a cluster, unless after Prepend or L; begins no emoji or conjunct, and NFC leaves it alone.
  constexpr bool plain() const { return (word_ & 1U << 15) != 0; }

 private:
  std::uint16_t word_;
};

namespace tables {
extern const std::uint8_t kBlockOf[];
extern const std::uint16_t kWords[];
}  // namespace tables

inline Properties properties(char32_t code) {
  return Properties(tables::kWords[static_cast<std::size_t>(tables::kBlockOf[code >> 7]) << 7 | (code & 0x7F)]);
}

/// The character that NFC makes of two, 0 if it leaves them apart. Syllables of Hangul are not among them.
///
///     composite('e', 0x301) == 0xE9
char32_t composite(char32_t first, char32_t second);

/// True if some character composes with this one after it.
bool ends_composite(char32_t second);

/// Bytes of the longest emoji sequence of at least two code points that starts at `at`, 0 if there is none. The
/// sequences are those that X counts as one emoji: Emoji 11.0, fully qualified, and keycaps without selector.
///
///     emoji_size("👍🏽!", 0) == 8
std::size_t emoji_size(std::string_view text, std::size_t at);

}  // namespace nexus::text
