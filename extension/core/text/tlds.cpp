#include "core/text/tlds.hpp"

#include <utf8proc.h>

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
    if (label.size() > longest_) return 0;
    auto found = lists_.find(label);
    return found == lists_.end() ? 0 : found->second;
  }

  std::size_t longest() const { return longest_; }

 private:
  void add(std::string_view words, unsigned lists) {
    while (!words.empty()) {
      std::size_t size = std::min(words.find(' '), words.size());
      lists_.emplace(words.substr(0, size), lists);
      longest_ = std::max(longest_, size);
      words.remove_prefix(std::min(size + 1, words.size()));
    }
  }

  std::unordered_map<std::string_view, unsigned> lists_;
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
