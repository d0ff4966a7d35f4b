#include "core/text/entities.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/text/normalize.hpp"
#include "core/text/spans.hpp"
#include "core/text/url_characters.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

/// Moves along a text and counts in all units; the places asked for must not go backwards.
class Ruler {
 public:
  explicit Ruler(std::string_view utf8) : text_(utf8) {}

  Position at(std::size_t byte) {
    std::int32_t points = 0, pairs = 0;
    for (auto i = static_cast<std::size_t>(position_.byte); i < byte; ++i) {
      points += is_continuation(text_[i]) ? 0 : 1;
      pairs += static_cast<unsigned char>(text_[i]) >= 0xF0 ? 1 : 0;
    }
    position_.codepoint += points;
    position_.utf16 += points + pairs;
    position_.byte = static_cast<std::int32_t>(byte);
    return position_;
  }

 private:
  std::string_view text_;
  Position position_;
};

void ascii_case(std::string &text, char first, char last, int shift) {
  for (char &c : text)
    if (c >= first && c <= last) c = static_cast<char>(c + shift);
}

std::string canonical(EntityKind kind, const std::string &value) {
  std::string result = value;
  switch (kind) {
    case EntityKind::hashtag:
      return canonical_hashtag(value);
    case EntityKind::mention:
    case EntityKind::list:
      ascii_case(result, 'A', 'Z', 'a' - 'A');
      return result;
    case EntityKind::cashtag:
      ascii_case(result, 'a', 'z', 'A' - 'a');
      return result;
    case EntityKind::url:
      return protocol_size(value) != 0 ? value : "https://" + value;
  }
  return result;
}

}  // namespace

void resolve_overlaps(std::vector<Span> &spans) {
  std::sort(spans.begin(), spans.end(), [](const Span &a, const Span &b) { return a.start < b.start; });
  std::size_t kept = 0, end = 0;
  for (const Span &span : spans) {
    if (span.start < end) continue;
    end = span.end;
    spans[kept++] = span;
  }
  spans.resize(kept);
}

std::vector<Entity> entities(std::string_view utf8, Dialect dialect, Interrupt interrupt) {
  std::vector<Entity> result;
  Ruler ruler(utf8);
  std::vector<Span> spans = dialect == Dialect::x         ? x_spans(utf8, interrupt)
                            : dialect == Dialect::bluesky ? bluesky_spans(utf8, interrupt)
                                                          : mastodon_spans(utf8, interrupt);
  result.reserve(spans.size());
  for (const Span &span : spans) {
    interrupt.poll(16);
    Entity entity;
    entity.kind = span.kind;
    std::size_t sign = span.kind == EntityKind::url ? 0 : decode_at(utf8, span.start).size;
    entity.value = utf8.substr(span.start + sign, span.end - span.start - sign);
    entity.canonical = canonical(entity.kind, entity.value);
    entity.start = ruler.at(span.start);
    entity.end = ruler.at(span.end);
    result.push_back(std::move(entity));
  }
  return result;
}

Dialect parse_dialect(std::string_view name) {
  if (name == "x") return Dialect::x;
  if (name == "bluesky") return Dialect::bluesky;
  if (name == "mastodon") return Dialect::mastodon;
  throw invalid_argument("dialect \"" + std::string(name) + "\" is not known").hint("Use x, bluesky or mastodon.");
}

std::string_view name(EntityKind kind) {
  switch (kind) {
    case EntityKind::hashtag:
      return "hashtag";
    case EntityKind::mention:
      return "mention";
    case EntityKind::list:
      return "list";
    case EntityKind::url:
      return "url";
    case EntityKind::cashtag:
      return "cashtag";
  }
  return {};
}

}  // namespace nexus::text
