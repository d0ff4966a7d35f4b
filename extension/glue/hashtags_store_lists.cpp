// Tags by their texts and numbers, on lists, in niches, and in an author's history.
#include "glue/hashtags_store.hpp"

#include <algorithm>

namespace nexus::pg {

namespace {

constexpr int kHistory = 1000;

}  // namespace

// Asked for each draft's pieces and each candidate's other number, most of which no tag has: that is kept, too.
std::vector<std::uint32_t> HashtagStore::folded_tags(const std::vector<std::string> &names) {
  static SpiStatement known(
      "SELECT k.i, t.tag_id FROM unnest($1::text[]) WITH ORDINALITY k(tag, i)"
      "  CROSS JOIN LATERAL (SELECT tag_id FROM nexus.hashtag_tags t WHERE t.canonical = k.tag COLLATE \"C\" LIMIT 1) "
      "t",
      {TEXTARRAYOID});
  std::vector<std::string_view> missing;
  std::vector<StoredName *> asked;
  for (const std::string &name : names) {
    auto [entry, added] = names_.try_emplace(name);
    if (added) memory_ += 100 + name.size();
    if (entry->second.checked == generation_) continue;
    entry->second = StoredName();
    missing.push_back(entry->first);
    asked.push_back(&entry->second);
  }
  if (!missing.empty()) {
    SpiRows rows = known.read({text_array_datum(missing)});
    for (std::uint64_t row = 0; row < rows.size(); ++row)
      asked[static_cast<std::size_t>(rows.integer(row, 1) - 1)]->tag = static_cast<std::uint32_t>(rows.integer(row, 2));
    for (StoredName *name : asked) name->checked = generation_;
  }
  std::vector<std::uint32_t> tags;
  tags.reserve(names.size());
  for (const std::string &name : names) tags.push_back(names_.at(name).tag);
  return tags;
}

std::vector<std::uint32_t> HashtagStore::known_tags(const std::vector<std::string> &texts) {
  std::vector<std::uint32_t> tags;
  for (std::uint32_t tag : folded_tags(texts))
    if (tag != hashtags::kAnyTag) tags.push_back(tag);
  for (const std::string &text : texts) {
    auto fresh = fresh_keys_.find(text);
    if (fresh != fresh_keys_.end()) tags.push_back(fresh->second);
  }
  return tags;
}

std::map<std::uint32_t, std::uint32_t> HashtagStore::other_numbers(const std::vector<std::uint32_t> &tags) {
  std::vector<std::string> forms;
  std::vector<std::uint32_t> asked, others;
  for (std::uint32_t tag : tags)
    if (auto form = hashtags::other_number(canonical(tag))) {
      forms.push_back(std::move(*form));
      asked.push_back(tag);
    }
  std::map<std::uint32_t, std::uint32_t> found;
  std::vector<std::uint32_t> folded = folded_tags(forms);
  for (std::size_t i = 0; i < forms.size(); ++i) {
    auto fresh = fresh_keys_.find(forms[i]);
    if (fresh != fresh_keys_.end()) found[asked[i]] = fresh->second;
    if (folded[i] != hashtags::kAnyTag) found[asked[i]] = folded[i];
  }
  for (const auto &entry : found) others.push_back(entry.second);
  load_tags(others);
  return found;
}

std::vector<std::uint32_t> HashtagStore::seeds(std::string_view niche) {
  static SpiStatement of_niche(
      "SELECT s.tag, s.display, t.tag_id FROM nexus.hashtag_seeds s"
      "  LEFT JOIN LATERAL (SELECT tag_id FROM nexus.hashtag_tags t WHERE t.canonical = s.tag LIMIT 1) t ON true"
      " WHERE s.niche = $1 COLLATE \"C\" ORDER BY s.tag",
      {TEXTOID});
  std::vector<std::uint32_t> tags;
  SpiRows rows = of_niche.read({text_datum(niche)});
  for (std::uint64_t row = 0; row < rows.size(); ++row) {
    if (!rows.is_null(row, 3)) {
      tags.push_back(static_cast<std::uint32_t>(rows.integer(row, 3)));
      continue;
    }
    tags.push_back(fresh_key(rows.text(row, 1)));
    tags_.at(tags.back()).display = rows.text(row, 2);
  }
  return tags;
}

std::map<std::uint32_t, bool> HashtagStore::listed(const std::vector<std::uint32_t> &tags, std::string_view platform) {
  static SpiStatement rows_of(
      "SELECT k.i, l.status = 'banned' FROM unnest($1::text[]) WITH ORDINALITY k(tag, i)"
      "  CROSS JOIN LATERAL (SELECT status FROM nexus.hashtag_listed l WHERE l.tag = k.tag COLLATE \"C\""
      "                       AND l.platform IN ('', $2) ORDER BY status LIMIT 1) l",
      {TEXTARRAYOID, TEXTOID});
  std::vector<std::string_view> names;
  for (std::uint32_t tag : tags) names.emplace_back(canonical(tag));
  std::map<std::uint32_t, bool> found;
  if (names.empty()) return found;
  SpiRows rows = rows_of.read({text_array_datum(names), text_datum(platform)});
  for (std::uint64_t row = 0; row < rows.size(); ++row)
    found[tags[static_cast<std::size_t>(rows.integer(row, 1) - 1)]] = rows.integer(row, 2) != 0;
  return found;
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
  auto most = static_cast<std::int64_t>(kHistory + retracted_.size());
  SpiRows rows = history.read({Int64GetDatum(author), Int64GetDatum(most)});
  for (std::uint64_t row = 0; row < rows.size(); ++row)
    if (retracted_.count(static_cast<std::uint64_t>(rows.integer(row, 2))) == 0)
      uses.push_back({rows.integer(row, 1), static_cast<std::uint64_t>(rows.integer(row, 2)), rows.integers(row, 3)});
  for (const auto &[number, post] : fresh_.all_posts())
    if (post.has_author && post.author == author) uses.push_back({post.posted_at, number, post.tags});
  std::sort(uses.begin(), uses.end(), [](const Use &a, const Use &b) {
    return a.posted_at != b.posted_at ? a.posted_at > b.posted_at : a.post > b.post;
  });
  if (uses.size() > kHistory) uses.resize(kHistory);
  for (const Use &use : uses)
    for (std::uint32_t tag : use.tags) affinity.add(tag, use.posted_at);

  static SpiStatement decisions(
      "SELECT f.tag, f.accepted, f.decided_at, t.tag_id FROM nexus.hashtag_feedback f"
      "  LEFT JOIN LATERAL (SELECT tag_id FROM nexus.hashtag_tags t WHERE t.canonical = f.tag LIMIT 1) t ON true"
      " WHERE f.author = $1 ORDER BY f.id DESC LIMIT $2",
      {INT8OID, INT8OID});
  SpiRows decided = decisions.read({Int64GetDatum(author), Int64GetDatum(kHistory)});
  for (std::uint64_t row = 0; row < decided.size(); ++row) {
    std::uint32_t tag = 0;
    if (!decided.is_null(row, 4)) {
      tag = static_cast<std::uint32_t>(decided.integer(row, 4));
    } else {
      auto fresh = fresh_keys_.find(decided.text(row, 1));
      if (fresh == fresh_keys_.end()) continue;  // of a tag that nobody uses
      tag = fresh->second;
    }
    affinity.decide(tag, decided.integer(row, 2) != 0, decided.integer(row, 3));
  }
}

}  // namespace nexus::pg
