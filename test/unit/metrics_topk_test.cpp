#include "core/metrics/topk_state.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"

using nexus::metrics::Ranked;
using nexus::metrics::TopkState;
using nexus::metrics::Wide;

namespace {

using Keys = TopkState::Keys;

template <class F>
std::string sqlstate(F &&body) {
  try {
    body();
  } catch (const nexus::Error &error) {
    return error.sqlstate();
  }
  return "none";
}

TopkState ranking(Keys keys, int k) {
  TopkState state;
  state.use(keys, k);
  return state;
}

std::string shown(TopkState &state) {
  std::string text;
  for (const Ranked &ranked : state.top()) text += ranked.key + '=' + nexus::metrics::to_string(ranked.weight) + ' ';
  return text;
}

}  // namespace

TEST(MetricsTopk, TiesByNumberOrByBytes) {
  TopkState numbers = ranking(Keys::bigint, 5);
  for (std::int64_t key : {10, 9, -1, 2}) numbers.add_bigint(key, 7);
  numbers.add_bigint(INT64_MIN, 0);
  EXPECT_EQ(shown(numbers), "-1=7 2=7 9=7 10=7 -9223372036854775808=0 ");
  TopkState texts = ranking(Keys::text, 3);
  for (const char *key : {"9", "10", "b", "\xc3\xa9"}) texts.add_text(key, 7);
  texts.add_text("b", 1);
  EXPECT_EQ(shown(texts), "b=8 10=7 9=7 ");
}

TEST(MetricsTopk, SumsLeaveBigint) {
  TopkState state = ranking(Keys::bigint, 1);
  for (int i = 0; i < 3; ++i) state.add_bigint(1, INT64_MAX);
  EXPECT_EQ(shown(state), "1=27670116110564327421 ");
}

TEST(MetricsTopk, Refuses) {
  TopkState state;
  EXPECT_EQ(sqlstate([&] { state.use(Keys::bigint, 0); }), "22023");
  EXPECT_EQ(sqlstate([&] { state.use(Keys::bigint, 10001); }), "22023");
  state.use(Keys::bigint, 3);
  EXPECT_EQ(sqlstate([&] { state.use(Keys::bigint, 4); }), "22023");
  EXPECT_EQ(sqlstate([&] { state.use(Keys::text, 3); }), "22023");
  EXPECT_EQ(sqlstate([&] { state.add_bigint(1, -1); }), "22023");
  EXPECT_EQ(sqlstate([&] { state.merge(ranking(Keys::bigint, 4)); }), "22023");
  EXPECT_EQ(sqlstate([&] { state.merge(ranking(Keys::text, 3)); }), "22023");
  TopkState texts = ranking(Keys::text, 3);
  EXPECT_EQ(sqlstate([&] { texts.add_text(std::string(2049, 'a'), 1); }), "54000");
  EXPECT_EQ(sqlstate([&] { texts.add_text("a", -1); }), "22023");
}

TEST(MetricsTopk, ExactInAnyPartition) {
  std::mt19937_64 random(6);
  for (std::size_t keys : {10U, 1000U}) {
    TopkState whole = ranking(Keys::bigint, 20);
    std::vector<TopkState> parts(7, whole);
    std::map<std::int64_t, Wide> sums;
    for (int i = 0; i < 20000; ++i) {
      auto key = static_cast<std::int64_t>(random() % keys);
      auto weight = static_cast<std::int64_t>(random() % 1000);
      sums[key] += weight;
      whole.add_bigint(key, weight);
      parts[random() % parts.size()].add_bigint(key, weight);
    }
    std::string bytes = whole.encode();
    for (int order = 0; order < 3; ++order) {
      std::shuffle(parts.begin(), parts.end(), random);
      TopkState merged;
      for (TopkState &part : parts) merged.merge(TopkState::decode(part.encode()));
      EXPECT_EQ(merged.encode(), bytes);
    }
    EXPECT_TRUE(whole.error() == 0);
    for (const Ranked &ranked : whole.top()) EXPECT_TRUE(sums[std::stoll(ranked.key)] == ranked.weight);
  }
}

TEST(MetricsTopk, BoundsHoldWithManyKeys) {
  std::mt19937_64 random(7);
  for (int merge : {0, 1}) {
    TopkState whole = ranking(Keys::bigint, 10);
    std::vector<TopkState> parts(5, whole);
    std::map<std::int64_t, Wide> sums;
    Wide total = 0;
    for (int i = 0; i < 200000; ++i) {
      // A few heavy keys among very many light ones.
      auto key = static_cast<std::int64_t>(random() % 4 == 0 ? random() % 20 : 100 + random() % 50000);
      auto weight = static_cast<std::int64_t>(random() % 10);
      sums[key] += weight;
      total += weight;
      (merge == 1 ? parts[random() % parts.size()] : whole).add_bigint(key, weight);
    }
    if (merge == 1)
      for (TopkState &part : parts) whole.merge(TopkState::decode(part.encode()));
    auto top = whole.top();
    ASSERT_EQ(top.size(), 10U);
    EXPECT_TRUE(whole.error() > 0);
    EXPECT_TRUE(whole.error() <= total / 1000);
    std::map<std::int64_t, Wide> found;
    for (const Ranked &ranked : top) {
      std::int64_t key = std::stoll(ranked.key);
      found[key] = ranked.weight;
      EXPECT_TRUE(ranked.weight <= sums[key] && sums[key] <= ranked.weight + whole.error()) << key;
    }
    for (const auto &[key, sum] : sums)
      if (!found.contains(key)) {
        EXPECT_TRUE(sum <= top.back().weight + whole.error()) << key;
      }
    EXPECT_EQ(TopkState::decode(whole.encode()).encode(), whole.encode());
  }
}

TEST(MetricsTopk, StoredAndReadableForms) {
  TopkState texts = ranking(Keys::text, 3);
  for (const char *key : {"cats", "a b", "", "x=1", "\xc3\xa9", "100%"}) texts.add_text(key, 5);
  TopkState numbers = ranking(Keys::bigint, 3);
  for (std::int64_t key : {INT64_MIN, INT64_MAX, std::int64_t{0}}) numbers.add_bigint(key, key == 0 ? 1 : 2);
  EXPECT_EQ(texts.to_text(), "v1 text k=3 error=0 =5 100%25=5 a%20b=5 cats=5 x%3D1=5 %C3%A9=5");
  EXPECT_EQ(numbers.to_text(), "v1 bigint k=3 error=0 -9223372036854775808=2 9223372036854775807=2 0=1");
  for (TopkState *state : {&texts, &numbers}) {
    std::string bytes = state->encode();
    EXPECT_EQ(TopkState::decode(bytes).encode(), bytes);
    EXPECT_EQ(TopkState::from_text(state->to_text()).encode(), bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      EXPECT_EQ(sqlstate([&] { TopkState::decode(std::string_view(bytes).substr(0, size)); }), "XX001") << size;
    EXPECT_EQ(sqlstate([&] { TopkState::decode(bytes + '\0'); }), "XX001");
    bytes[0] = 9;
    EXPECT_EQ(sqlstate([&] { TopkState::decode(bytes); }), "0A000");
  }
  // keys out of order, twice, a zero byte, k of 0, a type that does not exist
  for (std::string bad :
       {std::string("\1\0\3\0\2\2\1\4\2", 9), std::string("\1\0\3\0\2\2\1\2\1", 9), std::string("\1\1\3\0\1\1\0\1", 8),
        std::string("\1\0\0\0\0", 5), std::string("\1\2\3\0\0", 5)})
    EXPECT_EQ(sqlstate([&] { TopkState::decode(bad); }), "XX001");
  for (const char *bad : {"", "v1", "v1 text", "v1 int k=1 error=0", "v1 text k=0 error=0", "v1 text k=1 error=-1",
                          "v1 text k=1 error=0 a", "v1 text k=1 error=0 a=-1", "v1 text k=1 error=0 a=1 a=1",
                          "v1 text k=1 error=0 %=1", "v1 text k=1 error=0 %00=1", "v1 text k=1 error=0 a+b=1",
                          "v1 bigint k=1 error=0 x=1", "v1 bigint k=1 error=0 9223372036854775808=1"})
    EXPECT_EQ(sqlstate([&] { TopkState::from_text(bad); }), "22P02") << bad;
}
