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

/// The mention whose sign stands at `sign`; its `end` is 0 if there is none or if it names no host.
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
  if (byte(user) != '@') return none;
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

std::int64_t mastodon_length(std::string_view utf8, std::int64_t graphemes, bool at_sign, const std::vector<Span> &urls,
                             Interrupt &interrupt) {
  if (is_blank(utf8)) return 0;
  if (urls.empty() && !at_sign) return graphemes;
  std::string counted;  // the text with placeholders
  std::size_t copied = 0, at = 0, sign = std::min(utf8.find('@'), utf8.size());
  auto replace = [&](std::size_t start, std::size_t end, std::string_view by) {
    counted.append(utf8, copied, start - copied).append(by);
    copied = at = end;
  };
  const std::string placeholder(kUrlLength, 'x');
  auto url = urls.begin();
  while (true) {
    interrupt.poll();
    while (url != urls.end() && (url->start < at || protocol_size(utf8.substr(url->start, 8)) == 0)) ++url;
    std::size_t url_start = url == urls.end() ? utf8.size() : url->start;
    if (sign < at) sign = std::min(utf8.find('@', at), utf8.size());
    if (url_start == utf8.size() && sign == utf8.size()) break;
    if (url_start < sign) {
      replace(url->start, url->end, placeholder);
      continue;
    }
    Remote mention = remote_at(utf8, sign);
    if (mention.end != 0)
      replace(sign, mention.end, utf8.substr(sign, mention.user - sign));
    else
      at = sign + 1;
  }
  if (copied == 0) return graphemes;
  counted.append(utf8, copied, utf8.size() - copied);
  return grapheme_count(counted);
}

}  // namespace nexus::text
