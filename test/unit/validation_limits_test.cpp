#include "core/validation/limits.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace nexus::validation;

std::string title_code(const std::string &title) {
  std::vector<Finding> findings;
  check_title("title", title, findings);
  return findings.empty() ? std::string() : findings[0].code;
}

std::string repeat(const std::string &text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(Limits, Titles) {
  EXPECT_EQ(title_code("t"), "");
  EXPECT_EQ(title_code(""), "title.empty");
  EXPECT_EQ(title_code(" \t\u00a0\u2003\u200b\ufeff"), "title.empty");
  EXPECT_EQ(title_code(repeat("👍🏽", 500)), "");
  EXPECT_EQ(title_code(repeat("👍🏽", 501)), "title.too_long");
  EXPECT_EQ(title_code("e" + repeat("\u0301", 9000)), "title.too_long");  // one grapheme, but of 18 kB
}

TEST(Limits, Tags) {
  std::vector<Finding> findings;
  EXPECT_TRUE(check_tag_count("tags", kMaxTags, findings));
  EXPECT_FALSE(check_tag_count("tags", kMaxTags + 1, findings));
  ASSERT_EQ(findings.size(), 1u);
  findings.clear();
  std::string longest = repeat("é", 100), too_long = repeat("é", 101);
  check_tags("tags", {"ok", longest, too_long, "", "#", "a\x01"}, findings);
  std::string codes;
  for (const auto &finding : findings) codes += finding.code + "@" + finding.field + " ";
  EXPECT_EQ(codes, "tags.too_long@tags[2] tags.empty@tags[3] tags.empty@tags[4] tags.characters@tags[5] ");
}

TEST(Limits, WebAddresses) {
  for (const char *good : {"http://a", "https://a.example/b?c=d#e", "HtTpS://[::1]:80/", "https://例え.テスト/"})
    EXPECT_TRUE(is_web_url(good)) << good;
  for (const char *bad :
       {"", "http://", "https:///x", "http:/a", "http:a", "javascript:alert(1)", "\x01https://a", "https://a\n",
        "https://a b", "https://a\\@b", "https://a'\"", "https://@", "https://user@", "mailto:a@b", "https://.a"})
    EXPECT_FALSE(is_web_url(bad)) << bad;
  EXPECT_FALSE(is_web_url("https://a/" + std::string(kMaxUrlBytes, 'x')));
}

TEST(Limits, Unseen) {
  auto codes = [](const char *text) {
    std::vector<Finding> findings;
    check_unseen("thread[1].caption", text, findings);
    std::string all;
    for (const auto &finding : findings)
      all += finding.code + "@" + std::to_string(finding.start_char.value_or(-1)) + " ";
    return all;
  };
  EXPECT_EQ(codes("plain é … 👨\u200D👩\u200D👧 \u200F"), "");
  EXPECT_EQ(codes("é\u202Ex\u2066"), "caption.bidi_controls@1 ");
  EXPECT_EQ(codes("a\u200B\u2069"), "caption.bidi_controls@2 caption.invisible@1 ");
  EXPECT_EQ(codes("\uFEFF"), "caption.invisible@0 ");
}

TEST(Limits, Lines) {
  auto code = [](const std::string &line) {
    std::vector<Finding> findings;
    check_line("name", line, findings);
    return findings.empty() ? std::string() : findings[0].code;
  };
  EXPECT_EQ(code(""), "");
  EXPECT_EQ(code(repeat("é", 500)), "");
  EXPECT_EQ(code(repeat("é", 501)), "name.too_long");
  EXPECT_EQ(code(std::string(5000000, 'x')), "name.too_long");
}

TEST(Limits, FileReferences) {
  for (const char *good : {"https://a.example/b", "uploads/a.png", "/a.png", "a", "a..b/c", "例/え.png", "a?b=c"})
    EXPECT_TRUE(is_file_reference(good)) << good;
  for (const char *bad : {"", "javascript:alert(1)", "data:text/html,x", "C:a", "//evil.example/a", "..", "../a",
                          "a/../b", "a/..", "a b", "a\nb", "a\\b", "a\"b", "http://"})
    EXPECT_FALSE(is_file_reference(bad)) << bad;
  EXPECT_FALSE(is_file_reference(std::string(kMaxUrlBytes + 1, 'x')));
}

TEST(Limits, Metadata) {
  auto codes = [](const JsonShape &shape) {
    std::vector<Finding> findings;
    check_metadata("metadata", shape, findings);
    std::string text;
    for (const auto &finding : findings) text += finding.code + " ";
    return text;
  };
  EXPECT_EQ(codes({true, 65536, 64, 1000}), "");
  EXPECT_EQ(codes({false, 10, 1, 0}), "metadata.not_object ");
  EXPECT_EQ(codes({true, 65537, 0, 0}), "metadata.too_large ");
  EXPECT_EQ(codes({true, 10, 65, 1001}), "metadata.too_deep metadata.too_many_keys ");
}

}  // namespace
