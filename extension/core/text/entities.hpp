#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"

namespace nexus::text {

/// Whose rules decide what is a link.
enum class Dialect { x, bluesky, mastodon };
inline constexpr std::size_t kDialects = 3;

enum class EntityKind { hashtag, mention, list, url, cashtag };
inline constexpr std::size_t kEntityKinds = 5;

/// A place in a text in the three units that clients use, from 0.
struct Position {
  std::int32_t codepoint = 0, utf16 = 0, byte = 0;
};

/// The bytes of a link, half open, its sign included.
struct Span {
  EntityKind kind;
  std::size_t start, end;
};

/// A part of a text that a platform turns into a link; `end` is the position behind it.
struct Entity {
  EntityKind kind;
  std::string value;      ///< as it stands in the text, without its sign; a list is `user/slug`
  std::string canonical;  ///< what it means: folded tag, handle, full URI
  Position start, end;
};

/// The text of a link without its sign.
///
///     entity_value("a #b", {EntityKind::hashtag, 2, 4}) == "b"
std::string_view entity_value(std::string_view utf8, const Span &link);

/// Hands out entities one after the other, so that a text with very many of them needs no place for all.
///
///     EntityReader reader(text, analysis.links(Dialect::x));
///     for (Entity entity; reader.next(entity);) ...
class EntityReader {
 public:
  EntityReader(std::string_view utf8, const std::vector<Span> &links) : text_(utf8), links_(links) {}

  /// The next one into `entity`; false behind the last.
  bool next(Entity &entity);

 private:
  Position position_of(std::size_t byte);  // not before the one asked for last

  std::string_view text_;
  const std::vector<Span> &links_;
  std::size_t taken_ = 0;
  Position position_;
};

/// The entities of valid UTF-8, in text order, overlaps resolved as the platform does. Linear time.
///
///     entities("hi @Bob #CaféLife", Dialect::x)
///       // {mention, "Bob", "bob", 3..7}, {hashtag, "CaféLife", "cafélife", 8..17}
std::vector<Entity> entities(std::string_view utf8, Dialect dialect, Interrupt interrupt = Interrupt());

/// `x`, `bluesky` or `mastodon`; anything else is 22023.
Dialect parse_dialect(std::string_view name);

/// `hashtag`, `mention`, `list`, `url` or `cashtag`.
std::string_view name(EntityKind kind);

}  // namespace nexus::text
