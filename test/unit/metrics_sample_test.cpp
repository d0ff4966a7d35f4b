#include "core/metrics/sample.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "core/metrics/timestamp.hpp"

using namespace nexus::metrics;

namespace {

using Pair = std::pair<std::string_view, Scalar>;
Scalar number(std::string_view text) {
  return {Scalar::Kind::number, text};
}
Scalar string(std::string_view text) {
  return {Scalar::Kind::string, text};
}

SampleReader read(std::initializer_list<Pair> pairs) {
  SampleReader reader(parse_timestamp("2025-06-01 00:00").value());
  reader.set("content_id", number("7"));
  reader.set("platform", string("youtube"));
  reader.set("captured_at", string("2025-05-01T00:00:00Z"));
  for (const auto &[key, value] : pairs) reader.set(key, value);
  reader.finish();
  return reader;
}
std::string fault(std::initializer_list<Pair> pairs) {
  SampleReader reader = read(pairs);
  return reader.fault() ? reader.fault()->field + " " + reader.fault()->code : "none";
}

}  // namespace

TEST(MetricsSample, Complete) {
  SampleReader reader = read({{"views", number("9223372036854775807")},
                              {"likes", string("12")},
                              {"shares", number("5.00")},
                              {"saves", {}},
                              {"followers_gained", number("-3")},
                              {"revenue", number("12.50")},
                              {"engagement_rate", number("99")},
                              {"source", string("api")}});
  ASSERT_FALSE(reader.fault());
  const Sample &sample = reader.sample();
  EXPECT_EQ(sample.content_id, 7);
  EXPECT_EQ(sample.counters[0], INT64_MAX);
  EXPECT_EQ(sample.counters[1], 12);
  EXPECT_EQ(sample.counters[2], std::nullopt);
  EXPECT_EQ(sample.counters[3], 5);
  EXPECT_EQ(sample.counters[4], std::nullopt);
  EXPECT_EQ(sample.followers_gained, -3);
  EXPECT_EQ(sample.revenue, "12.50");
  EXPECT_EQ(sample.source, "api");
}

TEST(MetricsSample, Missing) {
  SampleReader reader(0);
  reader.set("content_id", {});
  reader.finish();
  ASSERT_TRUE(reader.fault());
  EXPECT_EQ(reader.fault()->field, "content_id");
  EXPECT_STREQ(reader.fault()->code, "missing");
}

TEST(MetricsSample, Faults) {
  EXPECT_EQ(fault({}), "none");
  EXPECT_EQ(fault({{"views", number("-1")}}), "views negative");
  EXPECT_EQ(fault({{"views", number("-0")}}), "none");
  EXPECT_EQ(fault({{"views", number("-99999999999999999999999999999999999999999999")}}), "views negative");
  EXPECT_EQ(fault({{"views", number("9223372036854775808")}}), "views out_of_range");
  EXPECT_EQ(fault({{"views", number("99999999999999999999999999999999999999999999")}}), "views out_of_range");
  EXPECT_EQ(fault({{"views", number("1.5")}}), "views not_an_integer");
  EXPECT_EQ(fault({{"views", string("")}}), "views wrong_type");
  EXPECT_EQ(fault({{"views", string("many")}}), "views wrong_type");
  EXPECT_EQ(fault({{"views", {Scalar::Kind::other, ""}}}), "views wrong_type");
  EXPECT_EQ(fault({{"view", number("1")}}), "view unknown_key");
  EXPECT_EQ(fault({{"view", {}}}), "view unknown_key");
  EXPECT_EQ(fault({{"content_id", number("2147483648")}}), "content_id out_of_range");
  EXPECT_EQ(fault({{"content_id", number("0")}}), "content_id out_of_range");
  EXPECT_EQ(fault({{"platform", number("1")}}), "platform wrong_type");
  EXPECT_EQ(fault({{"platform", string("You Tube")}}), "platform bad_platform");
  EXPECT_EQ(fault({{"platform", string(std::string(33, 'a'))}}), "platform bad_platform");
  EXPECT_EQ(fault({{"platform", string("x")}}), "none");
  EXPECT_EQ(fault({{"source", string("guess")}}), "source bad_source");
  EXPECT_EQ(fault({{"captured_at", number("5")}}), "captured_at wrong_type");
  EXPECT_EQ(fault({{"captured_at", string("yesterday")}}), "captured_at bad_timestamp");
  EXPECT_EQ(fault({{"captured_at", string("2025-06-01T00:00:00Z")}}), "none");
  EXPECT_EQ(fault({{"captured_at", string("2025-06-01T00:00:00.000001Z")}}), "captured_at in_future");
  EXPECT_EQ(fault({{"followers_gained", number("-2147483648")}}), "followers_gained out_of_range");
  EXPECT_EQ(fault({{"revenue", number("99999999.99")}}), "none");
  EXPECT_EQ(fault({{"revenue", number("0.500")}}), "none");
  EXPECT_EQ(fault({{"revenue", number("100000000")}}), "revenue out_of_range");
  EXPECT_EQ(fault({{"revenue", number("1.234")}}), "revenue out_of_range");
  EXPECT_EQ(fault({{"revenue", number("-0.01")}}), "revenue negative");
  EXPECT_EQ(fault({{"revenue", string("1e3")}}), "revenue wrong_type");
  EXPECT_EQ(fault({{"views", number("-1")}, {"likes", number("x")}}), "views negative");  // the first counts
}
