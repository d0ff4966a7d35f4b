#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <string_view>

#include "core/interrupt.hpp"
#include "core/text/analysis.hpp"
#include "core/text/entities.hpp"

namespace nexus::text {

/// twitter-text's configurations: v3 counts an emoji sequence as one character, v2 counts its parts.
enum class XConfig { v2, v3 };

/// Whether X takes a text, and how much of it.
struct XLength {
  std::int64_t weight = 0;           ///< 1 or 2 for a character of the NFC text, 2 for an emoji, 23 for a URL; scale 1
  std::int64_t permillage = 0;       ///< of the limit, rounded down
  bool valid = false;                ///< not empty, within the limit, without U+FEFF, U+FFFE and U+FFFF
  Position fits;                     ///< the text up to here is within the limit and not refused, see x_within()
  std::int64_t valid_range_end = 0;  ///< twitter-text's own number for it, see x_length()
};

/// twitter-text's parseTweet, in linear time. `fits` counts in the text as given, also where NFC is shorter: a sequence
/// that composes is taken whole or not at all. `valid_range_end` is the last UTF-16 unit that twitter-text names: one
/// of the NFC text, moved by all that NFC shortens, also behind it; so the two agree but for texts with decomposed
/// characters that are too long or not valid.
///
///     x_length("日本", XConfig::v3)  // weight 4, permillage 14, valid, fits 2 characters
XLength x_length(std::string_view utf8, XConfig config, Interrupt interrupt = Interrupt(), std::int64_t limit = 280);

/// The text up to here is within the limit (configuration v3); never inside a URL or an emoji. Looks no further.
///
///     x_within(analysis, 280).codepoint
Position x_within(Analysis &analysis, std::int64_t limit);

/// `v2` or `v3`; anything else is 22023.
XConfig parse_x_config(std::string_view name);

}  // namespace nexus::text
