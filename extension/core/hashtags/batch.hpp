#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/hashtags/blocks.hpp"
#include "core/hashtags/tokens.hpp"

namespace nexus::hashtags {

/// A tag as an author wrote it, without its sign, and the form that all its spellings share.
struct Tag {
  std::string canonical;
  std::string spelling;
};

constexpr std::size_t kMaxTagBytes = 400;
constexpr std::size_t kMaxTagsPerPost = 100;

/// True for what check_tags takes.
///
///     is_hashtag("#Flood")
///     !is_hashtag("2024")
bool is_hashtag(std::string_view tag);

/// Checks the tags of a post and brings them into canonical form; a leading '#' is dropped, repetitions are dropped.
/// A tag is letters, marks, digits and underscores with a letter or mark among them; anything else is 22023.
///
///     check_tags({"#Flood", "flood", "Climate_Action"}) -> flood (Flood), climate_action (Climate_Action)
std::vector<Tag> check_tags(const std::vector<std::string_view> &tags);

/// What the posts of a word or of a niche have in common.
struct FeatureCounts {
  std::uint64_t posts = 0;
  std::vector<TagCount> tags;     // posts with both, ascending by tag
  std::vector<Posting> postings;  // empty for a niche

  /// The posts with both, 0 for a tag that is not there.
  std::uint32_t posts_with(std::uint32_t tag) const;
};

/// The hour of a time in microseconds, counted like it; a week is 168 of them.
///
///     hour_of(7200000000) == 2
std::int32_t hour_of(std::int64_t microseconds);
std::int32_t week_of(std::int32_t hour);

/// How often an author has used a tag, and in which hour last.
struct AuthorUse {
  std::uint64_t posts = 0;
  std::int32_t last_hour = 0;
  bool operator==(const AuthorUse &) const = default;
};

/// What is known of a tag itself.
struct TagCounts {
  std::uint64_t posts = 0;
  std::map<std::int32_t, std::uint32_t> anonymous;  // by hour: a post without an author is an author of its own
  std::map<std::int64_t, AuthorUse> authors;
  std::map<std::string, std::uint64_t> spellings;
  std::int64_t lift_sum = 0, lift_posts = 0;  // see LearnedPost
};

/// Stands for all posts, whatever tags they have: of it only the authors are counted.
constexpr std::uint32_t kAnyTag = 0;

/// One learned post with its tags resolved to numbers.
struct LearnedPost {
  std::uint64_t post = 0;
  std::int64_t posted_at = 0;  // microseconds
  bool has_author = false;
  std::int64_t author = 0;
  std::string niche, platform;  // folded; empty where unknown
  std::uint32_t length = 0;
  std::vector<Term> terms;
  std::vector<std::uint32_t> tags;
  std::vector<std::string> spellings;  // as long as tags
  std::optional<std::int32_t> lift;    // in millionths: how far the post did better than its author's usual one
};

/// The first letter of a feature's key says what it is.
constexpr char kWord = 'w', kNiche = 'n', kPlatform = 'p', kTag = 't', kCategory = 'c';
inline std::string feature_key(char kind, std::string_view name) {
  return kind + std::string(name);
}

/// A niche on a platform: both names, with a line feed between them.
std::string category_key(std::string_view platform, std::string_view niche);
/// Of a tag the number: its feature counts the other tags of its posts.
std::string tag_key(std::uint32_t tag);

/// Counts over a set of posts: what a fold adds to the tables, and what a reader adds to what it has read from them.
///
///     Batch batch;
///     batch.add(post);
///     batch.feature("wflood")->posts
class Batch {
 public:
  void add(LearnedPost post);

  std::uint64_t posts() const { return posts_.size(); }
  std::uint64_t length_sum() const { return length_sum_; }

  using Features = std::unordered_map<std::string, FeatureCounts>;
  /// In no order.
  const Features &features() const { return features_; }
  /// The same, ascending by the bytes of their keys.
  std::vector<const Features::value_type *> sorted_features() const;
  const FeatureCounts *feature(const std::string &key) const;
  const std::map<std::uint32_t, TagCounts> &tags() const { return tags_; }
  const TagCounts *tag(std::uint32_t key) const;
  const std::map<std::uint64_t, LearnedPost> &all_posts() const { return posts_; }
  bool contains(std::uint64_t post) const { return posts_.count(post) != 0; }

 private:
  std::uint64_t length_sum_ = 0;
  Features features_;
  std::map<std::uint32_t, TagCounts> tags_;
  std::map<std::uint64_t, LearnedPost> posts_;
};

}  // namespace nexus::hashtags
