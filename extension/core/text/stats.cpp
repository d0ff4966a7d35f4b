#include "core/text/stats.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <bit>
#include <string>

#include "core/text/graphemes.hpp"
#include "core/text/mastodon.hpp"
#include "core/text/normalize.hpp"
#include "core/text/spans.hpp"
#include "core/text/unicode.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

constexpr std::int64_t kUrlWeight = 23, kEmojiWeight = 2;
constexpr std::uint32_t kPollBytes = 65536;

std::int64_t x_weight(char32_t c) {
  if (c <= 0x10FF) return 1;
  return (c >= 0x2000 && c <= 0x200D) || (c >= 0x2010 && c <= 0x201F) || (c >= 0x2032 && c <= 0x2037) ? 1 : 2;
}

bool is_bidi_control(char32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/// What the pass over a text notes for those that come after it.
struct Notes {
  bool dot = false, at = false, nfc_check = false;
};

/// Plain ASCII from `at` on: neither CR nor anything above U+007F. Each such character counts one in every unit.
struct AsciiRun {
  std::size_t size = 0;
  std::int64_t line_feeds = 0;
};

AsciiRun ascii_run(std::string_view text, std::size_t at, Notes &notes) {
  AsciiRun run;
  std::size_t limit = text.size() - at < kPollBytes ? text.size() - at : kPollBytes;
  const char *data = text.data() + at;
#if defined(__SSE2__)
  const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n'), dot = _mm_set1_epi8('.'), sign = _mm_set1_epi8('@');
  while (limit - run.size >= 16) {
    __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i *>(data + run.size));
    auto stop = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(block, _mm_cmpeq_epi8(block, cr))));
    unsigned size = stop == 0 ? 16 : static_cast<unsigned>(std::countr_zero(stop));
    unsigned inside = (1U << size) - 1;
    run.line_feeds += std::popcount(static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, lf))) & inside);
    notes.dot = notes.dot || (static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, dot))) & inside) != 0;
    notes.at = notes.at || (static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, sign))) & inside) != 0;
    run.size += size;
    if (stop != 0) return run;
  }
#endif
  for (; run.size < limit; ++run.size) {
    char c = data[run.size];
    if (static_cast<unsigned char>(c) >= 0x80 || c == '\r') break;
    run.line_feeds += c == '\n' ? 1 : 0;
    notes.dot = notes.dot || c == '.';
    notes.at = notes.at || c == '@';
  }
  return run;
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
  Notes notes;
  GraphemeBreaker breaker;
  stats.bytes = static_cast<std::int64_t>(utf8.size());
  std::int64_t line_ends = 0;
  std::size_t weighed = 0;  // X's weight is known up to here: an emoji is weighed where it starts
  char32_t last = 0;

  for (std::size_t at = 0; at < utf8.size();) {
    auto byte = static_cast<unsigned char>(utf8[at]);
    // A run of ASCII goes in one step, but for its ends: the first character may belong to a cluster before it, the
    // last may be the digit of a keycap.
    if (byte < 0x80 && byte != '\r' && last < 0x80 && last != '\r') {
      AsciiRun run = ascii_run(utf8, at, notes);
      if (at + run.size < utf8.size() && static_cast<unsigned char>(utf8[at + run.size]) >= 0x80) --run.size;
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
        if (at == utf8.size()) break;
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
    notes.nfc_check = notes.nfc_check || p.nfc_check();
    notes.dot = notes.dot || character.code == '.';
    notes.at = notes.at || character.code == '@';
    last = character.code;
    at += character.size;
  }

  stats.lines = utf8.empty() ? 0 : line_ends + 1;
  std::string composed = notes.nfc_check ? nfc(utf8) : std::string();
  bool changed = notes.nfc_check && composed != utf8;
  std::string_view weighable = changed ? std::string_view(composed) : utf8;
  std::vector<Span> urls;
  if (notes.dot) urls = url_spans(weighable, Dialect::x, interrupt);
  if (changed || !urls.empty()) stats.x_weight = weigh(weighable, urls, interrupt);

  // Mastodon's discounts need a dot (of a URL) or an '@'.
  if (notes.dot || notes.at)
    stats.mastodon_length = mastodon_length(utf8, interrupt);
  else if (!is_blank(utf8))
    stats.mastodon_length = stats.graphemes;
  return stats;
}

}  // namespace nexus::text
