#include "core/text/normalize.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "core/error.hpp"
#include "core/text/unicode.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

constexpr int kLongestDecomposition = 64;  // of one character; the longest known has 18
// Syllables of Hangul are computed from their two or three letters. Source: Unicode, chapter 3.12.
constexpr char32_t kFirstL = 0x1100, kLastL = 0x1112, kFirstV = 0x1161, kLastV = 0x1175, kBeforeT = 0x11A7;
constexpr char32_t kFirstSyllable = 0xAC00, kCountV = 21, kCountT = 28;
constexpr int kCompose = UTF8PROC_STABLE | UTF8PROC_COMPOSE;

int combining_class(utf8proc_int32_t code) {
  return utf8proc_get_property(code)->combining_class;
}

/// Combining marks in canonical order. (utf8proc's own ordering takes quadratic time on long runs of them.)
void order_marks(utf8proc_int32_t *at, utf8proc_int32_t *last) {
  auto before = [](auto a, auto b) { return combining_class(a) < combining_class(b); };
  while (at != last) {
    if (combining_class(*at) == 0) {
      ++at;
      continue;
    }
    auto *end = std::find_if(at, last, [](auto code) { return combining_class(code) == 0; });
    if (!std::is_sorted(at, end, before)) std::stable_sort(at, end, before);
    at = end;
  }
}

/// Decomposes one character into `parts`, which has room for kLongestDecomposition, and steps behind it.
std::size_t decompose(std::string_view utf8, std::size_t &at, utf8proc_option_t flags, utf8proc_int32_t *parts) {
  utf8proc_int32_t code = 0;
  int last_class = 0;
  auto step = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t *>(utf8.data() + at),
                               static_cast<utf8proc_ssize_t>(utf8.size() - at), &code);
  auto count = step < 0 ? step : utf8proc_decompose_char(code, parts, kLongestDecomposition, flags, &last_class);
  if (count < 0 || count > kLongestDecomposition)
    throw Error("22021", std::string("text cannot be normalised: ") + utf8proc_errmsg(count));
  at += static_cast<std::size_t>(step);
  return static_cast<std::size_t>(count);
}

/// Composes what has been decomposed, `points[0]` to `points[count - 1]`, and appends it to `result`.
void compose(utf8proc_int32_t *points, std::size_t count, utf8proc_option_t flags, std::string &result) {
  order_marks(points, points + count);
  auto size = utf8proc_normalize_utf32(points, static_cast<utf8proc_ssize_t>(count), flags);
  if (size < 0) throw Error("22021", std::string("text cannot be normalised: ") + utf8proc_errmsg(size));
  for (utf8proc_ssize_t i = 0; i < size; ++i) append(result, static_cast<char32_t>(points[i]));
}

/// Decomposes, orders and composes again; `options` say what else happens to each character.
std::string map(std::string_view utf8, int options, Interrupt &interrupt) {
  auto flags = static_cast<utf8proc_option_t>(options);
  std::vector<utf8proc_int32_t> points;
  points.reserve(utf8.size());
  for (std::size_t at = 0; at < utf8.size();) {
    interrupt.poll(4);
    utf8proc_int32_t parts[kLongestDecomposition];
    std::size_t count = decompose(utf8, at, flags, parts);
    points.insert(points.end(), parts, parts + count);
  }
  std::string result;
  compose(points.data(), points.size(), flags, result);
  return result;
}

/// Appends a stretch in NFC. Most are of a few bytes and need no memory of their own.
void append_composed(std::string &result, std::string_view stretch, Interrupt &interrupt) {
  constexpr std::size_t kShort = 32;  // bytes
  if (stretch.size() > kShort) {
    result += map(stretch, kCompose, interrupt);
    return;
  }
  utf8proc_int32_t points[kShort + kLongestDecomposition];
  std::size_t count = 0;
  for (std::size_t at = 0; at < stretch.size() && count <= kShort;)
    count += decompose(stretch, at, static_cast<utf8proc_option_t>(kCompose), points + count);
  if (count > kShort) {
    result += map(stretch, kCompose, interrupt);
    return;
  }
  compose(points, count, static_cast<utf8proc_option_t>(kCompose), result);
}

}  // namespace

bool nfc_may_change(char32_t before, char32_t code) {
  Properties p = properties(code);
  if (!p.nfc_open())  // only its place may be wrong
    return p.combining() && properties(before).combining() &&
           combining_class(static_cast<utf8proc_int32_t>(before)) >
               combining_class(static_cast<utf8proc_int32_t>(code));
  if (properties(before).combining() || !ends_composite(code) || composite(before, code) != 0) return true;
  // A mark may have its place before one that the letter has already.
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(before))->decomp_seqindex != UINT16_MAX;
}

char32_t composite_of(std::string_view stretch) {
  Decoded first = decode_at(stretch, 0);
  if (first.size == stretch.size()) return 0;
  Decoded second = decode_at(stretch, first.size);
  std::size_t size = first.size + second.size;
  if (first.code >= kFirstL && first.code <= kLastL && second.code >= kFirstV && second.code <= kLastV) {
    char32_t syllable = kFirstSyllable + ((first.code - kFirstL) * kCountV + second.code - kFirstV) * kCountT;
    if (size == stretch.size()) return syllable;
    Decoded third = decode_at(stretch, size);
    if (size + third.size != stretch.size() || third.code <= kBeforeT || third.code >= kBeforeT + kCountT) return 0;
    return syllable + third.code - kBeforeT;
  }
  return size == stretch.size() ? composite(first.code, second.code) : 0;
}

std::string nfc(std::string_view utf8, Interrupt interrupt, std::vector<NfcChange> *changes) {
  if (is_ascii(utf8)) return std::string(utf8);
  // Only stretches around characters that may compose or be out of order are mapped; a stretch starts at a character
  // that neither combines nor composes with what is before it.
  std::string result;
  std::size_t copied = 0, stretch = 0;
  bool open = false;
  char32_t before = 0;
  auto close = [&](std::size_t end) {
    if (!open) return;
    std::string_view given = utf8.substr(stretch, end - stretch);
    result.append(utf8, copied, stretch - copied);
    std::size_t start = result.size();
    if (char32_t one = composite_of(given); one != 0)
      append(result, one);
    else
      append_composed(result, given, interrupt);
    if (changes != nullptr && std::string_view(result).substr(start) != given)
      changes->push_back({stretch, end, start, result.size()});
    copied = end;
    open = false;
  };
  for (std::size_t at = 0; at < utf8.size();) {
    interrupt.poll();
    Decoded character = decode_at(utf8, at);
    Properties p = properties(character.code);
    if (!p.nfc_open() && !p.combining()) {
      close(at);
      stretch = at;
    }
    if ((p.nfc_open() || p.combining()) && !open) open = nfc_may_change(before, character.code);
    before = character.code;
    at += character.size;
  }
  close(utf8.size());
  return result.append(utf8, copied, utf8.size() - copied);
}

std::string fold(std::string_view utf8, Interrupt interrupt) {
  if (is_ascii(utf8)) {
    std::string lower(utf8);
    for (char &c : lower)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
  }
  // Folding can undo composition and the other way round; a second pass makes the result stable.
  std::string once = map(utf8, kCompose | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD, interrupt);
  return map(once, kCompose | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD, interrupt);
}

std::string canonical_hashtag(std::string_view tag, Interrupt interrupt) {
  std::string folded = fold(tag, interrupt);  // NFKC turns the full-width sign into '#'
  if (!folded.empty() && folded.front() == '#') folded.erase(0, 1);
  return folded;
}

}  // namespace nexus::text
