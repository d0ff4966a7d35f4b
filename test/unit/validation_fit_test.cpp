#include "core/validation/fit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/text/entities.hpp"
#include "core/text/graphemes.hpp"
#include "core/text/url_characters.hpp"
#include "core/text/utf8.hpp"

namespace {

using namespace nexus::validation;
using nexus::text::Dialect;

struct Case {
  const char *slug;
  Dialect dialect;
  Unit unit;
  double max;
};

class Fitting : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    Rule rule;
    rule.rule_id = "caption";
    rule.field = Field::caption;
    rule.kind = RuleKind::text_length;
    rule.unit = GetParam().unit;
    rule.max = GetParam().max;
    rule.source = "a test";
    rules.add_platform(GetParam().slug, "P", {});
    rules.add_rule(GetParam().slug, rule);
  }

  Fit fit() { return {rules, *rules.find(GetParam().slug), Field::caption, {}}; }

  /// A fault if the text may not be cut at this byte.
  static std::string fault_of_cut(const std::string &text, std::size_t at) {
    if (at == 0 || at >= text.size()) return "";
    auto breaks = nexus::text::grapheme_breaks(text);
    auto before = std::count_if(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at),
                                [](char c) { return !nexus::text::is_continuation(c); });
    if (!std::binary_search(breaks.begin(), breaks.end(), static_cast<std::int32_t>(before))) return "inside a cluster";
    for (const auto &entity : nexus::text::entities(text, GetParam().dialect))
      if (entity.start.byte < static_cast<std::int32_t>(at) && static_cast<std::int32_t>(at) < entity.end.byte)
        return "inside " + entity.value;
    return "";
  }

  /// The parts; none for a text with a link (of X or the platform, those that overlap as one) longer than a part may
  /// be.
  static std::vector<std::string> split(const Fit &limits, const std::string &text, bool numbered) {
    try {
      return limits.split(text, numbered);
    } catch (const nexus::Error &error) {
      EXPECT_STREQ(error.sqlstate(), "22023");
    }
    auto links = nexus::text::entities(text, Dialect::x), more = nexus::text::entities(text, GetParam().dialect);
    links.insert(links.end(), more.begin(), more.end());
    std::sort(links.begin(), links.end(), [](const auto &a, const auto &b) { return a.start.byte < b.start.byte; });
    bool too_long = false;
    std::int32_t start = 0, end = 0;
    for (const auto &link : links) {
      if (link.start.byte >= end) start = link.start.byte;
      end = std::max(end, link.end.byte);
      auto size = static_cast<std::size_t>(end - start);
      // A mark before and after may belong to the same cluster.
      too_long = too_long || limits.remaining(text.substr(static_cast<std::size_t>(start), size)) < 12;
    }
    EXPECT_TRUE(too_long) << text;
    return {};
  }

  RuleSet rules;
};

const std::string kPieces[] = {"word",
                               "another",
                               "a",
                               "é",
                               "e\u0301",
                               "日本語",
                               "한국",
                               "กำ",
                               "क्षत्रिय",
                               "👍🏽",
                               "👨\u200D👩\u200D👧",
                               "🇩🇪",
                               "1\uFE0F\u20E3",
                               "\r\n",
                               "\n\n",
                               "\u0600",
                               "\u3000",
                               "...",
                               "(",
                               ")",
                               "#tag",
                               "#日本語",
                               "#a·b",
                               "#CaféLife",
                               "@ann",
                               "@ann@example.social",
                               "@ann/list",
                               "@ann.bsky.social",
                               "$AAPL",
                               "https://example.com/a_(b)?q=1",
                               "http://localhost/a",
                               "example.com",
                               "example.com/path",
                               "me@example.com",
                               "https://例え.jp/日本"};

std::string random_text(std::mt19937 &random) {
  std::string text;
  bool spaced = random() % 4 != 0;
  for (auto n = random() % 60; n > 0; --n) {
    text += kPieces[random() % std::size(kPieces)];
    if (spaced && random() % 5 != 0) text += random() % 12 == 0 ? "  " : " ";
  }
  return text;
}

std::string without_space(std::string_view text) {
  std::string kept;
  for (std::size_t at = 0; at < text.size();) {
    auto character = nexus::text::decode_at(text, at);
    if (!nexus::text::is_x_space(character.code)) kept += text.substr(at, character.size);
    at += character.size;
  }
  return kept;
}

TEST_P(Fitting, TruncatedTextIsABeginningThatFits) {
  std::mt19937 random(11);
  Fit limits = fit();
  for (int round = 0; round < 1500; ++round) {
    std::string text = random_text(random), cut = limits.truncated(text);
    ASSERT_GE(limits.remaining(cut), 0) << text;
    if (limits.remaining(text) >= 0) {
      ASSERT_EQ(cut, text);
      continue;
    }
    ASSERT_TRUE(cut.ends_with("…")) << text;
    std::string kept = cut.substr(0, cut.size() - std::string("…").size());
    bool apart = kept.ends_with(" ") && (!text.starts_with(kept) || !fault_of_cut(text, kept.size()).empty() ||
                                         fault_of_cut(text, kept.size() - 1).empty());
    if (apart) kept.pop_back();
    ASSERT_TRUE(text.starts_with(kept)) << text << "\n" << cut;
    ASSERT_EQ(fault_of_cut(text, kept.size()), "") << text << "\n" << cut;
    // What was a link is the same link still.
    std::string before, after;
    for (const auto &entity : nexus::text::entities(text, GetParam().dialect))
      if (entity.end.byte <= static_cast<std::int32_t>(kept.size())) before += entity.value + " ";
    for (const auto &entity : nexus::text::entities(cut, GetParam().dialect)) after += entity.value + " ";
    ASSERT_EQ(after.substr(0, before.size()), before) << text << "\n" << cut;
  }
}

TEST_P(Fitting, PartsFitAndJoinBack) {
  std::mt19937 random(12);
  int split_texts = 0;
  Fit limits = fit();
  for (int round = 0; round < 1500; ++round) {
    std::string text = random_text(random);
    std::size_t at = 0;
    std::vector<std::string> parts = split(limits, text, false);
    split_texts += parts.size() > 1 ? 1 : 0;
    if (parts.empty()) continue;
    for (const std::string &part : parts) {
      ASSERT_GE(limits.remaining(part), 0) << text;
      // Only white space that would be a part of its own is left out.
      std::size_t next = text.find(part, at);
      ASSERT_NE(next, std::string::npos) << text;
      ASSERT_EQ(without_space(std::string_view(text).substr(at, next - at)), "") << text;
      at = next + part.size();
      ASSERT_EQ(fault_of_cut(text, at), "") << text;
    }
    ASSERT_EQ(without_space(std::string_view(text).substr(at)), "") << text;
  }
  EXPECT_GT(split_texts, 500);
}

TEST_P(Fitting, NumberedPartsFitAndHoldTheText) {
  std::mt19937 random(13);
  int split_texts = 0;
  Fit limits = fit();
  for (int round = 0; round < 1500; ++round) {
    std::string text = random_text(random), joined;
    auto parts = split(limits, text, true);
    split_texts += parts.size() > 1 ? 1 : 0;
    if (parts.empty()) continue;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      ASSERT_GE(limits.remaining(parts[i]), 0) << text;
      std::string number = " (" + std::to_string(i + 1) + "/" + std::to_string(parts.size()) + ")";
      if (parts.size() > 1) {
        ASSERT_TRUE(parts[i].ends_with(number)) << parts[i];
        parts[i].resize(parts[i].size() - number.size());
      }
      joined += parts[i];
    }
    ASSERT_EQ(without_space(joined), without_space(text));
  }
  EXPECT_GT(split_texts, 500);
}

INSTANTIATE_TEST_SUITE_P(Platforms, Fitting,
                         testing::Values(Case{"x", Dialect::x, Unit::weighted, 60},
                                         Case{"threads", Dialect::x, Unit::utf8_bytes, 90},
                                         Case{"bluesky", Dialect::bluesky, Unit::graphemes, 60},
                                         Case{"mastodon", Dialect::mastodon, Unit::mastodon, 60},
                                         Case{"telegram", Dialect::x, Unit::utf16, 70},
                                         Case{"linkedin", Dialect::x, Unit::codepoint, 80}),
                         [](const auto &info) { return std::string(info.param.slug); });

}  // namespace
