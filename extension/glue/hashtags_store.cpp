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

std::vector<std::size_t> parts_of(std::string canonical) {
  std::replace(canonical.begin(), canonical.end(), '_', ' ');
  std::vector<std::size_t> parts;
  for (const hashtags::Term &term : hashtags::tokenize(canonical).terms)
    parts.push_back(std::hash<std::string_view>()(term.word));
  return parts;
}

std::string_view name_of(std::string_view key) {
  return key.substr(1);
}

}  // namespace

HashBits hash_bits(const std::vector<std::size_t> &hashes) {
  HashBits bits{};
  for (std::size_t hash : hashes) {
    bits[0] |= std::uint64_t{1} << (hash % 64);
    bits[1] |= std::uint64_t{1} << (hash / 64 % 64);
  }
  return bits;
}

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
  gists_.clear();
  names_.clear();
  post_tags_.clear();
  memory_ = 0;
}

void HashtagStore::forget_fresh() {
  fresh_ = hashtags::Batch();
  gone_ = hashtags::Batch();
  retracted_.clear();
  authors_.clear();
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
      "SELECT post, posted_at, author, platform, niche, length, terms, tags, spellings, xact::text::bigint, lift"
      "  FROM nexus.hashtag_delta WHERE xact >= $1::text::xid8 LIMIT $2",
      {TEXTOID, INT8OID});
  static SpiStatement taken_back(
      "SELECT post, xact::text::bigint FROM nexus.hashtag_retractions WHERE xact >= $1::text::xid8 LIMIT $2",
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
  uses_.clear();

  std::int64_t from = anew ? 0 : snapshot_xmin_;
  if (anew) forget_fresh();
  fresh_is_private_ = true;  // until all is read: an error in between leaves half of it
  std::string bound = std::to_string(from);
  std::int64_t most = std::int64_t{hashtag_max_unfolded} + 1;
  bool known = false;
  bool has_own = read_retractions(taken_back.read({text_datum(bound), Int64GetDatum(most)}), own_xact, known);
  if (known) {  // what was added cannot be taken out of a batch
    forget_fresh();
    bound = "0";
    has_own = read_retractions(taken_back.read({text_datum(bound), Int64GetDatum(most)}), own_xact, known);
  }
  has_own = read_fresh(waiting.read({text_datum(bound), Int64GetDatum(most)}), own_xact) || has_own;
  if (fresh_.posts() + retracted_.size() > static_cast<std::uint64_t>(hashtag_max_unfolded))
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
    if (fresh_.contains(number) || retracted_.count(number) != 0) continue;
    LearnedPost post;
    post.post = number;
    post.posted_at = rows.integer(row, 2);
    post.has_author = !rows.is_null(row, 3);
    post.author = rows.integer(row, 3);
    post.platform = rows.text(row, 4);
    post.niche = rows.text(row, 5);
    post.length = static_cast<std::uint32_t>(rows.integer(row, 6));
    post.terms = hashtags::decode_terms(rows.bytes(row, 7));
    if (!rows.is_null(row, 11)) post.lift = static_cast<std::int32_t>(rows.integer(row, 11));
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
        entry.first.tags.push_back(fresh_key(tag));
        continue;
      }
      entry.first.tags.push_back(key->second);
    }
    fresh_.add(std::move(entry.first));
  }
  return has_own;
}

std::uint32_t HashtagStore::fresh_key(std::string_view canonical) {
  auto known = fresh_keys_.find(canonical);
  if (known != fresh_keys_.end()) return known->second;
  auto key = kFirstFreshTag + static_cast<std::uint32_t>(fresh_keys_.size());
  fresh_keys_.emplace(canonical, key);
  StoredTag stored;
  stored.canonical = canonical;
  stored.parts = parts_of(stored.canonical);
  tags_[key] = std::move(stored);
  return key;
}

bool HashtagStore::read_retractions(const SpiRows &rows, std::int64_t own_xact, bool &known) {
  static SpiStatement folded(
      "SELECT post, posted_at, author, platform, niche, length, terms, tags, spellings, lift FROM nexus.hashtag_posts"
      " WHERE post = ANY ($1)",
      {INT8ARRAYOID});
  bool has_own = false;
  std::vector<std::int64_t> numbers;
  for (std::uint64_t row = 0; row < rows.size(); ++row) {
    has_own = has_own || (own_xact != 0 && rows.integer(row, 2) == own_xact);
    auto number = static_cast<std::uint64_t>(rows.integer(row, 1));
    if (!retracted_.insert(number).second) continue;
    known = known || fresh_.contains(number);
    numbers.push_back(rows.integer(row, 1));
  }
  if (numbers.empty()) return has_own;
  authors_.clear();  // what is left of them is less now
  SpiRows posts = folded.read({bigint_array_datum(numbers)});
  for (std::uint64_t row = 0; row < posts.size(); ++row) {
    LearnedPost post;
    post.post = static_cast<std::uint64_t>(posts.integer(row, 1));
    post.posted_at = posts.integer(row, 2);
    post.has_author = !posts.is_null(row, 3);
    post.author = posts.integer(row, 3);
    post.platform = posts.text(row, 4);
    post.niche = posts.text(row, 5);
    post.length = static_cast<std::uint32_t>(posts.integer(row, 6));
    post.terms = hashtags::decode_terms(posts.bytes(row, 7));
    post.tags = posts.integers(row, 8);
    for (std::string_view spelling : posts.texts(row, 9)) post.spellings.emplace_back(spelling);
    if (!posts.is_null(row, 10)) post.lift = static_cast<std::int32_t>(posts.integer(row, 10));
    gone_.add(std::move(post));
  }
  return has_own;
}

hashtags::Corpus HashtagStore::corpus() const {
  return {posts_ + fresh_.posts() - gone_.posts(), length_sum_ + fresh_.length_sum() - gone_.length_sum()};
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
        stored.tags.shrink_to_fit();
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
    if (const hashtags::FeatureCounts *gone = gone_.feature(key)) {
      stored.gone_tags.clear();
      for (const auto &[tag, posts] : gone->tags) stored.gone_tags.push_back({tag, posts});
      feature.gone.posts = gone->posts;
      feature.gone.tags = &stored.gone_tags;
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
    stored.postings = {};
  }
  if (!ids.empty()) {
    SpiRows rows = blocks.read({bigint_array_datum(ids)});
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
      by_id.at(rows.integer(row, 1))->postings.append(rows.bytes(row, 2));
    }
    for (auto &entry : by_id) {
      entry.second->has_postings = true;
      entry.second->postings.shrink_to_fit();
      memory_ += entry.second->postings.bytes();
    }
  }
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (wanted[i]) features[i].base.packed = &features_.at(keys[i]).postings;
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
      "SELECT tag_id, canonical, display, posts, authors, lift_sum, lift_posts FROM nexus.hashtag_tags"
      " WHERE tag_id = ANY ($1::integer[])",
      {INT8ARRAYOID});
  std::vector<std::int64_t> missing;
  for (std::uint32_t tag : tags) {
    if (tag >= kFirstFreshTag) continue;
    std::int64_t checked = tag < gists_.size() ? gists_[tag].checked : tags_[tag].checked;
    if (checked != generation_) missing.push_back(tag);
  }
  if (missing.empty()) return;
  SpiRows rows = rows_of.read({bigint_array_datum(missing)});
  for (std::uint64_t row = 0; row < rows.size(); ++row) {
    auto tag = static_cast<std::uint32_t>(rows.integer(row, 1));
    StoredTag &stored = tags_[tag];
    if (stored.canonical != rows.text(row, 2)) {
      memory_ += 250;
      stored.canonical = rows.text(row, 2);
      stored.parts = parts_of(stored.canonical);
    }
    stored.display = rows.text(row, 3);
    stored.posts = static_cast<std::uint64_t>(rows.integer(row, 4));
    stored.authors = static_cast<std::uint64_t>(rows.integer(row, 5));
    stored.lift_sum = rows.integer(row, 6);
    stored.lift_posts = rows.integer(row, 7);
    stored.checked = generation_;
    if (tag >= kGists) continue;
    if (tag >= gists_.size()) gists_.resize(std::max<std::size_t>(tag + 1, 2 * gists_.size()));
    gists_[tag] = {generation_, stored.posts, hash_bits(stored.parts)};
  }
}

std::uint64_t HashtagStore::tag_posts(std::uint32_t tag) const {
  const hashtags::TagCounts *fresh = fresh_.tag(tag), *gone = gone_.tag(tag);
  std::uint64_t folded = tag < gists_.size() ? gists_[tag].posts : tags_.at(tag).posts;
  return folded + (fresh == nullptr ? 0 : fresh->posts) - (gone == nullptr ? 0 : gone->posts);
}

std::pair<std::int64_t, std::int64_t> HashtagStore::lift(std::uint32_t tag) const {
  const StoredTag &stored = tags_.at(tag);
  std::pair<std::int64_t, std::int64_t> lift{stored.lift_sum, stored.lift_posts};
  if (const hashtags::TagCounts *fresh = fresh_.tag(tag)) {
    lift.first += fresh->lift_sum;
    lift.second += fresh->lift_posts;
  }
  if (const hashtags::TagCounts *gone = gone_.tag(tag)) {
    lift.first -= gone->lift_sum;
    lift.second -= gone->lift_posts;
  }
  return lift;
}

double HashtagStore::spelt(std::uint32_t tag, const std::vector<std::size_t> &words, const HashBits &bits) const {
  if (tag < gists_.size()) {
    const HashBits &own = gists_[tag].parts;
    if ((own[0] & bits[0]) == 0 || (own[1] & bits[1]) == 0) return 0;
  }
  const std::vector<std::size_t> &parts = tags_.at(tag).parts;
  std::size_t found = 0;
  for (std::size_t part : parts) found += std::binary_search(words.begin(), words.end(), part) ? 1 : 0;
  return parts.empty() ? 0 : static_cast<double>(found) / static_cast<double>(parts.size());
}

const std::string &HashtagStore::canonical(std::uint32_t tag) const {
  return tags_.at(tag).canonical;
}

std::uint64_t HashtagStore::most_authors(std::uint32_t tag) const {
  const hashtags::TagCounts *fresh = fresh_.tag(tag);
  return tags_.at(tag).authors + (fresh == nullptr ? 0 : fresh->posts);
}

}  // namespace nexus::pg
