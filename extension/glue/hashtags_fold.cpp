// fold_hashtag_stats and rebuild_hashtag_model: learned posts into the packed counts (sql/install/40-hashtags.sql).
//
// One session folds at a time (an advisory lock of the transaction); writers only append to hashtag_delta, so nobody
// waits for it. A row that is not committed is not visible, hence stays for the next fold.
#include "glue/hashtags_fold.hpp"

#include <set>

namespace nexus::pg {

using hashtags::Batch;
using hashtags::LearnedPost;

namespace {

constexpr std::int64_t kBatch = 20000;  // posts in memory at a time

bool lock_model(bool wait) {
  static SpiStatement now("SELECT pg_try_advisory_xact_lock(20051, 'nexus.hashtag_model'::regclass::oid::integer)", {});
  static SpiStatement later("SELECT pg_advisory_xact_lock(20051, 'nexus.hashtag_model'::regclass::oid::integer)", {});
  if (!wait) return now.write({}).integer(0, 1) != 0;
  later.write({});
  return true;
}

std::int64_t new_generation() {
  static SpiStatement next("SELECT nextval('nexus.hashtag_generation')", {});
  return next.write({}).integer(0, 1);
}

// All sources of posts give these columns: number, author, platform, niche, length, terms, tags, spellings, posted_at,
// lift.
LearnedPost post_of(const SpiRows &rows, std::uint64_t row) {
  LearnedPost post;
  post.post = static_cast<std::uint64_t>(rows.integer(row, 1));
  post.has_author = !rows.is_null(row, 2);
  post.author = rows.integer(row, 2);
  post.platform = rows.text(row, 3);
  post.niche = rows.text(row, 4);
  post.length = static_cast<std::uint32_t>(rows.integer(row, 5));
  post.terms = hashtags::decode_terms(rows.bytes(row, 6));
  for (std::string_view spelling : rows.texts(row, 8)) post.spellings.emplace_back(spelling);
  post.posted_at = rows.integer(row, 9);
  if (!rows.is_null(row, 10)) post.lift = static_cast<std::int32_t>(rows.integer(row, 10));
  return post;
}

void write_counts(const Batch &batch, std::int64_t generation, std::int64_t sign) {
  static SpiStatement model(
      "INSERT INTO nexus.hashtag_model AS m (generation, posts, length_sum) VALUES ($1, $2, $3)"
      " ON CONFLICT (one) DO UPDATE SET generation = EXCLUDED.generation, posts = m.posts + EXCLUDED.posts,"
      "   length_sum = m.length_sum + EXCLUDED.length_sum",
      {INT8OID, INT8OID, INT8OID});
  if (sign > 0)
    add_feature_counts(batch, generation);
  else
    remove_feature_counts(batch, generation);
  write_tag_counts(batch, sign);
  model.write({Int64GetDatum(generation), Int64GetDatum(sign * static_cast<std::int64_t>(batch.posts())),
               Int64GetDatum(sign * static_cast<std::int64_t>(batch.length_sum()))});
}

// Takes some of the folded posts back that are to be; how many they were.
std::int64_t retract_batch(std::int64_t generation) {
  static SpiStatement gone(
      "WITH due AS (SELECT r.post FROM nexus.hashtag_retractions r JOIN nexus.hashtag_posts p USING (post)"
      "               ORDER BY r.post LIMIT $1),"
      " done AS (DELETE FROM nexus.hashtag_retractions r USING due WHERE r.post = due.post)"
      " DELETE FROM nexus.hashtag_posts p USING due WHERE p.post = due.post"
      " RETURNING p.post, author, platform, niche, length, terms, tags, spellings, posted_at, lift",
      {INT8OID});
  SpiRows rows = gone.write({Int64GetDatum(kBatch)});
  if (rows.size() == 0) return 0;
  Batch batch;
  for (std::uint64_t row = 0; row < rows.size(); ++row) {
    LearnedPost post = post_of(rows, row);
    post.tags = rows.integers(row, 7);
    batch.add(std::move(post));
  }
  write_counts(batch, generation, -1);
  return static_cast<std::int64_t>(rows.size());
}

// One batch of the waiting posts up to number `last` into the tables; how many they were.
std::int64_t fold_batch(std::int64_t generation, std::int64_t last) {
  static SpiStatement waiting(
      "SELECT post, author, platform, niche, length, terms, tags, spellings, posted_at, lift,"
      "       EXISTS (SELECT FROM nexus.hashtag_retractions r WHERE r.post = d.post), ctid"
      "  FROM nexus.hashtag_delta d WHERE post <= $1 ORDER BY post LIMIT $2",
      {INT8OID, INT8OID});
  static SpiStatement new_tags(
      "INSERT INTO nexus.hashtag_tags (canonical, display) SELECT k.tag, k.tag FROM unnest($1::text[]) k(tag)"
      " WHERE (SELECT t.tag_id FROM nexus.hashtag_tags t WHERE t.canonical = k.tag COLLATE \"C\") IS NULL",
      {TEXTARRAYOID});
  static SpiStatement tag_ids("SELECT tag_id, canonical FROM nexus.hashtag_tags WHERE canonical = ANY ($1)",
                              {TEXTARRAYOID});
  static SpiStatement forget(
      "WITH r AS (DELETE FROM nexus.hashtag_retractions WHERE post = ANY ($1))"
      " DELETE FROM nexus.hashtag_delta WHERE post = ANY ($1)",
      {INT8ARRAYOID});
  static SpiStatement move(
      "WITH moved AS (DELETE FROM nexus.hashtag_delta d USING unnest($1::tid[], $2::text[]) k(place, tags)"
      "                WHERE d.ctid = k.place RETURNING d.*, k.tags::integer[] AS tag_ids)"
      " INSERT INTO nexus.hashtag_posts (post, posted_at, author, platform, niche, length, terms, tags, spellings,"
      "   impressions, engagements, lift, source, source_id)"
      " SELECT m.post, m.posted_at, m.author, m.platform, m.niche, m.length, m.terms, m.tag_ids, m.spellings,"
      "   m.impressions, m.engagements, m.lift, m.source, m.source_id FROM moved m",
      {TIDARRAYOID, TEXTARRAYOID});

  SpiRows rows = waiting.write({Int64GetDatum(last), Int64GetDatum(kBatch)});
  if (rows.size() == 0) return 0;
  std::vector<LearnedPost> posts;
  std::vector<std::vector<std::string_view>> tags;
  std::vector<std::int64_t> gone;
  std::vector<Datum> places;
  std::set<std::string_view> all_tags;
  for (std::uint64_t row = 0; row < rows.size(); ++row) {
    if (rows.integer(row, 11) != 0) {
      gone.push_back(rows.integer(row, 1));
      continue;
    }
    posts.push_back(post_of(rows, row));
    tags.push_back(rows.texts(row, 7));
    places.push_back(*rows.get(row, 12));
    all_tags.insert(tags.back().begin(), tags.back().end());
  }
  std::map<std::string, std::uint32_t, std::less<>> ids;
  if (!all_tags.empty()) {
    Datum names = text_array_datum(std::vector<std::string_view>(all_tags.begin(), all_tags.end()));
    new_tags.write({names});
    SpiRows found = tag_ids.write({names});
    for (std::uint64_t row = 0; row < found.size(); ++row)
      ids.emplace(found.text(row, 2), static_cast<std::uint32_t>(found.integer(row, 1)));
  }
  Batch batch;
  std::vector<std::string> id_lists;
  for (std::size_t i = 0; i < posts.size(); ++i) {
    std::string list;
    for (std::string_view tag : tags[i]) {
      posts[i].tags.push_back(ids.find(tag)->second);
      list += (list.empty() ? "{" : ",") + std::to_string(posts[i].tags.back());
    }
    id_lists.push_back(list.empty() ? "{}" : list + "}");
    batch.add(std::move(posts[i]));
  }
  if (!gone.empty()) forget.write({bigint_array_datum(gone)});
  if (!places.empty()) {
    move.write(
        {tid_array_datum(places), text_array_datum(std::vector<std::string_view>(id_lists.begin(), id_lists.end()))});
    write_counts(batch, generation, 1);
  }
  return static_cast<std::int64_t>(rows.size());
}

}  // namespace

NEXUS_FUNCTION(nexus_fold_hashtag_stats) {
  // Writers go on meanwhile: what comes after the start is left to the next fold, or this one might never end.
  static SpiStatement newest(
      "SELECT max(post), EXISTS (SELECT FROM nexus.hashtag_retractions r JOIN nexus.hashtag_posts USING (post))"
      "  FROM nexus.hashtag_delta",
      {});
  std::int64_t folded = 0;
  Spi spi;
  if (lock_model(false)) {
    SpiRows row = newest.write({});
    bool posts = !row.is_null(0, 1), retractions = row.integer(0, 2) != 0;
    if (posts || retractions) {
      std::int64_t last = row.integer(0, 1), generation = new_generation();
      for (std::int64_t batch = kBatch; posts && batch == kBatch; folded += batch) batch = fold_batch(generation, last);
      for (std::int64_t batch = kBatch; batch == kBatch; folded += batch) batch = retract_batch(generation);
    }
  }
  spi.finish();
  PG_RETURN_INT64(folded);
}

NEXUS_FUNCTION(nexus_rebuild_hashtag_model) {
  static SpiStatement clear(
      "WITH f AS (DELETE FROM nexus.hashtag_features), p AS (DELETE FROM nexus.hashtag_postings),"
      "  s AS (DELETE FROM nexus.hashtag_spellings), a AS (DELETE FROM nexus.hashtag_authors),"
      "  h AS (DELETE FROM nexus.hashtag_hours), m AS (DELETE FROM nexus.hashtag_model)"
      " UPDATE nexus.hashtag_tags SET posts = 0, authors = 0, lift_sum = 0, lift_posts = 0",
      {});
  static SpiStatement next(
      "SELECT post, author, platform, niche, length, terms, tags, spellings, posted_at, lift FROM nexus.hashtag_posts"
      " WHERE post > $1 ORDER BY post LIMIT $2",
      {INT8OID, INT8OID});
  static SpiStatement unused("DELETE FROM nexus.hashtag_tags WHERE posts = 0", {});
  std::int64_t counted = 0, last = PG_INT64_MIN;
  Spi spi;
  lock_model(true);
  std::int64_t generation = new_generation();
  clear.write({});
  for (;;) {
    SpiRows rows = next.write({Int64GetDatum(last), Int64GetDatum(kBatch)});
    if (rows.size() == 0) break;
    Batch batch;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
      LearnedPost post = post_of(rows, row);
      post.tags = rows.integers(row, 7);
      batch.add(std::move(post));
    }
    last = rows.integer(rows.size() - 1, 1);
    counted += static_cast<std::int64_t>(rows.size());
    write_counts(batch, generation, 1);
  }
  unused.write({});
  spi.finish();
  PG_RETURN_INT64(counted);
}

}  // namespace nexus::pg
