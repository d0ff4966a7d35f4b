// fold_hashtag_stats and rebuild_hashtag_model: learned posts into the packed counts (sql/install/40-hashtags.sql).
//
// One session folds at a time (an advisory lock of the transaction); writers only append to hashtag_delta, so nobody
// waits for it. A row that is not committed is not visible, hence stays for the next fold.
#include <algorithm>
#include <set>

#include "glue/hashtags_store.hpp"

namespace nexus::pg {

using hashtags::Batch;
using hashtags::LearnedPost;
using hashtags::Posting;

namespace {

constexpr std::int64_t kBatch = 5000;         // posts in memory at a time
constexpr std::size_t kChunkPostings = 4096;  // of a block: what a later fold has to rewrite

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

// Both sources of posts give these columns: number, author, platform, niche, length, terms, tags, spellings.
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
  return post;
}

// Adds the counts of features: words, niches, platforms.
void write_features(const Batch &batch, std::int64_t generation) {
  static SpiStatement stored(
      "SELECT k.i, f.tags, p.chunk, p.block FROM unnest($1::text[]) WITH ORDINALITY k(feature, i)"
      "  CROSS JOIN LATERAL (SELECT * FROM nexus.hashtag_features f WHERE f.feature = k.feature COLLATE \"C\" LIMIT 1) "
      "f"
      "  LEFT JOIN LATERAL (SELECT chunk, block FROM nexus.hashtag_postings WHERE feature_id = f.feature_id"
      "                      ORDER BY chunk DESC LIMIT 1) p ON true",
      {TEXTARRAYOID});
  static SpiStatement upsert(
      "INSERT INTO nexus.hashtag_features AS f (feature, posts, generation, tags)"
      " SELECT k.feature, k.posts, $4, k.tags FROM unnest($1::text[], $2::bigint[], $3::bytea[]) k(feature, posts, "
      "tags)"
      " ON CONFLICT (feature) DO UPDATE SET posts = f.posts + EXCLUDED.posts, generation = EXCLUDED.generation,"
      "   tags = EXCLUDED.tags RETURNING f.feature, f.feature_id",
      {TEXTARRAYOID, INT8ARRAYOID, BYTEAARRAYOID, INT8OID});
  static SpiStatement put_blocks(
      "INSERT INTO nexus.hashtag_postings AS p (feature_id, chunk, block)"
      " SELECT k.feature_id, k.chunk, k.block FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])"
      "   k(feature_id, chunk, block)"
      " ON CONFLICT (feature_id, chunk) DO UPDATE SET block = EXCLUDED.block",
      {INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID});

  std::vector<std::string_view> names;
  std::vector<const hashtags::FeatureCounts *> counts;
  for (const auto &[name, feature] : batch.features()) {
    names.emplace_back(name);
    counts.push_back(&feature);
  }
  if (names.empty()) return;
  std::vector<std::int64_t> posts(names.size()), first_chunk(names.size(), 0);
  std::vector<std::string> tags(names.size());
  std::vector<std::vector<Posting>> postings(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    posts[i] = static_cast<std::int64_t>(counts[i]->posts);
    postings[i] = counts[i]->postings;
  }
  auto packed = [&](std::size_t i) {
    std::vector<hashtags::TagCount> list;
    for (const auto &[tag, both] : counts[i]->tags) list.push_back({tag, both});
    return list;
  };
  std::vector<bool> known(names.size(), false);
  SpiRows old = stored.write({text_array_datum(names)});
  for (std::uint64_t row = 0; row < old.size(); ++row) {
    auto i = static_cast<std::size_t>(old.integer(row, 1) - 1);
    known[i] = true;
    tags[i] = hashtags::encode_tag_counts(
        hashtags::merge_tag_counts(hashtags::decode_tag_counts(old.bytes(row, 2)), packed(i)));
    if (old.is_null(row, 3) || postings[i].empty()) continue;
    first_chunk[i] = old.integer(row, 3);
    std::vector<Posting> last = hashtags::decode_postings(old.bytes(row, 4));
    if (last.size() >= kChunkPostings) {
      ++first_chunk[i];
      continue;
    }
    last.insert(last.end(), postings[i].begin(), postings[i].end());
    std::sort(last.begin(), last.end(), [](const Posting &a, const Posting &b) { return a.post < b.post; });
    postings[i] = std::move(last);
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!known[i]) tags[i] = hashtags::encode_tag_counts(packed(i));

  SpiRows written = upsert.write(
      {text_array_datum(names), bigint_array_datum(posts), bytes_array_datum(tags), Int64GetDatum(generation)});
  std::vector<std::int64_t> ids, chunks;
  std::vector<std::string> blocks;
  for (std::uint64_t row = 0; row < written.size(); ++row) {
    auto i =
        static_cast<std::size_t>(std::lower_bound(names.begin(), names.end(), written.text(row, 1)) - names.begin());
    for (std::size_t from = 0; from < postings[i].size(); from += kChunkPostings) {
      auto begin = postings[i].begin() + static_cast<std::ptrdiff_t>(from);
      auto end = begin + static_cast<std::ptrdiff_t>(std::min(kChunkPostings, postings[i].size() - from));
      ids.push_back(written.integer(row, 2));
      chunks.push_back(first_chunk[i] + static_cast<std::int64_t>(from / kChunkPostings));
      blocks.push_back(hashtags::encode_postings({begin, end}));
    }
  }
  if (!ids.empty()) put_blocks.write({bigint_array_datum(ids), bigint_array_datum(chunks), bytes_array_datum(blocks)});
}

void write_tags(const Batch &batch) {
  static SpiStatement authors_of(
      "WITH added AS (INSERT INTO nexus.hashtag_authors AS a (tag_id, author, posts)"
      "   SELECT k.tag_id, k.author, k.posts FROM unnest($1::integer[], $2::bigint[], $3::bigint[])"
      "     k(tag_id, author, posts)"
      "   ON CONFLICT (tag_id, author) DO UPDATE SET posts = a.posts + EXCLUDED.posts"
      "   RETURNING tag_id, (xmax = 0) AS is_new)"
      " SELECT tag_id, count(*) FROM added WHERE is_new GROUP BY tag_id",
      {INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID});
  static SpiStatement spellings(
      "INSERT INTO nexus.hashtag_spellings AS s (tag_id, spelling, posts)"
      " SELECT k.tag_id, k.spelling, k.posts FROM unnest($1::integer[], $2::text[], $3::bigint[])"
      "   k(tag_id, spelling, posts)"
      " ON CONFLICT (tag_id, spelling) DO UPDATE SET posts = s.posts + EXCLUDED.posts",
      {INT8ARRAYOID, TEXTARRAYOID, INT8ARRAYOID});
  static SpiStatement totals(
      "UPDATE nexus.hashtag_tags t SET posts = t.posts + $2, authors = t.authors + $3,"
      "   display = (SELECT s.spelling FROM nexus.hashtag_spellings s WHERE s.tag_id = t.tag_id"
      "               ORDER BY s.posts DESC, s.spelling COLLATE \"C\" LIMIT 1)"
      " WHERE t.tag_id = $1",
      {INT4OID, INT8OID, INT8OID});

  std::map<std::uint32_t, std::int64_t> new_authors;
  std::vector<std::int64_t> ids, authors, counts;
  for (const auto &[tag, use] : batch.tags()) {
    new_authors[tag] = static_cast<std::int64_t>(use.anonymous);
    for (const auto &[author, posts] : use.authors) {
      ids.push_back(tag);
      authors.push_back(author);
      counts.push_back(static_cast<std::int64_t>(posts));
    }
  }
  if (!ids.empty()) {
    SpiRows rows = authors_of.write({bigint_array_datum(ids), bigint_array_datum(authors), bigint_array_datum(counts)});
    for (std::uint64_t row = 0; row < rows.size(); ++row)
      new_authors[static_cast<std::uint32_t>(rows.integer(row, 1))] += rows.integer(row, 2);
  }
  ids.clear();
  counts.clear();
  std::vector<std::string_view> spelt;
  for (const auto &[tag, use] : batch.tags())
    for (const auto &[spelling, posts] : use.spellings) {
      ids.push_back(tag);
      spelt.emplace_back(spelling);
      counts.push_back(static_cast<std::int64_t>(posts));
    }
  if (ids.empty()) return;
  spellings.write({bigint_array_datum(ids), text_array_datum(spelt), bigint_array_datum(counts)});
  for (const auto &[tag, use] : batch.tags())
    totals.write({Int32GetDatum(static_cast<std::int32_t>(tag)), Int64GetDatum(static_cast<std::int64_t>(use.posts)),
                  Int64GetDatum(new_authors[tag])});
}

void write_counts(const Batch &batch, std::int64_t generation) {
  static SpiStatement model(
      "INSERT INTO nexus.hashtag_model AS m (generation, posts, length_sum) VALUES ($1, $2, $3)"
      " ON CONFLICT (one) DO UPDATE SET generation = EXCLUDED.generation, posts = m.posts + EXCLUDED.posts,"
      "   length_sum = m.length_sum + EXCLUDED.length_sum",
      {INT8OID, INT8OID, INT8OID});
  write_features(batch, generation);
  write_tags(batch);
  model.write({Int64GetDatum(generation), Int64GetDatum(static_cast<std::int64_t>(batch.posts())),
               Int64GetDatum(static_cast<std::int64_t>(batch.length_sum()))});
}

// One batch of the waiting posts up to number `last` into the tables; how many they were.
std::int64_t fold_batch(std::int64_t generation, std::int64_t last) {
  static SpiStatement waiting(
      "SELECT post, author, platform, niche, length, terms, tags, spellings FROM nexus.hashtag_delta"
      " WHERE post <= $1 ORDER BY post LIMIT $2",
      {INT8OID, INT8OID});
  static SpiStatement new_tags(
      "INSERT INTO nexus.hashtag_tags (canonical, display) SELECT k.tag, k.tag FROM unnest($1::text[]) k(tag)"
      " WHERE (SELECT t.tag_id FROM nexus.hashtag_tags t WHERE t.canonical = k.tag COLLATE \"C\") IS NULL",
      {TEXTARRAYOID});
  static SpiStatement tag_ids("SELECT tag_id, canonical FROM nexus.hashtag_tags WHERE canonical = ANY ($1)",
                              {TEXTARRAYOID});
  static SpiStatement move(
      "WITH moved AS (DELETE FROM nexus.hashtag_delta WHERE post = ANY ($1) RETURNING *)"
      " INSERT INTO nexus.hashtag_posts (post, posted_at, author, platform, niche, length, terms, tags, spellings,"
      "   impressions, engagements)"
      " SELECT m.post, m.posted_at, m.author, m.platform, m.niche, m.length, m.terms,"
      "   ARRAY(SELECT (SELECT t.tag_id FROM nexus.hashtag_tags t WHERE t.canonical = k.tag COLLATE \"C\")"
      "           FROM unnest(m.tags) WITH ORDINALITY k(tag, i) ORDER BY k.i),"
      "   m.spellings, m.impressions, m.engagements FROM moved m ORDER BY m.post",
      {INT8ARRAYOID});

  SpiRows rows = waiting.write({Int64GetDatum(last), Int64GetDatum(kBatch)});
  if (rows.size() == 0) return 0;
  std::vector<LearnedPost> posts;
  std::vector<std::vector<std::string_view>> tags;
  std::vector<std::int64_t> numbers;
  std::set<std::string_view> all_tags;
  for (std::uint64_t row = 0; row < rows.size(); ++row) {
    posts.push_back(post_of(rows, row));
    tags.push_back(rows.texts(row, 7));
    numbers.push_back(rows.integer(row, 1));
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
  for (std::size_t i = 0; i < posts.size(); ++i) {
    for (std::string_view tag : tags[i]) posts[i].tags.push_back(ids.find(tag)->second);
    batch.add(std::move(posts[i]));
  }
  move.write({bigint_array_datum(numbers)});
  write_counts(batch, generation);
  return static_cast<std::int64_t>(numbers.size());
}

}  // namespace

NEXUS_FUNCTION(nexus_fold_hashtag_stats) {
  // Writers go on meanwhile: what comes after the start is left to the next fold, or this one might never end.
  static SpiStatement newest("SELECT max(post) FROM nexus.hashtag_delta", {});
  std::int64_t folded = 0;
  Spi spi;
  if (lock_model(false)) {
    SpiRows row = newest.write({});
    if (!row.is_null(0, 1)) {
      std::int64_t last = row.integer(0, 1), generation = new_generation();
      for (std::int64_t batch = kBatch; batch == kBatch; folded += batch) batch = fold_batch(generation, last);
    }
  }
  spi.finish();
  PG_RETURN_INT64(folded);
}

NEXUS_FUNCTION(nexus_rebuild_hashtag_model) {
  static SpiStatement clear(
      "WITH f AS (DELETE FROM nexus.hashtag_features), p AS (DELETE FROM nexus.hashtag_postings),"
      "  s AS (DELETE FROM nexus.hashtag_spellings), a AS (DELETE FROM nexus.hashtag_authors),"
      "  m AS (DELETE FROM nexus.hashtag_model)"
      " UPDATE nexus.hashtag_tags SET posts = 0, authors = 0",
      {});
  static SpiStatement next(
      "SELECT post, author, platform, niche, length, terms, tags, spellings FROM nexus.hashtag_posts"
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
    write_counts(batch, generation);
  }
  unused.write({});
  spi.finish();
  PG_RETURN_INT64(counted);
}

}  // namespace nexus::pg
