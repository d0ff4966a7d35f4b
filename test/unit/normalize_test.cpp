#include "core/text/normalize.hpp"

#include <gtest/gtest.h>

using nexus::text::canonical_hashtag;
using nexus::text::fold;
using nexus::text::nfc;

TEST(Normalize, Nfc) {
  EXPECT_EQ(nfc("Cafe\u0301"), "Café");
  EXPECT_EQ(nfc("plain"), "plain");
}

TEST(Normalize, FoldIsStable) {
  EXPECT_EQ(fold("Straße"), "strasse");
  EXPECT_EQ(fold("ＡＢＣ"), "abc");
  for (const char *word : {"ΌΣΟΣ", "İstanbul", "ﬁne", "Å"}) EXPECT_EQ(fold(fold(word)), fold(word)) << word;
}

TEST(Normalize, CanonicalHashtag) {
  EXPECT_EQ(canonical_hashtag("#CaféLife"), "cafélife");
  EXPECT_EQ(canonical_hashtag("＃Tokyo"), "tokyo");
  EXPECT_EQ(canonical_hashtag("plain"), "plain");
}
