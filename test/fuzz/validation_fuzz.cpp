// The judge of drafts, the row limits and the JSON of findings, over rules of every kind and unit. The input is cut at
// NUL bytes: rule limits first, then the draft's texts, which are made valid UTF-8, as the core is promised.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/validation/judge.hpp"
#include "core/validation/limits.hpp"

namespace {

using namespace nexus::validation;

std::string valid_utf8(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size();) {
    auto lead = static_cast<unsigned char>(bytes[i]);
    std::size_t length = lead < 0x80                   ? 1
                         : lead >= 0xC2 && lead < 0xE0 ? 2
                         : lead >= 0xE1 && lead < 0xED ? 3
                         : lead >= 0xF1 && lead < 0xF4 ? 4
                                                       : 0;
    bool good = length > 0 && i + length <= bytes.size();
    for (std::size_t j = 1; good && j < length; ++j) good = (static_cast<unsigned char>(bytes[i + j]) & 0xC0) == 0x80;
    text.append(good ? std::string(bytes.substr(i, length)) : std::string(1, static_cast<char>(lead & 0x7F)));
    i += good ? length : 1;
  }
  return text;
}

const RuleSet &all_kinds(double max) {
  static RuleSet rules;
  rules = RuleSet();
  rules.add_platform("p", "P", {});
  int number = 0;
  auto add = [&](Rule rule) {
    rule.rule_id = std::to_string(number++);
    rule.max = max;
    rule.list = {"<>", "image/*", "text"};
    rules.add_rule("p", rule);
  };
  for (int unit = static_cast<int>(Unit::codepoint); unit <= static_cast<int>(Unit::mastodon); ++unit) {
    for (Field field : {Field::title, Field::caption, Field::description, Field::alt_text})
      add({.field = field, .kind = RuleKind::text_length, .unit = static_cast<Unit>(unit)});
    add({.field = Field::hashtags, .kind = RuleKind::tag_length, .unit = static_cast<Unit>(unit)});
    add({.field = Field::hashtags, .kind = RuleKind::tags_length, .unit = static_cast<Unit>(unit)});
  }
  for (Field field : {Field::hashtags, Field::mentions, Field::urls, Field::cashtags})
    add({.field = field, .kind = RuleKind::entity_count});
  for (int kind = static_cast<int>(RuleKind::media_count); kind <= static_cast<int>(RuleKind::thread_parts); ++kind)
    add({.field = Field::media, .kind = static_cast<RuleKind>(kind)});
  add({.field = Field::caption, .kind = RuleKind::characters});
  return rules;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size < 2) return 0;
  double max = data[0];
  std::string input(reinterpret_cast<const char *>(data + 1), size - 1);
  std::vector<std::string> texts;
  for (std::size_t from = 0; from <= input.size() && texts.size() < 8;) {
    std::size_t end = std::min(input.find('\0', from), input.size());
    texts.push_back(valid_utf8(std::string_view(input).substr(from, end - from)));
    from = end + 1;
  }
  texts.resize(8);
  Draft draft;
  draft.caption = texts[0];
  if (!texts[1].empty()) draft.title = texts[1];
  if (!texts[2].empty()) draft.description = texts[2];
  draft.hashtags = {texts[3], texts[4]};
  draft.media = {
      Media{.media_type = texts[5], .mime_type = texts[6], .alt_text = texts[7], .width = max, .height = 1.0}};
  draft.thread = {Part{.caption = texts[3], .media = {}}};
  std::vector<Finding> findings;
  check_title("title", texts[1], findings);
  check_tags("hashtags", draft.hashtags, findings);
  check_url("url", texts[2], findings);
  const RuleSet &rules = all_kinds(max);
  Judge(rules, draft, {}).platform(*rules.find("p"), findings);
  for (const Finding &finding : findings) {
    bool placed = finding.start_char.has_value();
    if (placed && (*finding.start_char < 0 || !finding.end_char || *finding.end_char < *finding.start_char))
      std::abort();
    if (finding.code.ends_with("too_long") && placed && *finding.start_char == *finding.end_char) std::abort();
    if (finding.field.empty() || finding.message.empty()) std::abort();
  }
  if (to_json(findings).size() < 2) std::abort();
  return 0;
}
