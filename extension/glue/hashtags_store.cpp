#include "glue/hashtags_store.hpp"

#include <algorithm>
#include <set>

#include "glue/hashtags_settings.hpp"

extern "C" {
#include "access/xact.h"
#include "common/hashfn.h"
}

namespace nexus::pg {

using hashtags::Feature;
using hashtags::LearnedPost;

namespace {

constexpr std::uint32_t kFirstFreshTag = std::uint32_t{1} << 31;  // tag ids of the tables are below
constexpr int kHistory = 1000;

std::string_view name_of(std::string_view key) {
  return key.substr(1);
}

}  // namespace

std::int64_t author_of(std::string_view user_id) {
  return static_cast<std::int64_t>(hash_bytes_extended(reinterpret_cast<const unsigned char *>(user_id.data()),
                                                       static_cast<int>(user_id.size()), 0x6e65787573));
}

HashtagStore &HashtagStore::get() {
  static HashtagStore store;
  return store;
}

void HashtagStore::forget() {
  features_.clear();
  tags_.clear();
  post_tags_.clear();
  memory_ = 0;
}

void HashtagStore::forget_fresh() {
  fresh_ = hashtags::Batch();
  fresh_keys_.clear();
  for (auto &entry : features_) entry.second.fresh_posts = 0;
}

void HashtagStore::open() {
  static SpiStatement state(
      "SELECT 'nexus.hashtag_model'::regclass::oid, coalesce(m.generation, 0), coalesce(m.posts, 0),"
      "       coalesce(m.length_sum, 0), pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint,"
      "       (SELECT count(*) FROM pg_snapshot_xip(s)), pg_is_in_recovery(),"
      "       coalesce(pg_current_xact_id_if_assigned()::text::bigint, 0)"
      "  FROM pg_current_snapshot() s LEFT JOIN nexus.hashtag_model m ON true",
      {});
  static SpiStatement waiting(
      "SELECT post, posted_at, author, platform, niche, length, terms, tags, spellings, xact::text::bigint"
      "  FROM nexus.hashtag_delta WHERE xact >= $1::text::xid8 LIMIT $2",
      {TEXTOID, INT8OID});

  SpiRows now = state.read({});
  std::int64_t relation = now.integer(0, 1), generation = now.integer(0, 2);
  std::int64_t xmin = now.integer(0, 5), xmax = now.integer(0, 6), running = now.integer(0, 7);
  bool in_recovery = now.integer(0, 8) != 0;
  std::int64_t own_xact = now.integer(0, 9);

  // A fold of this transaction may be undone, and its tag numbers given again.
  if (post_tags_may_be_undone_) post_tags_.clear();
  post_tags_may_be_undone_ = own_xact != 0;
  bool over = memory_ > static_cast<std::size_t>(hashtag_cache_size) * 1024;
  if (relation != relation_ || over) forget();
  // Snapshots of one server are ordered: this one is older where it has a lower bound, or more that still runs.
  bool older = xmin < snapshot_xmin_ || xmax < snapshot_xmax_ ||
               (xmin == snapshot_xmin_ && xmax == snapshot_xmax_ && running > snapshot_running_);
  bool anew = relation != relation_ || over || generation != generation_ || older || fresh_is_private_ || in_recovery;
  bool same =
      !anew && xmin == snapshot_xmin_ && xmax == snapshot_xmax_ && running == snapshot_running_ && own_xact == 0;
  relation_ = relation;
  generation_ = generation;
  posts_ = static_cast<std::uint64_t>(now.integer(0, 3));
  length_sum_ = static_cast<std::uint64_t>(now.integer(0, 4));
  if (same) return;

  std::int64_t from = anew ? 0 : snapshot_xmin_;
  if (anew) forget_fresh();
  fresh_is_private_ = true;  // until all is read: an error in between leaves half of it
  std::string bound = std::to_string(from);
  std::int64_t most = std::int64_t{hashtag_max_unfolded} + 1;
  bool has_own = read_fresh(waiting.read({text_datum(bound), Int64GetDatum(most)}), own_xact);
  if (fresh_.posts() > static_cast<std::uint64_t>(hashtag_max_unfolded))
    throw Error("54000", "more than " + std::to_string(hashtag_max_unfolded) + " learned posts wait to be folded")
        .hint("Call nexus.fold_hashtag_stats() regularly, or raise nexus.hashtag_max_unfolded.");
  fresh_is_private_ = has_own;
  snapshot_xmin_ = xmin;
  snapshot_xmax_ = xmax;
  snapshot_running_ = running;
}

bool HashtagStore::read_fresh(const SpiRows &rows, std::int64_t own_xact) {
  static SpiStatement known("SELECT tag_id, canonical FROM nexus.hashtag_tags WHERE canonical = ANY ($1)",
                            {TEXTARRAYOID});
  bool has_own = false;
  std::map<std::uint64_t, std::pair<LearnedPost, std::vector<std::string_view>>> posts;
  std::set<std::string_view> unknown;
  for (std::uint64_t row = 0; row < rows.size(); ++row) {
    has_own = has_own || (own_xact != 0 && rows.integer(row, 10) == own_xact);
    auto number = static_cast<std::uint64_t>(rows.integer(row, 1));
    if (fresh_.contains(number)) continue;
    LearnedPost post;
    post.post = number;
    post.posted_at = rows.integer(row, 2);
    post.has_author = !rows.is_null(row, 3);
    post.author = rows.integer(row, 3);
    post.platform = rows.text(row, 4);
    post.niche = rows.text(row, 5);
    post.length = static_cast<std::uint32_t>(rows.integer(row, 6));
    post.terms = hashtags::decode_terms(rows.bytes(row, 7));
    std::vector<std::string_view> tags = rows.texts(row, 8);
    for (std::string_view spelling : rows.texts(row, 9)) post.spellings.emplace_back(spelling);
    for (std::string_view tag : tags) unknown.insert(tag);
    posts.emplace(number, std::make_pair(std::move(post), std::move(tags)));
  }
  std::map<std::string, std::uint32_t, std::less<>> keys;
  if (!unknown.empty()) {
    SpiRows found = known.read({text_array_datum(std::vector<std::string_view>(unknown.begin(), unknown.end()))});
    for (std::uint64_t row = 0; row < found.size(); ++row)
      keys.emplace(found.text(row, 2), static_cast<std::uint32_t>(found.integer(row, 1)));
  }
  for (auto &[number, entry] : posts) {
    for (std::string_view tag : entry.second) {
      auto key = keys.find(tag);
      if (key == keys.end()) {
        auto fresh = fresh_keys_.find(tag);
        if (fresh == fresh_keys_.end()) {
          auto next = kFirstFreshTag + static_cast<std::uint32_t>(fresh_keys_.size());
          fresh = fresh_keys_.emplace(tag, next).first;
          StoredTag stored;
          stored.canonical = tag;
          tags_[next] = std::move(stored);
        }
        key = fresh;
      }
      entry.first.tags.push_back(key->second);
    }
    fresh_.add(std::move(entry.first));
  }
  return has_own;
}

hashtags::Corpus HashtagStore::corpus() const {
  return {posts_ + fresh_.posts(), length_sum_ + fresh_.length_sum()};
}

// The LATERAL ... LIMIT 1 of the statements below make the planner look each key up by index, whatever it believes
// about the size of tables that a fold has just filled.
std::vector<Feature> HashtagStore::features(const std::vector<std::string> &keys) {
  static SpiStatement changed(
      "SELECT k.i, f.feature_id, coalesce(f.generation, 0), f.posts,"
      "       CASE WHEN f.generation IS DISTINCT FROM k.generation THEN f.tags END, t.tag_id"
      "  FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY k(feature, generation, i)"
      "  LEFT JOIN LATERAL (SELECT * FROM nexus.hashtag_features f WHERE f.feature = k.feature COLLATE \"C\" LIMIT 1) f"
      "    ON true"
      "  LEFT JOIN LATERAL (SELECT tag_id FROM nexus.hashtag_tags t WHERE left(k.feature, 1) = 'w'"
      "                       AND t.canonical = substr(k.feature, 2) COLLATE \"C\" LIMIT 1) t ON true",
      {TEXTARRAYOID, INT8ARRAYOID});
  std::vector<std::string_view> stale;
  std::vector<std::int64_t> generations;
  for (const std::string &key : keys) {
    StoredFeature &stored = features_[key];
    if (stored.checked == generation_) continue;
    stale.push_back(key);
    generations.push_back(stored.generation);
  }
  if (!stale.empty()) {
    SpiRows rows = changed.read({text_array_datum(stale), bigint_array_datum(generations)});
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
      StoredFeature &stored = features_[std::string(stale[static_cast<std::size_t>(rows.integer(row, 1) - 1)])];
      std::int64_t generation = rows.integer(row, 3);
      if (generation != stored.generation) {
        stored.id = rows.integer(row, 2);
        stored.posts = static_cast<std::uint64_t>(rows.integer(row, 4));
        stored.tags = hashtags::decode_tag_counts(rows.bytes(row, 5));
        stored.postings = {};
        stored.has_postings = false;
        stored.generation = generation;
        memory_ += 300 + stored.tags.size() * sizeof(hashtags::TagCount);
      }
      stored.spelt = std::nullopt;
      if (!rows.is_null(row, 6)) stored.spelt = static_cast<std::uint32_t>(rows.integer(row, 6));
      stored.checked = generation_;
    }
  }
  std::vector<Feature> features;
  features.reserve(keys.size());
  for (const std::string &key : keys) {
    StoredFeature &stored = features_.at(key);
    Feature feature;
    feature.name = name_of(key);
    feature.base.posts = stored.posts;
    feature.base.tags = &stored.tags;
    feature.tag = stored.spelt;
    if (const hashtags::FeatureCounts *fresh = fresh_.feature(key)) {
      if (stored.fresh_posts != fresh_.posts()) {
        stored.fresh_tags.clear();
        for (const auto &[tag, posts] : fresh->tags) stored.fresh_tags.push_back({tag, posts});
        stored.fresh_posts = fresh_.posts();
      }
      feature.fresh.posts = fresh->posts;
      feature.fresh.tags = &stored.fresh_tags;
      feature.fresh.postings = &fresh->postings;
    }
    if (!feature.tag && key.front() == hashtags::kWord) {
      auto fresh = fresh_keys_.find(feature.name);
      if (fresh != fresh_keys_.end()) feature.tag = fresh->second;
    }
    features.push_back(std::move(feature));
  }
  return features;
}

void HashtagStore::load_postings(std::vector<Feature> &features, const std::vector<std::string> &keys,
                                 const std::vector<bool> &wanted) {
  static SpiStatement blocks(
      "SELECT feature_id, block FROM nexus.hashtag_postings WHERE feature_id = ANY ($1) ORDER BY feature_id, chunk",
      {INT8ARRAYOID});
  std::vector<std::int64_t> ids;
  std::unordered_map<std::int64_t, StoredFeature *> by_id;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    StoredFeature &stored = features_.at(keys[i]);
    if (!wanted[i] || stored.has_postings || stored.posts == 0) continue;
    ids.push_back(stored.id);
    by_id[stored.id] = &stored;
    stored.postings.clear();
  }
  if (!ids.empty()) {
    SpiRows rows = blocks.read({bigint_array_datum(ids)});
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
      auto &postings = by_id.at(rows.integer(row, 1))->postings;
      std::vector<hashtags::Posting> block = hashtags::decode_postings(rows.bytes(row, 2));
      postings.insert(postings.end(), block.begin(), block.end());
      memory_ += block.size() * sizeof(hashtags::Posting);
    }
    for (auto &entry : by_id) entry.second->has_postings = true;
  }
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (wanted[i]) features[i].base.postings = &features_.at(keys[i]).postings;
}

void HashtagStore::load_post_tags(const std::vector<hashtags::Neighbour> &neighbours) {
  static SpiStatement tags("SELECT post, tags, niche FROM nexus.hashtag_posts WHERE post = ANY ($1)", {INT8ARRAYOID});
  std::vector<std::int64_t> missing;
  for (const auto &neighbour : neighbours)
    if (!fresh_.contains(neighbour.post) && post_tags_.count(neighbour.post) == 0)
      missing.push_back(static_cast<std::int64_t>(neighbour.post));
  if (missing.empty()) return;
  SpiRows rows = tags.read({bigint_array_datum(missing)});
  for (std::uint64_t row = 0; row < rows.size(); ++row) {
    StoredPost post{rows.integers(row, 2), std::string(rows.text(row, 3))};
    memory_ += 112 + post.tags.size() * sizeof(std::uint32_t) + post.niche.size();
    post_tags_[static_cast<std::uint64_t>(rows.integer(row, 1))] = std::move(post);
  }
}

const std::vector<std::uint32_t> &HashtagStore::post_tags(std::uint64_t post) const {
  static const std::vector<std::uint32_t> none;
  auto fresh = fresh_.all_posts().find(post);
  if (fresh != fresh_.all_posts().end()) return fresh->second.tags;
  auto found = post_tags_.find(post);
  return found == post_tags_.end() ? none : found->second.tags;
}

const std::string &HashtagStore::post_niche(std::uint64_t post) const {
  static const std::string none;
  auto fresh = fresh_.all_posts().find(post);
  if (fresh != fresh_.all_posts().end()) return fresh->second.niche;
  auto found = post_tags_.find(post);
  return found == post_tags_.end() ? none : found->second.niche;
}

void HashtagStore::load_tags(const std::vector<std::uint32_t> &tags) {
  static SpiStatement rows_of(
      "SELECT tag_id, canonical, display, posts, authors FROM nexus.hashtag_tags WHERE tag_id = ANY ($1::integer[])",
      {INT8ARRAYOID});
  std::vector<std::int64_t> missing;
  for (std::uint32_t tag : tags)
    if (tag < kFirstFreshTag && tags_[tag].checked != generation_) missing.push_back(tag);
  if (missing.empty()) return;
  SpiRows rows = rows_of.read({bigint_array_datum(missing)});
  for (std::uint64_t row = 0; row < rows.size(); ++row) {
    StoredTag &stored = tags_[static_cast<std::uint32_t>(rows.integer(row, 1))];
    if (stored.canonical.empty()) memory_ += 200;
    stored.canonical = rows.text(row, 2);
    stored.display = rows.text(row, 3);
    stored.posts = static_cast<std::uint64_t>(rows.integer(row, 4));
    stored.authors = static_cast<std::uint64_t>(rows.integer(row, 5));
    stored.checked = generation_;
  }
}

std::uint64_t HashtagStore::tag_posts(std::uint32_t tag) const {
  const hashtags::TagCounts *fresh = fresh_.tag(tag);
  return tags_.at(tag).posts + (fresh == nullptr ? 0 : fresh->posts);
}

const std::string &HashtagStore::canonical(std::uint32_t tag) const {
  return tags_.at(tag).canonical;
}

std::uint64_t HashtagStore::tag_authors(std::uint32_t tag) {
  static SpiStatement counted("SELECT count(*) FROM nexus.hashtag_authors WHERE tag_id = $1 AND author = ANY ($2)",
                              {INT4OID, INT8ARRAYOID});
  const StoredTag &stored = tags_.at(tag);
  const hashtags::TagCounts *fresh = fresh_.tag(tag);
  if (fresh == nullptr) return stored.authors;
  std::uint64_t authors = stored.authors + fresh->anonymous + fresh->authors.size();
  if (tag >= kFirstFreshTag || fresh->authors.empty()) return authors;
  std::vector<std::int64_t> ids;
  for (const auto &entry : fresh->authors) ids.push_back(entry.first);
  SpiRows rows = counted.read({Int32GetDatum(static_cast<std::int32_t>(tag)), bigint_array_datum(ids)});
  return authors - static_cast<std::uint64_t>(rows.integer(0, 1));
}

std::string HashtagStore::display(std::uint32_t tag) {
  static SpiStatement spellings("SELECT spelling, posts FROM nexus.hashtag_spellings WHERE tag_id = $1", {INT4OID});
  const hashtags::TagCounts *fresh = fresh_.tag(tag);
  if (fresh == nullptr) return tags_.at(tag).display;
  std::map<std::string, std::uint64_t> counts = fresh->spellings;
  if (tag < kFirstFreshTag) {
    SpiRows rows = spellings.read({Int32GetDatum(static_cast<std::int32_t>(tag))});
    for (std::uint64_t row = 0; row < rows.size(); ++row)
      counts[std::string(rows.text(row, 1))] += static_cast<std::uint64_t>(rows.integer(row, 2));
  }
  auto best = counts.begin();
  for (auto it = counts.begin(); it != counts.end(); ++it)
    if (it->second > best->second) best = it;
  return best->first;
}

void HashtagStore::add_history(std::int64_t author, hashtags::Affinity &affinity) {
  static SpiStatement history(
      "SELECT posted_at, post, tags FROM nexus.hashtag_posts WHERE author = $1 ORDER BY posted_at DESC, post DESC "
      "LIMIT $2",
      {INT8OID, INT8OID});
  struct Use {
    std::int64_t posted_at;
    std::uint64_t post;
    std::vector<std::uint32_t> tags;
  };
  std::vector<Use> uses;
  SpiRows rows = history.read({Int64GetDatum(author), Int64GetDatum(kHistory)});
  for (std::uint64_t row = 0; row < rows.size(); ++row)
    uses.push_back({rows.integer(row, 1), static_cast<std::uint64_t>(rows.integer(row, 2)), rows.integers(row, 3)});
  for (const auto &[number, post] : fresh_.all_posts())
    if (post.has_author && post.author == author) uses.push_back({post.posted_at, number, post.tags});
  std::sort(uses.begin(), uses.end(), [](const Use &a, const Use &b) {
    return a.posted_at != b.posted_at ? a.posted_at > b.posted_at : a.post > b.post;
  });
  if (uses.size() > kHistory) uses.resize(kHistory);
  for (const Use &use : uses)
    for (std::uint32_t tag : use.tags) affinity.add(tag, use.posted_at);
}

}  // namespace nexus::pg
