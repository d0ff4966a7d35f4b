#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"
#include "core/text/entities.hpp"
#include "core/text/stats.hpp"
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
  const std::vector<text::Entity> &entities();  ///< in the dialect x, whose notion of a tag or link is the widest

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
  std::optional<text::Stats> stats_;
  std::optional<std::vector<text::Entity>> entities_;
};

/// The length of a measured text in a unit of text.
std::int64_t length_in(const text::Stats &stats, Unit unit);

/// "UTF-16 units", "bytes" ... for messages.
std::string_view unit_words(Unit unit);

}  // namespace nexus::validation
