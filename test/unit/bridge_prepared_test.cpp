#include "bridge/pg/prepared.hpp"

#include <gtest/gtest.h>

namespace nexus::bridge::pg {
namespace {

Statement statement(const std::string &sql, std::uint32_t type = 0) {
  Statement made{sql, {}};
  made.bind("x", type);
  return made;
}

TEST(BridgePrepared, KnownOnTheSecondUse) {
  PreparedStatements prepared(10);
  const auto first = prepared.use(statement("SELECT $1"));
  EXPECT_FALSE(first.known);
  EXPECT_TRUE(prepared.use(statement("SELECT $1")).known);
  EXPECT_EQ(prepared.use(statement("SELECT $1")).name, first.name);
  EXPECT_FALSE(prepared.use(statement("SELECT $1", 23)).known);  // another type, another statement
  prepared.forget(first.name);
  const auto again = prepared.use(statement("SELECT $1"));
  EXPECT_FALSE(again.known);
  EXPECT_NE(again.name, first.name);
}

TEST(BridgePrepared, TheLeastUsedGoes) {
  PreparedStatements prepared(2);
  const auto a = prepared.use(statement("a"));
  prepared.use(statement("b"));
  prepared.use(statement("a"));
  EXPECT_FALSE(prepared.evict());
  prepared.use(statement("c"));
  EXPECT_NE(prepared.evict(), a.name);
  EXPECT_FALSE(prepared.evict());
  EXPECT_TRUE(prepared.use(statement("a")).known);
  EXPECT_FALSE(prepared.use(statement("b")).known);
}

}  // namespace
}  // namespace nexus::bridge::pg
