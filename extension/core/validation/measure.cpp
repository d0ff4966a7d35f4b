#include "core/validation/measure.hpp"

#include <algorithm>

#include "core/text/graphemes.hpp"
#include "core/text/utf8.hpp"
#include "core/text/x_length.hpp"

namespace nexus::validation {

namespace {

constexpr std::size_t kBlock = 4096;
constexpr std::uint8_t kHash = 1, kAt = 2, kDollar = 4, kDot = 8;

bool starts_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

/// The byte offset of each character's start would cost memory; these two walk instead.
std::size_t skip_characters(std::string_view text, std::size_t from, std::size_t count) {
  std::size_t at = from;
  while (count > 0 && at < text.size()) {
    ++at;
    while (at < text.size() && !starts_character(text[at])) ++at;
    --count;
  }
  return at;
}

std::int32_t count_characters(std::string_view text) {
  return static_cast<std::int32_t>(std::count_if(text.begin(), text.end(), starts_character));
}

}  // namespace

text::Analysis &Text::analysis() {
  if (!analysis_) analysis_.emplace(body(), interrupt_);
  return *analysis_;
}

const text::Stats &Text::stats() {
  return analysis().stats();
}

bool Text::might_hold(text::EntityKind kind) {
  if (!signs_) {
    signs_ = 0;
    for (char c : body()) {
      // A byte 0xEF begins the full-width signs, among much else.
      if (c == '#' || c == '\xEF') *signs_ |= kHash;
      if (c == '@' || c == '\xEF') *signs_ |= kAt;
      if (c == '$') *signs_ |= kDollar;
      if (c == '.') *signs_ |= kDot;  // no host without one
    }
  }
  switch (kind) {
    case text::EntityKind::hashtag:
      return (*signs_ & kHash) != 0;
    case text::EntityKind::mention:
    case text::EntityKind::list:
      return (*signs_ & kAt) != 0;
    case text::EntityKind::cashtag:
      return (*signs_ & kDollar) != 0;
    case text::EntityKind::url:
      return (*signs_ & kDot) != 0;
  }
  return true;
}

const std::vector<text::Span> &Text::links(text::EntityKind kind) {
  if (kind == text::EntityKind::list) kind = text::EntityKind::mention;
  auto &wanted = links_.at(static_cast<std::size_t>(kind));
  if (links_known_ || !might_hold(kind)) return wanted;
  for (const text::Span &link : analysis().links(text::Dialect::x)) {
    auto of = link.kind == text::EntityKind::list ? text::EntityKind::mention : link.kind;
    links_.at(static_cast<std::size_t>(of)).push_back(link);
  }
  links_known_ = true;
  return wanted;
}

std::int32_t Text::character_at(std::size_t byte) {
  if (characters_.empty()) {
    std::int32_t before = 0;
    for (std::size_t at = 0; at <= body().size(); at += kBlock) {
      characters_.push_back(before);
      before += count_characters(body().substr(at, kBlock));
    }
  }
  std::size_t block = byte / kBlock;
  return characters_[block] + count_characters(body().substr(block * kBlock, byte - block * kBlock));
}

std::int64_t length_in(const text::Stats &stats, Unit unit) {
  switch (unit) {
    case Unit::utf16:
      return stats.utf16_units;
    case Unit::utf8_bytes:
      return stats.bytes;
    case Unit::graphemes:
      return stats.graphemes;
    case Unit::weighted:
      return stats.x_weight;
    case Unit::mastodon:
      return stats.mastodon_length;
    default:
      return stats.codepoints;
  }
}

std::int64_t Text::length(Unit unit) {
  if (!given() || body().empty()) return 0;
  if (unit == Unit::utf8_bytes) return static_cast<std::int64_t>(body().size());
  return length_in(stats(), unit);
}

bool Text::surely_within(Unit unit, double max) const {
  auto bytes = static_cast<double>(body().size());
  switch (unit) {
    case Unit::weighted:
    case Unit::mastodon:
      return bytes * 23 <= max;  // a link of a few bytes counts 23
    default:
      return bytes <= max;  // no character has more units than bytes
  }
}

std::int32_t Text::overflow_at(Unit unit, std::int64_t max) {
  bool has_links = unit == Unit::weighted || unit == Unit::mastodon;
  return has_links ? overflow_by_search(unit, max) : overflow_by_walk(unit, max);
}

std::int32_t Text::overflow_by_walk(Unit unit, std::int64_t max) {
  std::string_view text = body();
  text::GraphemeBreaker breaker;
  std::int64_t length = 0;
  std::int32_t position = 0;
  for (std::size_t at = 0; at < text.size(); ++position) {
    interrupt_.poll();
    text::Decoded character = text::decode_at(text, at);
    if (unit == Unit::graphemes)
      length += breaker.starts_cluster(text::properties(character.code)) ? 1 : 0;
    else
      length += unit == Unit::utf8_bytes ? character.size : unit == Unit::utf16 ? text::utf16_size(character.code) : 1;
    if (length > max) break;
    at += character.size;
  }
  return position;
}

std::int32_t Text::overflow_by_search(Unit unit, std::int64_t max) {
  std::string_view text = body();
  if (unit == Unit::weighted) return text::x_within(analysis(), max).codepoint;
  auto fits = [&](std::size_t bytes) {
    return length_in(text::text_stats(text.substr(0, bytes), interrupt_), unit) <= max;
  };
  // Gallop to a prefix that is too long, so that the cost depends on the limit, not on the text.
  std::size_t good = 0;
  std::size_t step = static_cast<std::size_t>(std::clamp<std::int64_t>(max, 16, 1 << 20));
  std::size_t bad = skip_characters(text, 0, step);
  while (bad < text.size() && fits(bad)) {
    good = bad;
    bad = skip_characters(text, good, step);
    step *= 2;
  }
  // Then halve: `good` fits, `bad` (or the whole text) does not.
  while (true) {
    std::size_t middle = good + (bad - good) / 2;
    while (middle > good && !starts_character(text[middle])) --middle;
    if (middle == good) middle = skip_characters(text, good, 1);
    if (middle >= bad) break;
    (fits(middle) ? good : bad) = middle;
  }
  std::int32_t fitting = count_characters(text.substr(0, good));
  if (unit != Unit::mastodon) return fitting;
  // A link goes as a whole: the text stops to fit where the link starts.
  for (const text::Span &link : analysis().links(text::Dialect::mastodon)) {
    if (link.start >= good) break;
    if (link.kind != text::EntityKind::hashtag && good < link.end) return character_at(link.start);
  }
  return fitting;
}

std::string_view unit_words(Unit unit) {
  switch (unit) {
    case Unit::utf16:
      return "UTF-16 units";
    case Unit::utf8_bytes:
      return "bytes";
    case Unit::graphemes:
      return "graphemes";
    case Unit::weighted:
      return "weighted characters";
    case Unit::mastodon:
      return "characters (a link counts 23)";
    default:
      return "characters";
  }
}

}  // namespace nexus::validation
