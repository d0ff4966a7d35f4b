// Hashtags, mentions, lists and cashtags as twitter-text 3 finds them, and the order of all links.
#include <array>

#include "core/text/characters.hpp"
#include "core/text/spans.hpp"
#include "core/text/unicode.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

constexpr std::size_t kMaxName = 20, kMaxSlug = 25, kMaxCashtag = 6;

bool is_name_character(char32_t c) {
  return is_ascii_alnum(c) || c == '_';
}

/// One kind of tag each; a match consumes what it covers, and the next may not look at it again.
class Tags {
 public:
  explicit Tags(std::string_view utf8) : text_(utf8) {}

  void hashtag(std::size_t sign, std::size_t sign_size, std::vector<Span> &found) {
    std::size_t start = sign + sign_size;
    if (sign > 0) {
      std::size_t before = previous(text_, sign);
      if (before < hashtags_) return;
      char32_t c = code(before);
      if (c != 0xFE0E && c != 0xFE0F && (c == '&' || properties(c).x_tag())) return;
    }
    char32_t first = code(start);
    if (first == 0xFE0F || first == 0x20E3) return;
    bool letter = false;
    std::size_t end = start;
    while (end < text_.size()) {
      Decoded character = decode_at(text_, end);
      Properties p = properties(character.code);
      if (!p.x_tag()) break;
      letter = letter || p.x_tag_letter();
      end += character.size;
    }
    if (!letter) return;
    hashtags_ = end;
    if (is_hash_sign(code(end)) || protocol_at(end)) return;
    found.push_back({EntityKind::hashtag, sign, end});
  }

  void mention(std::size_t sign, std::size_t sign_size, std::vector<Span> &found) {
    if (!mention_may_start(sign)) return;
    std::size_t start = sign + sign_size, end = start;
    while (end < text_.size() && end - start < kMaxName && is_name_character(byte(end))) ++end;
    if (end == start) return;
    EntityKind kind = EntityKind::mention;
    if (byte(end) == '/' && is_ascii_letter(byte(end + 1))) {
      kind = EntityKind::list;
      std::size_t slug = ++end;
      while (end < text_.size() && end - slug < kMaxSlug && (is_name_character(byte(end)) || byte(end) == '-')) ++end;
    }
    mentions_ = end;
    char32_t next = code(end);
    if (is_at_sign(next) || is_latin_accent(next) || protocol_at(end)) return;
    found.push_back({kind, sign, end});
  }

  void cashtag(std::size_t sign, std::vector<Span> &found) {
    if (sign > 0) {
      std::size_t before = previous(text_, sign);
      if (before < cashtags_ || !is_x_space(code(before))) return;
    }
    std::size_t start = sign + 1, end = letters_from(start, kMaxCashtag + 1);
    if (end == start || end - start > kMaxCashtag) return;
    if (byte(end) == '.' || byte(end) == '_') {
      std::size_t suffix = letters_from(end + 1, 3);
      if (suffix - end >= 2 && suffix - end <= 3 && cashtag_may_end(suffix)) end = suffix;
    }
    if (!cashtag_may_end(end)) return;
    cashtags_ = end;
    found.push_back({EntityKind::cashtag, sign, end});
  }

 private:
  // Behind the text everything is U+0000, which no rule asks for.
  char32_t code(std::size_t at) const { return at < text_.size() ? decode_at(text_, at).code : 0; }
  char32_t byte(std::size_t at) const { return at < text_.size() ? static_cast<unsigned char>(text_[at]) : 0U; }
  bool protocol_at(std::size_t at) const { return text_.substr(at, 3) == "://"; }

  std::size_t letters_from(std::size_t at, std::size_t limit) const {
    std::size_t end = at;
    while (end - at < limit && is_ascii_letter(byte(end))) ++end;
    return end;
  }

  bool mention_may_start(std::size_t sign) const {
    if (sign == 0) return true;
    std::size_t before = previous(text_, sign);
    if (before < mentions_) return false;
    char32_t c = code(before);
    if (!is_name_character(c) && !is_at_sign(c) && c != '!' && c != '#' && c != '$' && c != '%' && c != '&' && c != '*')
      return true;
    // "RT@name", if RT is a word of its own.
    if ((c | 0x20) != 't' || before == 0 || before - 1 < mentions_ || (byte(before - 1) | 0x20) != 'r') return false;
    if (before == 1) return true;
    std::size_t outside = previous(text_, before - 1);
    char32_t o = code(outside);
    return outside >= mentions_ && !is_name_character(o) && o != '+' && o != '~' && o != '.' && o != '-';
  }

  bool cashtag_may_end(std::size_t at) const {
    if (at >= text_.size()) return true;
    char32_t c = code(at);
    return is_x_punctuation(c) || is_script_space(c);
  }

  std::string_view text_;
  std::size_t hashtags_ = 0, mentions_ = 0, cashtags_ = 0;  // ends of the last matches
};

constexpr std::size_t kPollBytes = 65536;

/// The bytes at which a link with a sign may begin; 0xEF begins the full-width signs.
constexpr std::array<bool, 256> kCandidates = [] {
  std::array<bool, 256> bytes{};
  for (unsigned char c : {'#', '@', '$'}) bytes[c] = true;
  bytes[0xEF] = true;
  return bytes;
}();

}  // namespace

std::vector<Span> x_spans(std::string_view utf8, const std::vector<Span> &urls, Interrupt &interrupt) {
  std::vector<Span> found;
  Tags tags(utf8);
  for (std::size_t at = 0; at < utf8.size(); ++at) {
    if (at % kPollBytes == 0) interrupt.poll(Interrupt::kInterval);
    auto byte = static_cast<unsigned char>(utf8[at]);
    if (!kCandidates[byte]) continue;
    if (byte == '#') {
      tags.hashtag(at, 1, found);
    } else if (byte == '@') {
      tags.mention(at, 1, found);
    } else if (byte == '$') {
      tags.cashtag(at, found);
    } else {
      Decoded character = decode_at(utf8, at);
      if (is_hash_sign(character.code)) tags.hashtag(at, character.size, found);
      if (is_at_sign(character.code)) tags.mention(at, character.size, found);
    }
  }
  found = merged(found, urls);
  drop_overlaps(found);
  return found;
}

}  // namespace nexus::text
