#include "core/text/normalize.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "core/error.hpp"
#include "core/text/unicode.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

constexpr std::size_t kFewMarks = 16;
constexpr int kLongestDecomposition = 64;  // of one character; the longest known has 18
// Syllables of Hangul are computed from their two or three letters. Source: Unicode, chapter 3.12.
constexpr char32_t kFirstL = 0x1100, kLastL = 0x1112, kFirstV = 0x1161, kLastV = 0x1175, kBeforeT = 0x11A7;
constexpr char32_t kFirstSyllable = 0xAC00, kCountV = 21, kCountT = 28;
constexpr utf8proc_int32_t kFirstHangul = 0xAC00, kLastHangul = 0xD7A3;
constexpr int kCompose = UTF8PROC_STABLE | UTF8PROC_COMPOSE;

/// Maps one stretch after the other: decomposes, orders and composes again. Linear time.
class Mapper {
 public:
  /// `options` say what else happens to each character.
  Mapper(int options, Interrupt &interrupt)
      : flags_(static_cast<utf8proc_option_t>(options)),
        folds_((options & UTF8PROC_CASEFOLD) != 0),
        interrupt_(interrupt) {}

  void append_mapped(std::string_view utf8, std::string &result) {
    points_.clear();
    classes_.clear();
    for (std::size_t at = 0; at < utf8.size();) {
      interrupt_.poll();
      utf8proc_int32_t code = 0;
      auto step = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t *>(utf8.data() + at),
                                   static_cast<utf8proc_ssize_t>(utf8.size() - at), &code);
      if (step < 0) refuse(step);
      decompose(code);
      at += static_cast<std::size_t>(step);
    }
    order_marks();
    auto size = utf8proc_normalize_utf32(points_.data(), static_cast<utf8proc_ssize_t>(points_.size()), flags_);
    if (size < 0) refuse(size);
    for (utf8proc_ssize_t i = 0; i < size; ++i)
      append(result, static_cast<char32_t>(points_[static_cast<std::size_t>(i)]));
  }

 private:
  [[noreturn]] static void refuse(utf8proc_ssize_t error) {
    throw Error("22021", std::string("text cannot be normalised: ") + utf8proc_errmsg(error));
  }

  void add(utf8proc_int32_t code, const utf8proc_property_t *property) {
    points_.push_back(code);
    classes_.push_back(static_cast<std::uint8_t>(property->combining_class));
  }

  void decompose(utf8proc_int32_t code) {
    const utf8proc_property_t *property = utf8proc_get_property(code);
    bool stays = property->decomp_seqindex == UINT16_MAX && !(folds_ && property->casefold_seqindex != UINT16_MAX);
    if (stays && (code < kFirstHangul || code > kLastHangul)) return add(code, property);
    utf8proc_int32_t parts[kLongestDecomposition];
    int last_class = 0;
    auto count = utf8proc_decompose_char(code, parts, kLongestDecomposition, flags_, &last_class);
    if (count < 0 || count > kLongestDecomposition) refuse(count);
    for (utf8proc_ssize_t i = 0; i < count; ++i) add(parts[i], utf8proc_get_property(parts[i]));
  }

  /// Combining marks in canonical order. (utf8proc's own ordering takes quadratic time on long runs of them.)
  void order_marks() {
    for (std::size_t at = 0; at < classes_.size();) {
      std::size_t end = at;
      bool sorted = true;
      for (; end < classes_.size() && classes_[end] != 0; ++end)
        sorted = sorted && (end == at || classes_[end - 1] <= classes_[end]);
      if (!sorted) sort_marks(at, end);
      at = std::max(end, at + 1);
    }
  }

  /// By class, those of one class as they were: few by insertion, many by counting, as there are few classes.
  void sort_marks(std::size_t from, std::size_t to) {
    if (to - from <= kFewMarks) {
      for (std::size_t i = from + 1; i < to; ++i)
        for (std::size_t j = i; j > from && classes_[j - 1] > classes_[j]; --j) {
          std::swap(points_[j - 1], points_[j]);
          std::swap(classes_[j - 1], classes_[j]);
        }
      return;
    }
    std::array<std::size_t, 257> places{};
    for (std::size_t i = from; i < to; ++i) ++places[classes_[i] + std::size_t{1}];
    for (std::size_t i = 1; i < places.size(); ++i) places[i] += places[i - 1];
    sorted_.resize(to - from);
    for (std::size_t i = from; i < to; ++i) sorted_[places[classes_[i]]++] = points_[i];
    std::copy(sorted_.begin(), sorted_.end(), points_.begin() + static_cast<std::ptrdiff_t>(from));
  }

  utf8proc_option_t flags_;
  bool folds_;
  Interrupt &interrupt_;
  std::vector<utf8proc_int32_t> points_, sorted_;
  std::vector<std::uint8_t> classes_;  // Canonical_Combining_Class of each
};

int combining_class(char32_t code) {
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(code))->combining_class;
}

}  // namespace

bool nfc_may_change(char32_t before, char32_t code) {
  Properties p = properties(code);
  if (!p.nfc_open())  // only its place may be wrong
    return p.combining() && properties(before).combining() && combining_class(before) > combining_class(code);
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
  Mapper mapper(kCompose, interrupt);
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
      mapper.append_mapped(given, result);
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
  Mapper mapper(kCompose | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD, interrupt);
  std::string once, twice;
  mapper.append_mapped(utf8, once);
  mapper.append_mapped(once, twice);
  return twice;
}

std::string canonical_hashtag(std::string_view tag, Interrupt interrupt) {
  std::string folded = fold(tag, interrupt);  // NFKC turns the full-width sign into '#'
  if (!folded.empty() && folded.front() == '#') folded.erase(0, 1);
  return folded;
}

}  // namespace nexus::text
