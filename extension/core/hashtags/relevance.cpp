#include "core/hashtags/relevance.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
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

  std::size_t size() const { return touched_.size() + sparse_.size(); }

  /// The so many-th largest sum, or 0 where there are fewer.
  double largest(std::size_t place) const {
    if (place == 0 || place > size()) return 0;
    std::vector<double> sums;
    sums.reserve(size());
    for (const auto &entry : sparse_) sums.push_back(entry.second);
    for (std::uint32_t at : touched_) sums.push_back(scores_[at]);
    auto wanted = sums.begin() + static_cast<std::ptrdiff_t>(place - 1);
    std::nth_element(sums.begin(), wanted, sums.end(), std::greater<>());
    return *wanted;
  }

  /// Adds to a post that has a sum already.
  void add_if_known(std::uint64_t post, double score) {
    if (post - first_ >= span_) {
      auto found = sparse_.find(post);
      if (found != sparse_.end()) found->second += score;
      return;
    }
    double &sum = scores_[post - first_];
    if (sum != 0) sum += score;
  }

  /// The posts of at least this sum, in no order.
  std::vector<Neighbour> from(double sum) const {
    std::vector<Neighbour> posts;
    for (const auto &[post, score] : sparse_)
      if (score >= sum) posts.push_back({post, score});
    for (std::uint32_t at : touched_)
      if (scores_[at] >= sum) posts.push_back({first_ + at, scores_[at]});
    return posts;
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

namespace {

/// A word as similar_posts looks at it.
struct Query {
  const Feature *word;
  double idf;
  double most;  // no posting adds more
};

/// BM25's factor for a posting, without idf. Most words stand in a post once: those factors come from a table.
class Bm25 {
 public:
  explicit Bm25(const Corpus &corpus)
      : fixed_(kK1 * (1 - kB)),
        by_length_(kK1 * kB * static_cast<double>(corpus.posts) /
                   std::max(1.0, static_cast<double>(corpus.length_sum))) {
    for (std::size_t length = 0; length < once_.size(); ++length)
      once_[length] = factor(1, static_cast<std::uint32_t>(length));
  }
  double operator()(std::uint32_t count, std::uint32_t length) const {
    return count == 1 && length < once_.size() ? once_[length] : factor(count, length);
  }

 private:
  double factor(std::uint32_t count, std::uint32_t length) const {
    return count * (kK1 + 1) / (count + fixed_ + by_length_ * length);
  }
  double fixed_, by_length_;
  std::array<double, 64> once_;
};

/// Calls `use(post, count, length)` for each posting of a share.
template <class Use>
void for_each_posting(const Share &share, Use &&use) {
  if (share.packed != nullptr) share.packed->for_each(use);
  if (share.postings != nullptr)
    for (const Posting &posting : *share.postings) use(posting.post, posting.count, posting.length);
}

double most_of(const Share &share, const Bm25 &bm25) {
  double most = 0;
  if (share.packed != nullptr && !share.packed->empty())
    most = bm25(share.packed->most_uses(), share.packed->fewest_words());
  if (share.postings != nullptr)
    for (const Posting &posting : *share.postings) most = std::max(most, bm25(posting.count, posting.length));
  return most;
}

/// Adds a word to the posts that it stands in; these ascend.
void add_to(std::vector<Neighbour> &posts, const Query &query, const Bm25 &bm25, Interrupt &interrupt) {
  for (const Share *share : {&query.word->base, &query.word->fresh}) {
    if (share->packed != nullptr) {
      std::size_t cursor = 0;
      for (Neighbour &post : posts) {
        interrupt.poll();
        if (auto found = share->packed->find(post.post, cursor))
          post.score += query.idf * bm25(found->count, found->length);
      }
    }
    if (share->postings == nullptr) continue;
    auto at = share->postings->begin();
    for (Neighbour &post : posts) {
      interrupt.poll();
      at = std::lower_bound(at, share->postings->end(), post.post,
                            [](const Posting &posting, std::uint64_t key) { return posting.post < key; });
      if (at != share->postings->end() && at->post == post.post) post.score += query.idf * bm25(at->count, at->length);
    }
  }
}

}  // namespace

std::vector<Neighbour> similar_posts(const Corpus &corpus, const std::vector<Feature> &words, const Limits &limits,
                                     Interrupt interrupt, const std::set<std::uint64_t> &gone) {
  std::uint64_t first = std::numeric_limits<std::uint64_t>::max(), last = 0;
  Bm25 bm25(corpus);
  std::vector<Query> queries;
  double left = 0;  // what the words not yet added may bring a post
  for (const Feature &word : words) {
    if (!tells_posts_apart(corpus, word.posts(), limits)) continue;
    for (const Share *share : {&word.base, &word.fresh}) {
      if (share->packed != nullptr && !share->packed->empty()) {
        first = std::min(first, share->packed->first());
        last = std::max(last, share->packed->last());
      }
      if (share->postings == nullptr || share->postings->empty()) continue;
      first = std::min(first, share->postings->front().post);
      last = std::max(last, share->postings->back().post);
    }
    auto df = static_cast<double>(word.posts());
    double idf = std::log(1 + (static_cast<double>(corpus.posts) - df + 0.5) / (df + 0.5));
    queries.push_back({&word, idf, idf * std::max(most_of(word.base, bm25), most_of(word.fresh, bm25))});
    left += queries.back().most;
  }
  if (first > last) return {};
  std::stable_sort(queries.begin(), queries.end(),
                   [](const Query &a, const Query &b) { return a.word->posts() < b.word->posts(); });
  constexpr double kSlack = 1e-9;  // more than rounding may amount to
  PostScores scores(first, last);
  bool closed = false;  // no further post can come among the best
  for (auto query = queries.begin(); query != queries.end(); ++query) {
    std::uint64_t length = query->word->posts();
    double enough = length > scores.size() / 4 ? scores.largest(limits.considered) - kSlack : 0;  // else not worth it
    if (enough > left) {
      closed = true;
      std::vector<Neighbour> posts = scores.from(enough - left);
      if (posts.size() < length / 8) {
        std::sort(posts.begin(), posts.end(), [](const Neighbour &a, const Neighbour &b) { return a.post < b.post; });
        for (; query != queries.end(); ++query) add_to(posts, *query, bm25, interrupt);
        Best best(limits.considered);
        for (const Neighbour &post : posts) best.add(post);
        return best.sorted();
      }
    }
    for (const Share *share : {&query->word->base, &query->word->fresh})
      for_each_posting(*share, [&](std::uint64_t post, std::uint32_t count, std::uint32_t words_of_post) {
        interrupt.poll();
        double score = query->idf * bm25(count, words_of_post);
        if (closed)
          scores.add_if_known(post, score);
        else if (gone.empty() || gone.count(post) == 0)
          scores.add(post, score);
      });
    left -= query->most;
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

Candidate &Relevance::at(std::uint32_t tag) {
  if (tag < kDense && tag >= places_.size()) places_.resize(std::max<std::size_t>(tag + 1, 2 * places_.size()));
  std::uint32_t &place = tag < kDense ? places_[tag] : further_[tag];
  if (place == 0) {
    candidates_.emplace_back();
    candidates_.back().tag = tag;
    place = static_cast<std::uint32_t>(candidates_.size());
  }
  return candidates_[place - 1];
}

void Relevance::vote(const std::vector<Neighbour> &neighbours, const TagsOf &tags_of) {
  double total = 0;
  for (const Neighbour &neighbour : neighbours)
    total += neighbour.score * neighbour.score * static_cast<double>(tags_of(neighbour.post).size());
  if (total == 0) return;
  for (const Neighbour &neighbour : neighbours) {
    double vote = neighbour.score * neighbour.score / total;
    for (std::uint32_t tag : tags_of(neighbour.post)) {
      Candidate &candidate = at(tag);
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
      at(tag).words += factor * posts;
    });
  }
}

void Relevance::add_niche(const Feature &niche) {
  for_each_tag(niche, [&](std::uint32_t tag, std::uint32_t posts) {
    at(tag).niche = posts / (static_cast<double>(niche.posts()) + 5);
  });
}

void Relevance::add_seed(const Feature &niche, std::uint32_t tag) {
  Candidate &candidate = at(tag);
  candidate.seed = true;
  candidate.niche = (static_cast<double>(niche.posts_with(tag)) + 5) / (static_cast<double>(niche.posts()) + 5);
}

void Relevance::add_platform(const Feature &platform) {
  for_each_tag(platform, [&](std::uint32_t tag, std::uint32_t posts) {
    at(tag).platform = posts / (static_cast<double>(platform.posts()) + 5);
  });
}

std::vector<std::uint32_t> Relevance::tags() const {
  std::vector<std::uint32_t> tags;
  tags.reserve(candidates_.size());
  for (const Candidate &entry : candidates_) tags.push_back(entry.tag);
  return tags;
}

std::vector<Candidate> Relevance::candidates(const PostsOf &posts_of, const SpeltOf &spelt_of) const {
  std::vector<Candidate> all = candidates_;
  for (Candidate &candidate : all) {
    auto posts = static_cast<double>(posts_of(candidate.tag));
    if (word_weight_ > 0) candidate.words /= word_weight_ * std::sqrt(posts + 3);
    candidate.spelt = spelt_of(candidate.tag);
    double known = candidate.seed ? posts + 5 : posts;
    candidate.relevance =
        known / (known + 1) *
        (weights_.similar * std::sqrt(candidate.similar) + weights_.words * std::sqrt(candidate.words) +
         weights_.niche * std::sqrt(candidate.niche) + weights_.spelt * candidate.spelt +
         weights_.joined * candidate.joined + weights_.platform * std::sqrt(candidate.platform));
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
