// The packed counts of features and the blocks of their postings (see hashtags_fold.hpp). Rows that are there are
// changed at the place where they were read, which spares a second search and the lock of an upsert.
#include <algorithm>

#include "glue/hashtags_fold.hpp"

namespace nexus::pg {

using hashtags::Batch;
using hashtags::FeatureCounts;
using hashtags::Posting;

namespace {

constexpr std::size_t kChunkPostings = 4096;  // of a block: what a later fold has to rewrite

/// Blocks of postings to be written: new ones under their number, changed ones in their old place.
class Blocks {
 public:
  /// The postings of a feature, from the block `chunk` on; the first of them lies at `place` where it is stored
  /// already.
  void add(std::int64_t feature, std::int64_t chunk, std::optional<Datum> place, const std::vector<Posting> &postings) {
    for (std::size_t from = 0; from < postings.size(); from += kChunkPostings) {
      auto begin = postings.begin() + static_cast<std::ptrdiff_t>(from);
      auto end = begin + static_cast<std::ptrdiff_t>(std::min(kChunkPostings, postings.size() - from));
      std::string block = hashtags::encode_postings({begin, end});
      if (place && from == 0) {
        places_.push_back(*place);
        changed_.push_back(std::move(block));
      } else {
        features_.push_back(feature);
        chunks_.push_back(chunk + static_cast<std::int64_t>(from / kChunkPostings));
        added_.push_back(std::move(block));
      }
    }
  }

  void write() {
    static SpiStatement change(
        "UPDATE nexus.hashtag_postings p SET block = k.block FROM unnest($1::tid[], $2::bytea[]) k(place, block)"
        " WHERE p.ctid = k.place",
        {TIDARRAYOID, BYTEAARRAYOID});
    static SpiStatement append(
        "INSERT INTO nexus.hashtag_postings (feature_id, chunk, block)"
        " SELECT k.* FROM unnest($1::bigint[], $2::integer[], $3::bytea[]) k",
        {INT8ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID});
    if (!places_.empty()) change.write({tid_array_datum(places_), bytes_array_datum(changed_)});
    if (!features_.empty())
      append.write({bigint_array_datum(features_), bigint_array_datum(chunks_), bytes_array_datum(added_)});
  }

 private:
  std::vector<Datum> places_;
  std::vector<std::int64_t> features_, chunks_;
  std::vector<std::string> changed_, added_;
};

}  // namespace

void add_feature_counts(const Batch &batch, std::int64_t generation) {
  static SpiStatement stored(
      "SELECT k.i, f.ctid, f.feature_id, f.tags, p.ctid, p.chunk, p.block"
      "  FROM unnest($1::text[], $2::bigint[]) k(feature, i)"
      "  CROSS JOIN LATERAL (SELECT f.ctid, f.feature_id, f.tags FROM nexus.hashtag_features f"
      "                       WHERE f.feature = k.feature COLLATE \"C\" LIMIT 1) f"
      "  LEFT JOIN LATERAL (SELECT p.ctid, p.chunk, p.block FROM nexus.hashtag_postings p"
      "                      WHERE p.feature_id = f.feature_id ORDER BY p.chunk DESC LIMIT 1) p ON true",
      {TEXTARRAYOID, INT8ARRAYOID});
  static SpiStatement change(
      "UPDATE nexus.hashtag_features f SET posts = f.posts + k.posts, generation = $4, tags = k.tags"
      "  FROM unnest($1::tid[], $2::bigint[], $3::bytea[]) k(place, posts, tags) WHERE f.ctid = k.place",
      {TIDARRAYOID, INT8ARRAYOID, BYTEAARRAYOID, INT8OID});
  static SpiStatement append(
      "INSERT INTO nexus.hashtag_features (feature, posts, generation, tags)"
      " SELECT k.feature, k.posts, $4, k.tags FROM unnest($1::text[], $2::bigint[], $3::bytea[]) k(feature, posts, "
      "tags)"
      " RETURNING feature, feature_id",
      {TEXTARRAYOID, INT8ARRAYOID, BYTEAARRAYOID, INT8OID});

  auto features = batch.sorted_features();
  if (features.empty()) return;
  std::vector<std::string_view> names;
  std::vector<std::int64_t> numbers;
  for (const auto *feature : features) {
    names.emplace_back(feature->first);
    numbers.push_back(static_cast<std::int64_t>(numbers.size()));
  }
  Blocks blocks;
  std::vector<bool> known(features.size(), false);
  std::vector<Datum> places;
  std::vector<std::int64_t> more;
  std::vector<std::string> tags;
  SpiRows old = stored.write({text_array_datum(names), bigint_array_datum(numbers)});
  for (std::uint64_t row = 0; row < old.size(); ++row) {
    auto i = static_cast<std::size_t>(old.integer(row, 1));
    const FeatureCounts &counts = features[i]->second;
    known[i] = true;
    places.push_back(*old.get(row, 2));
    more.push_back(static_cast<std::int64_t>(counts.posts));
    tags.push_back(hashtags::encode_tag_counts(
        hashtags::merge_tag_counts(hashtags::decode_tag_counts(old.bytes(row, 4)), counts.tags)));
    if (counts.postings.empty()) continue;
    std::vector<Posting> last = hashtags::decode_postings(old.bytes(row, 7));
    if (last.empty() || last.size() >= kChunkPostings) {
      blocks.add(old.integer(row, 3), last.empty() ? 0 : old.integer(row, 6) + 1, std::nullopt, counts.postings);
      continue;
    }
    last.insert(last.end(), counts.postings.begin(), counts.postings.end());
    std::sort(last.begin(), last.end(), [](const Posting &a, const Posting &b) { return a.post < b.post; });
    blocks.add(old.integer(row, 3), old.integer(row, 6), old.get(row, 5), last);
  }
  if (!places.empty())
    change.write(
        {tid_array_datum(places), bigint_array_datum(more), bytes_array_datum(tags), Int64GetDatum(generation)});

  std::vector<std::string_view> new_names;
  std::vector<std::int64_t> posts;
  tags.clear();
  for (std::size_t i = 0; i < features.size(); ++i) {
    if (known[i]) continue;
    new_names.push_back(names[i]);
    posts.push_back(static_cast<std::int64_t>(features[i]->second.posts));
    tags.push_back(hashtags::encode_tag_counts(features[i]->second.tags));
  }
  if (!new_names.empty()) {
    SpiRows added = append.write(
        {text_array_datum(new_names), bigint_array_datum(posts), bytes_array_datum(tags), Int64GetDatum(generation)});
    for (std::uint64_t row = 0; row < added.size(); ++row)
      blocks.add(added.integer(row, 2), 0, std::nullopt, batch.feature(std::string(added.text(row, 1)))->postings);
  }
  blocks.write();
}

void remove_feature_counts(const Batch &batch, std::int64_t generation) {
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

  auto features = batch.sorted_features();
  if (features.empty()) return;
  std::vector<std::string_view> names;
  for (const auto *feature : features) names.emplace_back(feature->first);
  SpiRows old = stored.write({text_array_datum(names)});
  for (std::uint64_t row = 0; row < old.size(); ++row) {
    const hashtags::FeatureCounts &gone = features[static_cast<std::size_t>(old.integer(row, 1) - 1)]->second;
    Datum id = Int64GetDatum(old.integer(row, 2));
    std::int64_t posts = old.integer(row, 3) - static_cast<std::int64_t>(gone.posts);
    std::vector<hashtags::TagCount> tags;
    for (hashtags::TagCount entry : hashtags::decode_tag_counts(old.bytes(row, 4))) {
      entry.posts -= gone.posts_with(entry.tag);
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

}  // namespace nexus::pg
