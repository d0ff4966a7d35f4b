#include <gtest/gtest.h>

#include <algorithm>

#include "bridge/pg/backoff.hpp"

namespace nexus::bridge::pg {
namespace {

TEST(BridgeBackoff, DoublesUpToItsLimitWithJitter) {
  Backoff backoff(std::chrono::milliseconds(1000));
  bool varied = false;
  for (int round = 0; round < 50; ++round) {
    backoff.reset();
    long long full = 100;
    for (int i = 0; i < 40; ++i) {
      const long long delay = backoff.next().count();
      EXPECT_GE(delay, full / 2);
      EXPECT_LE(delay, full);
      varied |= delay != full && delay != full / 2;
      full = std::min(full * 2, 1000LL);
    }
  }
  EXPECT_TRUE(varied);
}

}  // namespace
}  // namespace nexus::bridge::pg
