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

  /// True if a plain character that comes next starts a cluster.
  bool is_settled() const { return last_ != GraphemeBreak::prepend && last_ != GraphemeBreak::l; }

  /// As if only this plain or ASCII character had been fed.
  void restart(Properties last) { *this = GraphemeBreaker(last.grapheme_break()); }

  GraphemeBreaker() = default;

 private:
  enum class Emoji : std::uint8_t { none, pictograph, joined };    // GB11: pictograph Extend* [ZWJ]
  enum class Conjunct : std::uint8_t { none, consonant, linked };  // GB9c: consonant Extend* [linker Extend*]
  static constexpr GraphemeBreak kStart = GraphemeBreak::control;  // GB1: what follows the start is a border

  explicit GraphemeBreaker(GraphemeBreak last) : last_(last) {}
  bool breaks(Properties current) const;
  static bool is_control(GraphemeBreak b) {
    return b == GraphemeBreak::control || b == GraphemeBreak::cr || b == GraphemeBreak::lf;
  }

  GraphemeBreak last_ = kStart;
  Emoji emoji_ = Emoji::none;
  Conjunct conjunct_ = Conjunct::none;
  bool odd_indicators_ = false;  // GB12, GB13: the run of regional indicators before is of odd length
};

inline bool GraphemeBreaker::breaks(Properties current) const {
  GraphemeBreak next = current.grapheme_break();
  if (last_ == GraphemeBreak::cr && next == GraphemeBreak::lf) return false;  // GB3
  if (is_control(last_) || is_control(next)) return true;                     // GB4, GB5
  switch (next) {
    case GraphemeBreak::extend:
    case GraphemeBreak::zwj:           // GB9
    case GraphemeBreak::spacing_mark:  // GB9a
      return false;
    case GraphemeBreak::l:
    case GraphemeBreak::lv:
    case GraphemeBreak::lvt:
      if (last_ == GraphemeBreak::l) return false;  // GB6
      break;
    case GraphemeBreak::v:
      if (last_ == GraphemeBreak::l || last_ == GraphemeBreak::lv || last_ == GraphemeBreak::v)
        return false;  // GB6, GB7
      break;
    case GraphemeBreak::t:
      if (last_ == GraphemeBreak::lv || last_ == GraphemeBreak::v || last_ == GraphemeBreak::lvt ||
          last_ == GraphemeBreak::t)
        return false;  // GB7, GB8
      break;
    case GraphemeBreak::regional_indicator:
      if (odd_indicators_) return false;  // GB12, GB13
      break;
    default:
      break;
  }
  if (last_ == GraphemeBreak::prepend) return false;                                                        // GB9b
  if (conjunct_ == Conjunct::linked && current.conjunct_break() == ConjunctBreak::consonant) return false;  // GB9c
  return !(emoji_ == Emoji::joined && current.pictographic());                                              // GB11
}

inline bool GraphemeBreaker::starts_cluster(Properties current) {
  bool result = breaks(current);
  GraphemeBreak next = current.grapheme_break();

  if (current.pictographic())
    emoji_ = Emoji::pictograph;
  else if (emoji_ == Emoji::pictograph && next == GraphemeBreak::zwj)
    emoji_ = Emoji::joined;
  else if (!(emoji_ == Emoji::pictograph && next == GraphemeBreak::extend))
    emoji_ = Emoji::none;

  switch (current.conjunct_break()) {
    case ConjunctBreak::consonant:
      conjunct_ = Conjunct::consonant;
      break;
    case ConjunctBreak::linker:
      if (conjunct_ != Conjunct::none) conjunct_ = Conjunct::linked;
      break;
    case ConjunctBreak::extend:
      break;
    case ConjunctBreak::none:
      conjunct_ = Conjunct::none;
      break;
  }

  odd_indicators_ = next == GraphemeBreak::regional_indicator && !odd_indicators_;
  last_ = next;
  return result;
}

/// Code point offsets of all borders, 0 and the end included; for an empty text only 0.
///
///     grapheme_breaks("e\u0301!")  // 0 2 3
std::vector<std::int32_t> grapheme_breaks(std::string_view utf8, Interrupt interrupt = Interrupt());

/// The number of clusters.
std::int64_t grapheme_count(std::string_view utf8);

}  // namespace nexus::text
