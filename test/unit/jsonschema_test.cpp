#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "core/error.hpp"
#include "core/jsonschema/decimal.hpp"
#include "core/jsonschema/document.hpp"
#include "core/jsonschema/pattern.hpp"
#include "core/jsonschema/uri.hpp"
#include "core/jsonschema/validator.hpp"

namespace {

using namespace nexus::jsonschema;

std::deque<std::string> store;

Decimal decimal(const std::string &text) {
  return Decimal::parse(text, store);
}

std::string state(const std::string &expression) {
  try {
    return to_postgres(expression);
  } catch (const nexus::Error &error) {
    return error.sqlstate();
  }
}

class NoMatcher final : public Matcher {
 public:
  int add(std::string_view) override { return 0; }
  bool matches(int, std::string_view) override { return false; }
};

TEST(Decimal, OneFormForEachValue) {
  for (const char *text : {"100", "1e2", "100.00", "0.1E+3", "1000e-1"}) EXPECT_TRUE(decimal(text) == decimal("100"));
  for (const char *text : {"0", "-0", "0.000", "0e5"}) EXPECT_TRUE(decimal(text) == Decimal());
  EXPECT_TRUE(decimal("123456789012345678901234567890") == decimal("12345678901234567890123456789.0e1"));
  EXPECT_FALSE(decimal("1") == decimal("-1"));
}

TEST(Decimal, Order) {
  const char *ascending[] = {"-123456789012345678901",
                             "-12.5",
                             "-12.4",
                             "-0.001",
                             "0",
                             "1e-400",
                             "0.0011",
                             "9.99",
                             "10",
                             "10.000000000000000000001",
                             "123456789012345678901",
                             "1e400"};
  for (std::size_t i = 0; i < std::size(ascending); ++i)
    for (std::size_t j = 0; j < std::size(ascending); ++j) {
      int order = decimal(ascending[i]).compare(decimal(ascending[j]));
      EXPECT_EQ(order < 0, i < j) << ascending[i] << ' ' << ascending[j];
      EXPECT_EQ(order == 0, i == j) << ascending[i] << ' ' << ascending[j];
    }
}

TEST(Decimal, OrderOfDifferentLengths) {
  const char *ascending[] = {"-1080",
                             "-1000",
                             "-999.999",
                             "0.1",
                             "0.25",
                             "1",
                             "12.5",
                             "100",
                             "100.000000000000001",
                             "1080",
                             "1081",
                             "999999999999999999",
                             "1e18",
                             "1000000000000000001"};
  for (std::size_t i = 0; i < std::size(ascending); ++i)
    for (std::size_t j = 0; j < std::size(ascending); ++j)
      EXPECT_EQ(decimal(ascending[i]).compare(decimal(ascending[j])) < 0, i < j) << ascending[i] << ' ' << ascending[j];
}

TEST(Decimal, OfDigits) {
  EXPECT_TRUE(Decimal::of(false, 50, -2) == decimal("0.5"));
  EXPECT_TRUE(Decimal::of(true, 12340000, 4) == decimal("-123400000000"));
  EXPECT_TRUE(Decimal::of(true, 0, 7) == Decimal());
  EXPECT_TRUE(Decimal::of(false, 999999999999999999, -18) == decimal("0.999999999999999999"));
}

TEST(Decimal, Multiples) {
  EXPECT_TRUE(decimal("0.0075").is_multiple_of(decimal("0.0001")));
  EXPECT_FALSE(decimal("0.00751").is_multiple_of(decimal("0.0001")));
  EXPECT_TRUE(decimal("1e308").is_multiple_of(decimal("0.5")));
  EXPECT_FALSE(decimal("1e308").is_multiple_of(decimal("0.123456789")));
  EXPECT_TRUE(decimal("-999999999999999999").is_multiple_of(decimal("999999999999999999")));
  EXPECT_TRUE(decimal("0").is_multiple_of(decimal("3")));
  EXPECT_THROW(static_cast<void>(decimal("1").is_multiple_of(decimal("1.2345678901234567891"))), nexus::Error);
}

TEST(Decimal, Text) {
  for (const char *text : {"0", "-12.5", "0.001", "1200", "123456789012345678901.5"})
    EXPECT_EQ(decimal(text).text(), text);
  EXPECT_EQ(decimal("1e30").text(), "1E+30");
  EXPECT_EQ(decimal("1.5e-30").text(), "15E-31");
  std::int64_t value = 0;
  EXPECT_TRUE(decimal("-9.2e18").to_int64(value));
  EXPECT_EQ(value, -9200000000000000000);
  EXPECT_FALSE(decimal("1e19").to_int64(value));
  EXPECT_FALSE(decimal("0.5").to_int64(value));
}

TEST(Document, Pointers) {
  Document document;  // {"a/b": [true, {"": null}], "c~": 1}
  document.begin(Kind::object);
  document.key("a/b");
  document.begin(Kind::array);
  document.boolean(true);
  document.begin(Kind::object);
  document.key("");
  document.null();
  document.end();
  document.end();
  document.key("c~");
  document.number("1");
  document.end();
  for (const char *pointer : {"", "/a~1b", "/a~1b/0", "/a~1b/1/", "/c~0"})
    EXPECT_EQ(document.pointer(document.find(Document::kRoot, pointer)), pointer);
  for (const char *pointer : {"/a", "/a~1b/2", "/a~1b/00", "/a~1b/-", "/c~0/x", "c~0", "/a~1b/99999999999"})
    EXPECT_EQ(document.find(Document::kRoot, pointer), Document::kNone) << pointer;
}

TEST(Uri, ResolvesAsRfc3986Says) {
  const char *base = "http://a/b/c/d;p?q";
  EXPECT_EQ(resolve(base, "g"), "http://a/b/c/g");
  EXPECT_EQ(resolve(base, "./g/"), "http://a/b/c/g/");
  EXPECT_EQ(resolve(base, "/g"), "http://a/g");
  EXPECT_EQ(resolve(base, "//g"), "http://g");
  EXPECT_EQ(resolve(base, "?y"), "http://a/b/c/d;p?y");
  EXPECT_EQ(resolve(base, ""), base);
  EXPECT_EQ(resolve(base, "../../../g"), "http://a/g");
  EXPECT_EQ(resolve(base, ".."), "http://a/b/");
  EXPECT_EQ(resolve(base, "g:h"), "g:h");
  EXPECT_EQ(resolve("http://a", "b"), "http://a/b");
  EXPECT_EQ(resolve("", "b.json"), "b.json");
  EXPECT_EQ(split_fragment("a#b%25c%2").second, "b%c%2");
}

TEST(Pattern, Translates) {
  EXPECT_EQ(state("^\\d+$"), "^[0-9]+$");
  EXPECT_EQ(state("a{2,3}?b{"), "a{2,3}b\\{");
  EXPECT_EQ(state("[a-c\\]]"), "[\\U00000061-\\U00000063\\U0000005d]");
  EXPECT_EQ(state("é\\/"), "é\\U0000002f");
  for (const char *bad : {"(", ")", "[", "*", "(?x)", "\\q", "[z-a]", "[\\d-z]", "\\u{110000}", "\\x1", "\\c1", "\\"})
    EXPECT_EQ(state(bad), "2201B") << bad;
  for (const char *later : {"\\p{L}", "a{256}", "\\0", "\\ud800"}) EXPECT_EQ(state(later), "0A000") << later;
}

TEST(Pattern, Groups) {
  EXPECT_EQ(state("(?<a>b)\\k<a>"), "(b)(?:\\1)");
  EXPECT_EQ(state("(?:(a)|b)c"), "(?:(a)|b)c");
  for (const char *sure : {"(a)\\1", "(a|b)\\1", "(?:(a)\\1)*", "(?:x(a)){1,2}\\1", "(a)(?:b|\\1)", "((a)\\2)\\1",
                           "(a)*(b)\\2", "(a)|(b)\\2", "(?=a)(b)\\1"})
    EXPECT_EQ(state(sure).find("0A000"), std::string::npos) << sure;
  for (const char *unsure : {"(?:(a)|b)\\1", "(a)|\\1", "(a)?\\1", "(a)*\\1", "(?:(a)){0,3}\\1", "((a)|b)\\2",
                             "(?=(a))(b)\\2", "(a)(?=\\1)", "\\1(a)", "(a\\1)", "(?:(?:(a)b)?c)\\1", "\\k<a>(?<a>b)"})
    EXPECT_EQ(state(unsure), "0A000") << unsure;
  for (const char *bad : {"\\1", "(a)\\2", "\\99999999999", "\\k<a>", "(?<a>b)\\k<b>", "(?<a>b)(?<a>c)", "(?<>a)",
                          "(?<1>a)", "(?<a", "\\k"})
    EXPECT_EQ(state(bad), "2201B") << bad;
  EXPECT_EQ(state("[]"), "[^\\u0001-\\U0010ffff]");
  EXPECT_EQ(state("a[^]"), "a[\\u0001-\\U0010ffff]");
}

TEST(Schema, ReferencesThatNeverEnd) {
  Document schema;  // {"$ref": "#"}
  schema.begin(Kind::object);
  schema.key("$ref");
  schema.string("#");
  schema.end();
  NoMatcher matcher;
  Schema compiled(std::move(schema), Draft::draft2020_12, matcher, nexus::Interrupt());
  Document document;
  document.null();
  EXPECT_THROW(is_valid(compiled, document, nexus::Interrupt()), nexus::Error);
}

}  // namespace
