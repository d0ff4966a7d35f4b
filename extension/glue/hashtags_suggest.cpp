// suggest_hashtags (sql/install/40-hashtags.sql): gathers the parts of a suggestion, ranks, and shows what it has
// counted.
#include <algorithm>
#include <cmath>
#include <set>

#include "core/text/normalize.hpp"
#include "glue/hashtags_rules.hpp"
#include "glue/hashtags_settings.hpp"
#include "glue/hashtags_variants.hpp"

namespace nexus::pg {

using hashtags::Candidate;
using hashtags::Feature;

namespace {

constexpr std::size_t kWordsShown = 16;
constexpr std::size_t kRanked = 100;  // candidates whose trend, engagement and competition are looked at, at least

/// What a suggestion is asked for.
struct Request {
  hashtags::Terms draft;
  std::optional<std::string> platform, niche;
  std::optional<std::int64_t> author;
  std::size_t count = 0;
  std::set<std::string> excluded;
};

/// The counts that stand behind an answer.
struct Model {
  hashtags::Corpus corpus;
  std::vector<Feature> words;
  std::optional<Feature> niche, platform;
  std::size_t neighbours = 0;
  hashtags::Trend all;  // of all posts
  std::optional<double> reach;
};

struct Ranked {
  Candidate candidate;
  const std::string *canonical;
  double base = 0, affinity = 0, score = 0;
  const std::string *rarer = nullptr;  // the form of the tag that the draft speaks for, where that is not the shown one
  hashtags::Trend trend;
  std::pair<std::int64_t, std::int64_t> lift;
  std::uint64_t authors = 0;
};

/// A candidate while there are thousands of them.
struct Light {
  const Candidate *candidate;
  double base, affinity;
};

// The median impressions of the author's latest 50 posts, or else of the latest 500 on the platform.
std::optional<double> reach_of(const Request &request) {
  static SpiStatement median(
      "SELECT coalesce("
      " (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY l.impressions::double precision) FROM ("
      "   SELECT e.impressions FROM ("
      "   (SELECT p.impressions, p.posted_at, p.post FROM nexus.hashtag_posts p"
      "     WHERE p.author = $1 AND p.impressions IS NOT NULL"
      "       AND NOT EXISTS (SELECT FROM nexus.hashtag_retractions r WHERE r.post = p.post)"
      "     ORDER BY p.posted_at DESC, p.post DESC LIMIT 50)"
      "   UNION ALL"
      "   (SELECT d.impressions, d.posted_at, d.post FROM nexus.hashtag_delta d"
      "     WHERE d.author = $1 AND d.impressions IS NOT NULL"
      "       AND NOT EXISTS (SELECT FROM nexus.hashtag_retractions r WHERE r.post = d.post)"
      "     ORDER BY d.posted_at DESC, d.post DESC LIMIT 50)"
      "   ) e ORDER BY e.posted_at DESC, e.post DESC LIMIT 50) l)"
      ","
      " (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY l.impressions::double precision) FROM ("
      "   SELECT e.impressions FROM ("
      "   (SELECT p.impressions, p.posted_at, p.post FROM nexus.hashtag_posts p"
      "     WHERE p.platform = $2 AND p.impressions IS NOT NULL"
      "       AND NOT EXISTS (SELECT FROM nexus.hashtag_retractions r WHERE r.post = p.post)"
      "     ORDER BY p.posted_at DESC, p.post DESC LIMIT 500)"
      "   UNION ALL"
      "   (SELECT d.impressions, d.posted_at, d.post FROM nexus.hashtag_delta d"
      "     WHERE d.platform = $2 AND d.impressions IS NOT NULL"
      "       AND NOT EXISTS (SELECT FROM nexus.hashtag_retractions r WHERE r.post = d.post)"
      "     ORDER BY d.posted_at DESC, d.post DESC LIMIT 500)"
      "   ) e ORDER BY e.posted_at DESC, e.post DESC LIMIT 500) l)"
      ")",
      {INT8OID, TEXTOID});
  if (!request.author && !request.platform) return std::nullopt;
  std::optional<Datum> author, platform;
  if (request.author) author = Int64GetDatum(*request.author);
  if (request.platform) platform = text_datum(*request.platform);
  auto reach = median.read({author, platform}).get(0, 1);
  if (!reach) return std::nullopt;
  return DatumGetFloat8(*reach);
}

// The shipped weights, unless the platform or all have others.
hashtags::Weights weights_of(const Request &request) {
  static SpiStatement fitted(
      "SELECT similar_posts, words, niche, spelt, joined, on_platform FROM nexus.hashtag_weights"
      " WHERE platform IN ('', $1) ORDER BY platform DESC LIMIT 1",
      {TEXTOID});
  SpiRows rows = fitted.read({text_datum(request.platform.value_or(""))});
  hashtags::Weights weights;
  if (rows.size() == 0) return weights;
  int column = 0;
  for (double *weight :
       {&weights.similar, &weights.words, &weights.niche, &weights.spelt, &weights.joined, &weights.platform})
    *weight = DatumGetFloat8(*rows.get(0, ++column));
  return weights;
}

std::string number(double value) {
  char text[32];
  pg_snprintf(text, sizeof(text), "%.17g", value);
  return text;
}

std::string field(const char *name, std::uint64_t value) {
  return "\"" + std::string(name) + "\": " + std::to_string(value);
}

std::string field(const char *name, double value) {
  return "\"" + std::string(name) + "\": " + number(value);
}

// The draft's words that have been seen with the tag, the strongest first.
std::string words_json(const Ranked &entry, const Model &model) {
  struct Shown {
    const Feature *word;
    std::uint64_t both;
    double strength;
  };
  std::vector<Shown> shown;
  for (const Feature &word : model.words) {
    std::uint64_t both = word.posts_with(entry.candidate.tag);
    if (both == 0) continue;
    double i = hashtags::word_weight(model.corpus, word.posts());
    shown.push_back(
        {&word, both, i * i * static_cast<double>(both) / std::sqrt(static_cast<double>(word.posts()) + 1.5)});
  }
  std::stable_sort(shown.begin(), shown.end(), [](const Shown &a, const Shown &b) { return a.strength > b.strength; });
  std::string json =
      "{" + field("value", entry.candidate.words) + ", " + field("with_tag", shown.size()) + ", \"best\": [";
  if (shown.size() > kWordsShown) shown.resize(kWordsShown);
  for (std::size_t i = 0; i < shown.size(); ++i)
    json += std::string(i == 0 ? "" : ", ") + "{\"word\": \"" + shown[i].word->name + "\", " +
            field("posts", shown[i].word->posts()) + ", " + field("with_tag", shown[i].both) + "}";
  return json + "]}";
}

// The raw counts of a candidate. The words are the draft's own; they hold letters, marks and digits only, so that JSON
// needs no escapes.
std::string evidence(const Ranked &entry, const Model &model, std::uint64_t posts, const hashtags::Affinity *affinity) {
  const Candidate &candidate = entry.candidate;
  std::string json =
      "{" + field("posts", model.corpus.posts) + ", " + field("uses", posts) + ", " + field("authors", entry.authors);
  json += ", \"similar\": {" + field("value", candidate.similar) + ", " + field("posts", model.neighbours) + ", " +
          field("with_tag", std::uint64_t{candidate.voters}) + "}, \"words\": " + words_json(entry, model);
  json += ", " + field("spelt", candidate.spelt) + ", \"joined\": " + (candidate.joined > 0 ? "true" : "false");
  for (auto [feature, name] : {std::make_pair(&model.niche, "niche"), std::make_pair(&model.platform, "platform")})
    if (*feature)
      json += ", \"" + std::string(name) + "\": {" + field("posts", (*feature)->posts()) + ", " +
              field("with_tag", (*feature)->posts_with(candidate.tag)) + "}";
  if (candidate.seed) json += ", \"seed\": true";
  if (entry.rarer != nullptr) json += ", \"variant\": \"" + *entry.rarer + "\"";
  json += ", \"trend\": {" + field("recent", entry.trend.recent) + ", " + field("usual", entry.trend.usual) + ", " +
          field("day_authors", entry.trend.day) + ", " + field("week_authors", entry.trend.week) + ", " +
          field("excess", hashtags::trend_excess(entry.trend, model.all)) + "}";
  json += ", \"engagement\": {\"lift\": " + number(static_cast<double>(entry.lift.first) / 1e6) + ", " +
          field("posts", static_cast<std::uint64_t>(entry.lift.second)) + "}";
  if (model.reach) json += ", \"competition\": {" + field("reach", *model.reach) + "}";
  if (affinity != nullptr) {
    hashtags::Affinity::Use own = affinity->use(candidate.tag);
    json += ", \"own\": {" + field("uses", own.uses) + ", " + field("accepted", own.accepted) + ", " +
            field("dismissed", own.dismissed) + "}";
  }
  return json + "}";
}

// Compares the draft with the learned posts: every candidate, with the parts of its relevance.
std::vector<Candidate> find_candidates(HashtagStore &store, const Request &request, const hashtags::Affinity &affinity,
                                       Model &model, Interrupt &poll) {
  hashtags::Limits limits;
  limits.max_postings = static_cast<std::uint64_t>(hashtag_max_postings);
  if (!request.niche) limits.considered = limits.neighbours;
  std::vector<std::string> keys;
  for (const hashtags::Term &term : request.draft.terms)
    keys.push_back(hashtags::feature_key(hashtags::kWord, term.word));
  std::vector<Feature> &words = model.words;
  words = store.features(keys);
  std::vector<bool> affordable = hashtags::affordable_words(words, limits), compared(words.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    compared[i] = affordable[i] && hashtags::tells_posts_apart(model.corpus, words[i].posts(), limits);
  store.load_postings(words, keys, compared);
  for (std::size_t i = words.size(); i-- > 0;)
    if (!affordable[i]) words.erase(words.begin() + static_cast<std::ptrdiff_t>(i));

  std::vector<hashtags::Neighbour> neighbours =
      hashtags::similar_posts(model.corpus, words, limits, poll, store.retracted());
  if (request.niche) store.load_post_tags(neighbours);
  neighbours = hashtags::nearest_in_niche(std::move(neighbours), limits, [&](std::uint64_t post) {
    return request.niche && store.post_niche(post) == *request.niche;
  });
  store.load_post_tags(neighbours);
  model.neighbours = neighbours.size();
  hashtags::Relevance relevance(weights_of(request));
  relevance.vote(
      neighbours, [&store](std::uint64_t post) -> const auto & { return store.post_tags(post); });
  relevance.add_words(model.corpus, words, poll);
  for (std::uint32_t tag : store.known_tags(request.draft.joined)) relevance.add_joined(tag);
  if (request.niche) {
    model.niche = store.features({hashtags::feature_key(hashtags::kNiche, *request.niche)}).front();
    relevance.add_niche(*model.niche);
    for (std::uint32_t tag : store.seeds(*request.niche)) relevance.add_seed(*model.niche, tag);
  }
  if (request.platform) {
    model.platform = store.features({hashtags::feature_key(hashtags::kPlatform, *request.platform)}).front();
    relevance.add_platform(*model.platform);
  }
  for (std::uint32_t tag : affinity.tags()) relevance.add(tag);
  store.load_tags(relevance.tags());
  std::vector<std::size_t> spelt;
  for (const hashtags::Term &term : request.draft.terms) spelt.push_back(std::hash<std::string_view>()(term.word));
  std::sort(spelt.begin(), spelt.end());
  HashBits bits = hash_bits(spelt);
  return relevance.candidates([&](std::uint32_t tag) { return store.tag_posts(tag); },
                              [&](std::uint32_t tag) { return store.spelt(tag, spelt, bits); });
}

// Brings each candidate to the form in which it is shown. The user's own tags and the niche's seeds stay as they are; a
// candidate that comes to a tag of the user's own goes, as that is a candidate itself.
void fold_numbers(HashtagStore &store, const hashtags::Affinity &affinity, std::vector<Ranked> &candidates) {
  std::vector<std::uint32_t> tags;
  for (const Ranked &entry : candidates) tags.push_back(entry.candidate.tag);
  std::map<std::uint32_t, std::uint32_t> shown = shown_forms(store, tags);
  std::vector<Ranked> kept;
  for (Ranked &entry : candidates) {
    auto found = shown.find(entry.candidate.tag);
    if (found != shown.end() && !entry.candidate.seed && affinity.use(entry.candidate.tag).uses == 0) {
      if (affinity.use(found->second).uses > 0) continue;
      entry.rarer = entry.canonical;
      entry.candidate.tag = found->second;
      entry.canonical = &store.canonical(found->second);
    }
    kept.push_back(std::move(entry));
  }
  candidates = std::move(kept);
}

// The candidates that may be shown, best first by relevance and affinity: as many as are looked at closely.
std::vector<Ranked> rank(HashtagStore &store, const Request &request, const hashtags::Affinity &affinity,
                         const std::vector<Candidate> &candidates, std::int32_t first_hour, Interrupt &poll) {
  hashtags::ScoreWeights weights;
  std::vector<Light> lights;
  std::vector<Ranked> ranked;
  lights.reserve(candidates.size());
  for (const Candidate &candidate : candidates) {
    Light entry{&candidate, candidate.relevance, affinity.value(candidate.tag)};
    entry.base += weights.affinity * entry.affinity;
    if (entry.base > 0) lights.push_back(entry);
  }
  std::size_t wanted = std::max(kRanked, 2 * request.count);
  // Thousands of candidates, some hundred wanted: the best are set apart by their value, names decide among these only.
  std::size_t looked_at = 0, sorted = 0;
  auto next_best = [&]() -> const Light & {
    if (looked_at == sorted) {
      auto begin = lights.begin() + static_cast<std::ptrdiff_t>(sorted);
      auto last =
          begin + static_cast<std::ptrdiff_t>(std::min(std::max(2 * wanted, sorted), lights.size() - sorted) - 1);
      std::nth_element(begin, last, lights.end(), [](const Light &a, const Light &b) { return a.base > b.base; });
      auto end = std::partition(last + 1, lights.end(), [&](const Light &entry) { return entry.base == last->base; });
      std::sort(begin, end, [&store](const Light &a, const Light &b) {
        return a.base != b.base ? a.base > b.base
                                : store.canonical(a.candidate->tag) < store.canonical(b.candidate->tag);
      });
      sorted = static_cast<std::size_t>(end - lights.begin());
    }
    return lights[looked_at++];
  };
  auto least = static_cast<std::uint64_t>(hashtag_min_authors);
  std::set<std::string> excluded = with_other_forms(store, request.excluded);
  std::set<std::uint32_t> taken;  // two forms may come to one tag
  while (looked_at < lights.size() && ranked.size() < wanted) {
    std::vector<Ranked> next;
    while (looked_at < lights.size() && next.size() < wanted - ranked.size()) {
      poll.poll();
      const Light &light = next_best();
      const Candidate &candidate = *light.candidate;
      const std::string &canonical = store.canonical(candidate.tag);
      bool own = affinity.use(candidate.tag).uses > 0;
      if (!canonical.empty() && excluded.count(canonical) == 0 &&
          (own || candidate.seed || store.most_authors(candidate.tag) >= least)) {
        Ranked entry;
        entry.candidate = candidate;
        entry.canonical = &canonical;
        entry.base = light.base;
        entry.affinity = light.affinity;
        next.push_back(std::move(entry));
      }
    }
    fold_numbers(store, affinity, next);
    std::vector<std::uint32_t> tags;
    for (const Ranked &entry : next) tags.push_back(entry.candidate.tag);
    store.load_uses(tags, first_hour);
    std::map<std::uint32_t, bool> listed = store.listed(tags, request.platform.value_or(""));
    for (Ranked &entry : next) {
      std::uint32_t tag = entry.candidate.tag;
      bool own = affinity.use(tag).uses > 0;
      if (excluded.count(*entry.canonical) != 0 || !taken.insert(tag).second) continue;
      entry.authors = store.use(tag).authors;
      if (entry.authors < least && !own && !entry.candidate.seed) continue;
      auto found = listed.find(tag);
      if (found != listed.end() && (found->second || !own)) continue;
      ranked.push_back(std::move(entry));
    }
  }
  return ranked;
}

}  // namespace

NEXUS_FUNCTION(nexus_suggest_hashtags) {
  Rows rows(fcinfo);
  require_arg(fcinfo, 4, "max_count");
  int max_count = PG_GETARG_INT32(4);
  if (max_count < 1 || max_count > kMaxHashtags)
    throw invalid_argument("max_count must be between 1 and " + std::to_string(kMaxHashtags));
  Interrupt poll = interrupt();
  Request request;
  request.draft = hashtags::tokenize(optional_text_arg(fcinfo, 0).value_or(""), poll, true);
  request.platform = hashtag_name_arg(fcinfo, 1, "platform");
  request.niche = hashtag_name_arg(fcinfo, 3, "niche");
  request.excluded.insert(request.draft.tags.begin(), request.draft.tags.end());
  if (!PG_ARGISNULL(5))
    for (std::string_view tag : text_array_arg(fcinfo, 5, "exclude"))
      request.excluded.insert(text::canonical_hashtag(tag));
  auto user_id = optional_text_arg(fcinfo, 2);

  MemoryContext caller = CurrentMemoryContext;
  Spi spi;
  if (user_id) {
    check_hashtag_history(*user_id);
    request.author = author_of(*user_id);
  }
  request.count = static_cast<std::size_t>(max_count);
  if (request.platform)
    request.count = std::min(request.count, hashtag_room(*request.platform, request.draft.tags.size()));
  HashtagStore &store = HashtagStore::get();
  store.open();
  add_known_words(store, request.draft);
  Model model;
  model.corpus = store.corpus();
  model.reach = reach_of(request);
  std::int64_t as_of = hashtag_as_of();
  std::int32_t first_hour = hashtags::hour_of(as_of) - hashtags::kTrendHours;
  hashtags::Affinity affinity(as_of);
  if (request.author) store.add_history(*request.author, affinity);
  std::vector<Candidate> candidates = find_candidates(store, request, affinity, model, poll);
  std::vector<Ranked> ranked = rank(store, request, affinity, candidates, first_hour, poll);
  store.load_uses({hashtags::kAnyTag}, first_hour);
  model.all = hashtags::trend_of(store.use(hashtags::kAnyTag).hours, as_of);

  hashtags::ScoreWeights weights;
  for (Ranked &entry : ranked) {
    std::uint32_t tag = entry.candidate.tag;
    entry.trend = hashtags::trend_of(store.use(tag).hours, as_of);
    entry.lift = store.lift(tag);
    entry.score = entry.base + weights.trend * hashtags::trend_excess(entry.trend, model.all) +
                  weights.engagement * hashtags::engagement_of(entry.lift.first, entry.lift.second);
    if (model.reach) entry.score -= weights.competition * hashtags::competition_of(entry.trend, *model.reach);
  }
  std::sort(ranked.begin(), ranked.end(), [](const Ranked &a, const Ranked &b) {
    return a.score != b.score ? a.score > b.score : *a.canonical < *b.canonical;
  });

  std::vector<double> scores;
  std::vector<std::string> keys;
  for (const Ranked &entry : ranked) {
    scores.push_back(entry.score);
    keys.push_back(hashtags::tag_key(entry.candidate.tag));
  }
  std::vector<Feature> others;
  if (hashtag_diversity > 0) others = store.features(keys);
  auto overlap = [&](std::size_t a, std::size_t b) {
    if (others.empty()) return 0.0;
    auto both = static_cast<double>(others[a].posts_with(ranked[b].candidate.tag));
    auto either =
        static_cast<double>(store.tag_posts(ranked[a].candidate.tag) + store.tag_posts(ranked[b].candidate.tag));
    return both == 0 ? 0.0 : both / (either - both);
  };
  for (std::size_t at : hashtags::diverse(scores, overlap, request.count, 1 - hashtag_diversity)) {
    const Ranked &entry = ranked[at];
    std::uint64_t posts = store.tag_posts(entry.candidate.tag);
    std::string json = evidence(entry, model, posts, request.author ? &affinity : nullptr);
    Datum parsed = call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.c_str())); });
    std::optional<Datum> own, engagement, competition;
    if (request.author) own = Float8GetDatum(entry.affinity);
    if (entry.lift.second > 0)
      engagement = Float8GetDatum(hashtags::engagement_of(entry.lift.first, entry.lift.second));
    if (model.reach) competition = Float8GetDatum(hashtags::competition_of(entry.trend, *model.reach));
    rows.add({text_datum(store.display(entry.candidate.tag)), Float8GetDatum(entry.score),
              Float8GetDatum(entry.candidate.relevance), Float8GetDatum(entry.trend.value), engagement, own,
              competition, Int64GetDatum(static_cast<std::int64_t>(posts)), parsed});
  }
  spi.finish();
  MemoryContextSwitchTo(caller);
  PG_RETURN_VOID();
}

}  // namespace nexus::pg
