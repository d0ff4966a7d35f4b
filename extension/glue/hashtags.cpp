// learn_post, hashtag_terms and is_hashtag (sql/install/40-hashtags.sql), and what refreshing reads
// (43-hashtags-refresh.sql).
#include "core/hashtags/variants.hpp"
#include "core/text/normalize.hpp"
#include "glue/hashtags_settings.hpp"
#include "glue/hashtags_store.hpp"

namespace nexus::pg {

std::optional<std::string> hashtag_name_arg(FunctionCallInfo fcinfo, int index, const char *name) {
  constexpr std::size_t kMaxNameBytes = 200;
  auto text = optional_text_arg(fcinfo, index);
  if (!text || text->empty()) return std::nullopt;
  std::string folded = text->size() > kMaxNameBytes ? std::string() : text::fold(*text);
  if (folded.empty() || folded.size() > kMaxNameBytes)
    throw Error("22023", std::string(name) + " is longer than " + std::to_string(kMaxNameBytes) + " bytes");
  return folded;
}

namespace {

std::optional<Datum> optional_bigint(FunctionCallInfo fcinfo, int index, const char *name) {
  if (PG_ARGISNULL(index)) return std::nullopt;
  if (PG_GETARG_INT64(index) < 0) throw invalid_argument(std::string(name) + " must not be negative");
  return PG_GETARG_DATUM(index);
}

std::optional<Datum> optional_text(const std::optional<std::string> &text) {
  if (!text) return std::nullopt;
  return text_datum(*text);
}

std::vector<std::uint32_t> integer_array_arg(FunctionCallInfo fcinfo, int index) {
  std::vector<std::uint32_t> numbers;
  Datum *elements;
  bool *nulls;
  int count;
  call([&] {
    deconstruct_array(PG_GETARG_ARRAYTYPE_P(index), INT4OID, 4, true, TYPALIGN_INT, &elements, &nulls, &count);
  });
  for (int i = 0; i < count; ++i)
    if (!nulls[i]) numbers.push_back(static_cast<std::uint32_t>(DatumGetInt32(elements[i])));
  return numbers;
}

}  // namespace

NEXUS_FUNCTION(nexus_hashtag_terms) {
  Rows rows(fcinfo);
  for (const hashtags::Term &term : hashtags::tokenize(text_arg(fcinfo, 0), interrupt()).terms)
    rows.add({text_datum(term.word), Int32GetDatum(static_cast<std::int32_t>(term.count))});
  PG_RETURN_VOID();
}

NEXUS_FUNCTION(nexus_is_hashtag) {
  PG_RETURN_BOOL(hashtags::is_hashtag(text_arg(fcinfo, 0)));
}

NEXUS_FUNCTION(nexus_learn_post) {
  static SpiStatement append(
      "INSERT INTO nexus.hashtag_delta"
      " (posted_at, author, platform, niche, length, terms, tags, spellings, impressions, engagements, source, "
      "source_id,"
      "  lift)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
      "  CASE WHEN $2 IS NOT NULL AND $10 IS NOT NULL THEN nexus.hashtag_lift($2, $1, $10) END)",
      {TIMESTAMPTZOID, INT8OID, TEXTOID, TEXTOID, INT4OID, BYTEAOID, TEXTARRAYOID, TEXTARRAYOID, INT8OID, INT8OID,
       TEXTOID, INT8OID});
  require_arg(fcinfo, 1, "hashtags");
  require_arg(fcinfo, 2, "posted_at");
  hashtags::Terms terms = hashtags::tokenize(optional_text_arg(fcinfo, 0).value_or(""), interrupt());
  std::vector<std::string_view> given = text_array_arg(fcinfo, 1, "hashtags");
  for (const std::string &tag : terms.written)
    if (given.size() < hashtags::kMaxTagsPerPost && hashtags::is_hashtag(tag)) given.emplace_back(tag);
  std::vector<hashtags::Tag> tags = hashtags::check_tags(given);
  std::vector<std::string_view> canonical, spellings;
  for (const hashtags::Tag &tag : tags) {
    canonical.emplace_back(tag.canonical);
    spellings.emplace_back(tag.spelling);
    hashtags::add_tag_words(terms, tag.spelling);
  }
  Datum posted_at = PG_GETARG_DATUM(2);
  if (TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(posted_at))) throw invalid_argument("posted_at must be finite");
  auto platform = hashtag_name_arg(fcinfo, 3, "platform"), niche = hashtag_name_arg(fcinfo, 5, "niche");
  std::optional<Datum> author;
  if (auto user_id = optional_text_arg(fcinfo, 4)) author = Int64GetDatum(author_of(*user_id));
  auto impressions = optional_bigint(fcinfo, 6, "impressions"), engagements = optional_bigint(fcinfo, 7, "engagements");
  std::optional<Datum> source, source_id;
  if (PG_NARGS() > 8) {
    source = PG_GETARG_DATUM(8);
    source_id = PG_GETARG_DATUM(9);
  }

  Spi spi;
  append.write({posted_at, author, optional_text(platform), optional_text(niche),
                Int32GetDatum(static_cast<std::int32_t>(terms.length)),
                bytes_datum(hashtags::encode_terms(terms.terms)), text_array_datum(canonical),
                text_array_datum(spellings), impressions, engagements, source, source_id});
  spi.finish();
  PG_RETURN_VOID();
}

NEXUS_FUNCTION(nexus_hashtag_feature_tags) {
  static SpiStatement counts("SELECT tags FROM nexus.hashtag_features WHERE feature = $1 COLLATE \"C\"", {TEXTOID});
  Rows rows(fcinfo);
  MemoryContext caller = CurrentMemoryContext;
  Spi spi;
  SpiRows found = counts.read({PG_GETARG_DATUM(0)});
  if (found.size() > 0)
    for (const hashtags::TagCount &entry : hashtags::decode_tag_counts(found.bytes(0, 1)))
      rows.add({Int32GetDatum(static_cast<std::int32_t>(entry.tag)), Int64GetDatum(entry.posts)});
  spi.finish();
  MemoryContextSwitchTo(caller);
  PG_RETURN_VOID();
}

NEXUS_FUNCTION(nexus_hashtag_terms_text) {
  std::string text;
  for (const hashtags::Term &term : hashtags::decode_terms(bytes_view(PG_GETARG_DATUM(0))))
    for (std::uint32_t i = 0; i < term.count && text.size() < hashtags::kMaxBodyBytes / 2; ++i) text += term.word + " ";
  return text_datum(text);
}

NEXUS_FUNCTION(nexus_hashtag_trends) {
  Rows rows(fcinfo);
  MemoryContext caller = CurrentMemoryContext;
  std::vector<std::uint32_t> tags = integer_array_arg(fcinfo, 0);
  Spi spi;
  HashtagStore &store = HashtagStore::get();
  store.open();
  store.load_tags(tags);
  std::int64_t now = hashtag_as_of();
  store.load_uses(tags, hashtags::hour_of(now) - hashtags::kTrendHours);
  for (std::uint32_t tag : tags) {
    const TagUse &use = store.use(tag);
    hashtags::Trend trend = hashtags::trend_of(use.hours, now);
    rows.add({Int32GetDatum(static_cast<std::int32_t>(tag)), Float8GetDatum(trend.value),
              Int64GetDatum(static_cast<std::int64_t>(use.authors)),
              Int64GetDatum(static_cast<std::int64_t>(trend.day)),
              Int64GetDatum(static_cast<std::int64_t>(trend.week))});
  }
  spi.finish();
  MemoryContextSwitchTo(caller);
  PG_RETURN_VOID();
}

NEXUS_FUNCTION(nexus_hashtag_cache_bytes) {
  PG_RETURN_INT64(static_cast<std::int64_t>(HashtagStore::get().memory()));
}

}  // namespace nexus::pg
