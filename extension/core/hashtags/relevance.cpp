#include "core/hashtags/relevance.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace nexus::hashtags {

namespace {

constexpr double kK1 = 1.2, kB = 0.75;

bool better(const Neighbour &a, const Neighbour &b) {
  return a.score != b.score ? a.score > b.score : a.post < b.post;
}

/// The best so many of the posts that it is given, kept as a heap with the worst on top.
class Best {
 public:
  explicit Best(std::size_t count) : count_(count) { heap_.reserve(count); }

  void add(const Neighbour &post) {
    if (heap_.size() < count_) {
      heap_.push_back(post);
      std::push_heap(heap_.begin(), heap_.end(), better);
    } else if (count_ > 0 && better(post, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), better);
      heap_.back() = post;
      std::push_heap(heap_.begin(), heap_.end(), better);
    }
  }

  std::vector<Neighbour> sorted() {
    std::sort_heap(heap_.begin(), heap_.end(), better);
    return std::move(heap_);
  }

 private:
  std::size_t count_;
  std::vector<Neighbour> heap_;
};

/// Sums by post number, in an array over all numbers that is kept from call to call (0 where nothing was added).
/// Numbers that lie too far apart for that go to a map.
class PostScores {
 public:
  PostScores(std::uint64_t first, std::uint64_t last)
      : first_(first), span_(last - first < kMaxSpan ? last - first + 1 : 0) {
    if (all().size() < span_) all().resize(span_);
    scores_ = all().data();
  }
  ~PostScores() {
    for (std::uint32_t at : touched_) scores_[at] = 0;
  }
  PostScores(const PostScores &) = delete;
  PostScores &operator=(const PostScores &) = delete;

  void add(std::uint64_t post, double score) {
    if (post - first_ >= span_) {  // also where it is below first_
      sparse_[post] += score;
      return;
    }
    double &sum = scores_[post - first_];
    if (sum == 0) touched_.push_back(static_cast<std::uint32_t>(post - first_));
    sum += score;
  }

  std::vector<Neighbour> best(std::size_t count) const {
    Best best(count);
    for (const auto &[post, score] : sparse_) best.add({post, score});
    for (std::uint32_t at : touched_) best.add({first_ + at, scores_[at]});
    return best.sorted();
  }

 private:
  static constexpr std::uint64_t kMaxSpan = std::uint64_t{1} << 22;  // 32 MB
  static std::vector<double> &all() {
    thread_local std::vector<double> scores;
    return scores;
  }
  std::uint64_t first_, span_;
  double *scores_ = nullptr;
  std::vector<std::uint32_t> touched_;
  std::unordered_map<std::uint64_t, double> sparse_;
};

std::uint64_t count_in(const std::vector<TagCount> *counts, std::uint32_t tag) {
  if (counts == nullptr) return 0;
  auto found = std::lower_bound(counts->begin(), counts->end(), tag,
                                [](const TagCount &entry, std::uint32_t key) { return entry.tag < key; });
  return found != counts->end() && found->tag == tag ? found->posts : 0;
}

/// Calls `use(tag, posts)` for each tag of a feature once, in ascending order, with the sum of all shares.
template <class Use>
void for_each_tag(const Feature &feature, Use &&use) {
  static const std::vector<TagCount> none;
  auto list = [](const Share &share) -> const std::vector<TagCount> & { return share.tags ? *share.tags : none; };
  std::vector<TagCount> merged;
  const std::vector<TagCount> *tags = &list(feature.base);
  if (!list(feature.fresh).empty()) {
    merged = merge_tag_counts(*tags, list(feature.fresh));
    tags = &merged;
  }
  auto gone = list(feature.gone).begin(), end = list(feature.gone).end();
  for (const TagCount &entry : *tags) {
    while (gone != end && gone->tag < entry.tag) ++gone;
    std::uint32_t posts = entry.posts - (gone != end && gone->tag == entry.tag ? gone->posts : 0);
    if (posts > 0) use(entry.tag, posts);
  }
}

}  // namespace

std::uint64_t Feature::posts_with(std::uint32_t tag) const {
  return count_in(base.tags, tag) + count_in(fresh.tags, tag) - count_in(gone.tags, tag);
}

std::vector<bool> affordable_words(const std::vector<Feature> &words, const Limits &limits) {
  std::vector<std::size_t> order(words.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return words[a].posts() < words[b].posts(); });
  std::vector<bool> chosen(words.size(), false);
  std::uint64_t left = limits.max_postings;
  for (std::size_t at : order) {
    std::uint64_t posts = words[at].posts();
    if (posts > left) break;
    left -= posts;
    chosen[at] = true;
  }
  return chosen;
}

bool tells_posts_apart(const Corpus &corpus, std::uint64_t posts, const Limits &limits) {
  return posts > 0 && (posts <= limits.never_frequent ||
                       static_cast<double>(posts) <= limits.frequent * static_cast<double>(corpus.posts));
}

double word_weight(const Corpus &corpus, std::uint64_t posts) {
  return std::log(static_cast<double>(corpus.posts) / static_cast<double>(posts) + 1);
}

std::vector<Neighbour> similar_posts(const Corpus &corpus, const std::vector<Feature> &words, const Limits &limits,
                                     Interrupt interrupt, const std::set<std::uint64_t> &gone) {
  std::uint64_t first = std::numeric_limits<std::uint64_t>::max(), last = 0;
  for (const Feature &word : words) {
    if (!tells_posts_apart(corpus, word.posts(), limits)) continue;
    for (const Share *share : {&word.base, &word.fresh}) {
      if (share->postings == nullptr || share->postings->empty()) continue;
      first = std::min(first, share->postings->front().post);
      last = std::max(last, share->postings->back().post);
    }
  }
  if (first > last) return {};
  PostScores scores(first, last);
  double average = std::max(1.0, static_cast<double>(corpus.length_sum)) / static_cast<double>(corpus.posts);
  for (const Feature &word : words) {
    if (!tells_posts_apart(corpus, word.posts(), limits)) continue;
    auto df = static_cast<double>(word.posts());
    double idf = std::log(1 + (static_cast<double>(corpus.posts) - df + 0.5) / (df + 0.5));
    for (const Share *share : {&word.base, &word.fresh}) {
      if (share->postings == nullptr) continue;
      for (const Posting &posting : *share->postings) {
        interrupt.poll();
        if (!gone.empty() && gone.count(posting.post) != 0) continue;
        double count = posting.count;
        scores.add(posting.post, idf * count * (kK1 + 1) / (count + kK1 * (1 - kB + kB * posting.length / average)));
      }
    }
  }
  return scores.best(limits.considered);
}

std::vector<Neighbour> nearest_in_niche(std::vector<Neighbour> posts, const Limits &limits,
                                        const std::function<bool(std::uint64_t post)> &in_niche) {
  for (Neighbour &post : posts)
    if (in_niche(post.post)) post.score *= kSameNiche;
  std::sort(posts.begin(), posts.end(), better);
  if (posts.size() > limits.neighbours) posts.resize(limits.neighbours);
  return posts;
}

void Relevance::vote(const std::vector<Neighbour> &neighbours, const TagsOf &tags_of) {
  double total = 0;
  for (const Neighbour &neighbour : neighbours)
    total += neighbour.score * neighbour.score * static_cast<double>(tags_of(neighbour.post).size());
  if (total == 0) return;
  for (const Neighbour &neighbour : neighbours) {
    double vote = neighbour.score * neighbour.score / total;
    for (std::uint32_t tag : tags_of(neighbour.post)) {
      Candidate &candidate = candidates_[tag];
      candidate.similar += vote;
      ++candidate.voters;
    }
  }
}

void Relevance::add_words(const Corpus &corpus, const std::vector<Feature> &words, Interrupt interrupt) {
  for (const Feature &word : words) {
    if (word.tag) add(*word.tag);
    if (word.posts() == 0) continue;
    double i = word_weight(corpus, word.posts());
    word_weight_ += i * i;
    double factor = i * i / std::sqrt(static_cast<double>(word.posts()) + 1.5);
    for_each_tag(word, [&](std::uint32_t tag, std::uint32_t posts) {
      interrupt.poll();
      candidates_[tag].words += factor * posts;
    });
  }
}

void Relevance::add_niche(const Feature &niche) {
  for_each_tag(niche, [&](std::uint32_t tag, std::uint32_t posts) {
    candidates_[tag].niche = posts / (static_cast<double>(niche.posts()) + 5);
  });
}

void Relevance::add_seed(const Feature &niche, std::uint32_t tag) {
  Candidate &candidate = candidates_[tag];
  candidate.seed = true;
  candidate.niche = (static_cast<double>(niche.posts_with(tag)) + 5) / (static_cast<double>(niche.posts()) + 5);
}

void Relevance::add_platform(const Feature &platform) {
  for_each_tag(platform, [&](std::uint32_t tag, std::uint32_t posts) {
    candidates_[tag].platform = posts / (static_cast<double>(platform.posts()) + 5);
  });
}

std::vector<std::uint32_t> Relevance::tags() const {
  std::vector<std::uint32_t> tags;
  tags.reserve(candidates_.size());
  for (const auto &entry : candidates_) tags.push_back(entry.first);
  return tags;
}

std::vector<Candidate> Relevance::candidates(const PostsOf &posts_of, const SpeltOf &spelt_of) const {
  std::vector<Candidate> all;
  all.reserve(candidates_.size());
  for (const auto &[tag, parts] : candidates_) {
    Candidate candidate = parts;
    candidate.tag = tag;
    auto posts = static_cast<double>(posts_of(tag));
    if (word_weight_ > 0) candidate.words /= word_weight_ * std::sqrt(posts + 3);
    candidate.spelt = spelt_of(tag);
    double known = candidate.seed ? posts + 5 : posts;
    candidate.relevance =
        known / (known + 1) *
        (weights_.similar * std::sqrt(candidate.similar) + weights_.words * std::sqrt(candidate.words) +
         weights_.niche * std::sqrt(candidate.niche) + weights_.spelt * candidate.spelt +
         weights_.joined * candidate.joined + weights_.platform * std::sqrt(candidate.platform));
    all.push_back(candidate);
  }
  return all;
}

double Affinity::weight(std::int64_t at) const {
  constexpr double kHalfLife = 30.0 * 86400 * 1e6;
  return std::exp2(-std::max(0.0, static_cast<double>(as_of_) - static_cast<double>(at)) / kHalfLife);
}

void Affinity::add(std::uint32_t tag, std::int64_t posted_at) {
  Use &use = uses_[tag];
  use.decayed += weight(posted_at);
  ++use.uses;
}

void Affinity::decide(std::uint32_t tag, bool accepted, std::int64_t decided_at) {
  Use &use = uses_[tag];
  use.decayed += accepted ? weight(decided_at) : -weight(decided_at);
  ++(accepted ? use.accepted : use.dismissed);
}

double Affinity::value(std::uint32_t tag) const {
  auto found = uses_.find(tag);
  return found == uses_.end() ? 0 : found->second.decayed / (std::abs(found->second.decayed) + 2);
}

Affinity::Use Affinity::use(std::uint32_t tag) const {
  auto found = uses_.find(tag);
  return found == uses_.end() ? Use() : found->second;
}

std::vector<std::uint32_t> Affinity::tags() const {
  std::vector<std::uint32_t> tags;
  for (const auto &entry : uses_) tags.push_back(entry.first);
  return tags;
}

}  // namespace nexus::hashtags
