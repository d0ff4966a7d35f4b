#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nexus::validation {

enum class Severity : std::uint8_t { info, warning, error };

/// What a rule looks at. `info` is a fact that a draft cannot be judged by: kept, listed, never judged.
enum class RuleKind : std::uint8_t {
  info,
  text_length,      ///< length of a text field in `unit`
  tag_length,       ///< length of each hashtag
  tags_length,      ///< sum of the lengths of the draft's tags; a tag with white space costs `white_space_cost` more
  characters,       ///< characters (`list[0]`) that a text must not contain
  entity_count,     ///< hashtags, mentions, links or cashtags of a post
  media_count,      ///< media of the kind `when_media`
  media_mix,        ///< images and videos in one post are refused
  media_mime,       ///< MIME types in `list`; `image/*` takes any image
  media_bytes,      ///< file size
  media_duration,   ///< seconds
  media_aspect,     ///< width / height
  media_dimension,  ///< pixels; `unit` says of what
  content_type,     ///< content types in `list`
  thread_parts,     ///< parts of a thread, the first included
};

enum class Field : std::uint8_t {
  title,
  caption,
  description,
  script,
  alt_text,
  hashtags,
  mentions,
  urls,
  cashtags,
  media,
  content_type,
  thread,
  other,
};

enum class Unit : std::uint8_t {
  none,
  codepoint,
  utf16,
  utf8_bytes,
  graphemes,
  weighted,  ///< twitter-text's weight
  mastodon,  ///< graphemes with links as 23 and remote handles without their host
  width,
  height,
  long_side,
  short_side,
  width_plus_height,
  area,
};

/// For media rules the kind of media that is judged, for all others what must be attached. An image is a still or a
/// GIF.
enum class MediaFilter : std::uint8_t { all, none, any, image, still, gif, video, audio, document, thumbnail };

/// One row of nexus.platform_rules.
struct Rule {
  std::string rule_id = {};
  Field field = Field::other;
  std::string content_type = {};  ///< empty: for all
  MediaFilter when_media = MediaFilter::all;
  RuleKind kind = RuleKind::info;
  Unit unit = Unit::none;
  std::optional<double> min = {}, max = {};
  std::vector<std::string> list = {};
  double white_space_cost = 0;
  Severity severity = Severity::error;
  std::string source = {};
  std::int32_t valid_from = std::numeric_limits<std::int32_t>::min();  ///< days of the same count as `today`
  std::int32_t valid_to = std::numeric_limits<std::int32_t>::max();    ///< the last day
};

/// What replaces parts of a rule for everybody, one user or one account (a Mastodon server with a limit of its own).
struct Override {
  std::string rule_id = {};
  std::optional<double> min = {}, max = {};
  std::vector<std::string> list = {};     ///< empty: as in the rule
  std::optional<Severity> severity = {};  ///< as in the rule if not given
  bool off = false;                       ///< the rule does not apply
};

struct Platform {
  std::string slug, name;
  std::vector<Rule> rules;
};

enum class OverrideScope : std::uint8_t { all, user, account };

/// The rules of all platforms, compiled for judging. Build with add_platform, add_rule and add_override, then read
/// only.
///
///     RuleSet rules;
///     rules.add_platform("x", "X", {"twitter"});
///     rules.add_rule("x", {.rule_id = "x.caption.length", .field = Field::caption, .kind = RuleKind::text_length,
///                          .unit = Unit::weighted, .max = 280});
///     rules.find("twitter")->slug   // "x"
class RuleSet {
 public:
  void add_platform(std::string slug, std::string name, const std::vector<std::string> &aliases);
  void add_rule(std::string_view platform, Rule rule);
  void add_override(OverrideScope scope, std::string_view scope_id, Override entry);

  const std::vector<Platform> &platforms() const { return platforms_; }

  /// By slug or alias, in any case; nullptr when there is none.
  const Platform *find(std::string_view name) const;

  /// The overrides of a scope; nullptr when it has none.
  const std::vector<Override> *overrides(OverrideScope scope, std::string_view scope_id) const;
  bool has_overrides() const { return !overrides_.empty(); }

  /// Whether some platform has rules for this content type.
  bool knows_content_type(std::string_view type) const;

  /// "bluesky, discord, ..." for hints.
  std::string slugs() const;

 private:
  std::vector<Platform> platforms_;
  std::unordered_map<std::string, std::size_t> names_;
  std::unordered_map<std::string, std::vector<Override>> overrides_;
  std::vector<std::string> content_types_;
};

/// The words of nexus.platform_rules. An unknown kind, condition or severity is 22023; fields and units that nothing is
/// judged by (rate, posts_per_day) are `other` and `none`.
RuleKind parse_kind(std::string_view word);
Field parse_field(std::string_view word);
Unit parse_unit(std::string_view word);
MediaFilter parse_filter(std::string_view word);
Severity parse_severity(std::string_view word);
std::string_view name(Severity severity);
std::string_view name(Field field);

}  // namespace nexus::validation
