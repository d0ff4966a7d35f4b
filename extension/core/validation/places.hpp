#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"
#include "core/text/spans.hpp"
#include "core/validation/rules.hpp"

namespace nexus::validation {

struct PlaceLimit {
  Unit unit;
  std::int64_t max;
};

/// The bytes at which a text may be cut, and how long it is up to each: between grapheme clusters, outside of links,
/// tags and mentions. The length from one place to another is the difference of theirs. It is exact where has_links()
/// is false; else it is what it would be if links and flags were what they are in the whole text.
///
///     Places places("to be", {}, {{Unit::graphemes, 280}}, true, interrupt);
///     places.last_within(0, 0, 3);  // 3: "to " has three graphemes
class Places {
 public:
  /// One walk; `links` are in order of their starts. Unless `whole`, it ends at a place where a limit is exceeded.
  Places(std::string_view text, const std::vector<text::Span> &links, const std::vector<PlaceLimit> &limits, bool whole,
         Interrupt &interrupt);

  std::size_t count() const { return places_.size(); }  ///< the start and the end of the walk included
  std::size_t operator[](std::size_t place) const { return places_[place].byte; }

  /// The last place that is at most `max` units of a limit, given by its number, behind place `first`.
  std::size_t last_within(std::size_t limit, std::size_t first, std::int64_t max) const;

  /// True if between two places something may be a link, or a flag.
  bool has_links(std::size_t first, std::size_t last) const {
    return places_[first].doubtful != places_[last].doubtful;
  }

  /// The number of the last place at or before a byte.
  std::size_t last_before(std::size_t byte) const;

 private:
  class Walk;
  struct Place {
    std::size_t byte;
    std::size_t doubtful;  // how many characters before it may be part of a link or flag
  };

  std::vector<Place> places_;
  std::vector<std::vector<std::int64_t>> lengths_;  // by each limit, at each place
};

}  // namespace nexus::validation
