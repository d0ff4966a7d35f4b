#include "core/hashtags/batch.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/text/normalize.hpp"

namespace nexus::hashtags {

namespace {

bool is_tag(std::string_view canonical) {
  bool has_letter = false;
  for (std::size_t at = 0; at < canonical.size();) {
    utf8proc_int32_t code = 0;
    auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t *>(canonical.data() + at),
                                 static_cast<utf8proc_ssize_t>(canonical.size() - at), &code);
    if (size <= 0) return false;
    switch (utf8proc_category(code)) {
      case UTF8PROC_CATEGORY_ND:
      case UTF8PROC_CATEGORY_PC:
        break;
      case UTF8PROC_CATEGORY_LU:
      case UTF8PROC_CATEGORY_LL:
      case UTF8PROC_CATEGORY_LT:
      case UTF8PROC_CATEGORY_LM:
      case UTF8PROC_CATEGORY_LO:
      case UTF8PROC_CATEGORY_MN:
      case UTF8PROC_CATEGORY_MC:
      case UTF8PROC_CATEGORY_ME:
      case UTF8PROC_CATEGORY_NL:
        has_letter = true;
        break;
      default:
        return false;
    }
    at += static_cast<std::size_t>(size);
  }
  return has_letter;
}

// Empty for what is no hashtag.
std::string canonical_of(std::string_view tag) {
  if (tag.size() > kMaxTagBytes) return {};
  std::string canonical = text::canonical_hashtag(tag);
  if (!is_tag(canonical) || canonical.size() > kMaxTagBytes) canonical.clear();
  return canonical;
}

}  // namespace

bool is_hashtag(std::string_view tag) {
  return !canonical_of(tag).empty();
}

std::vector<Tag> check_tags(const std::vector<std::string_view> &tags) {
  if (tags.size() > kMaxTagsPerPost)
    throw Error("54000", "a post has " + std::to_string(tags.size()) + " hashtags, more than " +
                             std::to_string(kMaxTagsPerPost));
  std::vector<Tag> checked;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    std::string canonical = canonical_of(tags[i]);
    if (canonical.empty())
      throw Error("22023", "hashtags[" + std::to_string(i + 1) + "] is not a hashtag")
          .hint("A hashtag is letters, digits and underscores, with a letter among them, of at most " +
                std::to_string(kMaxTagBytes) + " bytes.");
    if (!seen.insert(canonical).second) continue;
    std::string spelling = text::nfc(tags[i]);
    for (std::string_view sign : {"#", "＃", "﹟"})
      if (spelling.compare(0, sign.size(), sign) == 0) {
        spelling.erase(0, sign.size());
        break;
      }
    checked.push_back({std::move(canonical), std::move(spelling)});
  }
  return checked;
}

std::int32_t hour_of(std::int64_t microseconds) {
  constexpr std::int64_t kHour = 3600000000;
  return static_cast<std::int32_t>(microseconds / kHour - (microseconds % kHour < 0 ? 1 : 0));
}

std::int32_t week_of(std::int32_t hour) {
  return hour / 168 - (hour % 168 < 0 ? 1 : 0);
}

std::string tag_key(std::uint32_t tag) {
  return feature_key(kTag, std::to_string(tag));
}

std::string category_key(std::string_view platform, std::string_view niche) {
  return feature_key(kCategory, std::string(platform) + "\n" + std::string(niche));
}

namespace {

template <class Counts>  // a list that may be changed, or not
auto place_of(Counts &counts, std::uint32_t tag) {
  return std::lower_bound(counts.begin(), counts.end(), tag,
                          [](const TagCount &entry, std::uint32_t wanted) { return entry.tag < wanted; });
}

void count_tag(std::vector<TagCount> &counts, std::uint32_t tag) {
  auto place = place_of(counts, tag);
  if (place == counts.end() || place->tag != tag) place = counts.insert(place, {tag, 0});
  ++place->posts;
}

}  // namespace

std::uint32_t FeatureCounts::posts_with(std::uint32_t tag) const {
  auto place = place_of(tags, tag);
  return place == tags.end() || place->tag != tag ? 0 : place->posts;
}

void Batch::add(LearnedPost post) {
  auto count = [&](const std::string &key, const Term *term) {
    FeatureCounts &feature = features_[key];
    ++feature.posts;
    for (std::uint32_t tag : post.tags) count_tag(feature.tags, tag);
    if (term == nullptr) return;
    // Posts mostly arrive in order; one that committed late finds its place.
    Posting posting{post.post, term->count, post.length};
    auto place = feature.postings.end();
    while (place != feature.postings.begin() && std::prev(place)->post > post.post) --place;
    feature.postings.insert(place, posting);
  };
  if (posts_.count(post.post) != 0) return;
  for (const Term &term : post.terms) count(feature_key(kWord, term.word), &term);
  if (!post.niche.empty()) count(feature_key(kNiche, post.niche), nullptr);
  if (!post.platform.empty()) count(feature_key(kPlatform, post.platform), nullptr);
  if (!post.platform.empty() && !post.niche.empty()) count(category_key(post.platform, post.niche), nullptr);
  std::int32_t hour = hour_of(post.posted_at);
  auto count_author = [&](TagCounts &tag) {
    if (!post.has_author) {
      ++tag.anonymous[hour];
      return;
    }
    AuthorUse &use = tag.authors[post.author];
    use.last_hour = use.posts == 0 ? hour : std::max(use.last_hour, hour);
    ++use.posts;
  };
  count_author(tags_[kAnyTag]);
  for (std::size_t i = 0; i < post.tags.size(); ++i) {
    TagCounts &tag = tags_[post.tags[i]];
    ++tag.posts;
    count_author(tag);
    ++tag.spellings[post.spellings[i]];
    if (post.lift) {
      tag.lift_sum += *post.lift;
      ++tag.lift_posts;
    }
    if (post.tags.size() < 2) continue;
    FeatureCounts &others = features_[tag_key(post.tags[i])];
    ++others.posts;
    for (std::uint32_t other : post.tags)
      if (other != post.tags[i]) count_tag(others.tags, other);
  }
  length_sum_ += post.length;
  posts_.emplace(post.post, std::move(post));
}

std::vector<const Batch::Features::value_type *> Batch::sorted_features() const {
  std::vector<const Features::value_type *> sorted;
  sorted.reserve(features_.size());
  for (const auto &entry : features_) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(), [](const auto *a, const auto *b) { return a->first < b->first; });
  return sorted;
}

const FeatureCounts *Batch::feature(const std::string &key) const {
  auto found = features_.find(key);
  return found == features_.end() ? nullptr : &found->second;
}

const TagCounts *Batch::tag(std::uint32_t key) const {
  auto found = tags_.find(key);
  return found == tags_.end() ? nullptr : &found->second;
}

}  // namespace nexus::hashtags
