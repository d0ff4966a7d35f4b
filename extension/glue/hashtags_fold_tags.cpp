// The counts of tags: their authors, the hours in which these used them last, spellings and totals (see
// hashtags_fold.hpp).
#include <algorithm>

#include "glue/hashtags_fold.hpp"

namespace nexus::pg {

using hashtags::Batch;

namespace {

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
std::unordered_map<std::uint32_t, std::int64_t> write_authors(const Batch &batch, std::int64_t sign) {
  static SpiStatement stored(
      "SELECT k.i, a.posts, a.last_hour, a.ctid FROM unnest($1::integer[], $2::bigint[]) WITH ORDINALITY k(tag_id, "
      "author, i)"
      "  CROSS JOIN LATERAL (SELECT posts, last_hour, ctid FROM nexus.hashtag_authors a"
      "                       WHERE a.tag_id = k.tag_id AND a.author = k.author LIMIT 1) a",
      {INT8ARRAYOID, INT8ARRAYOID});
  static SpiStatement latest(
      "SELECT k.i, p.posted_at FROM unnest($1::integer[], $2::bigint[]) WITH ORDINALITY k(tag_id, author, i)"
      "  CROSS JOIN LATERAL (SELECT posted_at FROM nexus.hashtag_posts p WHERE p.author = k.author"
      "                       AND (k.tag_id = 0 OR k.tag_id = ANY (p.tags)) ORDER BY posted_at DESC LIMIT 1) p",
      {INT8ARRAYOID, INT8ARRAYOID});
  static SpiStatement change(
      "UPDATE nexus.hashtag_authors a SET posts = k.posts, last_hour = k.last_hour"
      "  FROM unnest($1::tid[], $2::bigint[], $3::integer[]) k(place, posts, last_hour) WHERE a.ctid = k.place",
      {TIDARRAYOID, INT8ARRAYOID, INT8ARRAYOID});
  static SpiStatement append(
      "INSERT INTO nexus.hashtag_authors (tag_id, author, posts, last_hour)"
      " SELECT k.* FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::integer[]) k",
      {INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID});
  static SpiStatement drop(
      "DELETE FROM nexus.hashtag_authors a USING unnest($1::integer[], $2::bigint[]) k(tag_id, author)"
      " WHERE a.tag_id = k.tag_id AND a.author = k.author",
      {INT8ARRAYOID, INT8ARRAYOID});
  std::unordered_map<std::uint32_t, std::int64_t> won;
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
    std::vector<Datum> places(tags.size());
    SpiRows old = stored.write({bigint_array_datum(tags), bigint_array_datum(authors)});
    for (std::uint64_t row = 0; row < old.size(); ++row) {
      auto i = static_cast<std::size_t>(old.integer(row, 1) - 1);
      before[i] = {static_cast<std::uint64_t>(old.integer(row, 2)), static_cast<std::int32_t>(old.integer(row, 3))};
      places[i] = *old.get(row, 4);
      after[i].posts = before[i].posts + static_cast<std::uint64_t>(sign) * uses[i].posts;
      after[i].last_hour = std::max(before[i].last_hour, uses[i].last_hour);
    }
    if (sign < 0) {
      SpiRows last = latest.write({bigint_array_datum(tags), bigint_array_datum(authors)});
      for (std::uint64_t row = 0; row < last.size(); ++row)
        after[static_cast<std::size_t>(last.integer(row, 1) - 1)].last_hour = hashtags::hour_of(last.integer(row, 2));
    }
    std::vector<Datum> changed;
    std::vector<std::int64_t> posts, last_hours, new_tags, new_authors, new_posts, new_hours, drop_tags, drop_authors;
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
      if (before[i].posts > 0) {
        changed.push_back(places[i]);
        posts.push_back(static_cast<std::int64_t>(after[i].posts));
        last_hours.push_back(after[i].last_hour);
        continue;
      }
      new_tags.push_back(tags[i]);
      new_authors.push_back(authors[i]);
      new_posts.push_back(static_cast<std::int64_t>(after[i].posts));
      new_hours.push_back(after[i].last_hour);
    }
    if (!changed.empty())
      change.write({tid_array_datum(changed), bigint_array_datum(posts), bigint_array_datum(last_hours)});
    if (!new_tags.empty())
      append.write({bigint_array_datum(new_tags), bigint_array_datum(new_authors), bigint_array_datum(new_posts),
                    bigint_array_datum(new_hours)});
    if (!drop_tags.empty()) drop.write({bigint_array_datum(drop_tags), bigint_array_datum(drop_authors)});
  }
  write_hours(hours);
  return won;
}

}  // namespace

void write_tag_counts(const Batch &batch, std::int64_t sign) {
  static SpiStatement spellings(
      "INSERT INTO nexus.hashtag_spellings AS s (tag_id, spelling, posts)"
      " SELECT k.tag_id, k.spelling, k.posts FROM unnest($1::integer[], $2::text[], $3::bigint[])"
      "   k(tag_id, spelling, posts)"
      " ON CONFLICT (tag_id, spelling) DO UPDATE SET posts = s.posts + EXCLUDED.posts",
      {INT8ARRAYOID, TEXTARRAYOID, INT8ARRAYOID});
  static SpiStatement unused("DELETE FROM nexus.hashtag_spellings WHERE tag_id = ANY ($1::integer[]) AND posts = 0",
                             {INT8ARRAYOID});
  static SpiStatement totals(
      "UPDATE nexus.hashtag_tags t SET posts = t.posts + k.posts, authors = t.authors + k.authors,"
      "   lift_sum = t.lift_sum + k.lift_sum, lift_posts = t.lift_posts + k.lift_posts,"
      "   display = coalesce((SELECT s.spelling FROM nexus.hashtag_spellings s WHERE s.tag_id = t.tag_id"
      "               ORDER BY s.posts DESC, s.spelling COLLATE \"C\" LIMIT 1), t.display)"
      "  FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])"
      "    k(tag_id, posts, authors, lift_sum, lift_posts) WHERE t.tag_id = k.tag_id",
      {INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID});

  static SpiStatement forget("DELETE FROM nexus.hashtag_tags WHERE tag_id = ANY ($1::integer[]) AND posts = 0",
                             {INT8ARRAYOID});
  std::unordered_map<std::uint32_t, std::int64_t> new_authors = write_authors(batch, sign);
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
  std::vector<std::int64_t> used, posts, authors, lift_sums, lift_posts;
  for (const auto &[tag, use] : batch.tags()) {
    if (tag == hashtags::kAnyTag) continue;
    used.push_back(tag);
    posts.push_back(sign * static_cast<std::int64_t>(use.posts));
    authors.push_back(new_authors[tag]);
    lift_sums.push_back(sign * use.lift_sum);
    lift_posts.push_back(sign * use.lift_posts);
  }
  totals.write({bigint_array_datum(used), bigint_array_datum(posts), bigint_array_datum(authors),
                bigint_array_datum(lift_sums), bigint_array_datum(lift_posts)});
  if (sign < 0) forget.write({bigint_array_datum(used)});
}

}  // namespace nexus::pg
