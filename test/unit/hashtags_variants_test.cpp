#include <gtest/gtest.h>

#include "core/hashtags/variants.hpp"

using namespace nexus::hashtags;

namespace {
using Words = std::vector<std::string>;

Words words_of(const Terms &terms) {
  Words words;
  for (const Term &term : terms.terms) words.push_back(term.word + ":" + std::to_string(term.count));
  return words;
}
}  // namespace

TEST(HashtagVariants, TagsAreSplitAtCapitalsAndUnderscores) {
  EXPECT_EQ(tag_words("ClimateAction"), (Words{"climate", "action"}));
  EXPECT_EQ(tag_words("climate_Action"), (Words{"climate", "action"}));
  EXPECT_EQ(tag_words("NASAMission"), (Words{"nasa", "mission"}));
  EXPECT_EQ(tag_words("2024Launch"), (Words{"2024", "launch"}));
  EXPECT_EQ(tag_words("Covid19"), Words{});
  EXPECT_EQ(tag_words("ÉcoleÉté"), (Words{"école", "été"}));
  for (const char *whole : {"climateaction", "Climate", "USA", "iPhone", "aB", "_", "", "東京大学"})
    EXPECT_EQ(tag_words(whole), Words{}) << whole;
}

TEST(HashtagVariants, ATextHasTheWordsOfItsTags) {
  EXPECT_EQ(words_of(tokenize("#ClimateAction now")), (Words{"action:1", "climate:1", "climateaction:1", "now:1"}));
  EXPECT_EQ(tokenize("#ClimateAction now").length, 4u);
  EXPECT_EQ(words_of(tokenize("climate, #ClimateAction")), (Words{"action:1", "climate:1", "climateaction:1"}));
  EXPECT_EQ(words_of(tokenize("ClimateAction")), (Words{"climateaction:1"}));  // no tag, no parts
  Terms terms = tokenize("join us");
  add_tag_words(terms, "ClimateAction");
  add_tag_words(terms, "ActionNow");
  EXPECT_EQ(words_of(terms), (Words{"action:1", "climate:1", "join:1", "now:1", "us:1"}));
  EXPECT_EQ(terms.length, 5u);
}

TEST(HashtagVariants, CutsLeaveFourLettersOnBothSides) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(cuts("bluebirds"), (Pairs{{"blue", "birds"}, {"blueb", "irds"}}));
  for (const char *whole : {"bluebir", "blue_birds", "été2024été", "東京大学東京", ""})
    EXPECT_TRUE(cuts(whole).empty()) << whole;
  EXPECT_EQ(cuts(std::string(kMaxCut, 'a')).size(), kMaxCut - 2 * kLeastCut + 1);
  EXPECT_TRUE(cuts(std::string(kMaxCut + 1, 'a')).empty());
}

TEST(HashtagVariants, OtherNumber) {
  const std::pair<const char *, const char *> pairs[] = {
      {"flood", "floods"},  {"story", "stories"},   {"wish", "wishes"},      {"boxer", "boxers"},
      {"house", "houses"},  {"church", "churches"}, {"holiday", "holidays"}, {"video", "videos"},
      {"index", "indexes"}, {"glass", "glasses"},   {"prize", "prizes"}};
  for (const auto &[singular, plural] : pairs) {
    EXPECT_EQ(other_number(singular), plural);
    EXPECT_EQ(other_number(plural), singular);
  }
  for (const char *none :
       {"news", "bus", "physics", "canvas", "virus", "tennis", "new", "", "s", "été", "flood1", "東京"})
    EXPECT_EQ(other_number(none), std::nullopt) << none;
}
