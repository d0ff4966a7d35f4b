#include "core/hashtags/tokens.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/hashtags/variants.hpp"
#include "core/text/normalize.hpp"

namespace nexus::hashtags {

namespace {

struct Character {
  char32_t code = 0;
  std::size_t size = 0;  // bytes; 0 at the end
};

// fold() has refused what is not valid UTF-8, so a step is never negative.
Character character_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {};
  auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {first, 1};
  utf8proc_int32_t code = 0;
  auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t *>(text.data() + at),
                               static_cast<utf8proc_ssize_t>(text.size() - at), &code);
  if (size <= 0) throw Error("22021", "text is not valid UTF-8");
  return {static_cast<char32_t>(code), static_cast<std::size_t>(size)};
}

bool is_ascii_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_word(char32_t code) {
  if (code < 0x80) return is_ascii_alnum(static_cast<char>(code));
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
      return true;
    default:
      return false;
  }
}

struct Range {
  char32_t first, last;
};

// Scripts written without spaces between words, in the order of their code points.
constexpr Range kUnspaced[] = {
    {0x0E00, 0x0EFF},    // Thai, Lao
    {0x1100, 0x11FF},    // Hangul jamo
    {0x1780, 0x17FF},    // Khmer
    {0x3005, 0x3007},    // Han: iteration mark, closing mark, zero
    {0x3040, 0x30FF},    // Hiragana, Katakana
    {0x31F0, 0x31FF},    // Katakana extensions
    {0x3400, 0x4DBF},    // Han extension A
    {0x4E00, 0x9FFF},    // Han
    {0xAC00, 0xD7AF},    // Hangul syllables
    {0xF900, 0xFAFF},    // Han compatibility
    {0x20000, 0x3FFFF},  // Han extensions
};

bool is_unspaced(char32_t code) {
  if (code < kUnspaced[0].first) return false;
  return std::any_of(std::begin(kUnspaced), std::end(kUnspaced),
                     [code](const Range &range) { return code >= range.first && code <= range.last; });
}

bool is_local_part(char c) {
  return is_ascii_alnum(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '-';
}
bool is_host(char c) {
  return is_ascii_alnum(c) || c == '.' || c == '_' || c == '-';
}

// Overwrites URLs, e-mail addresses and mentions with spaces. They are ASCII: other letters end them.
void blank_addresses(std::string &text) {
  auto printable = [](char c) { return c > ' ' && c < 0x7F; };
  std::size_t at = 0;
  while (at < text.size()) {
    if (!printable(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && printable(text[end])) ++end;
    std::string_view run(text.data() + at, end - at);
    std::size_t url = std::min({run.find("http://"), run.find("https://"), run.find("www.")});
    if (url != std::string_view::npos) {
      std::fill(text.begin() + static_cast<std::ptrdiff_t>(at + url), text.begin() + static_cast<std::ptrdiff_t>(end),
                ' ');
      run = run.substr(0, url);
    }
    std::size_t done = 0;  // where the previous address ended: no byte is looked at twice
    for (std::size_t sign = run.find('@'); sign != std::string_view::npos; sign = run.find('@', done)) {
      std::size_t from = sign, to = sign + 1;
      while (from > done && is_local_part(run[from - 1])) --from;
      while (to < run.size() && is_host(run[to])) ++to;
      std::fill(text.begin() + static_cast<std::ptrdiff_t>(at + from),
                text.begin() + static_cast<std::ptrdiff_t>(at + to), ' ');
      done = to;
    }
    at = end;
  }
}

// Adds the words of one run of word characters of one kind of script.
void add_run(std::string_view run, bool unspaced, std::map<std::string, std::uint32_t, std::less<>> &counts,
             std::uint32_t &length) {
  auto add = [&](std::string_view word) {
    if (word.size() > kMaxWordBytes) return;
    auto found = counts.find(word);
    if (found == counts.end()) found = counts.emplace(word, 0).first;
    ++found->second;
    ++length;
  };
  std::size_t first = character_at(run, 0).size;
  if (!unspaced) {
    if (first < run.size()) add(run);
    return;
  }
  if (first == run.size()) {
    add(run);
    return;
  }
  std::size_t from = 0, middle = first;
  while (middle < run.size()) {
    std::size_t to = middle + character_at(run, middle).size;
    add(run.substr(from, to - from));
    from = middle;
    middle = to;
  }
}

// The last words of a text, from which tags of several words may have been made.
class Joiner {
 public:
  explicit Joiner(std::vector<std::string> &joined) : joined_(joined) {}

  void add_word(std::string_view word) {
    std::string together(word), apart(word);
    for (std::size_t i = words_.size(); i-- > 0;) {
      together.insert(0, words_[i]);
      apart.insert(0, std::string(words_[i]) + "_");
      add(together);
      add(apart);
    }
    words_.push_back(word);
    if (words_.size() > 3) words_.erase(words_.begin());
  }

  void add_run(std::string_view run) {
    words_.clear();
    std::vector<std::size_t> starts;
    for (std::size_t at = 0; at < run.size(); at += character_at(run, at).size) starts.push_back(at);
    starts.push_back(run.size());
    for (std::size_t i = 0; i + 1 < starts.size(); ++i)
      for (std::size_t n = 3; n <= 12 && i + n < starts.size(); ++n)
        add(std::string(run.substr(starts[i], starts[i + n] - starts[i])));
  }

 private:
  void add(std::string text) {
    if (joined_.size() < kMaxJoined && text.size() <= 4 * kMaxWordBytes) joined_.push_back(std::move(text));
  }

  std::vector<std::string> &joined_;
  std::vector<std::string_view> words_;
};

// The tag that begins at the sign at `at`, without it.
std::string_view tag_at(std::string_view text, std::size_t at, std::size_t sign) {
  std::size_t end = at + sign;
  for (Character c = character_at(text, end); c.size > 0 && (is_word(c.code) || c.code == '_');
       c = character_at(text, end))
    end += c.size;
  return text.substr(at + sign, end - at - sign);
}

// The tags of a text in their own spelling: found as tokenize() finds them in the folded text.
std::vector<std::string> written_tags(std::string_view utf8, Interrupt &interrupt) {
  std::vector<std::string> tags;
  std::string text = text::nfc(utf8);
  blank_addresses(text);
  bool after_word = false;
  for (std::size_t at = 0; at < text.size();) {
    interrupt.poll();
    Character next = character_at(text, at);
    if ((next.code == '#' || next.code == 0xFF03 || next.code == 0xFE5F) && !after_word) {
      std::string_view tag = tag_at(text, at, next.size);
      if (!tag.empty()) tags.emplace_back(tag);
    }
    after_word = is_word(next.code);
    at += next.size;
  }
  return tags;
}

}  // namespace

Terms tokenize(std::string_view utf8, Interrupt interrupt, bool join) {
  if (utf8.size() > kMaxBodyBytes)
    throw Error("54000", "body is longer than " + std::to_string(kMaxBodyBytes) + " bytes")
        .hint("Give the text of one post.");
  std::string text = text::fold(utf8);
  blank_addresses(text);

  Terms result;
  std::map<std::string, std::uint32_t, std::less<>> counts;
  std::size_t at = 0;
  Joiner joiner(result.joined);
  bool after_word = false;  // a '#' inside a word starts no tag
  while (at < text.size()) {
    interrupt.poll();
    Character next = character_at(text, at);
    if (next.code == '#' && !after_word) {
      std::string_view tag = tag_at(text, at, next.size);
      if (!tag.empty()) result.tags.emplace_back(tag);
    }
    if (!is_word(next.code)) {
      after_word = false;
      at += next.size;
      continue;
    }
    bool unspaced = is_unspaced(next.code);
    std::size_t end = at;
    for (Character c = next; c.size > 0 && is_word(c.code) && is_unspaced(c.code) == unspaced;
         c = character_at(text, end)) {
      interrupt.poll();
      end += c.size;
    }
    std::string_view run = std::string_view(text).substr(at, end - at);
    add_run(run, unspaced, counts, result.length);
    if (join && unspaced) joiner.add_run(run);
    if (join && !unspaced) joiner.add_word(run);
    after_word = true;
    at = end;
  }
  result.terms.reserve(counts.size());
  for (auto &[word, count] : counts) result.terms.push_back({word, count});
  std::sort(result.tags.begin(), result.tags.end());
  result.tags.erase(std::unique(result.tags.begin(), result.tags.end()), result.tags.end());
  std::sort(result.joined.begin(), result.joined.end());
  result.joined.erase(std::unique(result.joined.begin(), result.joined.end()), result.joined.end());
  if (!result.tags.empty()) result.written = written_tags(utf8, interrupt);
  for (const std::string &tag : result.written) add_tag_words(result, tag);
  return result;
}

}  // namespace nexus::hashtags
