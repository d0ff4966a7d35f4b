#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"
#include "core/text/analysis.hpp"
#include "core/validation/judge.hpp"
#include "core/validation/places.hpp"
#include "core/validation/rules.hpp"

namespace nexus::validation {

/// What fits into a text field of a platform, and how to make a text fit. Only what a post of text alone must keep is
/// asked for, hard and soft limits alike.
///
///     Fit fit(rules, *rules.find("x"), Field::caption, {.today = 9000});
///     fit.remaining("hello");   // 275
class Fit {
 public:
  Fit(const RuleSet &rules, const Platform &platform, Field field, Circumstances circumstances,
      Interrupt interrupt = Interrupt());

  /// Units that are left by the limit that is nearest; below 0 for a text too long; nothing where no limit is known.
  std::optional<std::int64_t> remaining(std::string_view text) const;

  /// The text, or its beginning and "…" within the limits. Cut between words where the second half has a place for it,
  /// else between grapheme clusters, never inside a link, tag or mention.
  std::string truncated(std::string_view text) const;

  /// The text in parts that fit. Parts joined give the text again; with `numbered` each ends in " (1/3)" instead of the
  /// white space it had at its end. A text that fits is one part. 22023 if a link or cluster alone is too long.
  std::vector<std::string> split(std::string_view text, bool numbered) const;

 private:
  bool fits(std::string_view text) const;
  std::optional<std::int64_t> left(text::Analysis &text) const;
  std::vector<text::Span> links(text::Analysis &text) const;
  bool links_end_before(std::string_view text, std::string_view suffix) const;
  Places places(text::Analysis &text, bool whole) const;
  bool fits_whole(text::Analysis &text, const Places &places) const;
  std::size_t last_fitting(std::string_view text, const Places &places, std::size_t first,
                           std::string_view suffix) const;
  std::vector<std::string_view> parts(std::string_view text, const Places &places, std::size_t reserved_digits) const;

  text::Dialect dialect_;
  std::vector<PlaceLimit> limits_;
  mutable Interrupt interrupt_;
};

}  // namespace nexus::validation
