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

constexpr std::int64_t kBatch = 20000;        // posts in memory at a time
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

// Takes the counts of posts that are gone back out of the features; a feature without posts goes too.
void remove_features(const Batch &batch, std::int64_t generation) {
  static SpiStatement stored(
      "SELECT k.i, f.feature_id, f.posts, f.tags FROM unnest($1::text[]) WITH ORDINALITY k(feature, i)"
      "  CROSS JOIN LATERAL (SELECT * FROM nexus.hashtag_features f WHERE f.feature = k.feature COLLATE \"C\" LIMIT 1) "
      "f",
      {TEXTARRAYOID});
  static SpiStatement blocks_of("SELECT chunk, block FROM nexus.hashtag_postings WHERE feature_id = $1", {INT8OID});
  static SpiStatement put_block("UPDATE nexus.hashtag_postings SET block = $3 WHERE feature_id = $1 AND chunk = $2",
                                {INT8OID, INT4OID, BYTEAOID});
  static SpiStatement drop_block("DELETE FROM nexus.hashtag_postings WHERE feature_id = $1 AND chunk = $2",
                                 {INT8OID, INT4OID});
  static SpiStatement put(
      "UPDATE nexus.hashtag_features SET posts = $2, tags = $3, generation = $4 WHERE feature_id = $1",
      {INT8OID, INT8OID, BYTEAOID, INT8OID});
  static SpiStatement drop("DELETE FROM nexus.hashtag_features WHERE feature_id = $1", {INT8OID});

  std::vector<std::string_view> names;
  std::vector<const hashtags::FeatureCounts *> counts;
  for (const auto &[name, feature] : batch.features()) {
    names.emplace_back(name);
    counts.push_back(&feature);
  }
  if (names.empty()) return;
  SpiRows old = stored.write({text_array_datum(names)});
  for (std::uint64_t row = 0; row < old.size(); ++row) {
    const hashtags::FeatureCounts &gone = *counts[static_cast<std::size_t>(old.integer(row, 1) - 1)];
    Datum id = Int64GetDatum(old.integer(row, 2));
    std::int64_t posts = old.integer(row, 3) - static_cast<std::int64_t>(gone.posts);
    std::vector<hashtags::TagCount> tags;
    for (hashtags::TagCount entry : hashtags::decode_tag_counts(old.bytes(row, 4))) {
      auto found = gone.tags.find(entry.tag);
      if (found != gone.tags.end()) entry.posts -= found->second;
      if (entry.posts > 0) tags.push_back(entry);
    }
    if (posts > 0)
      put.write({id, Int64GetDatum(posts), bytes_datum(hashtags::encode_tag_counts(tags)), Int64GetDatum(generation)});
    else
      drop.write({id});
    if (gone.postings.empty()) continue;
    SpiRows blocks = blocks_of.write({id});
    for (std::uint64_t at = 0; at < blocks.size(); ++at) {
      std::vector<Posting> postings = hashtags::decode_postings(blocks.bytes(at, 2)), left;
      for (const Posting &posting : postings)
        if (!batch.contains(posting.post)) left.push_back(posting);
      Datum chunk = Int32GetDatum(static_cast<std::int32_t>(blocks.integer(at, 1)));
      if (left.empty())
        drop_block.write({id, chunk});
      else if (left.size() < postings.size())
        put_block.write({id, chunk, bytes_datum(hashtags::encode_postings(left))});
    }
  }
}

using HourChanges = std::map<std::pair<std::int64_t, std::int64_t>, std::map<std::int32_t, std::int64_t>>;

// Adds to the numbers of authors by tag, week and hour.
void write_hours(const HourChanges &changes) {
  static SpiStatement stored(
      "SELECT k.i, h.hours FROM unnest($1::integer[], $2::integer[]) WITH ORDINALITY k(tag_id, week, i)"
      "  CROSS JOIN LATERAL (SELECT hours FROM nexus.hashtag_hours h WHERE h.tag_id = k.tag_id AND h.week = k.week "
      "LIMIT 1) h",
      {INT8ARRAYOID, INT8ARRAYOID});
  static SpiStatement put(
      "INSERT INTO nexus.hashtag_hours (tag_id, week, hours)"
      " SELECT k.tag_id, k.week, k.hours FROM unnest($1::integer[], $2::integer[], $3::bytea[]) k(tag_id, week, hours)"
      " ON CONFLICT (tag_id, week) DO UPDATE SET hours = EXCLUDED.hours",
      {INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID});
  static SpiStatement drop(
      "DELETE FROM nexus.hashtag_hours h USING unnest($1::integer[], $2::integer[]) k(tag_id, week)"
      " WHERE h.tag_id = k.tag_id AND h.week = k.week",
      {INT8ARRAYOID, INT8ARRAYOID});
  if (changes.empty()) return;
  std::vector<std::int64_t> tags, weeks, put_tags, put_weeks, drop_tags, drop_weeks;
  std::vector<std::map<std::uint32_t, std::int64_t>> hours;
  for (const auto &[key, counts] : changes) {
    tags.push_back(key.first);
    weeks.push_back(key.second);
    hours.emplace_back();
    for (const auto &[hour, count] : counts) hours.back()[static_cast<std::uint32_t>(hour - key.second * 168)] += count;
  }
  SpiRows old = stored.write({bigint_array_datum(tags), bigint_array_datum(weeks)});
  for (std::uint64_t row = 0; row < old.size(); ++row)
    for (const auto &entry : hashtags::decode_tag_counts(old.bytes(row, 2)))
      hours[static_cast<std::size_t>(old.integer(row, 1) - 1)][entry.tag] += entry.posts;
  std::vector<std::string> blocks;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    std::vector<hashtags::TagCount> list;
    for (const auto &[hour, count] : hours[i])
      if (count > 0) list.push_back({hour, static_cast<std::uint32_t>(count)});
    (list.empty() ? drop_tags : put_tags).push_back(tags[i]);
    (list.empty() ? drop_weeks : put_weeks).push_back(weeks[i]);
    if (!list.empty()) blocks.push_back(hashtags::encode_tag_counts(list));
  }
  if (!put_tags.empty())
    put.write({bigint_array_datum(put_tags), bigint_array_datum(put_weeks), bytes_array_datum(blocks)});
  if (!drop_tags.empty()) drop.write({bigint_array_datum(drop_tags), bigint_array_datum(drop_weeks)});
}

// Adds (sign 1) or takes back (sign -1) the uses by authors, and says how many authors each tag has won.
std::map<std::uint32_t, std::int64_t> write_authors(const Batch &batch, std::int64_t sign) {
  static SpiStatement stored(
      "SELECT k.i, a.posts, a.last_hour FROM unnest($1::integer[], $2::bigint[]) WITH ORDINALITY k(tag_id, author, i)"
      "  CROSS JOIN LATERAL (SELECT posts, last_hour FROM nexus.hashtag_authors a"
      "                       WHERE a.tag_id = k.tag_id AND a.author = k.author LIMIT 1) a",
      {INT8ARRAYOID, INT8ARRAYOID});
  static SpiStatement latest(
      "SELECT k.i, p.posted_at FROM unnest($1::integer[], $2::bigint[]) WITH ORDINALITY k(tag_id, author, i)"
      "  CROSS JOIN LATERAL (SELECT posted_at FROM nexus.hashtag_posts p WHERE p.author = k.author"
      "                       AND (k.tag_id = 0 OR k.tag_id = ANY (p.tags)) ORDER BY posted_at DESC LIMIT 1) p",
      {INT8ARRAYOID, INT8ARRAYOID});
  static SpiStatement put(
      "INSERT INTO nexus.hashtag_authors (tag_id, author, posts, last_hour)"
      " SELECT k.* FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::integer[]) k"
      " ON CONFLICT (tag_id, author) DO UPDATE SET posts = EXCLUDED.posts, last_hour = EXCLUDED.last_hour",
      {INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID});
  static SpiStatement drop(
      "DELETE FROM nexus.hashtag_authors a USING unnest($1::integer[], $2::bigint[]) k(tag_id, author)"
      " WHERE a.tag_id = k.tag_id AND a.author = k.author",
      {INT8ARRAYOID, INT8ARRAYOID});
  std::map<std::uint32_t, std::int64_t> won;
  HourChanges hours;
  auto count_hour = [&](std::int64_t tag, std::int32_t hour, std::int64_t count) {
    hours[{tag, hashtags::week_of(hour)}][hour] += count;
  };
  std::vector<std::int64_t> tags, authors;
  std::vector<hashtags::AuthorUse> uses;
  for (const auto &[tag, use] : batch.tags()) {
    for (const auto &[hour, count] : use.anonymous) {
      count_hour(tag, hour, sign * count);
      won[tag] += sign * count;
    }
    for (const auto &[author, posts] : use.authors) {
      tags.push_back(tag);
      authors.push_back(author);
      uses.push_back(posts);
    }
  }
  if (!tags.empty()) {
    std::vector<hashtags::AuthorUse> before(tags.size()), after = uses;
    SpiRows old = stored.write({bigint_array_datum(tags), bigint_array_datum(authors)});
    for (std::uint64_t row = 0; row < old.size(); ++row) {
      auto i = static_cast<std::size_t>(old.integer(row, 1) - 1);
      before[i] = {static_cast<std::uint64_t>(old.integer(row, 2)), static_cast<std::int32_t>(old.integer(row, 3))};
      after[i].posts = before[i].posts + static_cast<std::uint64_t>(sign) * uses[i].posts;
      after[i].last_hour = std::max(before[i].last_hour, uses[i].last_hour);
    }
    if (sign < 0) {
      SpiRows last = latest.write({bigint_array_datum(tags), bigint_array_datum(authors)});
      for (std::uint64_t row = 0; row < last.size(); ++row)
        after[static_cast<std::size_t>(last.integer(row, 1) - 1)].last_hour = hashtags::hour_of(last.integer(row, 2));
    }
    std::vector<std::int64_t> put_tags, put_authors, put_posts, put_hours, drop_tags, drop_authors;
    for (std::size_t i = 0; i < tags.size(); ++i) {
      auto tag = static_cast<std::uint32_t>(tags[i]);
      if (before[i].posts > 0) {
        count_hour(tags[i], before[i].last_hour, -1);
        --won[tag];
      }
      if (after[i].posts == 0) {
        drop_tags.push_back(tags[i]);
        drop_authors.push_back(authors[i]);
        continue;
      }
      count_hour(tags[i], after[i].last_hour, 1);
      ++won[tag];
      put_tags.push_back(tags[i]);
      put_authors.push_back(authors[i]);
      put_posts.push_back(static_cast<std::int64_t>(after[i].posts));
      put_hours.push_back(after[i].last_hour);
    }
    if (!put_tags.empty())
      put.write({bigint_array_datum(put_tags), bigint_array_datum(put_authors), bigint_array_datum(put_posts),
                 bigint_array_datum(put_hours)});
    if (!drop_tags.empty()) drop.write({bigint_array_datum(drop_tags), bigint_array_datum(drop_authors)});
  }
  write_hours(hours);
  return won;
}

void write_tags(const Batch &batch, std::int64_t sign) {
  static SpiStatement spellings(
      "INSERT INTO nexus.hashtag_spellings AS s (tag_id, spelling, posts)"
      " SELECT k.tag_id, k.spelling, k.posts FROM unnest($1::integer[], $2::text[], $3::bigint[])"
      "   k(tag_id, spelling, posts)"
      " ON CONFLICT (tag_id, spelling) DO UPDATE SET posts = s.posts + EXCLUDED.posts",
      {INT8ARRAYOID, TEXTARRAYOID, INT8ARRAYOID});
  static SpiStatement unused("DELETE FROM nexus.hashtag_spellings WHERE tag_id = ANY ($1::integer[]) AND posts = 0",
                             {INT8ARRAYOID});
  static SpiStatement totals(
      "UPDATE nexus.hashtag_tags t SET posts = t.posts + $2, authors = t.authors + $3, lift_sum = t.lift_sum + $4,"
      "   lift_posts = t.lift_posts + $5,"
      "   display = coalesce((SELECT s.spelling FROM nexus.hashtag_spellings s WHERE s.tag_id = t.tag_id"
      "               ORDER BY s.posts DESC, s.spelling COLLATE \"C\" LIMIT 1), t.display)"
      " WHERE t.tag_id = $1",
      {INT4OID, INT8OID, INT8OID, INT8OID, INT8OID});

  std::map<std::uint32_t, std::int64_t> new_authors = write_authors(batch, sign);
  std::vector<std::int64_t> ids, counts;
  std::vector<std::string_view> spelt;
  for (const auto &[tag, use] : batch.tags())
    for (const auto &[spelling, posts] : use.spellings) {
      ids.push_back(tag);
      spelt.emplace_back(spelling);
      counts.push_back(sign * static_cast<std::int64_t>(posts));
    }
  if (ids.empty()) return;
  spellings.write({bigint_array_datum(ids), text_array_datum(spelt), bigint_array_datum(counts)});
  if (sign < 0) unused.write({bigint_array_datum(ids)});
  for (const auto &[tag, use] : batch.tags())
    if (tag != hashtags::kAnyTag)
      totals.write({Int32GetDatum(static_cast<std::int32_t>(tag)),
                    Int64GetDatum(sign * static_cast<std::int64_t>(use.posts)), Int64GetDatum(new_authors[tag]),
                    Int64GetDatum(sign * use.lift_sum), Int64GetDatum(sign * use.lift_posts)});
}

void write_counts(const Batch &batch, std::int64_t generation, std::int64_t sign) {
  static SpiStatement model(
      "INSERT INTO nexus.hashtag_model AS m (generation, posts, length_sum) VALUES ($1, $2, $3)"
      " ON CONFLICT (one) DO UPDATE SET generation = EXCLUDED.generation, posts = m.posts + EXCLUDED.posts,"
      "   length_sum = m.length_sum + EXCLUDED.length_sum",
      {INT8OID, INT8OID, INT8OID});
  if (sign > 0)
    write_features(batch, generation);
  else
    remove_features(batch, generation);
  write_tags(batch, sign);
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
      "       EXISTS (SELECT FROM nexus.hashtag_retractions r WHERE r.post = d.post)"
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
      "WITH moved AS (DELETE FROM nexus.hashtag_delta WHERE post = ANY ($1) RETURNING *)"
      " INSERT INTO nexus.hashtag_posts (post, posted_at, author, platform, niche, length, terms, tags, spellings,"
      "   impressions, engagements, lift, source, source_id)"
      " SELECT m.post, m.posted_at, m.author, m.platform, m.niche, m.length, m.terms,"
      "   ARRAY(SELECT (SELECT t.tag_id FROM nexus.hashtag_tags t WHERE t.canonical = k.tag COLLATE \"C\")"
      "           FROM unnest(m.tags) WITH ORDINALITY k(tag, i) ORDER BY k.i),"
      "   m.spellings, m.impressions, m.engagements, m.lift, m.source, m.source_id FROM moved m ORDER BY m.post",
      {INT8ARRAYOID});

  SpiRows rows = waiting.write({Int64GetDatum(last), Int64GetDatum(kBatch)});
  if (rows.size() == 0) return 0;
  std::vector<LearnedPost> posts;
  std::vector<std::vector<std::string_view>> tags;
  std::vector<std::int64_t> numbers, gone;
  std::set<std::string_view> all_tags;
  for (std::uint64_t row = 0; row < rows.size(); ++row) {
    if (rows.integer(row, 11) != 0) {
      gone.push_back(rows.integer(row, 1));
      continue;
    }
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
  if (!gone.empty()) forget.write({bigint_array_datum(gone)});
  if (!numbers.empty()) {
    move.write({bigint_array_datum(numbers)});
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
