// The core of a suggestion at growing corpora: synthetic posts whose words and tags follow Zipf's law.
#include <benchmark/benchmark.h>

#include <cmath>
#include <map>
#include <random>

#include "core/hashtags/batch.hpp"
#include "core/hashtags/relevance.hpp"
#include "core/hashtags/tokens.hpp"

using namespace nexus::hashtags;

namespace {

constexpr std::size_t kVocabulary = 50000, kTags = 5000, kLength = 15;

/// Ranks 0 to n - 1 with probability proportional to 1 / (rank + 1).
class Zipf {
 public:
  explicit Zipf(std::size_t n) : sums_(n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sums_[i] = sum += 1.0 / static_cast<double>(i + 1);
  }
  template <class Random>
  std::size_t operator()(Random &random) const {
    double at = std::uniform_real_distribution<double>(0, sums_.back())(random);
    return static_cast<std::size_t>(std::lower_bound(sums_.begin(), sums_.end(), at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

struct Model {
  Batch batch;
  std::map<std::string, std::vector<TagCount>> tags;
};

std::string text_of(const Zipf &zipf, std::mt19937_64 &random) {
  std::string text;
  for (std::size_t i = 0; i < kLength; ++i) text += "w" + std::to_string(zipf(random)) + " ";
  return text;
}

const Zipf &words() {
  static const Zipf zipf(kVocabulary);
  return zipf;
}

const Model &model_of(std::int64_t posts) {
  static std::map<std::int64_t, Model> models;
  Model &model = models[posts];
  if (model.batch.posts() > 0) return model;
  std::mt19937_64 random(1);
  Zipf tags(kTags);
  for (std::int64_t i = 1; i <= posts; ++i) {
    LearnedPost post;
    post.post = static_cast<std::uint64_t>(i);
    Terms terms = tokenize(text_of(words(), random));
    post.terms = std::move(terms.terms);
    post.length = terms.length;
    post.tags = {static_cast<std::uint32_t>(tags(random))};
    post.spellings = {"t"};
    model.batch.add(std::move(post));
  }
  for (const auto &[key, feature] : model.batch.features())
    for (auto [tag, count] : feature.tags) model.tags[key].push_back({tag, count});
  return model;
}

}  // namespace

static void Tokenize(benchmark::State &state) {
  std::mt19937_64 random(2);
  std::string text = text_of(words(), random);
  for (auto _ : state) benchmark::DoNotOptimize(tokenize(text));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}
BENCHMARK(Tokenize);

static void Suggest(benchmark::State &state) {
  const Model &model = model_of(state.range(0));
  Corpus corpus{model.batch.posts(), model.batch.length_sum()};
  std::mt19937_64 random(3);
  std::vector<std::string> drafts;
  for (int i = 0; i < 100; ++i) drafts.push_back(text_of(words(), random));
  std::size_t at = 0;
  for (auto _ : state) {
    std::vector<Feature> features;
    for (const Term &term : tokenize(drafts[at++ % drafts.size()]).terms) {
      std::string key = feature_key(kWord, term.word);
      const FeatureCounts *counts = model.batch.feature(key);
      if (counts == nullptr) continue;
      Feature feature;
      feature.name = term.word;
      feature.base = {counts->posts, &model.tags.at(key), &counts->postings};
      features.push_back(std::move(feature));
    }
    Relevance relevance;
    relevance.vote(
        similar_posts(corpus, features, Limits()), [&](std::uint64_t post) -> const auto & {
          return model.batch.all_posts().at(post).tags;
        });
    relevance.add_words(corpus, features);
    benchmark::DoNotOptimize(relevance.candidates([&](std::uint32_t tag) { return model.batch.tag(tag)->posts; },
                                                  [](std::uint32_t) { return 0.0; }));
  }
}
BENCHMARK(Suggest)->Arg(10000)->Arg(100000)->Unit(benchmark::kMicrosecond);

static void DecodePostings(benchmark::State &state) {
  std::vector<Posting> postings;
  for (std::uint64_t i = 0; i < 4096; ++i) postings.push_back({i * 37, 1, 15});
  std::string block = encode_postings(postings);
  for (auto _ : state) benchmark::DoNotOptimize(decode_postings(block));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * postings.size()));
}
BENCHMARK(DecodePostings);
