// Links as Bluesky's client library finds them in a post (richtext facets).
//
// Each kind starts behind white space or an opening parenthesis (a tag only behind white space) and is looked for on
// its own; a link takes everything up to the next white space, so that no other link starts inside.
#include <algorithm>

#include "core/text/spans.hpp"
#include "core/text/tlds.hpp"
#include "core/text/unicode.hpp"
#include "core/text/url_characters.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

constexpr std::size_t kMaxTag = 64;  // UTF-16 units
constexpr std::size_t kMaxTicker = 5;

bool is_host_character(char32_t c) {
  return is_ascii_alnum(c) || c == '.' || c == '-';
}
/// \w of a regular expression.
bool is_regex_word(char32_t c) {
  return is_ascii_alnum(c) || c == '_';
}
/// Ends a tag: white space, soft hyphen, zero-width characters, the enclosing keycap's screen.
bool ends_tag(char32_t c) {
  return is_script_space(c) || c == 0xAD || c == 0x2060 || (c >= 0x200A && c <= 0x200D) || c == 0x20E2;
}
bool ends_ticker(char32_t c) {
  switch (c) {
    case '.':
    case ',':
    case ';':
    case ':':
    case '!':
    case '?':
    case ')':
    case '"':
    case '\'':
    case 0x2019:
      return true;
    default:
      return is_script_space(c);
  }
}

class Facets {
 public:
  explicit Facets(std::string_view utf8) : text_(utf8) {}

  std::vector<Span> take() { return std::move(found_); }

  void mention(std::size_t sign) {
    std::size_t start = sign + 1, end = start;
    while (is_host_character(byte(end))) ++end;
    // The name ends at a border of a word.
    while (end > start && is_regex_word(byte(end - 1)) == is_regex_word(byte(end))) --end;
    std::string_view name = text_.substr(start, end - start);
    if (known_domain(name) || (name.size() >= 5 && name.substr(name.size() - 5) == ".test"))
      found_.push_back({EntityKind::mention, sign, end});
  }

  void tag(std::size_t sign, std::size_t sign_size) {
    std::size_t start = sign + sign_size;
    if (code(start) == 0xFE0F) return;
    bool word = false;
    std::size_t units = 0, kept_units = 0, kept = start;  // without the punctuation at the end
    for (std::size_t next = start; next < text_.size();) {
      Decoded character = decode_at(text_, next);
      if (ends_tag(character.code)) break;
      bool punctuation = properties(character.code).punctuation();
      word = word || (!punctuation && !is_ascii_digit(character.code));
      next += character.size;
      units += static_cast<std::size_t>(utf16_size(character.code));
      if (!punctuation) {
        kept = next;
        kept_units = units;
      }
    }
    if (word && kept_units <= kMaxTag) found_.push_back({EntityKind::hashtag, sign, kept});
  }

  void cashtag(std::size_t sign) {
    std::size_t start = sign + 1, end = start;
    if (!is_ascii_letter(byte(start))) return;
    while (is_ascii_alnum(byte(end)) && end - start <= kMaxTicker) ++end;
    if (end - start > kMaxTicker || (end < text_.size() && !ends_ticker(code(end)))) return;
    found_.push_back({EntityKind::cashtag, sign, end});
  }

  void link(std::size_t start) {
    if (start < links_) return;
    std::size_t protocol = protocol_size(text_.substr(start, 8)), domain_end = 0;
    if (protocol == 0 || start + protocol >= text_.size() || is_script_space(code(start + protocol))) {
      protocol = 0;
      domain_end = domain_end_from(start);
      if (domain_end == 0) return;
    }
    std::size_t end = token_end(start);
    links_ = end;
    // Anything that starts with "http" in lower case goes unchecked.
    bool http = text_.substr(start, 4) == "http";
    if (!http && (protocol != 0 || !known_domain(text_.substr(start, domain_end - start)))) return;
    std::string_view url = text_.substr(start, end - start);
    if (std::string_view(".,;:!?").find(url.back()) != std::string_view::npos) url.remove_suffix(1);
    if (!url.empty() && url.back() == ')' && url.find('(') == std::string_view::npos) url.remove_suffix(1);
    found_.push_back({EntityKind::url, start, start + url.size()});
  }

 private:
  char32_t code(std::size_t at) const { return at < text_.size() ? decode_at(text_, at).code : 0; }
  char32_t byte(std::size_t at) const { return at < text_.size() ? static_cast<unsigned char>(text_[at]) : 0U; }

  static bool known_domain(std::string_view domain) {
    std::size_t dot = domain.rfind('.');
    return dot != std::string_view::npos && is_current_tld(domain.substr(dot + 1));
  }

  /// The end of `label.label…`, the first of which starts with a letter; 0 if there is no such thing.
  std::size_t domain_end_from(std::size_t start) const {
    if (!is_ascii_letter(byte(start))) return 0;
    std::size_t end = skip_alnum(start), result = 0;
    while (byte(end) == '.' && is_ascii_alnum(byte(end + 1))) result = end = skip_alnum(end + 1);
    return result;
  }

  std::size_t skip_alnum(std::size_t at) const {
    while (is_ascii_alnum(byte(at))) ++at;
    return at;
  }

  std::size_t token_end(std::size_t start) const {
    while (start < text_.size()) {
      Decoded character = decode_at(text_, start);
      if (is_script_space(character.code)) break;
      start += character.size;
    }
    return start;
  }

  std::string_view text_;
  std::vector<Span> found_;
  std::size_t links_ = 0;  // the last link reaches to here
};

}  // namespace

std::vector<Span> bluesky_spans(std::string_view utf8, Interrupt &interrupt) {
  Facets facets(utf8);
  bool after_space = true, after_parenthesis = false;
  for (std::size_t at = 0; at < utf8.size();) {
    interrupt.poll();
    Decoded character = decode_at(utf8, at);
    if (after_space && is_hash_sign(character.code)) facets.tag(at, character.size);
    if (after_space || after_parenthesis) {
      if (character.code == '@')
        facets.mention(at);
      else if (character.code == '$')
        facets.cashtag(at);
      else
        facets.link(at);
    }
    after_space = is_script_space(character.code);
    after_parenthesis = character.code == '(';
    at += character.size;
  }
  std::vector<Span> found = facets.take();
  drop_overlaps(found);
  return found;
}

}  // namespace nexus::text
