#include "core/hashtags/score.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/hashtags/batch.hpp"
#include "core/hashtags/relevance.hpp"

using namespace nexus::hashtags;

namespace {

constexpr std::int64_t kHour = std::int64_t{3600} * 1000000;

}  // namespace

TEST(HashtagHours, BeforeTheirOrigin) {
  EXPECT_EQ(hour_of(0), 0);
  EXPECT_EQ(hour_of(kHour - 1), 0);
  EXPECT_EQ(hour_of(-1), -1);
  EXPECT_EQ(hour_of(-kHour), -1);
  EXPECT_EQ(hour_of(-kHour - 1), -2);
  EXPECT_EQ(week_of(167), 0);
  EXPECT_EQ(week_of(-1), -1);
  EXPECT_EQ(week_of(-168), -1);
  EXPECT_EQ(week_of(-169), -2);
}

TEST(HashtagTrend, NeedsThreeAuthorsInADay) {
  std::int64_t now = 1000 * kHour;
  EXPECT_EQ(trend_of({{1000, 2}}, now).value, 0);
  EXPECT_GT(trend_of({{1000, 3}}, now).value, 0);
  EXPECT_EQ(trend_of({{976, 3}}, now).value, 0);
  EXPECT_GT(trend_of({{977, 3}}, now).value, 0);
}

TEST(HashtagTrend, LeavesOutWhatIsToComeAndWhatIsLongAgo) {
  std::int64_t now = 1000 * kHour;
  Trend trend = trend_of({{1000 - kTrendHours, 5}, {1001, 5}}, now);
  EXPECT_EQ(trend.recent, 0);
  EXPECT_EQ(trend.usual, 0);
  EXPECT_EQ(trend.ratio, 0);
  EXPECT_EQ(trend.week, 0u);
  EXPECT_NEAR(trend_of({{994, 1}}, now).recent, 0.5 * std::log(2.0) / 6, 1e-15);
}

TEST(HashtagTrend, ABusyHourLiftsNobody) {
  std::int64_t now = 1000 * kHour;
  Trend tag = trend_of({{999, 300}}, now), all = trend_of({{999, 3000}}, now);
  EXPECT_GT(tag.value, 2);
  EXPECT_NEAR(trend_excess(tag, all), 0, 0.02);
  EXPECT_GT(trend_excess(tag, trend_of({{500, 3000}, {999, 300}}, now)), 0.5);
}

TEST(HashtagScore, EngagementIsDrawnToZero) {
  EXPECT_EQ(engagement_of(0, 0), 0);
  EXPECT_NEAR(engagement_of(10000000, 10), 0.5, 1e-12);
  EXPECT_NEAR(engagement_of(-2000000, 10), -0.1, 1e-12);
}

TEST(HashtagScore, CompetitionGrowsWithUseAndFallsWithReach) {
  Trend quiet, busy;
  busy.week = 168;
  EXPECT_EQ(competition_of(quiet, 0), 0);
  EXPECT_EQ(competition_of(busy, 0), 1);
  EXPECT_NEAR(competition_of(busy, 1000), 0.5, 1e-12);
  EXPECT_LT(competition_of(busy, 5000), competition_of(busy, 1000));
}

TEST(HashtagDiversity, TakesTheNextThatIsDifferent) {
  auto overlap = [](std::size_t a, std::size_t b) { return a + b == 1 ? 1.0 : 0.0; };
  EXPECT_EQ(diverse({0.9, 0.8, 0.7}, overlap, 2, 0.8), (std::vector<std::size_t>{0, 2}));
  EXPECT_EQ(diverse({0.9, 0.8, 0.7}, overlap, 9, 1), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(diverse({0.5, 0.5}, overlap, 2, 0.8), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(diverse({-0.1, -0.2}, overlap, 2, 0.8), (std::vector<std::size_t>{0, 1}));
  EXPECT_TRUE(diverse({}, overlap, 3, 0.8).empty());
}

TEST(HashtagBatch, CountsAuthorsByTheirLastHour) {
  Batch batch;
  for (auto [number, hour, author] : {std::tuple{1, 5, 7}, {2, 9, 7}, {3, 2, 7}, {4, 3, 8}}) {
    LearnedPost post;
    post.post = static_cast<std::uint64_t>(number);
    post.posted_at = hour * kHour;
    post.has_author = true;
    post.author = author;
    post.tags = {1, 2};
    post.spellings = {"a", "b"};
    if (number > 2) post.lift = 100 * number;
    batch.add(post);
  }
  EXPECT_EQ(batch.tag(1)->authors.at(7), (AuthorUse{3, 9}));
  EXPECT_EQ(batch.tag(kAnyTag)->authors.at(8), (AuthorUse{1, 3}));
  EXPECT_EQ(batch.tag(2)->lift_sum, 700);
  EXPECT_EQ(batch.tag(2)->lift_posts, 2);
  EXPECT_EQ(batch.feature(tag_key(1))->posts_with(2), 4u);
  EXPECT_EQ(batch.feature(tag_key(1))->posts_with(1), 0u);
}

TEST(HashtagRelevance, PostsTakenBackDoNotCount) {
  std::vector<TagCount> base{{1, 2}, {3, 1}}, gone{{1, 1}, {3, 1}};
  std::vector<Posting> postings{{1, 1, 3}, {2, 1, 3}, {3, 1, 3}};
  Feature word;
  word.name = "flood";
  word.base = {3, &base, &postings};
  word.gone = {1, &gone, nullptr};
  EXPECT_EQ(word.posts(), 2u);
  EXPECT_EQ(word.posts_with(1), 1u);
  EXPECT_EQ(word.posts_with(3), 0u);
  auto similar = similar_posts({2, 6}, {word}, Limits(), nexus::Interrupt(), {2});
  ASSERT_EQ(similar.size(), 2u);
  EXPECT_EQ(similar[0].post, 1u);
  EXPECT_EQ(similar[1].post, 3u);
  Relevance relevance;
  relevance.add_words({2, 6}, {word});
  EXPECT_EQ(relevance.tags(), (std::vector<std::uint32_t>{1}));
}
