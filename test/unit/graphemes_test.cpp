#include "core/text/graphemes.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "core/text/utf8.hpp"

using nexus::text::grapheme_breaks;
using nexus::text::grapheme_count;

namespace {

using Breaks = std::vector<std::int32_t>;

TEST(Graphemes, EveryRule) {
  EXPECT_EQ(grapheme_breaks(""), (Breaks{0}));
  EXPECT_EQ(grapheme_breaks("ab"), (Breaks{0, 1, 2}));
  EXPECT_EQ(grapheme_breaks("\r\n\n\r"), (Breaks{0, 2, 3, 4}));                     // GB3, GB4, GB5
  EXPECT_EQ(grapheme_breaks("\u1100\u1161\u11A8\uAC00\u11A8"), (Breaks{0, 3, 5}));  // GB6, GB7, GB8
  EXPECT_EQ(grapheme_breaks("e\u0301\u200D!"), (Breaks{0, 3, 4}));                  // GB9
  EXPECT_EQ(grapheme_breaks("\u0BA8\u0BBF"), (Breaks{0, 2}));                       // GB9a
  EXPECT_EQ(grapheme_breaks("\u06001\n"), (Breaks{0, 2, 3}));                       // GB9b, but not before a control
  EXPECT_EQ(grapheme_breaks("\u0915\u094D\u0937"), (Breaks{0, 3}));                 // GB9c
  EXPECT_EQ(grapheme_breaks("\u0915\u094D\u200D\u0937"), (Breaks{0, 4}));
  EXPECT_EQ(grapheme_breaks("\u0915\u093E\u094D\u0937"), (Breaks{0, 3, 4}));  // a vowel ends the conjunct
  EXPECT_EQ(grapheme_breaks("👨\u200D👩\u200D👧x"), (Breaks{0, 5, 6}));          // GB11
  EXPECT_EQ(grapheme_breaks("a\u200D👩"), (Breaks{0, 2, 3}));
  EXPECT_EQ(grapheme_breaks("🇩🇪🇫🇷🇯"), (Breaks{0, 2, 4, 5}));  // GB12, GB13
}

/// The test file of the Unicode Consortium, where Debian's unicode-data has it.
TEST(Graphemes, UnicodeTestFile) {
  std::ifstream file("/usr/share/unicode/auxiliary/GraphemeBreakTest.txt");
  if (!file) GTEST_SKIP() << "package unicode-data is not installed";
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string text;
    Breaks expected;
    std::int32_t position = 0;
    for (std::string word; words >> word;) {
      if (word == "÷") {
        expected.push_back(position);
      } else if (word != "×") {
        nexus::text::append(text, static_cast<char32_t>(std::stoul(word, nullptr, 16)));
        ++position;
      }
    }
    if (text.empty()) continue;
    EXPECT_EQ(grapheme_breaks(text), expected) << line;
    EXPECT_EQ(grapheme_count(text), static_cast<std::int64_t>(expected.size()) - 1) << line;
    ++cases;
  }
  EXPECT_GT(cases, 500);
}

}  // namespace
