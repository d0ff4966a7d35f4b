#include "core/text/x_length.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/error.hpp"
#include "core/text/stats.hpp"

namespace {

using nexus::text::XConfig;
using nexus::text::XLength;

XLength v3(std::string_view text) {
  return nexus::text::x_length(text, XConfig::v3);
}

std::string repeat(const std::string &text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(XLength, Plain) {
  XLength hello = v3("hello");
  EXPECT_EQ(hello.weight, 5);
  EXPECT_EQ(hello.permillage, 17);
  EXPECT_TRUE(hello.valid);
  EXPECT_EQ(hello.fits.codepoint, 5);
  EXPECT_EQ(hello.valid_range_end, 4);
  XLength nothing = v3("");
  EXPECT_FALSE(nothing.valid);
  EXPECT_EQ(nothing.weight + nothing.fits.byte + nothing.valid_range_end, 0);
}

TEST(XLength, Configurations) {
  std::string family = "👨\u200D👩\u200D👧\u200D👦";
  EXPECT_EQ(v3(family).weight, 2);
  EXPECT_EQ(nexus::text::x_length(family, XConfig::v2).weight, 11);
  EXPECT_EQ(nexus::text::parse_x_config("v2"), XConfig::v2);
  EXPECT_THROW(nexus::text::parse_x_config("v1"), nexus::Error);
}

TEST(XLength, WhereItEnds) {
  XLength kana = v3(repeat("あ", 141));
  EXPECT_FALSE(kana.valid);
  EXPECT_EQ(kana.weight, 282);
  EXPECT_EQ(kana.fits.codepoint, 140);
  EXPECT_EQ(kana.fits.byte, 420);
  XLength url = v3(repeat("x", 270) + " https://example.com/ and more");  // not inside the URL
  EXPECT_EQ(url.fits.codepoint, 271);
  XLength emoji = v3(repeat("x", 279) + "👍🏽");
  EXPECT_EQ(emoji.fits.utf16, 279);
  EXPECT_TRUE(v3(repeat("x", 278) + "👍🏽").valid);
}

TEST(XLength, OtherLimits) {
  auto within = [](std::string_view text, std::int64_t limit) {
    nexus::text::Analysis analysis(text);
    return nexus::text::x_within(analysis, limit);
  };
  EXPECT_EQ(within(repeat("あ", 141), 10).codepoint, 5);
  EXPECT_EQ(within("ab\uFEFFcd", 280).codepoint, 5);
  EXPECT_EQ(within("Cafe\u0301 a.com", 27).codepoint, 6);  // not inside the URL
  EXPECT_EQ(within("Cafe\u0301 a.com", 28).byte, 12);
}

TEST(XLength, CharactersThatXRefuses) {
  for (const char *bad : {"ab\uFEFFcd", "ab\uFFFEcd", "ab\uFFFF"}) {
    EXPECT_FALSE(v3(bad).valid);
    EXPECT_EQ(v3(bad).fits.codepoint, 2) << bad;
  }
}

/// Positions are of the text as given, also where NFC is shorter.
TEST(XLength, Decomposed) {
  std::string accent = "e\u0301";
  XLength fits = v3(repeat(accent, 280));
  EXPECT_TRUE(fits.valid);
  EXPECT_EQ(fits.weight, 280);
  EXPECT_EQ(fits.fits.codepoint, 560);
  EXPECT_EQ(fits.valid_range_end, 559);
  XLength over = v3(repeat(accent, 290));
  EXPECT_FALSE(over.valid);
  EXPECT_EQ(over.fits.codepoint, 560);  // 280 whole letters
  EXPECT_EQ(over.fits.byte, 840);
  EXPECT_EQ(over.valid_range_end, 279 + 290);  // twitter-text moves by what is behind, too
  XLength mixed = v3("a\uFEFF" + accent);
  EXPECT_EQ(mixed.fits.codepoint, 1);
  EXPECT_EQ(mixed.valid_range_end, 1);
}

/// The weight is that of text_stats, however it is reached.
TEST(XLength, AgreesWithStats) {
  for (const char *text : {"see https://example.com/é now", "e\u0301xample.com", "1\uFE0F\u20E3.com", "שּׁ", "한국 가",
                           "©™", "🇩🇪🇫🇷 a.b.co example.com👍🏽"})
    EXPECT_EQ(v3(text).weight, nexus::text::text_stats(text).x_weight) << text;
}

TEST(XLength, LinearTime) {
  for (const char *piece : {"e\u0301", "\u0301\u0316", "a.", "👍🏽", "한"})
    EXPECT_FALSE(v3(repeat(piece, 100000)).valid);
}

}  // namespace
