#include "bridge/http/consistency.hpp"

#include <gtest/gtest.h>

namespace nexus::bridge {
namespace {

TEST(BridgeConsistency, PositionsAreReadAsTheyAreWritten) {
  for (const std::uint64_t position : {std::uint64_t{0}, std::uint64_t{0x16B374D848}, ~std::uint64_t{0}}) {
    EXPECT_EQ(parse_position(position_text(position)), position);
  }
  EXPECT_EQ(position_text(0x16B374D848), "16/B374D848");
  EXPECT_EQ(parse_position("16/b374d848"), 0x16B374D848U);
}

TEST(BridgeConsistency, TheGuardStandsBehindBeginAndGoesAgain) {
  Script script;
  script.stages.push_back({{"BEGIN", {}}});
  script.stages.push_back({{"COMMIT", {}}});
  guard_position(script);
  EXPECT_EQ(script.stages.size(), 2U);  // nothing to wait for
  script.since = 0x100000002;
  guard_position(script);
  ASSERT_EQ(script.stages.size(), 3U);
  EXPECT_EQ(script.stages[1].statement.parameters[0].value, "1/2");
  EXPECT_FALSE(script.stages[1].wanted);
  unguard_position(script);
  ASSERT_EQ(script.stages.size(), 2U);
  EXPECT_EQ(script.stages[1].statement.sql, "COMMIT");
}

}  // namespace
}  // namespace nexus::bridge
