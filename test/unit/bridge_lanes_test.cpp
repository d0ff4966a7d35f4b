#include "bridge/pg/lanes.hpp"

#include <gtest/gtest.h>

namespace nexus::bridge::pg {
namespace {

using Pace = Lanes::Pace;

Lanes::Time ms(int count) {
  return Lanes::Time(count * 1000);
}

TEST(BridgeLanes, WhatIsNotKnownIsNeither) {
  Lanes lanes;
  EXPECT_EQ(lanes.pace("a"), Pace::kUnknown);
  lanes.took("a", ms(1));
  EXPECT_EQ(lanes.pace("a"), Pace::kFast);
  EXPECT_EQ(lanes.pace("b"), Pace::kUnknown);
}

TEST(BridgeLanes, OneThatTookLongMakesItSlowAtOnce) {
  Lanes lanes;
  lanes.took("a", ms(1));
  lanes.took("a", ms(500));
  EXPECT_EQ(lanes.pace("a"), Pace::kSlow);
}

TEST(BridgeLanes, OneThatWasHeldUpALittleDoesNot) {
  Lanes lanes;
  lanes.took("a", ms(1));
  lanes.took("a", ms(40));
  EXPECT_EQ(lanes.pace("a"), Pace::kFast);
  for (int i = 0; i < 4; ++i) lanes.took("a", ms(40));
  EXPECT_EQ(lanes.pace("a"), Pace::kSlow);  // they all are
}

TEST(BridgeLanes, TheFirstOfAConnectionSaysNothingUnlessItTakesVeryLong) {
  Lanes lanes;
  lanes.took("a", ms(200), true);
  EXPECT_EQ(lanes.pace("a"), Pace::kUnknown);
  lanes.took("a", ms(1));
  lanes.took("a", ms(200), true);
  EXPECT_EQ(lanes.pace("a"), Pace::kFast);
  lanes.took("a", ms(400), true);
  EXPECT_EQ(lanes.pace("a"), Pace::kSlow);
}

TEST(BridgeLanes, WhatIsFastAgainBecomesSo) {
  Lanes lanes;
  lanes.took("a", ms(100));
  EXPECT_EQ(lanes.pace("a"), Pace::kSlow);
  for (int i = 0; i < 6; ++i) lanes.took("a", ms(1));
  EXPECT_EQ(lanes.pace("a"), Pace::kFast);
}

}  // namespace
}  // namespace nexus::bridge::pg
