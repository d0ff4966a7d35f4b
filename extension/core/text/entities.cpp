#include "core/text/entities.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/text/analysis.hpp"
#include "core/text/normalize.hpp"
#include "core/text/spans.hpp"
#include "core/text/url_characters.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

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

std::vector<Span> merged(const std::vector<Span> &some, const std::vector<Span> &others) {
  std::vector<Span> result(some.size() + others.size());
  std::merge(some.begin(), some.end(), others.begin(), others.end(), result.begin(),
             [](const Span &a, const Span &b) { return a.start < b.start; });
  return result;
}

void drop_overlaps(std::vector<Span> &spans) {
  std::size_t kept = 0, end = 0;
  for (const Span &span : spans) {
    if (span.start < end) continue;
    end = span.end;
    spans[kept++] = span;
  }
  spans.resize(kept);
}

std::string_view entity_value(std::string_view utf8, const Span &link) {
  std::size_t sign = link.kind == EntityKind::url ? 0 : decode_at(utf8, link.start).size;
  return utf8.substr(link.start + sign, link.end - link.start - sign);
}

Position EntityReader::position_of(std::size_t byte) {
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

bool EntityReader::next(Entity &entity) {
  if (taken_ == links_.size()) return false;
  const Span &link = links_[taken_++];
  entity.kind = link.kind;
  entity.value = entity_value(text_, link);
  entity.canonical = canonical(entity.kind, entity.value);
  entity.start = position_of(link.start);
  entity.end = position_of(link.end);
  return true;
}

std::vector<Entity> entities(std::string_view utf8, Dialect dialect, Interrupt interrupt) {
  Analysis analysis(utf8, interrupt);
  const std::vector<Span> &links = analysis.links(dialect);
  EntityReader reader(utf8, links);
  std::vector<Entity> result;
  result.reserve(links.size());
  for (Entity entity; reader.next(entity);) {
    interrupt.poll(16);
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
