#include "core/validation/judge.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/error.hpp"
#include "core/validation/media.hpp"

namespace {

using namespace nexus::validation;

Rule text_rule(const char *id, Field field, Unit unit, double max, Severity severity = Severity::error) {
  Rule rule;
  rule.rule_id = id;
  rule.field = field;
  rule.kind = RuleKind::text_length;
  rule.unit = unit;
  rule.max = max;
  rule.severity = severity;
  rule.source = "a test";
  return rule;
}

Rule media_rule(const char *id, RuleKind kind, MediaFilter filter, std::optional<double> min,
                std::optional<double> max) {
  Rule rule;
  rule.rule_id = id;
  rule.field = Field::media;
  rule.kind = kind;
  rule.when_media = filter;
  rule.min = min;
  rule.max = max;
  return rule;
}

class Judging : public testing::Test {
 protected:
  void SetUp() override { rules.add_platform("p", "P", {"alias"}); }

  std::vector<Finding> judge(const Draft &draft, Circumstances circumstances = {}) {
    std::vector<Finding> findings;
    Judge(rules, draft, circumstances).platform(*rules.find("p"), findings);
    return findings;
  }

  static std::string codes(const std::vector<Finding> &findings) {
    std::string text;
    for (const auto &finding : findings) text += (text.empty() ? "" : " ") + finding.code + "@" + finding.field;
    return text;
  }

  RuleSet rules;
};

TEST(RuleSet, FindsByAliasInAnyCase) {
  RuleSet rules;
  rules.add_platform("x", "X", {"twitter"});
  EXPECT_EQ(rules.find("Twitter"), rules.find("x"));
  EXPECT_EQ(rules.find("y"), nullptr);
  EXPECT_THROW(rules.add_rule("y", {}), nexus::Error);
  EXPECT_THROW(parse_kind("nonsense"), nexus::Error);
  EXPECT_EQ(parse_field("rate"), Field::other);
}

TEST_F(Judging, LengthAtTheLimitAndAbove) {
  rules.add_rule("p", text_rule("p.caption", Field::caption, Unit::utf16, 10));
  std::string five = "👍👍👍👍👍", six = five + "é";
  EXPECT_TRUE(judge({.caption = five}).empty());
  auto findings = judge({.caption = six});
  ASSERT_EQ(codes(findings), "caption.too_long@caption");
  EXPECT_EQ(findings[0].start_char, 5);
  EXPECT_EQ(findings[0].end_char, 6);
  EXPECT_EQ(findings[0].actual, 11);
  EXPECT_EQ(findings[0].allowed, 10);
  EXPECT_EQ(findings[0].rule_id, "p.caption");
  EXPECT_TRUE(judge({}).empty());
}

TEST_F(Judging, OverflowAgreesWithMeasuringEachPrefix) {
  std::string text = "a漢 é👨‍👩‍👧 https://example.com/x #tag 👍🏽\r\nक्षि @name 漢字";
  for (Unit unit : {Unit::codepoint, Unit::utf16, Unit::utf8_bytes, Unit::graphemes}) {
    for (std::int64_t max = 0; max < 60; ++max) {
      Text measured(text, nexus::Interrupt());
      if (measured.length(unit) <= max) continue;
      std::int32_t expected = 0;
      for (std::size_t end = 1; end <= text.size(); ++end) {
        if (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) continue;
        if (Text(std::string_view(text).substr(0, end), nexus::Interrupt()).length(unit) > max) break;
        ++expected;
      }
      EXPECT_EQ(measured.overflow_at(unit, max), expected) << static_cast<int>(unit) << " " << max;
    }
  }
}

TEST_F(Judging, OnlyTheMostSevereOfOneCodeStays) {
  rules.add_rule("p", text_rule("soft", Field::caption, Unit::codepoint, 1, Severity::warning));
  rules.add_rule("p", text_rule("hard", Field::caption, Unit::codepoint, 3));
  auto soft = judge({.caption = "ab"}), hard = judge({.caption = "abcd"});
  ASSERT_EQ(soft.size(), 1u);
  EXPECT_EQ(soft[0].rule_id, "soft");
  ASSERT_EQ(hard.size(), 1u);
  EXPECT_EQ(hard[0].rule_id, "hard");
}

TEST_F(Judging, DescriptionStandsForTheCaption) {
  rules.add_rule("p", text_rule("c", Field::caption, Unit::codepoint, 1));
  EXPECT_EQ(codes(judge({.description = "ab"})), "caption.too_long@description");
  Rule images = text_rule("d", Field::description, Unit::codepoint, 5);
  images.content_type = "image";
  rules.add_rule("p", images);
  EXPECT_EQ(codes(judge({.description = "ab", .content_type = "text"})), "caption.too_long@description");
  EXPECT_EQ(codes(judge({.description = "ab", .content_type = "image"})), "");
}

TEST_F(Judging, ConditionsOnMedia) {
  Rule bare = text_rule("bare", Field::caption, Unit::codepoint, 4),
       with = text_rule("with", Field::caption, Unit::codepoint, 2);
  bare.when_media = MediaFilter::none;
  with.when_media = MediaFilter::any;
  rules.add_rule("p", bare);
  rules.add_rule("p", with);
  Media thumbnail{.media_type = "thumbnail"}, image{.mime_type = "image/png"};
  EXPECT_TRUE(judge({.caption = "abcd", .media = {thumbnail}}).empty());
  auto findings = judge({.caption = "abc", .media = {image}});
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].rule_id, "with");
}

TEST_F(Judging, MediaFacts) {
  rules.add_rule("p", media_rule("bytes", RuleKind::media_bytes, MediaFilter::still, {}, 100));
  rules.add_rule("p", media_rule("seconds", RuleKind::media_duration, MediaFilter::video, 3, 60));
  rules.add_rule("p", media_rule("aspect", RuleKind::media_aspect, MediaFilter::video, 0.5625, 0.5625));
  Media image{.media_type = "image", .mime_type = "image/png", .file_size = 101};
  Media gif{.media_type = "image", .mime_type = "IMAGE/GIF", .file_size = 1000};
  Media video{.mime_type = "video/mp4", .width = 1080, .height = 1919, .duration = 2};
  EXPECT_EQ(codes(judge({.media = {image, gif, video}})),
            "media.too_large@media[0].file_size media.too_short@media[2].duration");
  EXPECT_EQ(codes(judge({.media = {Media{.media_type = "video", .duration = 5}}})), "media.unprobed@media[0]");
  Draft elsewhere{.media = {Media{.media_type = "video"}}, .complete = false};
  EXPECT_EQ(codes(judge(elsewhere)), "");
}

TEST_F(Judging, NothingIsMissingFromAPart) {
  Rule title = text_rule("title", Field::title, Unit::codepoint, 9);
  title.min = 1;
  rules.add_rule("p", title);
  rules.add_rule("p", media_rule("least", RuleKind::media_count, MediaFilter::all, 1, {}));
  EXPECT_EQ(codes(judge({.caption = "c"})), "title.missing@title media.missing@media");
  EXPECT_EQ(codes(judge({.caption = "c", .complete = false})), "");
  EXPECT_EQ(codes(judge({.title = "0123456789", .complete = false})), "title.too_long@title");
}

TEST_F(Judging, MimeLists) {
  EXPECT_TRUE(mime_in({"image/*"}, "image/avif"));
  EXPECT_TRUE(mime_in({"video/mp4"}, "VIDEO/MP4 ; codecs=avc1"));
  EXPECT_FALSE(mime_in({"image/*"}, "image/"));
  EXPECT_FALSE(mime_in({"video/mp4"}, "video/mp4x"));
}

TEST_F(Judging, EntitiesCountOnceBesideTheText) {
  Rule rule;
  rule.rule_id = "tags";
  rule.kind = RuleKind::entity_count;
  rule.field = Field::hashtags;
  rule.max = 2;
  rules.add_rule("p", rule);
  EXPECT_TRUE(judge({.caption = "#One #two", .hashtags = {"one", "#TWO"}}).empty());
  EXPECT_EQ(codes(judge({.caption = "#One", .hashtags = {"two", "three"}})), "hashtags.too_many@hashtags");
  auto findings = judge({.caption = "é #a #b #c"});
  ASSERT_EQ(codes(findings), "hashtags.too_many@caption");
  EXPECT_EQ(findings[0].start_char, 8);
  EXPECT_EQ(findings[0].end_char, 10);
}

TEST(Text, MightHoldIsNeverWrong) {
  for (const char *text :
       {"#a", "＃a", "@a", "＠a", "@a/list", "$A", "https://a.example", "a.com", "例え.com", "no sign", ""}) {
    Text measured{std::string_view(text), nexus::Interrupt()};
    for (const auto &entity : nexus::text::entities(text, nexus::text::Dialect::x))
      EXPECT_TRUE(measured.might_hold(entity.kind)) << text;
  }
  Text plain{std::string_view("nothing here"), nexus::Interrupt()};
  EXPECT_FALSE(plain.might_hold(nexus::text::EntityKind::hashtag));
}

TEST_F(Judging, PartsOfAThread) {
  rules.add_rule("p", text_rule("c", Field::caption, Unit::codepoint, 2));
  rules.add_rule("p", media_rule("least", RuleKind::media_count, MediaFilter::all, 1, {}));
  Rule one;
  one.rule_id = "one";
  one.kind = RuleKind::thread_parts;
  one.max = 1;
  rules.add_rule("p", one);
  Draft draft{.caption = "ab",
              .media = {Media{.media_type = "image"}},
              .thread = {Part{.caption = "ab"}, Part{.caption = "abc"}}};
  EXPECT_EQ(codes(judge(draft)), "thread.unsupported@thread caption.too_long@thread[1].caption");
}

TEST_F(Judging, OverridesAndDates) {
  rules.add_rule("p", text_rule("c", Field::caption, Unit::codepoint, 1));
  rules.add_override(OverrideScope::user, "u", {.rule_id = "c", .max = 2});
  rules.add_override(OverrideScope::account, "7", {.rule_id = "c", .max = 3});
  Draft draft{.caption = "abc"};
  EXPECT_EQ(judge(draft)[0].allowed, 1);
  EXPECT_EQ(judge(draft, {.user_id = "u"})[0].allowed, 2);
  EXPECT_TRUE(judge(draft, {.user_id = "u", .account_id = "7"}).empty());
  Rule later = text_rule("later", Field::title, Unit::codepoint, 1);
  later.valid_from = 100;
  later.valid_to = 200;
  rules.add_rule("p", later);
  Draft titled{.title = "ab"};
  for (auto [day, found] : {std::pair{99, 0u}, {100, 1u}, {200, 1u}, {201, 0u}})
    EXPECT_EQ(judge(titled, {.today = day}).size(), found) << day;
}

TEST_F(Judging, ContentTypes) {
  Rule rule;
  rule.kind = RuleKind::content_type;
  rule.list = {"video", "text"};
  rule.severity = Severity::warning;
  rules.add_rule("p", rule);
  EXPECT_EQ(codes(judge({.content_type = "post"})), "");
  EXPECT_EQ(codes(judge({.content_type = "story"})), "content_type.unknown@content_type");
  EXPECT_EQ(judge({.content_type = "story"})[0].severity, Severity::info);
  rules.add_platform("q", "Q", {});
  rule.list = {"story"};
  rules.add_rule("q", rule);
  EXPECT_EQ(codes(judge({.content_type = "story"})), "content_type.unsupported@content_type");
}

TEST(Findings, Json) {
  Finding finding;
  finding.code = "a\"b";
  finding.field = "tab\there";
  finding.actual = 0.5625;
  finding.start_char = 3;
  std::string object =
      R"({"code": "a\"b", "severity": "error", "field": "tab\u0009here", "start_char": 3, "actual": 0.5625})";
  EXPECT_EQ(to_json({finding, finding}), "[" + object + ", " + object + "]");
  EXPECT_EQ(to_json({}), "[]");
  EXPECT_EQ(number_text(0.5625), "0.5625");
  EXPECT_EQ(number_text(256000000000.0), "256000000000");
  EXPECT_EQ(number_text(1.91), "1.91");
}

}  // namespace
