#include "core/text/stats.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "core/text/graphemes.hpp"
#include "core/text/normalize.hpp"
#include "core/text/punycode.hpp"
#include "core/text/unicode.hpp"

using nexus::text::Stats;
using nexus::text::text_stats;

namespace {

TEST(TextStats, EveryUnit) {
  Stats s = text_stats("Cafe\u0301 👍🏽\n");
  EXPECT_EQ(s.bytes, 16);
  EXPECT_EQ(s.codepoints, 9);
  EXPECT_EQ(s.utf16_units, 11);
  EXPECT_EQ(s.graphemes, 7);
  EXPECT_EQ(s.x_weight, 8);  // composed: four letters, a space, the emoji twice, the line feed
  EXPECT_EQ(s.mastodon_length, 7);
  EXPECT_EQ(s.lines, 2);
  EXPECT_FALSE(s.bidi_controls);
}

TEST(TextStats, Empty) {
  Stats s = text_stats("");
  EXPECT_EQ(s.bytes + s.codepoints + s.utf16_units + s.graphemes + s.x_weight + s.mastodon_length + s.lines, 0);
}

TEST(TextStats, Lines) {
  EXPECT_EQ(text_stats("a").lines, 1);
  EXPECT_EQ(text_stats("a\r\nb\rc\nd").lines, 4);
  EXPECT_EQ(text_stats("\n\r\n\n").lines, 4);
  EXPECT_EQ(text_stats("é\r\né").lines, 2);
}

TEST(TextStats, BidiControls) {
  EXPECT_TRUE(text_stats("a\u202Eb").bidi_controls);
  EXPECT_TRUE(text_stats("\u2069").bidi_controls);
  EXPECT_FALSE(text_stats("\u200F\u2065").bidi_controls);
}

TEST(TextStats, XWeight) {
  EXPECT_EQ(text_stats("日本").x_weight, 4);
  EXPECT_EQ(text_stats("กำ").x_weight, 2);  // up to U+10FF one each
  EXPECT_EQ(text_stats("\u200D\u200E\u2019\u2039").x_weight, 1 + 2 + 1 + 2);
  EXPECT_EQ(text_stats("1\uFE0F\u20E3").x_weight, 2);  // a keycap starts with a plain digit
  EXPECT_EQ(text_stats("abc1\uFE0F\u20E3").x_weight, 5);
  EXPECT_EQ(text_stats("👨\u200D👩\u200D👧\u200D👦").x_weight, 2);
  EXPECT_EQ(text_stats("🧑\u200D🚀").x_weight, 2 + 1 + 2);          // later than X's table: its parts
  EXPECT_EQ(text_stats("👨\u200D👩\u200D👧\u200D🐻").x_weight, 2 + 1 + 2);  // known up to the girl
  EXPECT_EQ(text_stats("see https://example.com/a/long/path/here now").x_weight, 4 + 23 + 4);
  EXPECT_EQ(text_stats("example.com.").x_weight, 24);
  EXPECT_EQ(text_stats("end.of.sentence").x_weight, 15);
}

TEST(TextStats, MastodonLength) {
  auto length = [](std::string_view text) { return text_stats(text).mastodon_length; };
  EXPECT_EQ(length("see https://example.com/a/long/path @ann@example.social"), 4 + 23 + 1 + 4);
  EXPECT_EQ(length("example.com"), 11);           // no protocol, no discount
  EXPECT_EQ(length("me@example.com"), 14);        // an address
  EXPECT_EQ(length("xhttps://example.com"), 20);  // glued to a word
  EXPECT_EQ(length("@ann.b-@host.example"), 20);  // the name may not end in a sign
  EXPECT_EQ(length("@a@b.example é"), 4);
  EXPECT_EQ(length(" \n\t"), 0);
}

/// The fast paths must not be seen: cut anywhere, a text counts the same by plain counting.
TEST(TextStats, AgreesWithPlainCounting) {
  const std::string pieces[] = {"plain text of some length, more than sixteen",
                                "a",
                                "\r",
                                "\n",
                                "é",
                                "e\u0301",
                                "1",
                                "\uFE0F\u20E3",
                                "👍🏽",
                                "\u0600",
                                "क",
                                "\u094D",
                                "🇩🇪",
                                "\u200D",
                                "\t",
                                "한",
                                "가",
                                "\u1100",
                                "\u1161",
                                "\u11A8",
                                "漢字の長い文",
                                "много слов подряд",
                                "𝒳",
                                "\x7F"};
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (auto n = random() % 12; n > 0; --n) text += pieces[random() % std::size(pieces)];
    Stats s = text_stats(text);
    std::int64_t continuations = 0, pairs = 0;
    for (unsigned char c : text) {
      continuations += (c & 0xC0) == 0x80;
      pairs += c >= 0xF0;
    }
    EXPECT_EQ(s.codepoints, s.bytes - continuations) << text;
    EXPECT_EQ(s.utf16_units, s.codepoints + pairs) << text;
    auto graphemes = static_cast<std::int64_t>(nexus::text::grapheme_breaks(text).size()) - 1;
    EXPECT_EQ(s.graphemes, graphemes) << text;
    EXPECT_EQ(nexus::text::grapheme_count(text), graphemes) << text;
  }
}

TEST(TextStats, MastodonLengthBesideOtherScripts) {
  for (const char *before : {"", "é", "\u0600", "한", "👍"})
    for (const char *after : {"", " ", "\u0301", "\uFE0F\u20E3", "한"}) {
      std::string link = std::string(before) + " https://example.com/a1" + after;
      std::string placeholder = std::string(before) + " xxxxxxxxxxxxxxxxxxxxxxx" + after;
      EXPECT_EQ(text_stats(link).mastodon_length, text_stats(placeholder).graphemes) << link;
    }
}

// Whatever NFC does to a text, X weighs the result: marks in and out of order, letters that compose and that come
// apart.
TEST(TextStats, WeighsNfc) {
  const char *pieces[] = {"a",      "e",      "क",      "ज",      "\u0301", "\u0323", "\u093C", "\u094D",
                          "\u095B", "\u09DC", "\u212B", "\u1100", "\u1161", "\u11A8", "가",     "1",
                          "\uFE0F", "\u20E3", "👍",      "🏽",   " ",      "#",      "日",     "é",
                          "\u0344", "\u0F71", "\u0F72", "\u200D", "x.com",  " .",     "\u0340", "\u037E",
                          "🇩",      "🇪",      "❤",      "\u0345", "\u0308", "\u1E0D", "\u0307", "\uFB1D"};
  std::mt19937 random(11);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (unsigned i = 0, size = 1 + random() % 8; i < size; ++i) text += pieces[random() % std::size(pieces)];
    std::string composed = nexus::text::nfc(text);
    EXPECT_EQ(text_stats(text).x_weight, text_stats(composed).x_weight) << text;
    EXPECT_EQ(nexus::text::nfc(composed), composed) << text;
  }
}

TEST(Punycode, LabelSize) {
  using nexus::text::punycode_label_size;
  EXPECT_EQ(punycode_label_size("example", 63), 7);
  EXPECT_EQ(punycode_label_size("bücher", 63), 13);  // xn--bcher-kva
  EXPECT_EQ(punycode_label_size("例え", 63), 11);    // xn--r8jz45g
  EXPECT_EQ(punycode_label_size("a。bücher", 63), 2 + 13);
  EXPECT_GT(punycode_label_size(std::string(500, 'a') + "é", 63), 63);
}

TEST(Unicode, Version) {
  EXPECT_EQ(nexus::text::unicode_version(), "15.0.0");
}

TEST(Unicode, EmojiSize) {
  using nexus::text::emoji_size;
  EXPECT_EQ(emoji_size("👍🏽!", 0), 8U);
  EXPECT_EQ(emoji_size("👍!", 0), 0U);  // one code point is no sequence
  EXPECT_EQ(emoji_size("🇩🇪", 0), 8U);
  EXPECT_EQ(emoji_size("🇩", 0), 0U);
}

}  // namespace
