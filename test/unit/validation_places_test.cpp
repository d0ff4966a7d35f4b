#include "core/validation/places.hpp"

#include <gtest/gtest.h>

#include <iterator>
#include <random>
#include <string>

#include "core/text/stats.hpp"
#include "core/validation/measure.hpp"

namespace {

using namespace nexus::validation;

const std::string kPieces[] = {"word",
                               "a",
                               " ",
                               "\r\n",
                               "\n",
                               "\r",
                               "é",
                               "e\u0301",
                               "e\u0323\u0301",
                               "e\u0301\u0323",
                               "\u0301",
                               "\u212B",
                               "\u212B\u0323",
                               "\u0915\u093C",
                               "\u0958",
                               "\u1100\u1161",
                               "\u1100\u1161\u11A8",
                               "\u1100\u1161\u11A7",
                               "\uAC00\u11A8",
                               "\u1161",
                               "\u11A8",
                               "\u1100",
                               "日本",
                               "กำ",
                               "क्षत्रिय",
                               "👍🏽",
                               "👍",
                               "👨\u200D👩\u200D👧",
                               "\u200D",
                               "\uFE0F",
                               "\u20E3",
                               "1\uFE0F\u20E3",
                               "1",
                               "❤",
                               "\u0600",
                               "\u2026",
                               "#tag"};

TEST(Places, LengthsOfStretchesAreThoseOfTheTextsAlone) {
  const std::vector<PlaceLimit> limits = {{Unit::codepoint, 1}, {Unit::utf16, 1},    {Unit::utf8_bytes, 1},
                                          {Unit::graphemes, 1}, {Unit::weighted, 1}, {Unit::mastodon, 1}};
  std::mt19937 random(5);
  nexus::Interrupt interrupt;
  for (int round = 0; round < 4000; ++round) {
    std::string text = "x";  // a text of white space alone has no length on Mastodon
    for (auto n = 1 + random() % 12; n > 0; --n) text += kPieces[random() % std::size(kPieces)];
    Places places(text, {}, limits, true, interrupt);
    ASSERT_EQ(places[places.count() - 1], text.size());
    std::size_t first = random() % (places.count() - 1), last = first + 1 + random() % (places.count() - first - 1);
    std::string part = "x" + text.substr(places[first], places[last] - places[first]);
    nexus::text::Stats stats = nexus::text::text_stats(part);
    if (stats.graphemes != static_cast<std::int64_t>(last - first + 1)) continue;  // a mark joins the "x"
    for (std::size_t i = 0; i < limits.size(); ++i) {
      std::int64_t length = length_in(stats, limits[i].unit) - 1;
      ASSERT_EQ(places.last_within(i, first, length), last) << part << " " << i;
      ASSERT_LT(places.last_within(i, first, length - 1), last) << part << " " << i;
    }
  }
}

TEST(Places, ManyMarksAreLongerThanAnyLimit) {
  std::string text = "e";
  for (int i = 0; i < 100000; ++i) text += "\u0301\u0323";
  nexus::Interrupt interrupt;
  Places places(text, {}, {{Unit::weighted, 280}}, true, interrupt);
  ASSERT_EQ(places.count(), 2U);
  EXPECT_EQ(places.last_within(0, 0, 280), 0U);
}

TEST(Places, NoneIsInsideALink) {
  std::string text = "go to example.com now";
  nexus::Interrupt interrupt;
  Places places(text, nexus::text::Analysis(text).links(nexus::text::Dialect::x), {{Unit::weighted, 280}}, true,
                interrupt);
  EXPECT_EQ(places.last_within(0, 0, 6 + 23), 7U);
  EXPECT_EQ(places[7], 17U);
  EXPECT_EQ(places.last_within(0, 0, 6 + 22), 6U);
  EXPECT_EQ(places.last_before(10), 6U);
  EXPECT_TRUE(places.has_links(6, 7));
  EXPECT_FALSE(places.has_links(0, 6));
}

TEST(Places, TheWalkEndsWhereALimitIsExceeded) {
  std::string text(1000, 'a');
  nexus::Interrupt interrupt;
  Places places(text, {}, {{Unit::weighted, 280}, {Unit::utf8_bytes, 500}}, false, interrupt);
  EXPECT_EQ(places[places.count() - 1], 281U);
}

}  // namespace
