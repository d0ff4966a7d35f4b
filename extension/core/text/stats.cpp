#include "core/text/stats.hpp"

#include <algorithm>
#include <string>

#include "core/text/ascii.hpp"
#include "core/text/graphemes.hpp"
#include "core/text/mastodon.hpp"
#include "core/text/normalize.hpp"
#include "core/text/spans.hpp"
#include "core/text/unicode.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

constexpr std::int64_t kUrlWeight = 23, kEmojiWeight = 2;

std::int64_t x_weight(char32_t c) {
  if (c <= 0x10FF) return 1;
  return (c >= 0x2000 && c <= 0x200D) || (c >= 0x2010 && c <= 0x201F) || (c >= 0x2032 && c <= 0x2037) ? 1 : 2;
}

bool is_bidi_control(char32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/// True if the URL is ASCII, and no emoji can have begun with its last character.
bool is_apart(std::string_view text, const Span &url) {
  std::size_t end = std::min(url.end + 1, text.size());
  return std::none_of(text.begin() + static_cast<std::ptrdiff_t>(url.start),
                      text.begin() + static_cast<std::ptrdiff_t>(end),
                      [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

/// X's weight of a text in NFC: URLs and emoji weigh as one.
std::int64_t weigh(std::string_view text, const std::vector<Span> &urls, Interrupt &interrupt) {
  std::int64_t weight = 0;
  auto url = urls.begin();
  for (std::size_t at = 0; at < text.size();) {
    interrupt.poll();
    while (url != urls.end() && url->start < at) ++url;  // one that began inside an emoji
    if (url != urls.end() && url->start == at) {
      weight += kUrlWeight;
      at = url->end;
      continue;
    }
    Decoded character = decode_at(text, at);
    std::size_t emoji = properties(character.code).emoji_start() ? emoji_size(text, at) : 0;
    weight += emoji != 0 ? kEmojiWeight : x_weight(character.code);
    at += emoji != 0 ? emoji : character.size;
  }
  return weight;
}

}  // namespace

Stats text_stats(std::string_view utf8, Interrupt interrupt) {
  Stats stats;
  bool dot = false, at_sign = false, nfc_open = false;
  GraphemeBreaker breaker;
  stats.bytes = static_cast<std::int64_t>(utf8.size());
  std::int64_t line_ends = 0;
  std::size_t weighed = 0;  // X's weight is known up to here: an emoji is weighed where it starts
  char32_t last = 0;
  bool after_combining = false;

  for (std::size_t at = 0; at < utf8.size();) {
    auto byte = static_cast<unsigned char>(utf8[at]);
    // A run of ASCII goes in one step, but for its ends: the first character may belong to a cluster before it, the
    // last may be the digit of a keycap.
    if (byte < 0x80 && last < 0x80 && last != '\r') {
      AsciiRun run = ascii_run(utf8, at);
      dot = dot || run.dot;
      at_sign = at_sign || run.at_sign;
      if (run.size > 0 && at + run.size < utf8.size() && static_cast<unsigned char>(utf8[at + run.size]) >= 0x80) {
        --run.size;
        if (utf8[at + run.size] == '\n') --run.line_feeds;
      }
      if (run.size > 0) {
        interrupt.poll(static_cast<std::uint32_t>(run.size / 4));
        auto size = static_cast<std::int64_t>(run.size);
        stats.codepoints += size;
        stats.utf16_units += size;
        stats.graphemes += size;
        stats.x_weight += size;
        line_ends += run.line_feeds;
        at += run.size;
        last = static_cast<unsigned char>(utf8[at - 1]);
        weighed = at;
        breaker.skip_ascii(last);
        after_combining = false;
        continue;
      }
    }
    interrupt.poll();
    Decoded character = decode_at(utf8, at);
    Properties p = properties(character.code);
    ++stats.codepoints;
    stats.utf16_units += utf16_size(character.code);
    stats.graphemes += breaker.starts_cluster(p) ? 1 : 0;
    if (at >= weighed) {
      std::size_t emoji = p.emoji_start() ? emoji_size(utf8, at) : 0;
      stats.x_weight += emoji != 0 ? kEmojiWeight : x_weight(character.code);
      weighed = at + (emoji != 0 ? emoji : character.size);
    }
    line_ends += character.code == '\r' || (character.code == '\n' && last != '\r') ? 1 : 0;
    stats.bidi_controls = stats.bidi_controls || is_bidi_control(character.code);
    nfc_open = nfc_open || p.nfc_open() || (p.combining() && after_combining);
    dot = dot || character.code == '.';
    at_sign = at_sign || character.code == '@';
    after_combining = p.combining();
    last = character.code;
    at += character.size;
  }

  stats.lines = utf8.empty() ? 0 : line_ends + 1;
  std::vector<Span> urls;
  if (dot) urls = x_url_spans(utf8, interrupt);
  stats.mastodon_length = mastodon_length(utf8, stats.graphemes, at_sign, urls, interrupt);

  std::string composed = nfc_open ? nfc(utf8, interrupt) : std::string();
  if (nfc_open && composed != utf8) {
    if (dot) urls = x_url_spans(composed, interrupt);
    stats.x_weight = weigh(composed, urls, interrupt);
  } else if (std::all_of(urls.begin(), urls.end(), [utf8](const Span &url) { return is_apart(utf8, url); })) {
    for (const Span &url : urls) stats.x_weight += kUrlWeight - static_cast<std::int64_t>(url.end - url.start);
  } else {
    stats.x_weight = weigh(utf8, urls, interrupt);
  }
  return stats;
}

}  // namespace nexus::text
