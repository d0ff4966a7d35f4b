// What a backend keeps of the hashtag model between calls.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/hashtags/batch.hpp"
#include "core/hashtags/relevance.hpp"
#include "core/hashtags/score.hpp"
#include "core/hashtags/variants.hpp"
#include "glue/hashtags_spi.hpp"

namespace nexus::pg {

/// The id under which an author is counted: equal for equal user ids, and no user id can be read from it.
std::int64_t author_of(std::string_view user_id);

/// Two of 128 bits for each hash: sets without a common hash have no common bits in one half most of the time.
using HashBits = std::array<std::uint64_t, 2>;
HashBits hash_bits(const std::vector<std::size_t> &hashes);

/// A niche or platform argument, folded; nothing where it is NULL or empty, 22023 where it is too long.
std::optional<std::string> hashtag_name_arg(FunctionCallInfo fcinfo, int index, const char *name);

/// What suggestions need of one tag.
struct StoredTag {
  std::int64_t checked = -1;  // the generation at which the row was last compared
  std::string canonical, display;
  std::vector<std::size_t> parts;  // hashes of its words
  std::uint64_t posts = 0, authors = 0;
  std::int64_t lift_sum = 0, lift_posts = 0;
  std::int64_t hours_checked = -1;  // likewise for the hours, which are those of weeks from first_week on
  std::int32_t first_week = 0;
  std::map<std::int32_t, std::int64_t> hours;
};

/// Who uses a tag, with what is not folded yet.
struct TagUse {
  std::uint64_t authors = 0;
  std::vector<hashtags::HourAuthors> hours;  // ascending
};

/// Read-only copies of rows of the model, and the counts of what is not folded yet.
///
/// open() looks at the caller's snapshot: a copy is used again only where its row's generation is the one that this
/// snapshot sees, so an old snapshot gets old counts. Folded and waiting posts together give the same sums in every
/// division. Posts of the own, unfinished transaction are seen for one call and then forgotten.
class HashtagStore {
 public:
  static HashtagStore &get();

  void open();
  hashtags::Corpus corpus() const;
  /// The counts of the given features, keys as feature_key() makes them; `postings` says which need their posts.
  std::vector<hashtags::Feature> features(const std::vector<std::string> &keys);
  void load_postings(std::vector<hashtags::Feature> &features, const std::vector<std::string> &keys,
                     const std::vector<bool> &wanted);
  /// Tags and niches of learned posts.
  void load_post_tags(const std::vector<hashtags::Neighbour> &neighbours);
  const std::vector<std::uint32_t> &post_tags(std::uint64_t post) const;
  const std::string &post_niche(std::uint64_t post) const;

  void load_tags(const std::vector<std::uint32_t> &tags);
  std::uint64_t tag_posts(std::uint32_t tag) const;
  const std::string &canonical(std::uint32_t tag) const;
  /// The share of the tag's words (of climate_action: climate, action) that are among the given hashes, sorted, with
  /// their hash_bits().
  double spelt(std::uint32_t tag, const std::vector<std::size_t> &words, const HashBits &bits) const;
  /// The most used spelling, and the sum of lifts with their number, with what is not folded.
  std::string display(std::uint32_t tag);
  std::pair<std::int64_t, std::int64_t> lift(std::uint32_t tag) const;
  /// Distinct authors and their hours from `first_hour` on; kAnyTag stands for all posts.
  void load_uses(const std::vector<std::uint32_t> &tags, std::int32_t first_hour);
  const TagUse &use(std::uint32_t tag) const { return uses_.at(tag); }
  /// At least as many as use() says, without a look at the waiting posts' authors.
  std::uint64_t most_authors(std::uint32_t tag) const;
  /// Posts that are taken back.
  const std::set<std::uint64_t> &retracted() const { return retracted_; }

  /// Which of the texts are tags.
  std::vector<std::uint32_t> known_tags(const std::vector<std::string> &texts);
  /// Which of the tags are known in the other number too (see other_number), with the tag of that.
  std::map<std::uint32_t, std::uint32_t> other_numbers(const std::vector<std::uint32_t> &tags);
  /// The seeds of a niche.
  std::vector<std::uint32_t> seeds(std::string_view niche);
  /// Which of the tags the lists keep from a platform: true banned, false under review.
  std::map<std::uint32_t, bool> listed(const std::vector<std::uint32_t> &tags, std::string_view platform);
  std::size_t memory() const { return memory_; }

  /// The author's own uses, of the latest 1000 posts, and what the author decided about the latest 1000 suggestions.
  void add_history(std::int64_t author, hashtags::Affinity &affinity);

 private:
  static constexpr std::uint32_t kFirstFreshTag = std::uint32_t{1} << 31;  // tag ids of the tables are below

  struct StoredFeature {
    std::int64_t checked = -1, generation = -1, id = 0;
    std::uint64_t posts = 0;
    std::vector<hashtags::TagCount> tags;
    std::optional<std::uint32_t> spelt;  // the tag whose canonical form is the word
    bool has_postings = false;
    hashtags::PostingList postings;
    // The waiting posts' counts, packed alike; valid while fresh_posts is the number of waiting posts.
    std::uint64_t fresh_posts = 0;
    std::vector<hashtags::TagCount> fresh_tags, gone_tags;
  };

  /// What every candidate is asked for, side by side.
  struct TagGist {
    std::int64_t checked = -1;  // as in StoredTag
    std::uint64_t posts = 0;
    HashBits parts{};  // of its words
  };
  static constexpr std::uint32_t kGists = std::uint32_t{1} << 20;

  struct StoredPost {
    std::vector<std::uint32_t> tags;
    std::string niche;
  };

  void forget();
  void forget_fresh();
  /// Adds waiting posts; true where one of them belongs to the own transaction.
  bool read_fresh(const SpiRows &rows, std::int64_t own_xact);
  /// The key of a tag that no fold has seen.
  std::uint32_t fresh_key(std::string_view canonical);
  /// Adds posts to be taken back, as for read_fresh; `known` is set where one of them was added as waiting before.
  bool read_retractions(const SpiRows &rows, std::int64_t own_xact, bool &known);
  void load_authors(const std::vector<std::uint32_t> &tags);
  TagUse merged_use(std::uint32_t tag) const;
  /// The number of each name that a folded tag has, kAnyTag for the others.
  std::vector<std::uint32_t> folded_tags(const std::vector<std::string> &names);

  std::int64_t relation_ = 0, generation_ = -1;
  std::uint64_t posts_ = 0, length_sum_ = 0;
  std::size_t memory_ = 0;  // bytes, roughly
  std::unordered_map<std::string, StoredFeature> features_;
  std::unordered_map<std::uint32_t, StoredTag> tags_;
  struct StoredName {
    std::int64_t checked = -1;  // as in StoredTag
    std::uint32_t tag = hashtags::kAnyTag;
  };
  std::unordered_map<std::string, StoredName> names_;
  std::vector<TagGist> gists_;  // by tag number, below kGists
  std::unordered_map<std::uint64_t, StoredPost> post_tags_;
  bool post_tags_may_be_undone_ = false;

  struct BaseUse {
    hashtags::AuthorUse stored, left;  // with and without what is taken back
  };

  hashtags::Batch fresh_, gone_;  // waiting, and folded but taken back
  std::set<std::uint64_t> retracted_;
  std::map<std::pair<std::uint32_t, std::int64_t>, BaseUse> authors_;  // of fresh_ and gone_
  std::unordered_map<std::uint32_t, TagUse> uses_;
  std::map<std::string, std::uint32_t, std::less<>> fresh_keys_;  // canonical -> key of tags no fold has seen
  bool fresh_is_private_ = true;                                  // holds posts that may be rolled back: read anew
  std::int64_t snapshot_xmin_ = 0, snapshot_xmax_ = 0, snapshot_running_ = 0;
};

}  // namespace nexus::pg
