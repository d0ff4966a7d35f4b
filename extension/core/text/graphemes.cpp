#include "core/text/graphemes.hpp"

#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

using Break = GraphemeBreak;

bool is_control(Break b) {
  return b == Break::control || b == Break::cr || b == Break::lf;
}

}  // namespace

bool GraphemeBreaker::breaks(Properties current) const {
  Break next = current.grapheme_break();
  if (last_ == Break::cr && next == Break::lf) return false;  // GB3
  if (is_control(last_) || is_control(next)) return true;     // GB4, GB5
  switch (next) {
    case Break::extend:
    case Break::zwj:           // GB9
    case Break::spacing_mark:  // GB9a
      return false;
    case Break::l:
    case Break::lv:
    case Break::lvt:
      if (last_ == Break::l) return false;  // GB6
      break;
    case Break::v:
      if (last_ == Break::l || last_ == Break::lv || last_ == Break::v) return false;  // GB6, GB7
      break;
    case Break::t:
      if (last_ == Break::lv || last_ == Break::v || last_ == Break::lvt || last_ == Break::t)
        return false;  // GB7, GB8
      break;
    case Break::regional_indicator:
      if (odd_indicators_) return false;  // GB12, GB13
      break;
    default:
      break;
  }
  if (last_ == Break::prepend) return false;                                                                // GB9b
  if (conjunct_ == Conjunct::linked && current.conjunct_break() == ConjunctBreak::consonant) return false;  // GB9c
  return !(emoji_ == Emoji::joined && current.pictographic());                                              // GB11
}

bool GraphemeBreaker::starts_cluster(Properties current) {
  bool result = breaks(current);
  Break next = current.grapheme_break();

  if (current.pictographic())
    emoji_ = Emoji::pictograph;
  else if (emoji_ == Emoji::pictograph && next == Break::zwj)
    emoji_ = Emoji::joined;
  else if (!(emoji_ == Emoji::pictograph && next == Break::extend))
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

  odd_indicators_ = next == Break::regional_indicator && !odd_indicators_;
  last_ = next;
  return result;
}

std::vector<std::int32_t> grapheme_breaks(std::string_view utf8, Interrupt interrupt) {
  std::vector<std::int32_t> breaks;
  GraphemeBreaker breaker;
  std::int32_t position = 0;
  for (std::size_t at = 0; at < utf8.size(); ++position) {
    interrupt.poll();
    Decoded character = decode_at(utf8, at);
    if (breaker.starts_cluster(properties(character.code))) breaks.push_back(position);
    at += character.size;
  }
  breaks.push_back(position);
  return breaks;
}

std::int64_t grapheme_count(std::string_view utf8) {
  GraphemeBreaker breaker;
  std::int64_t count = 0;
  for (std::size_t at = 0; at < utf8.size();) {
    Decoded character = decode_at(utf8, at);
    count += breaker.starts_cluster(properties(character.code)) ? 1 : 0;
    at += character.size;
  }
  return count;
}

}  // namespace nexus::text
