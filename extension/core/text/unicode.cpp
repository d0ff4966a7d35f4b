#include "core/text/unicode.hpp"

#include <algorithm>
#include <iterator>

#include "core/text/utf8.hpp"

namespace nexus::text {

namespace tables {

struct EmojiNode {
  std::uint16_t first_edge, edges;
  bool accepting;
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
