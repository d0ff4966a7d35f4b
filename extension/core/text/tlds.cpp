#include "core/text/tlds.hpp"

#include <utf8proc.h>

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

#include "core/text/tlds.inc"

constexpr std::size_t kLongestAscii = 32;  // longer than any such label of the lists
constexpr unsigned kOnX = 1, kOnCurrent = 2;

class Table {
 public:
  Table() {
    lists_.reserve(2048);
    add(kCommonTlds, kOnX | kOnCurrent);
    add(kXTlds, kOnX);
    add(kCurrentTlds, kOnCurrent);
  }

  /// The lists that have `label`, which is in lower case.
  unsigned lists(std::string_view label) const {
    if (label.size() < 2 || label.size() > longest_) return 0;
    if (std::size_t start = start_of(label); start < kStarts) {  // most labels end here, without a hash
      std::uint8_t known = starts_[start];
      if (label.size() < 4) return known & kBoth;
      if ((known & kLonger) == 0) return 0;
    }
    auto found = lists_.find(label);
    return found == lists_.end() ? 0 : found->second;
  }

  std::size_t longest() const { return longest_; }

 private:
  static constexpr std::size_t kLetters = 27;  // a to z, and none
  static constexpr std::size_t kStarts = kLetters * kLetters * kLetters;
  static constexpr std::uint8_t kBoth = kOnX | kOnCurrent, kLonger = 0x80;

  /// A number for the first three letters (or both of two); kStarts where one is no letter of ASCII.
  static std::size_t start_of(std::string_view label) {
    std::size_t number = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      unsigned letter = i < label.size() ? static_cast<unsigned char>(label[i]) - unsigned{'a'} : kLetters - 1;
      if (letter >= kLetters || (i < label.size() && letter == kLetters - 1)) return kStarts;
      number = number * kLetters + letter;
    }
    return number;
  }

  void add(std::string_view words, unsigned lists) {
    while (!words.empty()) {
      std::size_t size = std::min(words.find(' '), words.size());
      lists_.emplace(words.substr(0, size), lists);
      longest_ = std::max(longest_, size);
      if (std::size_t start = start_of(words.substr(0, size)); start < kStarts)
        starts_[start] = static_cast<std::uint8_t>(starts_[start] | (size < 4 ? lists : unsigned{kLonger}));
      words.remove_prefix(std::min(size + 1, words.size()));
    }
  }

  std::unordered_map<std::string_view, unsigned> lists_;
  std::array<std::uint8_t, kStarts> starts_{};  // lists of a label of two or three letters; kLonger: longer ones exist
  std::size_t longest_ = 0;
};

const Table &table() {
  static const Table instance;
  return instance;
}

void append_lower(std::string &text, char32_t code) {
  append(text, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code))));
}

bool may_follow(std::string_view text, std::size_t at) {
  if (at >= text.size()) return true;
  char next = text[at];
  return !is_ascii_alnum(static_cast<unsigned char>(next)) && next != '@' && next != '+' && next != '-';
}

}  // namespace

bool is_current_tld(std::string_view label) {
  return (table().lists(label) & kOnCurrent) != 0;
}

std::size_t tld_end(std::string_view text, std::size_t at) {
  const Table &tlds = table();
  // Nearly always it is a run of ASCII letters as a whole or nothing.
  std::size_t run = at;
  char word[kLongestAscii];
  while (run < text.size() && run - at < kLongestAscii && is_ascii_alnum(static_cast<unsigned char>(text[run]))) {
    word[run - at] = static_cast<char>(text[run] | 0x20);  // digits keep their code
    ++run;
  }
  bool goes_on = run < text.size() && (static_cast<unsigned char>(text[run]) >= 0x80 || text[run] == '-');
  if (!goes_on) return may_follow(text, run) && (tlds.lists({word, run - at}) & kOnX) != 0 ? run : 0;

  std::string lower;
  std::size_t end = 0;
  for (std::size_t next = at; next < text.size() && lower.size() < tlds.longest();) {
    Decoded character = decode_at(text, next);
    if (character.code < 0x80 && !is_ascii_alnum(character.code) && character.code != '-') break;
    if (lower == "xn-" && character.code == '-') {
      do ++next;
      while (next < text.size() && (is_ascii_alnum(static_cast<unsigned char>(text[next])) || text[next] == '-'));
      return next - at > 4 ? next : 0;
    }
    append_lower(lower, character.code);
    next += character.size;
    // Inside a run of ASCII letters no domain can end.
    if (may_follow(text, next) && (tlds.lists(lower) & kOnX) != 0) end = next;
  }
  return end;
}

}  // namespace nexus::text
