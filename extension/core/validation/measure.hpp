#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"
#include "core/text/analysis.hpp"
#include "core/validation/rules.hpp"

namespace nexus::validation {

/// A text that is measured once, when something first asks.
class Text {
 public:
  Text() = default;
  Text(std::optional<std::string_view> body, Interrupt interrupt) : body_(body), interrupt_(interrupt) {}

  bool given() const { return body_.has_value(); }
  std::string_view body() const { return body_.value_or(std::string_view()); }
  const text::Stats &stats();
  /// False if no entity of the kind can be in the text, by one look at its bytes.
  bool might_hold(text::EntityKind kind);
  /// The links of a kind in the dialect x, whose notion of a tag or link is the widest; a list counts as a mention.
  const std::vector<text::Span> &links(text::EntityKind kind);
  /// The number, from 0, of the character that starts at a byte.
  std::int32_t character_at(std::size_t byte);

  /// The length in `unit`, 0 for no text.
  std::int64_t length(Unit unit);

  /// True if the text surely has at most `max` units: a byte count settles most texts without measuring them.
  bool surely_within(Unit unit, double max) const;

  /// The first character (counted from 0) that does not fit into `max` units.
  std::int32_t overflow_at(Unit unit, std::int64_t max);

 private:
  std::int32_t overflow_by_walk(Unit unit, std::int64_t max);
  // A link has a length of its own, known only when its end is: whole prefixes are measured.
  std::int32_t overflow_by_search(Unit unit, std::int64_t max);

  std::optional<std::string_view> body_;
  Interrupt interrupt_;
  std::optional<std::uint8_t> signs_;
  text::Analysis &analysis();

  std::optional<text::Analysis> analysis_;
  std::array<std::vector<text::Span>, text::kEntityKinds> links_;
  bool links_known_ = false;
  std::vector<std::int32_t> characters_;  // how many start before each kBlock bytes
};

/// The length of a measured text in a unit of text.
std::int64_t length_in(const text::Stats &stats, Unit unit);

/// "UTF-16 units", "bytes" ... for messages.
std::string_view unit_words(Unit unit);

}  // namespace nexus::validation
