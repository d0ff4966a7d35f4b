#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"
#include "core/text/unicode.hpp"

namespace nexus::text {

/// Finds the borders of extended grapheme clusters (UAX #29 with GB9c), fed one code point after the other.
///
///     GraphemeBreaker breaker;
///     if (breaker.starts_cluster(properties(code))) ++clusters;
class GraphemeBreaker {
 public:
  /// True if a cluster starts at this code point; always true for the first.
  bool starts_cluster(Properties current);

  /// As if an ASCII character had been fed last, after which nothing else counts.
  void skip_ascii(char32_t code) {
    bool control = code < 0x20 || code == 0x7F;
    *this = GraphemeBreaker(control ? GraphemeBreak::control : GraphemeBreak::other);
  }

  GraphemeBreaker() = default;

 private:
  enum class Emoji : std::uint8_t { none, pictograph, joined };    // GB11: pictograph Extend* [ZWJ]
  enum class Conjunct : std::uint8_t { none, consonant, linked };  // GB9c: consonant Extend* [linker Extend*]
  static constexpr GraphemeBreak kStart = GraphemeBreak::control;  // GB1: what follows the start is a border

  explicit GraphemeBreaker(GraphemeBreak last) : last_(last) {}
  bool breaks(Properties current) const;

  GraphemeBreak last_ = kStart;
  Emoji emoji_ = Emoji::none;
  Conjunct conjunct_ = Conjunct::none;
  bool odd_indicators_ = false;  // GB12, GB13: the run of regional indicators before is of odd length
};

/// Code point offsets of all borders, 0 and the end included; for an empty text only 0.
///
///     grapheme_breaks("e\u0301!")  // 0 2 3
std::vector<std::int32_t> grapheme_breaks(std::string_view utf8, Interrupt interrupt = Interrupt());

/// The number of clusters.
std::int64_t grapheme_count(std::string_view utf8);

}  // namespace nexus::text
