// learn_post, suggest_hashtags, hashtag_terms and is_hashtag (sql/install/40-hashtags.sql).
#include <algorithm>
#include <cmath>
#include <set>

#include "core/text/normalize.hpp"
#include "glue/hashtags_settings.hpp"
#include "glue/hashtags_store.hpp"

extern "C" {
#include "utils/acl.h"
}

namespace nexus::pg {

using hashtags::Candidate;
using hashtags::Feature;

namespace {

constexpr std::size_t kMaxNameBytes = 200;  // of a niche or platform
constexpr int kMaxCount = 200;
constexpr std::size_t kWordsShown = 16;

std::optional<std::string> name_arg(FunctionCallInfo fcinfo, int index, const char *name) {
  auto text = optional_text_arg(fcinfo, index);
  if (!text || text->empty()) return std::nullopt;
  std::string folded = text->size() > kMaxNameBytes ? std::string() : text::fold(*text);
  if (folded.empty() || folded.size() > kMaxNameBytes)
    throw Error("22023", std::string(name) + " is longer than " + std::to_string(kMaxNameBytes) + " bytes");
  return folded;
}

std::optional<Datum> optional_bigint(FunctionCallInfo fcinfo, int index, const char *name) {
  if (PG_ARGISNULL(index)) return std::nullopt;
  if (PG_GETARG_INT64(index) < 0) throw invalid_argument(std::string(name) + " must not be negative");
  return PG_GETARG_DATUM(index);
}

std::optional<Datum> optional_text(const std::optional<std::string> &text) {
  if (!text) return std::nullopt;
  return text_datum(*text);
}

// History belongs to its user: others may ask for it who own the model, or who are that user.
void check_history(std::string_view user_id) {
  static SpiStatement own("SELECT nexus.current_user_id() IS NOT DISTINCT FROM $1", {TEXTOID});
  bool privileged = call([] { return has_privs_of_role(GetOuterUserId(), GetUserId()); });
  if (privileged) return;
  if (own.read({text_datum(user_id)}).integer(0, 1) != 0) return;
  throw Error("42501", "user_id is not the current user").hint("Leave user_id out, or give your own.");
}

std::string number(double value) {
  char text[32];
  pg_snprintf(text, sizeof(text), "%.17g", value);
  return text;
}

std::string field(const char *name, std::uint64_t value) {
  return "\"" + std::string(name) + "\": " + std::to_string(value);
}

// The raw counts of a candidate. The words are the draft's own; they hold letters, marks and digits only, so that JSON
// needs no escapes.
std::string evidence(const Candidate &candidate, const hashtags::Corpus &corpus, const std::vector<Feature> &words,
                     const std::optional<Feature> &niche, const std::optional<Feature> &platform,
                     std::size_t neighbours, std::uint64_t posts, std::uint64_t authors,
                     const hashtags::Affinity *affinity) {
  struct Shown {
    const Feature *word;
    std::uint64_t both;
    double strength;
  };
  std::vector<Shown> shown;
  for (const Feature &word : words) {
    std::uint64_t both = word.posts_with(candidate.tag);
    if (both == 0) continue;
    double i = hashtags::word_weight(corpus, word.posts());
    shown.push_back(
        {&word, both, i * i * static_cast<double>(both) / std::sqrt(static_cast<double>(word.posts()) + 1.5)});
  }
  std::stable_sort(shown.begin(), shown.end(), [](const Shown &a, const Shown &b) { return a.strength > b.strength; });
  std::size_t supporting = shown.size();
  if (shown.size() > kWordsShown) shown.resize(kWordsShown);

  std::string json =
      "{" + field("posts", corpus.posts) + ", " + field("uses", posts) + ", " + field("authors", authors);
  json += ", \"similar\": {\"value\": " + number(candidate.similar) + ", " + field("posts", neighbours) + ", " +
          field("with_tag", candidate.voters) + "}";
  json +=
      ", \"words\": {\"value\": " + number(candidate.words) + ", " + field("with_tag", supporting) + ", \"best\": [";
  for (std::size_t i = 0; i < shown.size(); ++i)
    json += std::string(i == 0 ? "" : ", ") + "{\"word\": \"" + shown[i].word->name + "\", " +
            field("posts", shown[i].word->posts()) + ", " + field("with_tag", shown[i].both) + "}";
  json += "]}";
  json += std::string(", \"spelt\": ") + (candidate.spelt > 0 ? "true" : "false");
  for (auto [feature, name] : {std::make_pair(&niche, "niche"), std::make_pair(&platform, "platform")})
    if (*feature)
      json += ", \"" + std::string(name) + "\": {" + field("posts", (*feature)->posts()) + ", " +
              field("with_tag", (*feature)->posts_with(candidate.tag)) + "}";
  if (affinity != nullptr) json += ", \"own\": {" + field("uses", affinity->uses(candidate.tag)) + "}";
  return json + "}";
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
      " (posted_at, author, platform, niche, length, terms, tags, spellings, impressions, engagements)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
      {TIMESTAMPTZOID, INT8OID, TEXTOID, TEXTOID, INT4OID, BYTEAOID, TEXTARRAYOID, TEXTARRAYOID, INT8OID, INT8OID});
  require_arg(fcinfo, 1, "hashtags");
  require_arg(fcinfo, 2, "posted_at");
  hashtags::Terms terms = hashtags::tokenize(optional_text_arg(fcinfo, 0).value_or(""), interrupt());
  std::vector<hashtags::Tag> tags = hashtags::check_tags(text_array_arg(fcinfo, 1, "hashtags"));
  std::vector<std::string_view> canonical, spellings;
  for (const hashtags::Tag &tag : tags) {
    canonical.emplace_back(tag.canonical);
    spellings.emplace_back(tag.spelling);
  }
  Datum posted_at = PG_GETARG_DATUM(2);
  if (TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(posted_at))) throw invalid_argument("posted_at must be finite");
  auto platform = name_arg(fcinfo, 3, "platform"), niche = name_arg(fcinfo, 5, "niche");
  std::optional<Datum> author;
  if (auto user_id = optional_text_arg(fcinfo, 4)) author = Int64GetDatum(author_of(*user_id));
  auto impressions = optional_bigint(fcinfo, 6, "impressions"), engagements = optional_bigint(fcinfo, 7, "engagements");

  Spi spi;
  append.write({posted_at, author, optional_text(platform), optional_text(niche),
                Int32GetDatum(static_cast<std::int32_t>(terms.length)),
                bytes_datum(hashtags::encode_terms(terms.terms)), text_array_datum(canonical),
                text_array_datum(spellings), impressions, engagements});
  spi.finish();
  PG_RETURN_VOID();
}

NEXUS_FUNCTION(nexus_suggest_hashtags) {
  Rows rows(fcinfo);
  require_arg(fcinfo, 4, "max_count");
  int max_count = PG_GETARG_INT32(4);
  if (max_count < 1 || max_count > kMaxCount)
    throw invalid_argument("max_count must be between 1 and " + std::to_string(kMaxCount));
  Interrupt poll = interrupt();
  hashtags::Terms draft = hashtags::tokenize(optional_text_arg(fcinfo, 0).value_or(""), poll);
  auto platform_name = name_arg(fcinfo, 1, "platform"), niche_name = name_arg(fcinfo, 3, "niche");
  auto user_id = optional_text_arg(fcinfo, 2);
  std::set<std::string> excluded(draft.tags.begin(), draft.tags.end());
  if (!PG_ARGISNULL(5))
    for (std::string_view tag : text_array_arg(fcinfo, 5, "exclude")) excluded.insert(text::canonical_hashtag(tag));

  MemoryContext caller = CurrentMemoryContext;
  Spi spi;
  if (user_id) check_history(*user_id);
  HashtagStore &store = HashtagStore::get();
  store.open();
  hashtags::Corpus corpus = store.corpus();

  hashtags::Limits limits;
  limits.max_postings = static_cast<std::uint64_t>(hashtag_max_postings);
  std::vector<std::string> keys;
  for (const hashtags::Term &term : draft.terms) keys.push_back(hashtags::feature_key(hashtags::kWord, term.word));
  std::vector<Feature> words = store.features(keys);
  std::vector<bool> affordable = hashtags::affordable_words(words, limits), compared(words.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    compared[i] = affordable[i] && hashtags::tells_posts_apart(corpus, words[i].posts(), limits);
  store.load_postings(words, keys, compared);
  for (std::size_t i = words.size(); i-- > 0;)
    if (!affordable[i]) words.erase(words.begin() + static_cast<std::ptrdiff_t>(i));

  std::vector<hashtags::Neighbour> neighbours = hashtags::similar_posts(corpus, words, limits, poll);
  if (niche_name) store.load_post_tags(neighbours);
  neighbours = hashtags::nearest_in_niche(std::move(neighbours), limits, [&](std::uint64_t post) {
    return niche_name && store.post_niche(post) == *niche_name;
  });
  store.load_post_tags(neighbours);
  hashtags::Relevance relevance;
  relevance.vote(
      neighbours, [&store](std::uint64_t post) -> const auto & { return store.post_tags(post); });
  relevance.add_words(corpus, words, poll);
  std::optional<Feature> niche, platform;
  if (niche_name) {
    niche = store.features({hashtags::feature_key(hashtags::kNiche, *niche_name)}).front();
    relevance.add_niche(*niche);
  }
  if (platform_name) {
    platform = store.features({hashtags::feature_key(hashtags::kPlatform, *platform_name)}).front();
    relevance.add_platform(*platform);
  }
  hashtags::Affinity affinity(hashtag_as_of());
  if (user_id) {
    store.add_history(author_of(*user_id), affinity);
    for (std::uint32_t tag : affinity.tags()) relevance.add(tag);
  }

  store.load_tags(relevance.tags());
  struct Ranked {
    Candidate candidate;
    double affinity, score;
    const std::string *canonical;
  };
  std::vector<Ranked> ranked;
  for (const Candidate &candidate : relevance.candidates([&](std::uint32_t tag) { return store.tag_posts(tag); })) {
    double own = affinity.value(candidate.tag), score = candidate.relevance + hashtags::kAffinityWeight * own;
    const std::string &canonical = store.canonical(candidate.tag);
    if (score > 0 && !canonical.empty()) ranked.push_back({candidate, own, score, &canonical});
  }
  // Thousands of candidates, ten wanted: a heap gives the best first without sorting the rest.
  auto worse = [](const Ranked &a, const Ranked &b) {
    return a.score != b.score ? a.score < b.score : *a.canonical > *b.canonical;
  };
  std::make_heap(ranked.begin(), ranked.end(), worse);
  for (int left = max_count; left > 0 && !ranked.empty();) {
    poll.poll();
    std::pop_heap(ranked.begin(), ranked.end(), worse);
    Ranked entry = ranked.back();
    ranked.pop_back();
    std::uint32_t tag = entry.candidate.tag;
    if (excluded.count(*entry.canonical) != 0) continue;
    std::uint64_t authors = store.tag_authors(tag), posts = store.tag_posts(tag);
    if (authors < static_cast<std::uint64_t>(hashtag_min_authors) && affinity.uses(tag) == 0) continue;
    std::string json = evidence(entry.candidate, corpus, words, niche, platform, neighbours.size(), posts, authors,
                                user_id ? &affinity : nullptr);
    Datum parsed = call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.c_str())); });
    std::optional<Datum> own;
    if (user_id) own = Float8GetDatum(entry.affinity);
    rows.add({text_datum(store.display(tag)), Float8GetDatum(entry.score), Float8GetDatum(entry.candidate.relevance),
              std::nullopt, std::nullopt, own, std::nullopt, Int64GetDatum(static_cast<std::int64_t>(posts)), parsed});
    --left;
  }
  spi.finish();
  MemoryContextSwitchTo(caller);
  PG_RETURN_VOID();
}

}  // namespace nexus::pg
