#include <gtest/gtest.h>

#include <string>

#include "bridge/http/error.hpp"
#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"
#include "bridge/http/url.hpp"

namespace nexus::bridge {
namespace {

std::string nested(int depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(BridgeJson, OutlineGivesKeysOnce) {
  const JsonOutline outline = outline_json(R"({"a": 1, "b": {"c": [1, 2]}, "a": 2})");
  EXPECT_EQ(outline.kind, JsonKind::kObject);
  EXPECT_EQ(outline.keys, (std::vector<std::string>{"a", "b"}));
}

TEST(BridgeJson, OnlyTheFirstObjectOfAnArrayCounts) {
  const JsonOutline outline = outline_json(R"([{"a": {"x": 1}}, {"b": 2}])");
  EXPECT_EQ(outline.kind, JsonKind::kArrayOfObjects);
  EXPECT_EQ(outline.keys, (std::vector<std::string>{"a"}));
  EXPECT_EQ(outline_json("[1, {\"a\": 1}]").kind, JsonKind::kOther);
  EXPECT_EQ(outline_json("[[]]").kind, JsonKind::kOther);
  EXPECT_EQ(outline_json("7").kind, JsonKind::kOther);
}

TEST(BridgeJson, DepthIsBoundedWithoutRecursion) {
  EXPECT_EQ(outline_json(nested(64)).kind, JsonKind::kOther);
  EXPECT_EQ(outline_json(nested(65)).kind, JsonKind::kTooDeep);
  EXPECT_EQ(outline_json(nested(100000)).kind, JsonKind::kTooDeep);
  EXPECT_EQ(outline_json(std::string(100000, '[')).kind, JsonKind::kTooDeep);
  EXPECT_FALSE(parse_json(nested(100000)));
}

TEST(BridgeJson, BrokenTextIsInvalid) {
  for (const char *text : {"", "{", "{\"a\"}", "}{ x = 2", "{\"a\": 1} x", "\"\xFF\"", "{\"a\": \"\xC3\x28\"}"}) {
    EXPECT_EQ(outline_json(text).kind, JsonKind::kInvalid) << text;
  }
}

TEST(BridgeJson, NothingStandsAroundTheText) {
  for (const std::string text : {std::string("{}\0\0", 4), std::string("[{}]\0x", 6), std::string("[{}\0]", 5)}) {
    EXPECT_EQ(outline_json(text).kind, JsonKind::kInvalid);
    EXPECT_FALSE(parse_json(text));
  }
  EXPECT_EQ(outline_json("\xEF\xBB\xBF[{}]").kind, JsonKind::kInvalid);
  EXPECT_EQ(outline_json(R"({"a": "\u0000"})").kind, JsonKind::kObject);
}

TEST(BridgeJson, PartsStandAsTheyWere) {
  const auto elements = json_elements(R"( [1.50, {"a": [1, 2]}, "x,]\"y" , [] ] )");
  ASSERT_EQ(elements.size(), 4U);
  EXPECT_EQ(elements[0], "1.50");
  EXPECT_EQ(elements[1], R"({"a": [1, 2]})");
  EXPECT_EQ(elements[2], R"("x,]\"y")");
  EXPECT_TRUE(json_elements("[ ]").empty());
  const auto members = json_members(R"({"a\u0062": {"c": 1} , "d\"": 2e5})");
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0].first, "ab");
  EXPECT_EQ(members[0].second, R"({"c": 1})");
  EXPECT_EQ(members[1].first, "d\"");
  EXPECT_EQ(members[1].second, "2e5");
}

TEST(BridgeJson, Utf8) {
  EXPECT_TRUE(is_utf8("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"));
  for (const char *text : {"\x80", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC3"}) {
    EXPECT_FALSE(is_utf8(text));
  }
}

TEST(BridgeJson, HeadersCannotBeSmuggled) {
  EXPECT_TRUE(header_is_clean("X-Test", "a; b"));
  EXPECT_FALSE(header_is_clean("X-Test", "a\r\nSet-Cookie: b"));
  EXPECT_FALSE(header_is_clean("X Test", "a"));
  EXPECT_FALSE(header_is_clean("", "a"));
}

TEST(BridgeUrl, Pairs) {
  EXPECT_EQ(parse_pairs("a=1&b=x%20y+z&c&&d=%E2%82%AC=2"),
            (Pairs{{"a", "1"}, {"b", "x y z"}, {"c", ""}, {"d", "\xE2\x82\xAC=2"}}));
  for (const char *text : {"a=%", "a=%4", "a=%zz", "a=%FF", "a=%00"}) EXPECT_THROW(parse_pairs(text), HttpError);
}

TEST(BridgeText, Numbers) {
  EXPECT_EQ(whole_number("-12"), -12);
  for (const char *text : {"", "1x", " 1", "99999999999999999999"}) EXPECT_FALSE(whole_number(text)) << text;
}

}  // namespace
}  // namespace nexus::bridge
