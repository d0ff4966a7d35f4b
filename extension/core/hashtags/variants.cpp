#include "core/hashtags/variants.hpp"

#include <utf8proc.h>

#include <algorithm>

#include "core/text/normalize.hpp"

namespace nexus::hashtags {

namespace {

constexpr std::size_t kLeastNumber = 4;  // letters of a word whose other number is looked for

enum class Kind { kSmall, kCapital, kDigit, kBreak };

Kind kind_of(utf8proc_int32_t code) {
  switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      return Kind::kCapital;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
      return Kind::kDigit;
    case UTF8PROC_CATEGORY_PC:
      return Kind::kBreak;
    default:
      return Kind::kSmall;
  }
}

bool is_letters(std::string_view word) {
  return std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

bool ends(std::string_view word, std::string_view ending) {
  return word.size() >= ending.size() && word.substr(word.size() - ending.size()) == ending;
}

bool is_vowel(char c) {
  return std::string_view("aeiou").find(c) != std::string_view::npos;
}

bool hisses(std::string_view word) {
  return ends(word, "ss") || ends(word, "x") || ends(word, "zz") || ends(word, "ch") || ends(word, "sh");
}

bool ends_in_hard_y(std::string_view word) {
  return ends(word, "y") && !is_vowel(word[word.size() - 2]);
}

std::string plural_of(std::string_view word) {
  if (ends_in_hard_y(word)) return std::string(word.substr(0, word.size() - 1)) + "ies";
  return std::string(word) + (hisses(word) ? "es" : "s");
}

}  // namespace

std::vector<std::string> tag_words(std::string_view spelling) {
  struct Letter {
    std::size_t at, size;
    Kind kind;
  };
  std::vector<Letter> letters;
  for (std::size_t at = 0; at < spelling.size();) {
    utf8proc_int32_t code = 0;
    auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t *>(spelling.data() + at),
                                 static_cast<utf8proc_ssize_t>(spelling.size() - at), &code);
    if (size <= 0) return {};
    letters.push_back({at, static_cast<std::size_t>(size), kind_of(code)});
    at += static_cast<std::size_t>(size);
  }
  std::vector<std::string> words;
  auto add = [&](std::size_t from, std::size_t to) {
    if (to - from < 2) return;
    words.push_back(
        text::fold(spelling.substr(letters[from].at, letters[to - 1].at + letters[to - 1].size - letters[from].at)));
  };
  std::size_t from = 0;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    if (letters[i].kind == Kind::kBreak) {
      add(from, i);
      from = i + 1;
      continue;
    }
    if (i == from || letters[i].kind != Kind::kCapital) continue;
    bool after_word = letters[i - 1].kind != Kind::kCapital;
    bool starts_word = i + 1 < letters.size() && letters[i + 1].kind == Kind::kSmall;
    if (after_word || starts_word) {
      add(from, i);
      from = i;
    }
  }
  add(from, letters.size());
  if (words.size() < 2) words.clear();
  return words;
}

void add_words(Terms &terms, std::vector<std::string> words) {
  for (std::string &word : words) {
    if (word.size() > kMaxWordBytes) continue;
    auto place = std::lower_bound(terms.terms.begin(), terms.terms.end(), word,
                                  [](const Term &term, const std::string &wanted) { return term.word < wanted; });
    if (place != terms.terms.end() && place->word == word) continue;
    terms.terms.insert(place, {std::move(word), 1});
    ++terms.length;
  }
}

void add_tag_words(Terms &terms, std::string_view spelling) {
  add_words(terms, tag_words(spelling));
}

std::vector<std::pair<std::string, std::string>> cuts(std::string_view canonical) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (canonical.size() > kMaxCut || !is_letters(canonical)) return pairs;
  for (std::size_t at = kLeastCut; at + kLeastCut <= canonical.size(); ++at)
    pairs.emplace_back(canonical.substr(0, at), canonical.substr(at));
  return pairs;
}

std::optional<std::string> other_number(std::string_view canonical) {
  if (canonical.size() < kLeastNumber || !is_letters(canonical)) return std::nullopt;
  if (!ends(canonical, "s") || ends(canonical, "ss")) return plural_of(canonical);
  for (std::string_view ending : {"us", "is", "as", "ics"})
    if (ends(canonical, ending)) return std::nullopt;
  // Of the singulars that it may come from, the one whose plural it is.
  for (std::string singular :
       {ends(canonical, "ies") ? std::string(canonical.substr(0, canonical.size() - 3)) + "y" : "",
        ends(canonical, "es") ? std::string(canonical.substr(0, canonical.size() - 2)) : "",
        std::string(canonical.substr(0, canonical.size() - 1))})
    if (singular.size() >= kLeastNumber && plural_of(singular) == canonical) return singular;
  return std::nullopt;
}

}  // namespace nexus::hashtags
