#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "core/error.hpp"
#include "core/hashtags/batch.hpp"
#include "core/hashtags/blocks.hpp"
#include "core/hashtags/relevance.hpp"
#include "core/hashtags/tokens.hpp"

using namespace nexus::hashtags;

namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (const Term &term : tokenize(text).terms) words.push_back(term.word);
  return words;
}

using Words = std::vector<std::string>;

template <class F>
std::string sqlstate_of(F &&run) {
  try {
    run();
  } catch (const nexus::Error &error) {
    return error.sqlstate();
  }
  return "none";
}

}  // namespace

TEST(HashtagTokens, WordsAreFoldedSortedAndCounted) {
  Terms terms = tokenize("Storm, STORM and Straße: a 42");
  ASSERT_EQ(terms.terms.size(), 4u);
  EXPECT_EQ(words_of("Storm, STORM and Straße: a 42"), (Words{"42", "and", "storm", "strasse"}));
  EXPECT_EQ(terms.terms[2].count, 2u);
  EXPECT_EQ(terms.length, 5u);
}

TEST(HashtagTokens, AddressesAreLeftOut) {
  EXPECT_EQ(words_of("see https://a.example/b?c=d (www.example.org) now"), (Words{"now", "see"}));
  EXPECT_EQ(words_of("@some_one and me.too@mail.example.org, bye"), (Words{"and", "bye"}));
  EXPECT_EQ(words_of("a@b@c.d@@e xy"), (Words{"xy"}));
  EXPECT_EQ(words_of("東京https://a.example/東京"), (Words{"東京"}));
}

TEST(HashtagTokens, HashtagsAreWordsAndTags) {
  Terms terms = tokenize("#Flood in ＃Venezia, a#b # #_x");
  EXPECT_EQ(terms.tags, (Words{"_x", "flood", "venezia"}));
  EXPECT_EQ(words_of("#Flood in ＃Venezia"), (Words{"flood", "in", "venezia"}));
}

TEST(HashtagTokens, ScriptsWithoutSpacesGivePairs) {
  EXPECT_EQ(words_of("東京大学"), (Words{"京大", "大学", "東京"}));
  EXPECT_EQ(words_of("我 ok 我们"), (Words{"ok", "我", "我们"}));
  EXPECT_EQ(words_of("iPhone手机"), (Words{"iphone", "手机"}));
}

TEST(HashtagTokens, LimitsHold) {
  EXPECT_TRUE(words_of(std::string(kMaxWordBytes + 1, 'x')).empty());
  EXPECT_EQ(words_of(std::string(kMaxWordBytes, 'x')).size(), 1u);
  EXPECT_EQ(sqlstate_of([] { tokenize(std::string(kMaxBodyBytes + 1, 'x')); }), "54000");
  EXPECT_EQ(sqlstate_of([] { tokenize("\xff\xfe"); }), "22021");
  EXPECT_TRUE(words_of("").empty());
}

TEST(HashtagTags, AreCheckedAndCanonical) {
  auto tags = check_tags({"#Flood", "flood", "Climate_Action", "＃東京"});
  ASSERT_EQ(tags.size(), 3u);
  EXPECT_EQ(tags[0].canonical, "flood");
  EXPECT_EQ(tags[0].spelling, "Flood");
  EXPECT_EQ(tags[1].canonical, "climate_action");
  EXPECT_EQ(tags[2].spelling, "東京");
  for (const char *bad : {"", "#", "two words", "2024", "a\u202Eb", "a\u200Bb", "a-b", "_"})
    EXPECT_EQ(sqlstate_of([&] { check_tags({bad}); }), "22023") << bad;
  EXPECT_EQ(sqlstate_of([] { check_tags(std::vector<std::string_view>(kMaxTagsPerPost + 1, "a")); }), "54000");
}

TEST(HashtagBlocks, ComeBackAsTheyWere) {
  std::vector<TagCount> counts{{0, 1}, {7, 300}, {8, 1}, {0xFFFFFFFF, 0xFFFFFFFF}};
  EXPECT_EQ(decode_tag_counts(encode_tag_counts(counts)), counts);
  std::vector<Posting> postings{{1, 1, 0}, {2, 3, 40}, {~std::uint64_t{0}, 1, 1}};
  EXPECT_EQ(decode_postings(encode_postings(postings)), postings);
  std::vector<Term> terms{{"flood", 1}, {"東京", 200}};
  auto decoded = decode_terms(encode_terms(terms));
  ASSERT_EQ(decoded.size(), 2u);
  EXPECT_EQ(decoded[1].word, "東京");
  EXPECT_EQ(decoded[1].count, 200u);
  EXPECT_TRUE(decode_postings("").empty());
}

TEST(HashtagBlocks, DamageIsRefused) {
  EXPECT_EQ(sqlstate_of([] { decode_tag_counts("\x80"); }), "XX001");
  EXPECT_EQ(sqlstate_of([] { decode_tag_counts(std::string("\x01\x01\x00\x01", 4)); }), "XX001");  // a tag twice
  EXPECT_EQ(sqlstate_of([] { decode_tag_counts(std::string("\x81\x00\x01", 3)); }), "XX001");      // not the shortest
  EXPECT_EQ(sqlstate_of([] { decode_tag_counts("\xff\xff\xff\xff\x1f\x01"); }), "XX001");          // above 32 bits
  EXPECT_EQ(sqlstate_of([] { decode_postings("\x01\x01"); }), "XX001");
  EXPECT_EQ(sqlstate_of([] { decode_postings(std::string(11, '\xff')); }), "XX001");
  EXPECT_EQ(sqlstate_of([] {
              decode_terms(
                  "\x05"
                  "abc");
            }),
            "XX001");
  EXPECT_EQ(sqlstate_of([] {
              decode_terms(
                  "\x01"
                  "b\x01\x01"
                  "a\x01");
            }),
            "XX001");  // out of order
}

TEST(HashtagBlocks, PostingListsHoldWhatBlocksHold) {
  std::vector<Posting> postings{{5, 1, 0}, {6, 15, 4095}, {7, 16, 10}, {9, 1, 4096}, {std::uint64_t{1} << 40, 2, 3}};
  PostingList list;
  list.append(encode_postings({postings.begin(), postings.begin() + 2}));
  list.append(encode_postings({postings.begin() + 2, postings.end()}));
  std::vector<Posting> seen;
  list.for_each([&](std::uint64_t post, std::uint32_t count, std::uint32_t length) {
    seen.push_back({post, count, length});
  });
  EXPECT_EQ(seen, postings);
  EXPECT_EQ(list.first(), 5u);
  EXPECT_EQ(list.last(), std::uint64_t{1} << 40);
  EXPECT_EQ(list.most_uses(), 16u);
  EXPECT_EQ(list.fewest_words(), 0u);
  std::size_t cursor = 0;
  for (const Posting &posting : postings) EXPECT_EQ(list.find(posting.post, cursor), posting);
  for (std::uint64_t missing : {std::uint64_t{4}, std::uint64_t{8}, std::uint64_t{10}, ~std::uint64_t{0}}) {
    cursor = 0;
    EXPECT_FALSE(list.find(missing, cursor)) << missing;
  }
  EXPECT_EQ(sqlstate_of([&] { list.append(encode_postings({{9, 1, 1}})); }), "XX001");
  cursor = 0;
  EXPECT_FALSE(PostingList().find(1, cursor));
}

TEST(HashtagBlocks, MergeSums) {
  EXPECT_EQ(merge_tag_counts({{1, 2}, {3, 1}}, {{1, 1}, {4, 1}}), (std::vector<TagCount>{{1, 3}, {3, 1}, {4, 1}}));
  EXPECT_EQ(merge_tag_counts({}, {{4, 1}}), (std::vector<TagCount>{{4, 1}}));
}

namespace {

LearnedPost post(std::uint64_t number, std::string_view text, std::vector<std::uint32_t> tags) {
  LearnedPost learned;
  learned.post = number;
  Terms terms = tokenize(text);
  learned.terms = terms.terms;
  learned.length = terms.length;
  learned.spellings.assign(tags.size(), "t");
  learned.tags = std::move(tags);
  return learned;
}

const char *const kTexts[] = {"flood in the town",
                              "the river floods the town",
                              "rain and rain",
                              "old bread",
                              "flood and rain",
                              "bread in town",
                              "river",
                              "flood flood flood"};

/// Relevance of all tags for `draft`, with the posts divided over two shares by the bits of `mask`.
std::vector<Candidate> suggest(std::string_view draft, unsigned mask) {
  Batch base, fresh, all;
  for (unsigned i = 0; i < 8; ++i) {
    LearnedPost learned = post(i + 1, kTexts[i], {i % 3, 10 + i % 2});
    all.add(learned);
    (mask >> i & 1 ? fresh : base).add(std::move(learned));
  }
  Corpus corpus{all.posts(), all.length_sum()};
  std::vector<std::vector<TagCount>> lists;
  std::vector<Feature> words;
  auto share = [&](const Batch &batch, const std::string &word) {
    Share result;
    if (const FeatureCounts *counts = batch.feature(feature_key(kWord, word))) {
      lists.emplace_back();
      for (auto [tag, posts] : counts->tags) lists.back().push_back({tag, posts});
      result = {counts->posts, &lists.back(), &counts->postings};
    }
    return result;
  };
  lists.reserve(100);
  for (const Term &term : tokenize(draft).terms) {
    Feature feature;
    feature.name = term.word;
    feature.base = share(base, term.word);
    feature.fresh = share(fresh, term.word);
    words.push_back(feature);
  }
  Relevance relevance;
  relevance.vote(
      similar_posts(corpus, words, Limits()),
      [&](std::uint64_t number) -> const std::vector<std::uint32_t> & { return all.all_posts().at(number).tags; });
  relevance.add_words(corpus, words);
  auto candidates = relevance.candidates([&](std::uint32_t tag) { return all.tag(tag)->posts; },
                                         [](std::uint32_t tag) { return tag == 1 ? 1.0 : 0.0; });
  std::sort(candidates.begin(), candidates.end(), [](const auto &a, const auto &b) { return a.tag < b.tag; });
  return candidates;
}

}  // namespace

TEST(HashtagRelevance, DoesNotDependOnTheDivision) {
  auto whole = suggest("flood and rain in the river", 0);
  ASSERT_EQ(whole.size(), 5u);
  for (unsigned mask = 1; mask < 256; ++mask) {
    auto divided = suggest("flood and rain in the river", mask);
    ASSERT_EQ(divided.size(), whole.size());
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_EQ(divided[i].tag, whole[i].tag);
      EXPECT_EQ(divided[i].relevance, whole[i].relevance) << mask;  // to the last bit
      EXPECT_EQ(divided[i].voters, whole[i].voters);
    }
  }
}

// The search that skips what cannot matter finds what the plain sums over all postings find, to the last bit, however
// the postings are kept.
TEST(HashtagRelevance, SimilarPostsAreThoseOfAllSums) {
  std::mt19937_64 random(5);
  std::size_t searches = 0;
  for (int round = 0; round < 60; ++round) {
    constexpr std::uint64_t kPosts = 3000;
    std::uint64_t apart = round % 3 == 0 ? std::uint64_t{1} << 33 : 1;  // numbers too far apart for an array
    std::size_t count = 1 + random() % 8;
    std::vector<std::vector<Posting>> folded(count), waiting(count);
    std::vector<PostingList> packed(count);
    std::vector<Feature> words(count);
    std::vector<std::uint32_t> lengths(kPosts + 1);
    for (auto &length : lengths) length = static_cast<std::uint32_t>(3 + random() % 30);
    std::set<std::uint64_t> gone;
    for (std::uint64_t post = 1; post <= kPosts; ++post)
      if (round % 2 == 1 && random() % 50 == 0) gone.insert(post * apart);
    for (std::size_t w = 0; w < count; ++w) {
      std::uint64_t every = 1 + random() % (w % 3 == 0 ? 400 : 12);
      for (std::uint64_t post = 1; post <= kPosts; ++post)
        if (random() % every == 0)
          (post > kPosts - 300 ? waiting : folded)[w].push_back(
              {post * apart, static_cast<std::uint32_t>(1 + random() % 10 / 9), lengths[post]});
      words[w].base.posts = folded[w].size();
      words[w].fresh.posts = waiting[w].size();
      words[w].fresh.postings = &waiting[w];
      packed[w].append(encode_postings(folded[w]));
      words[w].base.packed = &packed[w];
    }
    Corpus corpus{kPosts, kPosts * 18};
    Limits limits;
    limits.frequent = 1;
    limits.considered = 1 + random() % 60;
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return words[a].posts() < words[b].posts(); });
    std::map<std::uint64_t, double> sums;
    for (std::size_t w : order) {
      auto df = static_cast<double>(words[w].posts());
      double idf = std::log(1 + (static_cast<double>(kPosts) - df + 0.5) / (df + 0.5));
      for (const auto *list : {&folded[w], &waiting[w]})
        for (const Posting &posting : *list)
          if (gone.count(posting.post) == 0)
            sums[posting.post] +=
                idf * posting.count * 2.2 / (posting.count + 1.2 * (0.25 + 0.75 * posting.length / 18.0));
    }
    std::vector<Neighbour> all;
    for (auto [post, score] : sums) all.push_back({post, score});
    std::stable_sort(all.begin(), all.end(), [](const auto &a, const auto &b) { return a.score > b.score; });
    auto found = similar_posts(corpus, words, limits, nexus::Interrupt(), gone);
    ASSERT_EQ(found.size(), std::min(all.size(), limits.considered));
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i].score, all[i].score, 1e-9) << round << " " << i;
    for (std::size_t w = 0; w < count; ++w) {  // and the same bits from plain lists
      folded[w].insert(folded[w].end(), waiting[w].begin(), waiting[w].end());
      words[w].base = {folded[w].size(), nullptr, &folded[w]};
      words[w].fresh = {};
    }
    auto plain = similar_posts(corpus, words, limits, nexus::Interrupt(), gone);
    ASSERT_EQ(plain.size(), found.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(plain[i].post, found[i].post);
      EXPECT_EQ(plain[i].score, found[i].score);
      ++searches;
    }
  }
  EXPECT_GT(searches, 500u);
}

TEST(HashtagRelevance, VotesSumToOneAndKnownValue) {
  auto candidates = suggest("bread", 0);
  double sum = 0;
  for (const Candidate &candidate : candidates) sum += candidate.similar;
  EXPECT_NEAR(sum, 1, 1e-12);
  // Posts 4 (tags 0, 11) and 6 (tags 2, 11) hold the word; tag 11 is on 4 of the 8 posts.
  auto eleven = std::find_if(candidates.begin(), candidates.end(), [](const auto &c) { return c.tag == 11; });
  ASSERT_NE(eleven, candidates.end());
  EXPECT_NEAR(eleven->words, 2 / std::sqrt(3.5 * 7), 1e-12);
  EXPECT_NEAR(eleven->similar, 0.5, 1e-12);
}

TEST(HashtagRelevance, PostsOfTheNicheComeNearer) {
  Limits limits;
  limits.neighbours = 2;
  std::vector<Neighbour> posts = {{7, 9.0}, {3, 6.0}, {5, 3.0}, {4, 2.0}};
  auto none = nearest_in_niche(posts, limits, [](std::uint64_t) { return false; });
  ASSERT_EQ(none.size(), 2u);
  EXPECT_EQ(none[1].post, 3u);
  auto odd = nearest_in_niche(posts, limits, [](std::uint64_t post) { return post == 5; });
  ASSERT_EQ(odd.size(), 2u);
  EXPECT_EQ(odd[0].post, 5u);  // 9 as well: equal scores by post number
  EXPECT_EQ(odd[0].score, 9.0);
  EXPECT_EQ(odd[1].post, 7u);
}

TEST(HashtagRelevance, RareWordsAreAffordedFirst) {
  std::vector<Feature> words(3);
  words[0].base.posts = 500;
  words[1].base.posts = 10;
  words[2].fresh.posts = 400;
  Limits limits;
  limits.max_postings = 420;
  EXPECT_EQ(affordable_words(words, limits), (std::vector<bool>{false, true, true}));
  EXPECT_FALSE(tells_posts_apart({1000, 1}, 500, limits));
  EXPECT_TRUE(tells_posts_apart({1000, 1}, 100, limits));
  EXPECT_FALSE(tells_posts_apart({1000, 1}, 0, limits));
}

TEST(HashtagRelevance, LongLoopsAreInterrupted) {
  std::vector<Posting> postings;
  for (std::uint64_t i = 1; i <= 100000; ++i) postings.push_back({i, 1, 10});
  std::vector<Feature> words(1);
  words[0].base = {postings.size(), nullptr, &postings};
  static bool asked;
  asked = false;
  Corpus corpus{10000000, 100000000};
  similar_posts(corpus, words, Limits(), nexus::Interrupt([] { asked = true; }));
  EXPECT_TRUE(asked);
}

TEST(HashtagBatch, LatePostsFindTheirPlace) {
  Batch batch;
  for (std::uint64_t number : {5, 2, 9, 2}) batch.add(post(number, "flood", {1}));
  EXPECT_EQ(batch.posts(), 3u);
  const FeatureCounts *flood = batch.feature("wflood");
  ASSERT_NE(flood, nullptr);
  ASSERT_EQ(flood->postings.size(), 3u);
  EXPECT_EQ(flood->postings[0].post, 2u);
  EXPECT_EQ(flood->postings[2].post, 9u);
  EXPECT_EQ(batch.tag(1)->anonymous.at(0), 3u);
  EXPECT_EQ(batch.tag(kAnyTag)->anonymous.at(0), 3u);
}

TEST(HashtagAffinity, DecaysByHalfIn30Days) {
  constexpr std::int64_t kDay = std::int64_t{86400} * 1000000;
  Affinity affinity(100 * kDay);
  affinity.add(1, 70 * kDay);
  affinity.add(2, 100 * kDay);
  affinity.add(2, 200 * kDay);  // after as_of: new
  EXPECT_NEAR(affinity.value(1), 0.5 / 2.5, 1e-12);
  EXPECT_NEAR(affinity.value(2), 0.5, 1e-12);
  EXPECT_EQ(affinity.value(3), 0);
  EXPECT_EQ(affinity.use(2).uses, 2u);
  affinity.decide(2, false, 100 * kDay);
  affinity.decide(3, false, 70 * kDay);
  EXPECT_NEAR(affinity.value(2), 1.0 / 3, 1e-12);
  EXPECT_NEAR(affinity.value(3), -0.2, 1e-12);
  EXPECT_EQ(affinity.use(3).dismissed, 1u);
}
