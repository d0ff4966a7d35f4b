#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"

namespace nexus::hashtags {

/// A word of a post and how often it stands there.
struct Term {
  std::string word;
  std::uint32_t count = 0;
};

/// What the model keeps of a post's text.
struct Terms {
  std::vector<Term> terms;           // sorted by bytes, each word once
  std::uint32_t length = 0;          // words with their repetitions: |d| of BM25
  std::vector<std::string> tags;     // canonical forms of the #tags written in the text, sorted, each once
  std::vector<std::string> joined;   // what a tag of several words may look like: see tokenize(); sorted, each once
  std::vector<std::string> written;  // the same as they stand there, without '#', in their order
};

/// Longer texts are refused (54000): no platform takes them, and the cost of a post stays bounded.
constexpr std::size_t kMaxBodyBytes = std::size_t{1} << 18;
/// Longer runs of letters (encoded data) are no words and are left out.
constexpr std::size_t kMaxWordBytes = 64;

constexpr std::size_t kMaxJoined = 2000;

/// The words of a text, folded (see text/normalize.hpp).
///
/// A word is a run of letters, marks and digits of two or more characters. URLs, e-mail addresses and mentions are
/// left out; a hashtag counts as the word it is, and as the words that it is written of (see tag_words). Runs of Han,
/// Kana, Hangul, Thai, Lao and Khmer, which are written without spaces, give overlapping pairs of characters (a lone
/// character gives itself).
///
///     tokenize("Flood in #Venezia, see https://x.y @me") -> terms flood, in, venezia; tags venezia
/// With `join`, `joined` are two to four adjacent words written together, with or without '_' between them, and the
/// pieces of three to twelve characters of a run without spaces; at most kMaxJoined.
///
///     tokenize("東京大学") -> 東京, 京大, 大学
///     tokenize("climate action") -> joined climate_action, climateaction
Terms tokenize(std::string_view utf8, Interrupt interrupt = Interrupt(), bool join = false);

}  // namespace nexus::hashtags
