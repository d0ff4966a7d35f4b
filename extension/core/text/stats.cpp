#include "core/text/stats.hpp"

#include <algorithm>
#include <string>

#include "core/text/analysis.hpp"
#include "core/text/ascii.hpp"
#include "core/text/graphemes.hpp"
#include "core/text/mastodon.hpp"
#include "core/text/normalize.hpp"
#include "core/text/spans.hpp"
#include "core/text/unicode.hpp"
#include "core/text/utf8.hpp"
#include "core/text/x_weight.hpp"

namespace nexus::text {

namespace {

bool is_bidi_control(char32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/// True if the URL is ASCII, and no emoji can have begun with its last character (a digit of a keycap).
bool is_apart(std::string_view text, const Span &url) {
  if (!is_ascii(text.substr(url.start, url.end - url.start))) return false;
  bool may_go_on = properties(static_cast<unsigned char>(text[url.end - 1])).emoji_start();
  return !may_go_on || is_ascii(text.substr(url.end, 1));
}

/// X's weight of a text in NFC: URLs and emoji weigh as one.
std::int64_t weigh(std::string_view text, const std::vector<Span> &urls, Interrupt &interrupt) {
  std::int64_t weight = 0;
  auto url = urls.begin();
  for (std::size_t at = 0; at < text.size();) {
    interrupt.poll();
    while (url != urls.end() && url->start < at) ++url;  // one that began inside an emoji
    if (url != urls.end() && url->start == at) {
      weight += kXUrlWeight;
      at = url->end;
      continue;
    }
    Decoded character = decode_at(text, at);
    Properties p = properties(character.code);
    std::size_t emoji = p.emoji_start() ? emoji_size(text, at) : 0;
    weight += emoji != 0 ? kXEmojiWeight : x_weight(p);
    at += emoji != 0 ? emoji : character.size;
  }
  return weight;
}

/// Counts in one walk all that needs no second look: everything but links, and X's weight of a text that is not NFC.
class Scanner {
 public:
  Scanner(std::string_view text, Interrupt &interrupt) : text_(text), interrupt_(interrupt) {}

  void run() {
    while (at_ < text_.size()) {
      // Most texts are runs of ASCII and of plain characters; whatever else there is goes one by one.
      bool settled = breaker_.is_settled() && at_ >= weighed_;
      if (settled && last_ != '\r' && starts_ascii_run(text_, at_) && ascii()) continue;
      if (settled && plain()) continue;
      interrupt_.poll();
      one();
    }
    stats.bytes = static_cast<std::int64_t>(text_.size());
    stats.lines = text_.empty() ? 0 : line_ends_ + 1;
  }

  Stats stats;
  bool nfc_open = false;

 private:
  bool ascii() {
    AsciiRun run = ascii_run(text_, at_);
    // The last character may be the digit of a keycap.
    if (at_ + run.size < text_.size() && static_cast<unsigned char>(text_[at_ + run.size]) >= 0x80) {
      --run.size;
      if (text_[at_ + run.size] == '\n') --run.line_feeds;
    }
    if (run.size == 0) return false;
    interrupt_.poll(static_cast<std::uint32_t>(run.size / 4));
    line_ends_ += run.line_feeds;
    at_ += run.size;
    last_ = static_cast<unsigned char>(text_[at_ - 1]);
    passed(static_cast<std::int64_t>(run.size), 0, 0, properties(last_));
    return true;
  }

  bool plain() {
    constexpr std::int64_t kLongest = 4096;
    const std::string_view text = text_;
    std::size_t at = at_;
    std::int64_t count = 0, pairs = 0, heavy = 0;
    Properties last(0);
    char32_t last_code = 0;
    for (; at < text.size() && count < kLongest; ++count) {
      Decoded character = decode_at(text, at);
      Properties p = properties(character.code);
      if (!p.plain()) break;
      pairs += character.code >= 0x10000 ? 1 : 0;
      heavy += p.x_heavy() ? 1 : 0;
      last = p;
      last_code = character.code;
      at += character.size;
    }
    if (count == 0) return false;
    at_ = at;
    interrupt_.poll(static_cast<std::uint32_t>(count));
    last_ = last_code;
    passed(count, pairs, heavy, last);
    return true;
  }

  /// A run of characters that are clusters of their own.
  void passed(std::int64_t count, std::int64_t pairs, std::int64_t heavy, Properties last) {
    stats.codepoints += count;
    stats.utf16_units += count + pairs;
    stats.graphemes += count;
    stats.x_weight += count + heavy;
    weighed_ = at_;
    breaker_.restart(last);
  }

  void one() {
    Decoded character = decode_at(text_, at_);
    Properties p = properties(character.code);
    ++stats.codepoints;
    stats.utf16_units += utf16_size(character.code);
    stats.graphemes += breaker_.starts_cluster(p) ? 1 : 0;
    if (at_ >= weighed_) {
      std::size_t emoji = p.emoji_start() ? emoji_size(text_, at_) : 0;
      stats.x_weight += emoji != 0 ? kXEmojiWeight : x_weight(p);
      weighed_ = at_ + (emoji != 0 ? emoji : character.size);
    }
    line_ends_ += character.code == '\r' || (character.code == '\n' && last_ != '\r') ? 1 : 0;
    stats.bidi_controls = stats.bidi_controls || is_bidi_control(character.code);
    if ((p.nfc_open() || p.combining()) && !nfc_open) nfc_open = nfc_may_change(last_, character.code);
    last_ = character.code;
    at_ += character.size;
  }

  std::string_view text_;
  Interrupt &interrupt_;
  std::size_t at_ = 0;
  std::size_t weighed_ = 0;  // X's weight is known up to here: an emoji is weighed where it starts
  char32_t last_ = 0;        // 0 before the first character
  std::int64_t line_ends_ = 0;
  GraphemeBreaker breaker_;
};

}  // namespace

Stats text_stats(Analysis &analysis) {
  std::string_view utf8 = analysis.text();
  Interrupt &interrupt = analysis.interrupt();
  Scanner scanner(utf8, interrupt);
  scanner.run();
  Stats stats = scanner.stats;
  stats.nfc_open = scanner.nfc_open;
  const std::vector<Span> &urls = analysis.urls();
  stats.mastodon_length = mastodon_length(utf8, stats.graphemes, urls, interrupt);

  if (scanner.nfc_open && !analysis.changes().empty()) {
    stats.x_weight = weigh(analysis.composed(), analysis.composed_urls(), interrupt);
  } else if (std::all_of(urls.begin(), urls.end(), [utf8](const Span &url) { return is_apart(utf8, url); })) {
    for (const Span &url : urls) stats.x_weight += kXUrlWeight - static_cast<std::int64_t>(url.end - url.start);
  } else {
    stats.x_weight = weigh(utf8, urls, interrupt);
  }
  return stats;
}

Stats text_stats(std::string_view utf8, Interrupt interrupt) {
  Analysis analysis(utf8, interrupt);
  return text_stats(analysis);
}

std::int64_t x_cluster_weight(std::string_view cluster, bool open, Interrupt interrupt) {
  if (!open) return weigh(cluster, {}, interrupt);
  if (char32_t one = composite_of(cluster); one != 0) return x_weight(properties(one));
  return weigh(nfc(cluster, interrupt), {}, interrupt);
}

}  // namespace nexus::text
