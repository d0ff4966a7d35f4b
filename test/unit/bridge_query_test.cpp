#include "bridge/http/query.hpp"

#include <gtest/gtest.h>

#include <string>

#include "bridge/http/error.hpp"
#include "bridge/http/prefer.hpp"

namespace nexus::bridge {
namespace {

int status_of(const std::string &text, bool arguments_allowed = true) {
  try {
    parse_query(text, arguments_allowed);
  } catch (const HttpError &error) {
    return error.status;
  }
  return 200;
}

TEST(BridgeQuery, ArgumentsAndFiltersLiveTogether) {
  const Query query = parse_query("id=5&id=gt.2&name=not.ilike.*a*&version=1.2", true);
  EXPECT_EQ(query.arguments, (Pairs{{"id", "5"}, {"version", "1.2"}}));
  ASSERT_EQ(query.rows.where.size(), 2U);
  EXPECT_EQ(query.rows.where[0].op, "gt");
  EXPECT_EQ(query.rows.where[0].value, "2");
  EXPECT_TRUE(query.rows.where[1].negated);
}

TEST(BridgeQuery, APostTakesFiltersOnly) {
  EXPECT_EQ(status_of("id=eq.5", false), 200);
  EXPECT_EQ(status_of("id=5", false), 400);
}

TEST(BridgeQuery, SelectOrderPaging) {
  const Query query =
      parse_query("select=id,who:data->author->>name,*&order=id.desc.nullslast,name&limit=5&offset=2", true);
  ASSERT_EQ(query.rows.select.size(), 3U);
  EXPECT_EQ(query.rows.select[1].label, "who");
  ASSERT_EQ(query.rows.select[1].field.path.size(), 2U);
  EXPECT_FALSE(query.rows.select[1].field.path[0].as_text);
  EXPECT_EQ(query.rows.select[1].field.path[1].key, "name");
  EXPECT_TRUE(query.rows.order[0].descending);
  EXPECT_EQ(query.rows.order[0].nulls_first, false);
  EXPECT_EQ(query.rows.limit, 5);
  EXPECT_EQ(query.rows.offset, 2);
}

TEST(BridgeQuery, LogicTrees) {
  const Query query = parse_query("or=(a.eq.1,not.and(b.gt.2,c.in.(1,\"x,y\")),d.eq.\"(\")", true);
  ASSERT_EQ(query.rows.where.size(), 1U);
  const Condition &tree = query.rows.where[0];
  EXPECT_EQ(tree.kind, Condition::Kind::kOr);
  ASSERT_EQ(tree.parts.size(), 3U);
  EXPECT_TRUE(tree.parts[1].negated);
  EXPECT_EQ(tree.parts[1].parts[1].value, "(1,\"x,y\")");
  EXPECT_EQ(tree.parts[2].value, "(");
}

TEST(BridgeQuery, QuotedValuesInLogicTrees) {
  const Query query = parse_query("or=(a.eq.%22x,%20)%5C%22%5C%5Cy%22,b.in.(%221,2%22,3))", true);
  ASSERT_EQ(query.rows.where.size(), 1U);
  ASSERT_EQ(query.rows.where[0].parts.size(), 2U);
  EXPECT_EQ(query.rows.where[0].parts[0].value, "x, )\"\\y");
  EXPECT_EQ(query.rows.where[0].parts[1].value, "(\"1,2\",3)");
}

TEST(BridgeQuery, AFilterAmongArguments) {
  const Query query = parse_query("id=5&id=gt.2&when=not.is.null&word=equal.to&fts=fts(english).cat", true);
  ASSERT_EQ(query.arguments.size(), 2U);
  EXPECT_EQ(query.arguments[0].second, "5");
  EXPECT_EQ(query.arguments[1].second, "equal.to");
  ASSERT_EQ(query.rows.where.size(), 3U);
  EXPECT_TRUE(query.rows.where[1].negated);
  EXPECT_EQ(query.rows.where[2].language, "english");
}

TEST(BridgeQuery, BadSyntaxIsTold) {
  for (const char *text : {"or=()", "or=a.eq.1", "or=(a)", "order=id.up", "select=a::text", "select=tasks(name)",
                           "limit=x", "select=:a", "select=a->"}) {
    EXPECT_EQ(status_of(text), 400) << text;
  }
  EXPECT_EQ(status_of("limit=-1"), 416);
  std::string deep = "a.eq.1";
  for (int i = 0; i < 1000; ++i) deep = "and(" + deep + ")";
  EXPECT_EQ(status_of("or=(" + deep + ")"), 400);
}

TEST(BridgeQuery, RangesNarrow) {
  RowQuery rows;
  apply_range("10-19", rows);
  EXPECT_EQ(rows.offset, 10);
  EXPECT_EQ(rows.limit, 10);
  rows = RowQuery();
  rows.limit = 5;
  apply_range("2-", rows);
  EXPECT_EQ(rows.offset, 2);
  EXPECT_EQ(rows.limit, 3);
  rows = RowQuery();
  apply_range("bytes=0-1", rows);
  EXPECT_FALSE(rows.limit);
  EXPECT_THROW(apply_range("3-2", rows), HttpError);
}

TEST(BridgePrefer, StrictRefusesUnknownWords) {
  const Preferences lenient = parse_preferences({"count=exact, tx=rollback", "handling=lenient, whatever"});
  EXPECT_TRUE(lenient.count_exact);
  EXPECT_EQ(applied_preferences(lenient, true), "count=exact, tx=rollback, handling=lenient");
  EXPECT_EQ(applied_preferences(lenient, false), "count=exact, handling=lenient");
  try {
    parse_preferences({"handling=strict, one", "two, max-affected=x"});
    FAIL();
  } catch (const HttpError &error) {
    EXPECT_EQ(error.code, "PGRST122");
    EXPECT_EQ(*error.details, "Invalid preferences: one, two, max-affected=x");
  }
}

}  // namespace
}  // namespace nexus::bridge
