#include "core/validation/rules.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/error.hpp"

namespace nexus::validation {

namespace {

template <class T>
using Words = std::pair<std::string_view, T>;

constexpr std::array kKinds = {
    Words<RuleKind>{"info", RuleKind::info},
    Words<RuleKind>{"text_length", RuleKind::text_length},
    Words<RuleKind>{"tag_length", RuleKind::tag_length},
    Words<RuleKind>{"tags_length", RuleKind::tags_length},
    Words<RuleKind>{"characters", RuleKind::characters},
    Words<RuleKind>{"entity_count", RuleKind::entity_count},
    Words<RuleKind>{"media_count", RuleKind::media_count},
    Words<RuleKind>{"media_mix", RuleKind::media_mix},
    Words<RuleKind>{"media_mime", RuleKind::media_mime},
    Words<RuleKind>{"media_bytes", RuleKind::media_bytes},
    Words<RuleKind>{"media_duration", RuleKind::media_duration},
    Words<RuleKind>{"media_aspect", RuleKind::media_aspect},
    Words<RuleKind>{"media_dimension", RuleKind::media_dimension},
    Words<RuleKind>{"content_type", RuleKind::content_type},
    Words<RuleKind>{"thread_parts", RuleKind::thread_parts},
};

constexpr std::array kFields = {
    Words<Field>{"title", Field::title},
    Words<Field>{"caption", Field::caption},
    Words<Field>{"description", Field::description},
    Words<Field>{"script", Field::script},
    Words<Field>{"alt_text", Field::alt_text},
    Words<Field>{"hashtags", Field::hashtags},
    Words<Field>{"mentions", Field::mentions},
    Words<Field>{"urls", Field::urls},
    Words<Field>{"cashtags", Field::cashtags},
    Words<Field>{"media", Field::media},
    Words<Field>{"content_type", Field::content_type},
    Words<Field>{"thread", Field::thread},
};

constexpr std::array kUnits = {
    Words<Unit>{"codepoint", Unit::codepoint},
    Words<Unit>{"utf16", Unit::utf16},
    Words<Unit>{"utf8_bytes", Unit::utf8_bytes},
    Words<Unit>{"graphemes", Unit::graphemes},
    Words<Unit>{"weighted", Unit::weighted},
    Words<Unit>{"mastodon", Unit::mastodon},
    Words<Unit>{"width", Unit::width},
    Words<Unit>{"height", Unit::height},
    Words<Unit>{"long_side", Unit::long_side},
    Words<Unit>{"short_side", Unit::short_side},
    Words<Unit>{"width_plus_height", Unit::width_plus_height},
    Words<Unit>{"area", Unit::area},
};

constexpr std::array kFilters = {
    Words<MediaFilter>{"none", MediaFilter::none},
    Words<MediaFilter>{"any", MediaFilter::any},
    Words<MediaFilter>{"image", MediaFilter::image},
    Words<MediaFilter>{"still", MediaFilter::still},
    Words<MediaFilter>{"gif", MediaFilter::gif},
    Words<MediaFilter>{"video", MediaFilter::video},
    Words<MediaFilter>{"audio", MediaFilter::audio},
    Words<MediaFilter>{"document", MediaFilter::document},
    Words<MediaFilter>{"thumbnail", MediaFilter::thumbnail},
};

constexpr std::array kSeverities = {
    Words<Severity>{"info", Severity::info},
    Words<Severity>{"warning", Severity::warning},
    Words<Severity>{"error", Severity::error},
};

template <class T, std::size_t N>
T parse(const std::array<Words<T>, N> &words, std::string_view word, const char *what) {
  for (const auto &[name, value] : words)
    if (name == word) return value;
  throw invalid_argument(std::string(what) + " \"" + std::string(word) + "\" is not known");
}

template <class T, std::size_t N>
std::string_view word_of(const std::array<Words<T>, N> &words, T value) {
  for (const auto &[name, entry] : words)
    if (entry == value) return name;
  return "other";
}

std::string lower_ascii(std::string_view text) {
  std::string lower(text);
  for (char &c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

std::string scope_key(OverrideScope scope, std::string_view scope_id) {
  std::string key(1, static_cast<char>('0' + static_cast<int>(scope)));
  return key.append(scope_id);
}

}  // namespace

void RuleSet::add_platform(std::string slug, std::string name, const std::vector<std::string> &aliases) {
  names_.emplace(lower_ascii(slug), platforms_.size());
  for (const auto &alias : aliases) names_.emplace(lower_ascii(alias), platforms_.size());
  platforms_.push_back({std::move(slug), std::move(name), {}});
}

void RuleSet::add_rule(std::string_view platform, Rule rule) {
  auto found = names_.find(lower_ascii(platform));
  if (found == names_.end())
    throw invalid_argument("rule " + rule.rule_id + " is for platform \"" + std::string(platform) +
                           "\", which is not in nexus.platforms");
  Platform &target = platforms_[found->second];
  if (rule.kind == RuleKind::content_type)
    for (const auto &type : rule.list)
      if (!knows_content_type(type)) content_types_.push_back(type);
  if (rule.kind != RuleKind::info) target.rules.push_back(std::move(rule));  // nothing is judged by those
}

void RuleSet::add_override(OverrideScope scope, std::string_view scope_id, Override entry) {
  overrides_[scope_key(scope, scope_id)].push_back(std::move(entry));
}

const Platform *RuleSet::find(std::string_view name) const {
  auto found = names_.find(lower_ascii(name));
  return found == names_.end() ? nullptr : &platforms_[found->second];
}

const std::vector<Override> *RuleSet::overrides(OverrideScope scope, std::string_view scope_id) const {
  if (overrides_.empty()) return nullptr;
  auto found = overrides_.find(scope_key(scope, scope_id));
  return found == overrides_.end() ? nullptr : &found->second;
}

bool RuleSet::knows_content_type(std::string_view type) const {
  return std::find(content_types_.begin(), content_types_.end(), type) != content_types_.end();
}

std::string RuleSet::slugs() const {
  std::vector<std::string_view> sorted;
  for (const auto &platform : platforms_) sorted.push_back(platform.slug);
  std::sort(sorted.begin(), sorted.end());
  std::string text;
  for (auto slug : sorted) text.append(text.empty() ? "" : ", ").append(slug);
  return text;
}

RuleKind parse_kind(std::string_view word) {
  return parse(kKinds, word, "rule kind");
}
Field parse_field(std::string_view word) {
  for (const auto &[name, value] : kFields)
    if (name == word) return value;
  return Field::other;
}
Unit parse_unit(std::string_view word) {
  for (const auto &[name, value] : kUnits)
    if (name == word) return value;
  return Unit::none;
}
MediaFilter parse_filter(std::string_view word) {
  return parse(kFilters, word, "media condition");
}
Severity parse_severity(std::string_view word) {
  return parse(kSeverities, word, "severity");
}
std::string_view name(Severity severity) {
  return word_of(kSeverities, severity);
}
std::string_view name(Field field) {
  return word_of(kFields, field);
}

}  // namespace nexus::validation
