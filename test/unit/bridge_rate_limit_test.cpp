#include "bridge/http/rate_limit.hpp"

#include <gtest/gtest.h>

namespace nexus::bridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const RateLimiter::Clock::time_point kStart{seconds(1000)};

TEST(BridgeRateLimit, ABurstAndThenTheRate) {
  RateLimiter limiter({2, 3});
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(limiter.take("a", kStart));
  EXPECT_EQ(limiter.take("a", kStart), milliseconds(500));
  EXPECT_EQ(limiter.take("a", kStart + milliseconds(499)), milliseconds(1));
  EXPECT_FALSE(limiter.take("a", kStart + milliseconds(500)));
  EXPECT_EQ(limiter.take("a", kStart + milliseconds(500)), milliseconds(500));
}

TEST(BridgeRateLimit, InTheLongRunExactlyTheRate) {
  RateLimiter limiter({10, 5});
  int passed = 0;
  for (int ms = 0; ms < 100000; ms += 7) passed += limiter.take("a", kStart + milliseconds(ms)) ? 0 : 1;
  EXPECT_NEAR(passed, 1004, 1);
}

TEST(BridgeRateLimit, CallersDoNotShare) {
  RateLimiter limiter({1, 1});
  EXPECT_FALSE(limiter.take("a", kStart));
  EXPECT_FALSE(limiter.take("b", kStart));
  EXPECT_TRUE(limiter.take("a", kStart));
}

TEST(BridgeRateLimit, NoRateIsNoLimit) {
  RateLimiter limiter({0, 1});
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(limiter.take("a", kStart));
  EXPECT_EQ(limiter.size(), 0U);
}

TEST(BridgeRateLimit, MemoryIsBounded) {
  RateLimiter limiter({1, 1}, 1600);
  for (int i = 0; i < 100000; ++i) limiter.take(std::to_string(i), kStart);
  EXPECT_LE(limiter.size(), 1600U);
}

TEST(BridgeRateLimit, OnlyTrustedProxiesNameTheClient) {
  const std::vector<std::string> proxies{"10.0.0.1", "10.0.0.2"};
  EXPECT_EQ(client_address("192.0.2.1", "1.2.3.4", proxies), "192.0.2.1");
  EXPECT_EQ(client_address("10.0.0.1", "1.2.3.4, 192.0.2.9, 10.0.0.2", proxies), "192.0.2.9");
  EXPECT_EQ(client_address("10.0.0.1", "", proxies), "10.0.0.1");
  EXPECT_EQ(client_address("10.0.0.1", "10.0.0.2", proxies), "10.0.0.1");
}

}  // namespace
}  // namespace nexus::bridge
