#include "core/text/normalize.hpp"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>
#include <random>

#include "core/error.hpp"

using nexus::text::canonical_hashtag;
using nexus::text::fold;
using nexus::text::nfc;
using nexus::text::nfc_may_change;

TEST(Normalize, Nfc) {
  EXPECT_EQ(nfc("Cafe\u0301"), "Café");
  EXPECT_EQ(nfc("plain"), "plain");
}

/// Mapping only where it may matter gives what mapping everything gives.
TEST(Normalize, NfcAgreesWithUtf8proc) {
  const std::string pieces[] = {"a",      "e",      "\u0301", "\u0323", "\u1100", "\u1161",
                                "\u11A8", "\uAC00", "\u0958", "\u0915", "\u093C", "\u0344",
                                "\u212B", "é",      "\u0F71", "\u0F73", "日",     "\u0345"};
  std::mt19937 random(11);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (auto n = random() % 8; n > 0; --n) text += pieces[random() % std::size(pieces)];
    auto *whole = utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t *>(text.c_str()));
    EXPECT_EQ(nfc(text), reinterpret_cast<const char *>(whole)) << text;
    std::free(whole);
  }
}

TEST(Normalize, ManyMarksAgreeWithUtf8proc) {
  const std::string marks[] = {"\u0301", "\u0323", "\u0316", "\u0345", "\u0F71", "\u0327", "\u0344"};
  std::mt19937 random(12);
  for (int round = 0; round < 500; ++round) {
    std::string text = round % 2 == 0 ? "e" : "";
    for (auto n = 10 + random() % 60; n > 0; --n) text += marks[random() % std::size(marks)];
    auto *whole = utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t *>(text.c_str()));
    EXPECT_EQ(nfc(text), reinterpret_cast<const char *>(whole)) << text;
    std::free(whole);
  }
}

TEST(Normalize, FoldIsStable) {
  EXPECT_EQ(fold("Straße"), "strasse");
  EXPECT_EQ(fold("ＡＢＣ"), "abc");
  for (const char *word : {"ΌΣΟΣ", "İstanbul", "ﬁne", "Å"}) EXPECT_EQ(fold(fold(word)), fold(word)) << word;
}

TEST(Normalize, SaysWhereNfcMayChangeAText) {
  EXPECT_TRUE(nfc_may_change('e', 0x301));
  EXPECT_TRUE(nfc_may_change(0x928, 0x93C));   // a letter that composes with a nukta
  EXPECT_FALSE(nfc_may_change(0x915, 0x93C));  // and one that does not
  EXPECT_TRUE(nfc_may_change(0xE2, 0x323));    // the dot below comes before the circumflex
  EXPECT_TRUE(nfc_may_change(0x1100, 0x1161));
  EXPECT_TRUE(nfc_may_change(0, 0x958));
  EXPECT_FALSE(nfc_may_change(0, 0x301));
  EXPECT_EQ(nfc("\u00E2\u0323"), "\u1EAD");
  EXPECT_EQ(nfc("\u1EA1\u0302"), "\u1EAD");
  EXPECT_EQ(nfc("\u0928\u093C\u0915\u093C"), "\u0929\u0915\u093C");
}

TEST(Normalize, FoldRefusesWhatIsNotUtf8) {
  for (const char *bytes : {"\xFF", "a\xC3", "\xED\xA0\x80", "\xF4\x90\x80\x80"})
    EXPECT_THROW(fold(bytes), nexus::Error);
}

TEST(Normalize, CanonicalHashtag) {
  EXPECT_EQ(canonical_hashtag("#CaféLife"), "cafélife");
  EXPECT_EQ(canonical_hashtag("＃Tokyo"), "tokyo");
  EXPECT_EQ(canonical_hashtag("plain"), "plain");
}
