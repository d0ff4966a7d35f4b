#include "core/text/unicode.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "core/text/utf8.hpp"

namespace nexus::text {

namespace tables {

struct EmojiNode {
  std::uint16_t first_edge, edges;
  bool accepting;
};
struct Composition {
  char32_t second, first, composite;
};
struct EmojiEdge {
  char32_t code;
  std::uint16_t node;
};

#include "unicode_tables.inc"

}  // namespace tables

std::string_view unicode_version() {
  return tables::kUnicodeVersion;
}

namespace {

const tables::Composition *composition_from(char32_t second, char32_t first) {
  return std::lower_bound(std::begin(tables::kCompositions), std::end(tables::kCompositions), std::tie(second, first),
                          [](const auto &c, const auto &key) { return std::tie(c.second, c.first) < key; });
}

}  // namespace

char32_t composite(char32_t first, char32_t second) {
  const auto *found = composition_from(second, first);
  bool known = found != std::end(tables::kCompositions) && found->second == second && found->first == first;
  return known ? found->composite : 0;
}

bool ends_composite(char32_t second) {
  const auto *found = composition_from(second, 0);
  return found != std::end(tables::kCompositions) && found->second == second;
}

std::size_t emoji_size(std::string_view text, std::size_t at) {
  using tables::EmojiEdge, tables::EmojiNode;
  std::size_t longest = 0;
  const EmojiNode *node = &tables::kEmojiNodes[tables::kEmojiRoot];
  for (std::size_t next = at; next < text.size() && node->edges > 0;) {
    Decoded character = decode_at(text, next);
    const EmojiEdge *first = tables::kEmojiEdges + node->first_edge, *last = first + node->edges;
    const EmojiEdge *edge =
        std::lower_bound(first, last, character.code, [](const EmojiEdge &e, char32_t code) { return e.code < code; });
    if (edge == last || edge->code != character.code) break;
    next += character.size;
    node = &tables::kEmojiNodes[edge->node];
    if (node->accepting) longest = next - at;
  }
  return longest;
}

}  // namespace nexus::text
