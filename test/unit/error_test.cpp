#include "core/error.hpp"

#include <gtest/gtest.h>

TEST(Error, KeepsAllFields) {
  try {
    throw nexus::Error("NX010", "bad rule").detail("A detail.").hint("A hint.");
  } catch (const nexus::Error &error) {
    EXPECT_STREQ(error.sqlstate(), "NX010");
    EXPECT_STREQ(error.what(), "bad rule");
    EXPECT_EQ(error.detail(), "A detail.");
    EXPECT_EQ(error.hint(), "A hint.");
  }
}
