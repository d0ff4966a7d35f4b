#include "core/text/mastodon.hpp"

#include <algorithm>
#include <string>

#include "core/text/graphemes.hpp"
#include "core/text/url_characters.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

constexpr std::size_t kUrlLength = 23;

bool is_user_character(char32_t c) {
  return is_ascii_alnum(c) || c == '_';
}
bool is_word(char32_t c) {
  return properties(c).word();
}

/// A mention of somebody on another server: the user ends at `user`, the host at `end`.
struct Remote {
  std::size_t start, user, end;
};

/// The mention whose sign stands at `sign`; its `user` is 0 if there is none, its `end` if it names no host.
Remote remote_at(std::string_view text, std::size_t sign) {
  Remote none{sign, 0, 0};
  if (sign > 0) {
    char32_t before = decode_at(text, previous(text, sign)).code;
    if (before == '=' || before == '/' || is_word(before)) return none;
  }
  auto byte = [&](std::size_t at) -> char32_t { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  std::size_t next = sign + 1, user = 0;
  if (!is_user_character(byte(next))) return none;
  for (; is_user_character(byte(next)) || byte(next) == '.' || byte(next) == '-'; ++next)
    if (is_user_character(byte(next))) user = next + 1;
  if (byte(user) != '@') return {sign, user, 0};
  std::size_t host = user + 1, end = 0, count = 0;
  for (std::size_t at = host; at < text.size();) {
    Decoded character = decode_at(text, at);
    if (!is_word(character.code) && character.code != '.' && character.code != '-') break;
    at += character.size;
    ++count;
    if (is_word(character.code) && count > 1) end = at;
  }
  return {sign, user, end};
}

}  // namespace

bool is_blank(std::string_view utf8) {
  for (std::size_t at = 0; at < utf8.size();) {
    Decoded character = decode_at(utf8, at);
    if (!is_x_space(character.code)) return false;
    at += character.size;
  }
  return true;
}

namespace {

/// The end of the tag whose sign stands at `sign`, 0 if there is none: words with dots and joiners between them, at
/// least one letter.
std::size_t tag_end(std::string_view text, std::size_t sign, std::size_t sign_size) {
  if (sign > 0) {
    char32_t before = decode_at(text, previous(text, sign)).code;
    if (before == '=' || before == '/' || before == ')' || (is_word(before) && before != '_')) return 0;
  }
  std::size_t end = 0;
  bool letter = false;
  for (std::size_t at = sign + sign_size; at < text.size();) {
    Decoded character = decode_at(text, at);
    bool joins = character.code == 0xB7 || character.code == 0x30FB || character.code == 0x200C;
    if (!is_word(character.code) && !(joins && end != 0)) break;
    at += character.size;
    if (joins) continue;
    end = at;
    letter = letter || properties(character.code).x_tag_letter();
  }
  return letter ? end : 0;
}

}  // namespace

std::vector<Span> mastodon_spans(std::string_view utf8, const std::vector<Span> &urls, Interrupt &interrupt) {
  std::vector<Span> found, linked;
  for (const Span &url : urls)
    if (protocol_size(utf8.substr(url.start, 8)) != 0) linked.push_back(url);
  std::size_t tags = 0, mentions = 0;  // ends of the last ones: none begins inside another
  for (std::size_t at = 0; at < utf8.size(); ++at) {
    interrupt.poll();
    auto first = static_cast<unsigned char>(utf8[at]);
    if (first == '@' && at >= mentions) {
      Remote mention = remote_at(utf8, at);
      std::size_t end = std::max(mention.user, mention.end);
      if (end != 0) found.push_back({EntityKind::mention, at, end});
      mentions = std::max(end, at + 1);
    } else if ((first == '#' || first == 0xEF) && at >= tags) {
      Decoded sign = decode_at(utf8, at);
      if (sign.code != '#' && sign.code != 0xFF03) continue;
      std::size_t end = tag_end(utf8, at, sign.size);
      if (end != 0) found.push_back({EntityKind::hashtag, at, end});
      tags = std::max(end, at + 1);
    }
  }
  found = merged(linked, found);
  drop_overlaps(found);
  return found;
}

namespace {

/// Calls `replace(start, end, by)` for each link that has a length of its own, in text order.
template <class Replace>
void replace_links(std::string_view utf8, const std::vector<Span> &urls, Interrupt &interrupt, Replace replace) {
  static const std::string placeholder(kUrlLength, 'x');
  std::size_t at = 0, sign = std::min(utf8.find('@'), utf8.size());
  auto url = urls.begin();
  while (true) {
    interrupt.poll();
    while (url != urls.end() && (url->start < at || protocol_size(utf8.substr(url->start, 8)) == 0)) ++url;
    std::size_t url_start = url == urls.end() ? utf8.size() : url->start;
    if (sign < at) sign = std::min(utf8.find('@', at), utf8.size());
    if (url_start == utf8.size() && sign == utf8.size()) break;
    if (url_start < sign) {
      replace(url->start, url->end, placeholder);
      at = url->end;
      continue;
    }
    Remote mention = remote_at(utf8, sign);
    if (mention.end != 0) replace(sign, mention.end, utf8.substr(sign, mention.user - sign));
    at = mention.end != 0 ? mention.end : sign + 1;
  }
}

}  // namespace

std::int64_t mastodon_length(std::string_view utf8, std::int64_t graphemes, const std::vector<Span> &urls,
                             Interrupt &interrupt) {
  if (is_blank(utf8)) return 0;
  if (urls.empty() && utf8.find('@') == std::string_view::npos) return graphemes;
  // What is replaced, and by what: a mention by its beginning, a URL by a placeholder.
  std::int64_t difference = 0;
  bool ascii = true;  // all that was replaced: then it had a cluster for each byte, and its neighbours keep theirs
  auto count = [&](std::size_t start, std::size_t end, std::string_view by) {
    ascii = ascii && is_ascii(utf8.substr(start, end - start));
    difference += static_cast<std::int64_t>(by.size()) - static_cast<std::int64_t>(end - start);
  };
  replace_links(utf8, urls, interrupt, count);
  if (ascii) return graphemes + difference;
  std::string counted;  // the text with placeholders
  std::size_t copied = 0;
  auto replace = [&](std::size_t start, std::size_t end, std::string_view by) {
    counted.append(utf8, copied, start - copied).append(by);
    copied = end;
  };
  replace_links(utf8, urls, interrupt, replace);
  counted.append(utf8, copied, utf8.size() - copied);
  return grapheme_count(counted);
}

}  // namespace nexus::text
