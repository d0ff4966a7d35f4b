// Who has used the tags, when, where and in which spelling: what the tables hold and what is not folded into them yet.
#include "glue/hashtags_store.hpp"

#include <algorithm>

namespace nexus::pg {

void HashtagStore::load_uses(const std::vector<std::uint32_t> &tags, std::int32_t first_hour) {
  static SpiStatement hours(
      "SELECT tag_id, week, hours FROM nexus.hashtag_hours WHERE tag_id = ANY ($1::integer[]) AND week >= $2",
      {INT8ARRAYOID, INT4OID});
  std::int32_t first_week = hashtags::week_of(first_hour);
  std::vector<std::int64_t> missing;
  for (std::uint32_t tag : tags) {
    if (tag >= kFirstFreshTag) continue;
    StoredTag &stored = tags_[tag];
    if (stored.hours_checked == generation_ && stored.first_week <= first_week) continue;
    missing.push_back(tag);
    stored.hours_checked = generation_;
    stored.first_week = first_week;
    stored.hours.clear();
    uses_.erase(tag);
  }
  if (!missing.empty()) {
    SpiRows rows = hours.read({bigint_array_datum(missing), Int32GetDatum(first_week)});
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
      StoredTag &stored = tags_[static_cast<std::uint32_t>(rows.integer(row, 1))];
      auto start = static_cast<std::int32_t>(rows.integer(row, 2) * 168);
      for (const auto &entry : hashtags::decode_tag_counts(rows.bytes(row, 3))) {
        stored.hours[start + static_cast<std::int32_t>(entry.tag)] = entry.posts;
        memory_ += 48;
      }
    }
  }
  load_authors(tags);
  for (std::uint32_t tag : tags)
    if (uses_.count(tag) == 0) uses_[tag] = merged_use(tag);
}

// What the tables hold of the authors that use the tags in posts which wait or are taken back.
void HashtagStore::load_authors(const std::vector<std::uint32_t> &tags) {
  static SpiStatement counted(
      "SELECT k.i, a.posts, a.last_hour FROM unnest($1::integer[], $2::bigint[]) WITH ORDINALITY k(tag_id, author, i)"
      "  CROSS JOIN LATERAL (SELECT posts, last_hour FROM nexus.hashtag_authors a"
      "                       WHERE a.tag_id = k.tag_id AND a.author = k.author LIMIT 1) a",
      {INT8ARRAYOID, INT8ARRAYOID});
  static SpiStatement latest(
      "SELECT k.i, p.posted_at FROM unnest($1::integer[], $2::bigint[]) WITH ORDINALITY k(tag_id, author, i)"
      "  CROSS JOIN LATERAL (SELECT posted_at FROM nexus.hashtag_posts p WHERE p.author = k.author"
      "                       AND (k.tag_id = 0 OR k.tag_id = ANY (p.tags)) AND p.post <> ALL ($3)"
      "                       ORDER BY posted_at DESC LIMIT 1) p",
      {INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID});
  std::vector<std::int64_t> ids, authors;
  for (std::uint32_t tag : tags) {
    if (tag >= kFirstFreshTag) continue;
    for (const hashtags::TagCounts *counts : {fresh_.tag(tag), gone_.tag(tag)}) {
      if (counts == nullptr) continue;
      for (const auto &entry : counts->authors)
        if (authors_.emplace(std::make_pair(tag, entry.first), BaseUse()).second) {
          ids.push_back(tag);
          authors.push_back(entry.first);
        }
    }
  }
  if (ids.empty()) return;
  auto use_of = [&](std::size_t i) -> BaseUse & {
    return authors_.at({static_cast<std::uint32_t>(ids[i]), authors[i]});
  };
  SpiRows rows = counted.read({bigint_array_datum(ids), bigint_array_datum(authors)});
  for (std::uint64_t row = 0; row < rows.size(); ++row) {
    BaseUse &use = use_of(static_cast<std::size_t>(rows.integer(row, 1) - 1));
    use.stored = {static_cast<std::uint64_t>(rows.integer(row, 2)), static_cast<std::int32_t>(rows.integer(row, 3))};
    use.left = use.stored;
  }
  std::vector<std::int64_t> lost_ids, lost_authors, gone;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const hashtags::TagCounts *counts = gone_.tag(static_cast<std::uint32_t>(ids[i]));
    if (counts == nullptr) continue;
    auto found = counts->authors.find(authors[i]);
    if (found == counts->authors.end()) continue;
    BaseUse &use = use_of(i);
    use.left.posts -= found->second.posts;
    if (use.left.posts == 0 || found->second.last_hour < use.stored.last_hour) continue;
    lost_ids.push_back(ids[i]);
    lost_authors.push_back(authors[i]);
  }
  if (lost_ids.empty()) return;
  for (const auto &entry : gone_.all_posts()) gone.push_back(static_cast<std::int64_t>(entry.first));
  SpiRows last =
      latest.read({bigint_array_datum(lost_ids), bigint_array_datum(lost_authors), bigint_array_datum(gone)});
  for (std::uint64_t row = 0; row < last.size(); ++row) {
    auto i = static_cast<std::size_t>(last.integer(row, 1) - 1);
    authors_.at({static_cast<std::uint32_t>(lost_ids[i]), lost_authors[i]}).left.last_hour =
        hashtags::hour_of(last.integer(row, 2));
  }
}

TagUse HashtagStore::merged_use(std::uint32_t tag) const {
  static const hashtags::TagCounts nothing;
  auto stored = tags_.find(tag);
  const hashtags::TagCounts *waiting = fresh_.tag(tag), *taken = gone_.tag(tag);
  const hashtags::TagCounts &fresh = waiting == nullptr ? nothing : *waiting,
                            &gone = taken == nullptr ? nothing : *taken;
  std::map<std::int32_t, std::int64_t> hours;
  std::int64_t authors = 0;
  if (stored != tags_.end()) {
    hours = stored->second.hours;
    authors = static_cast<std::int64_t>(stored->second.authors);
  }
  for (const auto &[hour, count] : fresh.anonymous) {
    hours[hour] += count;
    authors += count;
  }
  for (const auto &[hour, count] : gone.anonymous) {
    hours[hour] -= count;
    authors -= count;
  }
  auto move = [&](std::int64_t author, const hashtags::AuthorUse *added) {
    BaseUse base;
    auto found = authors_.find({tag, author});
    if (found != authors_.end()) base = found->second;
    if (base.stored.posts > 0) {
      --hours[base.stored.last_hour];
      --authors;
    }
    if (base.left.posts == 0 && added == nullptr) return;
    std::int32_t last = base.left.posts == 0 ? added->last_hour : base.left.last_hour;
    if (added != nullptr) last = std::max(last, added->last_hour);
    ++hours[last];
    ++authors;
  };
  for (const auto &[author, use] : fresh.authors) move(author, &use);
  for (const auto &entry : gone.authors)
    if (fresh.authors.count(entry.first) == 0) move(entry.first, nullptr);
  TagUse use;
  use.authors = static_cast<std::uint64_t>(authors);
  for (const auto &[hour, count] : hours)
    if (count > 0) use.hours.push_back({hour, static_cast<std::uint32_t>(count)});
  return use;
}

std::string HashtagStore::display(std::uint32_t tag) {
  static SpiStatement spellings("SELECT spelling, posts FROM nexus.hashtag_spellings WHERE tag_id = $1", {INT4OID});
  const hashtags::TagCounts *fresh = fresh_.tag(tag), *gone = gone_.tag(tag);
  if (fresh == nullptr && gone == nullptr) return tags_.at(tag).display;
  std::map<std::string, std::uint64_t> counts;
  if (fresh != nullptr) counts = fresh->spellings;
  if (tag < kFirstFreshTag) {
    SpiRows rows = spellings.read({Int32GetDatum(static_cast<std::int32_t>(tag))});
    for (std::uint64_t row = 0; row < rows.size(); ++row)
      counts[std::string(rows.text(row, 1))] += static_cast<std::uint64_t>(rows.integer(row, 2));
  }
  if (gone != nullptr)
    for (const auto &[spelling, posts] : gone->spellings) counts[spelling] -= posts;
  auto best = counts.begin();
  for (auto it = counts.begin(); it != counts.end(); ++it)
    if (it->second > best->second) best = it;
  return best->first;
}

}  // namespace nexus::pg
