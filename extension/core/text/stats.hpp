#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <string_view>

#include "core/interrupt.hpp"

namespace nexus::text {

/// How long a text is, in every unit that a platform counts in.
struct Stats {
  std::int64_t bytes = 0;            ///< of UTF-8
  std::int64_t codepoints = 0;       ///< what SQL's char_length counts
  std::int64_t utf16_units = 0;      ///< what JavaScript's length counts
  std::int64_t graphemes = 0;        ///< extended grapheme clusters of UAX #29, with rule GB9c
  std::int64_t x_weight = 0;         ///< twitter-text's weighted length, configuration v3
  std::int64_t mastodon_length = 0;  ///< graphemes; a linked URL is 23, @user@host only its @user
  std::int64_t lines = 0;            ///< 0 for no text, else one more than line ends; CR LF is one line end
  bool bidi_controls = false;        ///< contains U+202A-202E or U+2066-2069
  bool nfc_open = false;             ///< false: surely in NFC
};

/// Measures valid UTF-8 in linear time.
///
///     text_stats("Cafe\u0301 👍🏽")  // codepoints 8, utf16_units 10, graphemes 6, x_weight 7, lines 1
Stats text_stats(std::string_view utf8, Interrupt interrupt = Interrupt());

/// The same, with what is known of the text.
class Analysis;
Stats text_stats(Analysis &analysis);

/// The weighted length of one grapheme cluster, if it is no part of a URL or of two flags; `open` if it holds a
/// character that NFC might change.
///
///     x_cluster_weight("e\u0301", true)  // 1
std::int64_t x_cluster_weight(std::string_view cluster, bool open, Interrupt interrupt = Interrupt());

}  // namespace nexus::text
