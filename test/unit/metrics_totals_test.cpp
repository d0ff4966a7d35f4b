#include "core/metrics/totals.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "core/metrics/clip.hpp"
#include "core/metrics/codec.hpp"

using namespace nexus::metrics;
using nexus::Error;

namespace {

std::string state_of(const Error &error) {
  return error.sqlstate();
}

template <class F>
std::string sqlstate(F &&body) {
  try {
    body();
  } catch (const Error &error) {
    return state_of(error);
  }
  return "none";
}

Totals some_totals() {
  Totals totals;
  totals.add(Metric::likes, 5);
  totals.add(Metric::comments, 0);
  totals.add(Metric::reach, 100);
  totals.count_sample();
  return totals;
}

}  // namespace

TEST(MetricsWide, RoundTrip) {
  const Wide largest = static_cast<Wide>(~UnsignedWide(0) >> 1);
  for (Wide value : {Wide(0), Wide(-1), Wide(INT64_MAX) * 4, largest, -largest - 1}) {
    Wide back;
    ASSERT_TRUE(parse_wide(to_string(value), back)) << to_string(value);
    EXPECT_TRUE(back == value) << to_string(value);
  }
  EXPECT_EQ(to_string(largest), "170141183460469231731687303715884105727");
  Wide value;
  for (const char *bad : {"", "-", "+1", "1 ", "0x1", "170141183460469231731687303715884105728",
                          "-170141183460469231731687303715884105729"})
    EXPECT_FALSE(parse_wide(bad, value)) << bad;
  EXPECT_EQ(sqlstate([&] { add(largest, 1); }), "22003");
  EXPECT_EQ(sqlstate([&] { subtract(-largest, 2); }), "22003");
}

TEST(MetricsClip, CutsBetweenCharacters) {
  EXPECT_EQ(clip("abc", 3), "abc");
  EXPECT_EQ(clip("aé", 2), "a");
  EXPECT_EQ(clip("é😀", 5), "é");
}

TEST(MetricsTotals, UnknownIsNotZero) {
  Totals totals = some_totals();
  EXPECT_TRUE(totals.total(Metric::comments) == Wide(0));
  EXPECT_FALSE(totals.total(Metric::views).has_value());
  EXPECT_EQ(totals.to_text(), "v1 samples=1 likes=5 comments=0 reach=100");
}

TEST(MetricsTotals, SumsExceedBigint) {
  Totals totals;
  for (int i = 0; i < 4; ++i) totals.add(Metric::views, INT64_MAX);
  EXPECT_EQ(to_string(*totals.total(Metric::views)), "36893488147419103228");
}

TEST(MetricsTotals, MergeEqualsOneRun) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    Totals whole, parts[3];
    for (int i = 0; i < 20; ++i) {
      Totals &part = parts[random() % 3];
      auto metric = static_cast<Metric>(random() % kMetrics);
      Wide value = static_cast<std::int64_t>(random());
      whole.add(metric, value);
      part.add(metric, value);
      whole.count_sample();
      part.count_sample();
    }
    parts[2].merge(parts[0]);
    parts[2].merge(Totals::decode(parts[1].encode()));
    EXPECT_EQ(parts[2], whole);
    EXPECT_EQ(parts[2].encode(), whole.encode());
    EXPECT_EQ(Totals::from_text(whole.to_text()), whole);
  }
}

TEST(MetricsTotals, EngagementRate) {
  Totals totals = some_totals();
  EXPECT_DOUBLE_EQ(*totals.engagement_rate(Denominator::reach), 0.05);
  EXPECT_DOUBLE_EQ(*totals.engagement_rate(Denominator::reach, {.likes = 2.5}), 0.125);
  EXPECT_FALSE(totals.engagement_rate(Denominator::views));
  EXPECT_FALSE(totals.engagement_rate(Denominator::followers));
  EXPECT_FALSE(totals.engagement_rate(Denominator::followers, {}, 0));
  EXPECT_DOUBLE_EQ(*totals.engagement_rate(Denominator::followers, {}, 10), 0.5);
  Totals reach_only;
  reach_only.add(Metric::reach, 100);
  EXPECT_FALSE(reach_only.engagement_rate(Denominator::reach));
}

TEST(MetricsTotals, PercentOfViews) {
  auto percent = [](std::int64_t likes, std::int64_t views) {
    Totals totals;
    totals.add(Metric::likes, likes);
    totals.add(Metric::views, views);
    return totals.engagement_percent_hundredths();
  };
  EXPECT_EQ(percent(1, 100), 100);
  EXPECT_EQ(percent(1, 3), 3333);
  EXPECT_EQ(percent(2, 3), 6667);
  EXPECT_EQ(percent(1, 20000), 1);  // exactly half a hundredth rounds up
  EXPECT_EQ(percent(1, 20001), 0);
  EXPECT_EQ(percent(20, 1), 99999);
  EXPECT_EQ(percent(INT64_MAX, 1), 99999);
  EXPECT_EQ(percent(INT64_MAX, INT64_MAX), 10000);
  EXPECT_EQ(percent(5, 0), std::nullopt);
  Totals views_only;
  views_only.add(Metric::views, 3);
  EXPECT_EQ(views_only.engagement_percent_hundredths(), std::nullopt);
}

TEST(MetricsTotals, DecoderRefusesDamage) {
  const std::string good = some_totals().encode();
  EXPECT_EQ(Totals::decode(good), some_totals());
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(sqlstate([&] { Totals::decode(good.substr(0, size)); }), "XX001") << size;
  EXPECT_EQ(sqlstate([&] { Totals::decode(good + '\0'); }), "XX001");
  std::string other = good;
  other[0] = 9;
  EXPECT_EQ(sqlstate([&] { Totals::decode(other); }), "0A000");
  EXPECT_EQ(sqlstate([&] { Totals::decode(std::string_view("\x01\x00\x80\x00", 4)); }), "XX001");  // leading zeros
  std::string wide("\x01\x01\x01", 3);
  wide.append(18, '\xff');
  EXPECT_EQ(sqlstate([&] { Totals::decode(wide + '\x04'); }), "XX001");  // 129 bits
  EXPECT_EQ(sqlstate([&] { Totals::decode(wide + '\x03'); }), "none");
}

TEST(MetricsTotals, TextRefusesOtherForms) {
  for (const char *bad : {"", "v1", "v2 samples=1", "v1 samples=", "v1 samples=-1", "v1 samples=1 views",
                          "v1 samples=1 views=", "v1 samples=1 views=1 views=1", "v1 samples=1 dislikes=1",
                          "v1 samples=1  views=1", "v1 samples=99999999999999999999"})
    EXPECT_EQ(sqlstate([&] { Totals::from_text(bad); }), "22P02") << bad;
  EXPECT_EQ(Totals::from_text("v1 samples=0"), Totals());
}

TEST(MetricsTotals, Names) {
  EXPECT_EQ(parse_metric("watch_time_seconds"), Metric::watch_time_seconds);
  EXPECT_EQ(sqlstate([] { parse_metric("Views"); }), "22023");
  EXPECT_EQ(sqlstate([] { parse_denominator("impressions"); }), "22023");
}

TEST(MetricsRunningTotals, EqualTotals) {
  std::mt19937_64 random(12);
  for (bool large : {false, true}) {
    Totals whole, wide[3];
    RunningTotals running, parts[2];
    auto into = [&wide](int index) { return [&wide, index] { return &wide[index]; }; };
    for (int row = 0; row < 500; ++row) {
      auto part = static_cast<int>(random() % 2);
      for (int i = 0; i < kMetrics - 1; ++i) {
        if (random() % 4 == 0) continue;
        auto value = static_cast<std::int64_t>(random());
        if (!large) value /= 1000000;
        if (row % 2 == 0 && large) value = i % 2 == 0 ? INT64_MAX : INT64_MIN;
        auto metric = static_cast<Metric>(i);
        whole.add(metric, value);
        running.add(metric, value, into(2));
        parts[part].add(metric, value, into(part));
      }
      whole.count_sample();
      running.count_sample(into(2));
      parts[part].count_sample(into(part));
      EXPECT_EQ(running.totals(), whole);
    }
    char bytes[Totals::kMostBytes];
    EXPECT_EQ(std::string(bytes, running.encode(bytes)), whole.encode());
    Totals merged_wide, stored_wide;
    RunningTotals merged, stored;
    for (const RunningTotals &part : parts) {
      merged.merge(part, [&] { return &merged_wide; });
      stored.merge(Totals::decode({bytes, part.encode(bytes)}), [&] { return &stored_wide; });
    }
    EXPECT_EQ(merged.totals(), whole);
    EXPECT_EQ(stored.totals(), whole);
    EXPECT_EQ(whole.knows(Metric::watch_time_seconds), false);
  }
}

TEST(MetricsRunningTotals, AroundFortyEightBits) {
  constexpr std::int64_t kEdge = std::int64_t{1} << 47;
  const std::int64_t values[] = {0,      1,          -1,        kEdge - 1, kEdge,    kEdge + 1,
                                 -kEdge, -kEdge - 1, 1LL << 32, INT64_MAX, INT64_MIN};
  for (std::int64_t first : values)
    for (std::int64_t second : values) {
      Totals whole, place;
      RunningTotals running;
      for (std::int64_t value : {first, second, first}) {
        whole.add(Metric::saves, value);
        running.add(Metric::saves, value, [&place] { return &place; });
      }
      EXPECT_EQ(running.totals(), whole) << first << ' ' << second;
      char bytes[Totals::kMostBytes];
      ASSERT_LE(running.encode(bytes), running.most_bytes());
      EXPECT_EQ(std::string(bytes, running.encode(bytes)), whole.encode()) << first << ' ' << second;
    }
}

TEST(MetricsRunningTotals, ManySamples) {
  Totals place;
  RunningTotals running;
  auto make_totals = [&place] { return &place; };
  running.merge(Totals::from_text("v1 samples=72057594037927935 likes=3"), make_totals);  // 2^56 - 1
  running.count_sample(make_totals);
  running.count_sample(make_totals);
  EXPECT_EQ(running.totals().to_text(), "v1 samples=72057594037927937 likes=3");
  running.merge(Totals::from_text("v1 samples=18374686479671623678"), make_totals);
  EXPECT_EQ(running.totals().samples(), UINT64_MAX);
  EXPECT_EQ(sqlstate([&] {
              running.count_sample(make_totals);
              running.totals();
            }),
            "22003");
}

TEST(MetricsRunningTotals, NeverWraps) {
  const Wide largest = static_cast<Wide>(~UnsignedWide(0) >> 1);
  Totals full, place;
  full.add(Metric::views, largest);
  RunningTotals running;
  auto make_totals = [&place] { return &place; };
  running.add(Metric::views, 1, make_totals);
  running.merge(full, make_totals);
  EXPECT_EQ(sqlstate([&] { running.totals(); }), "22003");
  char bytes[Totals::kMostBytes];
  EXPECT_EQ(sqlstate([&] { running.encode(bytes); }), "22003");
  EXPECT_EQ(sqlstate([&] { running.merge(full, make_totals); }), "22003");
}

TEST(MetricsCodec, OneFormOfEachNumber) {
  const Wide largest = static_cast<Wide>(~UnsignedWide(0) >> 1);
  for (std::int64_t value :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{63}, std::int64_t{64}, INT64_MAX, INT64_MIN}) {
    EXPECT_TRUE(zigzag(value) == zigzag(Wide(value))) << value;
    char narrow[kMostVarint], wide[kMostVarint];
    std::string one(narrow, put_varint(narrow, zigzag(value))), other(wide, put_varint(wide, zigzag(Wide(value))));
    EXPECT_EQ(one, other) << value;
  }
  for (Wide value : {Wide(INT64_MAX) + 1, Wide(INT64_MIN) - 1, largest, -largest - 1}) {
    Writer out;
    out.signed_varint(value);
    out.fixed64(0x0102030405060708);
    out.fixed64_reversed(0x0102030405060708);
    std::string bytes = out.take();
    EXPECT_EQ(bytes.substr(bytes.size() - 8), "\x01\x02\x03\x04\x05\x06\x07\x08");
    Reader in(bytes, "number");
    EXPECT_TRUE(in.signed_varint() == value);
    EXPECT_EQ(in.fixed64(), 0x0102030405060708U);
    EXPECT_EQ(in.fixed64_reversed(), 0x0102030405060708U);
    in.end();
  }
  // Nine bytes of seven bits are 63: the next ones are read as the wider number, by the same rules.
  for (const char *zeros : {"\x80", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"}) {
    std::string bytes(zeros);
    bytes += '\0';
    EXPECT_EQ(sqlstate([&] { Reader(bytes, "number").varint(); }), "XX001");
    EXPECT_EQ(sqlstate([&] { Reader(zeros, "number").varint(); }), "XX001");
  }
  EXPECT_EQ(sqlstate([&] { Reader(std::string(18, '\xff') + '\x04', "number").varint(); }), "XX001");
  EXPECT_EQ(sqlstate([&] { Reader(std::string(18, '\xff') + '\x03', "number").varint(); }), "none");
}
