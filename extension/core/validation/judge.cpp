#include "core/validation/judge.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "core/text/normalize.hpp"
#include "core/text/utf8.hpp"
#include "core/validation/judge_parts.hpp"

namespace nexus::validation {

namespace {

/// Drops a finding where a more severe one says the same of the same field.
void keep_most_severe(std::vector<Finding> &findings, std::size_t from) {
  if (findings.size() - from < 2) return;
  // A platform says few things of one draft, nearly always: pairs are compared. Many (bad media by the dozen) by a map.
  constexpr std::size_t kFew = 24;
  auto begin = findings.begin() + static_cast<std::ptrdiff_t>(from);
  if (findings.size() - from <= kFew) {
    auto outdone = [&](const Finding &finding) {
      return std::any_of(begin, findings.end(), [&](const Finding &other) {
        return other.severity > finding.severity && other.code == finding.code && other.field == finding.field;
      });
    };
    std::array<bool, kFew> gone{};
    bool any = false;
    for (std::size_t i = from; i < findings.size(); ++i) any |= gone[i - from] = outdone(findings[i]);
    if (!any) return;
    std::size_t kept = from;
    for (std::size_t i = from; i < findings.size(); ++i) {
      if (gone[i - from]) continue;
      if (kept != i) findings[kept] = std::move(findings[i]);
      ++kept;
    }
    findings.erase(findings.begin() + static_cast<std::ptrdiff_t>(kept), findings.end());
    return;
  }
  std::unordered_map<std::string, Severity> worst;
  auto key = [](const Finding &finding) { return finding.code + ' ' + finding.field; };
  for (std::size_t i = from; i < findings.size(); ++i) {
    Severity &severity = worst[key(findings[i])];
    severity = std::max(severity, findings[i].severity);
  }
  findings.erase(std::remove_if(begin, findings.end(),
                                [&](const Finding &finding) { return finding.severity < worst[key(finding)]; }),
                 findings.end());
}

/// Characters for a hint: printable ASCII as it is, all else as U+FEFF.
std::string shown(std::string_view characters) {
  std::string words;
  for (std::size_t at = 0; at < characters.size();) {
    text::Decoded character = text::decode_at(characters, at);
    if (character.code > 0x20 && character.code < 0x7F) {
      words += static_cast<char>(character.code);
    } else {
      char name[16];
      std::snprintf(name, sizeof name, "%sU+%04X", words.empty() ? "" : " ", static_cast<unsigned>(character.code));
      words += name;
    }
    at += character.size;
  }
  return words;
}

}  // namespace

Judge::Judge(const RuleSet &rules, const Draft &draft, Circumstances circumstances, Interrupt interrupt)
    : rules_(rules),
      draft_(draft),
      circumstances_(circumstances),
      interrupt_(interrupt),
      content_type_(judged_content_type(draft)),
      title_(draft.title, interrupt),
      caption_(draft.caption, interrupt),
      description_(draft.description, interrupt),
      script_(draft.script, interrupt) {
  for (const Part &part : draft.thread) thread_captions_.emplace_back(part.caption, interrupt);
  auto take = [&](OverrideScope scope, std::string_view id) {
    if (const auto *found = rules_.overrides(scope, id)) overrides_.push_back(found);
  };
  take(OverrideScope::all, "");
  if (circumstances.user_id) take(OverrideScope::user, *circumstances.user_id);
  if (circumstances.account_id) take(OverrideScope::account, *circumstances.account_id);
}

void Judge::platform(const Platform &platform, std::vector<Finding> &findings) {
  std::size_t from = findings.size();
  Target target{platform, findings, false, false, {}};
  std::vector<Post> posts;
  posts.reserve(draft_.thread.size() + 1);
  posts.push_back({"", &caption_, &draft_.media, true});
  for (std::size_t i = 0; i < draft_.thread.size(); ++i)
    posts.push_back({"thread[" + std::to_string(i) + "].", &thread_captions_[i], &draft_.thread[i].media, false});
  for (const Rule &rule : platform.rules) {
    if (rule.kind != RuleKind::text_length || !applies(rule, posts.front())) continue;
    target.takes_caption |= rule.field == Field::caption;
    target.takes_description |= rule.field == Field::description;
  }
  for (const Post &post : posts) {
    target.unprobed.assign(post.media->size(), Facts{});
    for (std::size_t i = 0; i < post.media->size(); ++i) target.unprobed[i].kind = !kind_known((*post.media)[i]);
    for (const Rule &rule : platform.rules) {
      interrupt_.poll();
      if (overrides_.empty()) {
        if (applies(rule, post)) judge_rule(target, rule, post);
        continue;
      }
      Rule effective = rule;
      bool off = false;
      for (const auto *list : overrides_) {
        for (const Override &entry : *list) {
          if (entry.rule_id != rule.rule_id) continue;
          if (entry.min) effective.min = entry.min;
          if (entry.max) effective.max = entry.max;
          if (!entry.list.empty()) effective.list = entry.list;
          if (entry.severity) effective.severity = *entry.severity;
          off = entry.off;
        }
      }
      if (!off && applies(effective, post)) judge_rule(target, effective, post);
    }
    report_unprobed(target, post);
  }
  keep_most_severe(findings, from);
}

bool Judge::applies(const Rule &rule, const Post &post) const {
  if (circumstances_.today < rule.valid_from || circumstances_.today > rule.valid_to) return false;
  if (!rule.content_type.empty() && rule.content_type != content_type_) return false;
  switch (rule.kind) {
    case RuleKind::media_count:
    case RuleKind::media_mime:
    case RuleKind::media_bytes:
    case RuleKind::media_duration:
    case RuleKind::media_aspect:
    case RuleKind::media_dimension:
      return true;  // there the condition picks the media that are judged
    default:
      return condition_holds(rule.when_media, *post.media);
  }
}

void Judge::judge_rule(Target &target, const Rule &rule, const Post &post) {
  switch (rule.kind) {
    case RuleKind::info:
      break;
    case RuleKind::text_length:
      if (rule.field == Field::alt_text)
        judge_alt_texts(target, rule, post);
      else
        judge_text(target, rule, post);
      break;
    case RuleKind::characters:
      judge_characters(target, rule, post);
      break;
    case RuleKind::tag_length:
    case RuleKind::tags_length:
      if (post.main) judge_tags(target, rule);
      break;
    case RuleKind::entity_count:
      judge_entities(target, rule, post);
      break;
    case RuleKind::media_count:
    case RuleKind::media_mix:
      judge_media_set(target, rule, post);
      break;
    case RuleKind::media_mime:
    case RuleKind::media_bytes:
    case RuleKind::media_duration:
    case RuleKind::media_aspect:
    case RuleKind::media_dimension:
      judge_media_facts(target, rule, post);
      break;
    case RuleKind::content_type:
      if (post.main) judge_content_type(target, rule);
      break;
    case RuleKind::thread_parts:
      if (post.main) judge_thread(target, rule);
      break;
  }
}

/// The text that a rule for `field` judges, and what the draft calls it.
std::pair<Text *, std::string_view> Judge::text_of(const Target &target, Field field, const Post &post) {
  switch (field) {
    case Field::title:
      return {post.main ? &title_ : nullptr, "title"};
    case Field::script:
      return {post.main ? &script_ : nullptr, "script"};
    case Field::caption:
      if (post.main && !caption_.given() && description_.given() && !target.takes_description)
        return {&description_, "description"};
      return {post.caption, "caption"};
    case Field::description:
      if (!description_.given() && post.caption->given() && !target.takes_caption) return {post.caption, "caption"};
      return {post.main ? &description_ : nullptr, "description"};
    default:
      return {nullptr, ""};
  }
}

void Judge::judge_text(Target &target, const Rule &rule, const Post &post) {
  auto [text, field] = text_of(target, rule.field, post);
  if (text == nullptr || (!text->given() && (!rule.min || !post.main || !draft_.complete))) return;
  bool measures = rule.max && !text->surely_within(rule.unit, *rule.max);
  if (!measures && !rule.min) return;
  auto fits = [&](double length) { return !(rule.max && length > *rule.max) && !(rule.min && length < *rule.min); };
  if (fits(static_cast<double>(text->length(rule.unit)))) return;
  std::string path = post.prefix + std::string(field);
  std::string code(name(rule.field));
  const std::string &platform = target.platform.name;
  if (measures) {
    auto length = static_cast<double>(text->length(rule.unit));
    if (length > *rule.max) {
      auto &finding = add(target.findings, target.platform, rule, code + ".too_long", path,
                          path + " has " + number_text(length) + " " + std::string(unit_words(rule.unit)) + ", " +
                              platform + " takes " + number_text(*rule.max) + " at most");
      finding.hint = "Shorten " + path + " by " + number_text(length - *rule.max) + ".";
      finding.start_char = text->overflow_at(rule.unit, static_cast<std::int64_t>(*rule.max));
      finding.end_char = static_cast<std::int32_t>(text->stats().codepoints);
      finding.actual = length;
      finding.allowed = rule.max;
    }
  }
  if (rule.min) {
    auto length = static_cast<double>(text->length(rule.unit));
    if (length < *rule.min) {
      auto &finding =
          length == 0
              ? add(target.findings, target.platform, rule, code + ".missing", path, platform + " needs a " + path)
              : add(target.findings, target.platform, rule, code + ".too_short", path,
                    path + " has " + number_text(length) + " " + std::string(unit_words(rule.unit)) + ", " + platform +
                        " takes " + number_text(*rule.min) + " at least");
      finding.hint = *rule.min == 1 ? "Write a " + path + "."
                                    : "Write a " + path + " of at least " + number_text(*rule.min) + " " +
                                          std::string(unit_words(rule.unit)) + ".";
      finding.actual = length;
      finding.allowed = rule.min;
    }
  }
}

void Judge::judge_characters(Target &target, const Rule &rule, const Post &post) {
  auto [text, field] = text_of(target, rule.field, post);
  if (text == nullptr || rule.list.empty()) return;
  std::int32_t at = 0;
  std::string_view body = text->body();
  auto leads = [body](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80 && body.find(c) != body.npos; };
  if (std::none_of(rule.list[0].begin(), rule.list[0].end(), leads)) return;  // of the first byte of each
  for (std::size_t i = 0, next = 0; i < body.size(); i = next, ++at) {
    next = i + 1;
    while (next < body.size() && (static_cast<unsigned char>(body[next]) & 0xC0) == 0x80) ++next;
    if (rule.list[0].find(body.substr(i, next - i)) == std::string::npos) continue;
    std::string path = post.prefix + std::string(field);
    auto &finding = add(target.findings, target.platform, rule, std::string(name(rule.field)) + ".characters", path,
                        path + " holds a character that " + target.platform.name + " does not take");
    finding.hint = "Leave out each of: " + shown(rule.list[0]);
    finding.start_char = at;
    finding.end_char = at + 1;
    return;
  }
}

void Judge::judge_tags(Target &target, const Rule &rule) {
  if (!rule.max) return;
  auto length = [&](std::string_view tag) {
    if (!tag.empty() && tag[0] == '#') tag.remove_prefix(1);
    if (static_cast<double>(tag.size()) + rule.white_space_cost <= *rule.max && rule.kind == RuleKind::tag_length)
      return std::int64_t{0};  // no unit has more than the bytes
    std::int64_t cost = length_in(text::text_stats(tag, interrupt_), rule.unit);
    if (tag.find_first_of(" \t\r\n") != std::string_view::npos)
      cost += static_cast<std::int64_t>(rule.white_space_cost);
    return cost;
  };
  auto too_long = [&](const std::string &path, double actual, const char *what = "") -> Finding & {
    auto &finding = add(target.findings, target.platform, rule, "hashtags.too_long", path,
                        what + path + " has " + number_text(actual) + " " + std::string(unit_words(rule.unit)) + ", " +
                            target.platform.name + " takes " + number_text(*rule.max) + " at most");
    finding.hint = rule.kind == RuleKind::tags_length ? "Use fewer or shorter tags." : "Use a shorter tag.";
    finding.actual = actual;
    finding.allowed = rule.max;
    return finding;
  };
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < draft_.hashtags.size(); ++i) {
    std::int64_t actual = length(draft_.hashtags[i]);
    sum += actual;
    if (rule.kind == RuleKind::tag_length && static_cast<double>(actual) > *rule.max)
      too_long("hashtags[" + std::to_string(i) + "]", static_cast<double>(actual));
  }
  if (rule.kind == RuleKind::tags_length) {
    if (static_cast<double>(sum) > *rule.max) too_long("hashtags", static_cast<double>(sum));
    return;
  }
  Text &body = caption_.given() ? caption_ : description_;
  for (const text::Span &tag : body.links(text::EntityKind::hashtag)) {
    std::int64_t actual = length(text::entity_value(body.body(), tag));
    if (static_cast<double>(actual) <= *rule.max) continue;
    auto &finding =
        too_long(caption_.given() ? "caption" : "description", static_cast<double>(actual), "a hashtag of ");
    finding.start_char = body.character_at(tag.start);
    finding.end_char = body.character_at(tag.end);
  }
}

void Judge::judge_entities(Target &target, const Rule &rule, const Post &post) {
  if (!rule.max) return;
  bool use_description = post.main && !caption_.given();
  Text &body = use_description ? description_ : *post.caption;
  text::EntityKind kind = rule.field == Field::mentions   ? text::EntityKind::mention
                          : rule.field == Field::urls     ? text::EntityKind::url
                          : rule.field == Field::cashtags ? text::EntityKind::cashtag
                                                          : text::EntityKind::hashtag;
  const std::vector<text::Span> &links = body.links(kind);
  auto count = static_cast<double>(links.size());
  std::optional<std::int32_t> start, end;
  if (count > *rule.max) {
    start = body.character_at(links[static_cast<std::size_t>(*rule.max)].start);
    end = body.character_at(links.back().end);
  }
  // Tags given beside the text are appended to it; those that stand in it already are not.
  if (rule.field == Field::hashtags && post.main && !draft_.hashtags.empty()) {
    std::unordered_set<std::string> in_text;
    for (const text::Span &tag : links) in_text.insert(text::canonical_hashtag(text::entity_value(body.body(), tag)));
    for (std::string_view tag : draft_.hashtags)
      if (in_text.insert(text::canonical_hashtag(tag)).second) ++count;
  }
  if (count <= *rule.max) return;
  std::string what(name(rule.field));
  std::string path = post.prefix + (start ? (use_description ? "description" : "caption") : what);
  if (what == "urls") what = "links";
  auto &finding = add(target.findings, target.platform, rule, std::string(name(rule.field)) + ".too_many", path,
                      "the post has " + number_text(count) + " " + what + ", " + target.platform.name + " takes " +
                          number_text(*rule.max) + " at most");
  finding.hint = "Leave out " + number_text(count - *rule.max) + " of the " + what + ".";
  finding.start_char = start;
  finding.end_char = end;
  finding.actual = count;
  finding.allowed = rule.max;
}

void Judge::judge_content_type(Target &target, const Rule &rule) {
  if (!draft_.content_type) return;
  if (!rules_.knows_content_type(content_type_)) {
    Rule unknown = rule;
    unknown.severity = Severity::info;
    auto &finding = add(target.findings, target.platform, unknown, "content_type.unknown", "content_type",
                        "no rule knows this content type, so nothing that depends on it was judged");
    finding.hint = target.platform.name + " takes: " + joined(rule.list);
    return;
  }
  if (std::find(rule.list.begin(), rule.list.end(), content_type_) != rule.list.end()) return;
  auto &finding = add(target.findings, target.platform, rule, "content_type.unsupported", "content_type",
                      target.platform.name + " takes no posts of type " + std::string(content_type_));
  finding.hint = "Use one of: " + joined(rule.list);
}

void Judge::judge_thread(Target &target, const Rule &rule) {
  auto parts = static_cast<double>(draft_.thread.size() + 1);
  if (!rule.max || parts <= *rule.max) return;
  bool none = *rule.max == 1;
  auto &finding = add(target.findings, target.platform, rule, none ? "thread.unsupported" : "thread.too_many", "thread",
                      none ? target.platform.name + " has no threads"
                           : "the thread has " + number_text(parts) + " parts, " + target.platform.name + " takes " +
                                 number_text(*rule.max) + " at most");
  finding.hint = none ? "Post each part by itself." : "Join or leave out parts.";
  finding.actual = parts;
  finding.allowed = rule.max;
}

}  // namespace nexus::validation
