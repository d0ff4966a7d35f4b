#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/hashtags/blocks.hpp"
#include "core/interrupt.hpp"

namespace nexus::hashtags {

/// The learned posts as a whole.
struct Corpus {
  std::uint64_t posts = 0;
  std::uint64_t length_sum = 0;  // words of all posts
};

/// One share of a feature's counts: what the tables hold, or what was learned since. Absent lists are null.
struct Share {
  std::uint64_t posts = 0;
  const std::vector<TagCount> *tags = nullptr;     // ascending
  const std::vector<Posting> *postings = nullptr;  // ascending
  const PostingList *packed = nullptr;             // in place of postings
};

/// A word of the draft with its counts: base and fresh without gone. The result does not depend on how they are
/// divided.
struct Feature {
  std::string name;
  Share base, fresh, gone;           // gone: taken back, but still in base; it needs no postings
  std::optional<std::uint32_t> tag;  // the tag that is spelt like this word

  std::uint64_t posts() const { return base.posts + fresh.posts - gone.posts; }
  std::uint64_t posts_with(std::uint32_t tag) const;
};

/// What bounds the work of one suggestion. Which words are left out depends on counts alone.
struct Limits {
  double frequent = 0.1;               // a word in a larger share of all posts tells no posts apart,
  std::uint64_t never_frequent = 100;  // unless it stands in at most so many
  std::uint64_t max_postings = 50000;  // posts looked at, the rarest words first
  std::size_t neighbours = 50;         // similar posts that vote,
  std::size_t considered = 200;        // out of so many when the niche decides
};

/// How much the square root of each part weighs in the relevance (spelt and joined as they are). Each
/// part lies between 0 and 1.
struct Weights {
  double similar = 0.17, words = 0.55, niche = 0.245, spelt = 0.055, joined = 0.15, platform = 0.01;
};

/// How much nearer a learned post is to a draft of its own niche.
constexpr double kSameNiche = 3;

/// A learned post that is like the draft; `score` is its BM25, times kSameNiche within the draft's niche.
struct Neighbour {
  std::uint64_t post = 0;
  double score = 0;
};

/// The parts of one candidate's relevance.
struct Candidate {
  std::uint32_t tag = 0;
  double similar = 0, words = 0, niche = 0, spelt = 0, joined = 0, platform = 0;
  std::uint32_t voters = 0;
  bool seed = false;
  double relevance = 0;
};

/// Marks the words that a suggestion looks at: the rarest first, until `max_postings` is used up. Words must be sorted
/// by name; equal counts go by name.
std::vector<bool> affordable_words(const std::vector<Feature> &words, const Limits &limits);

/// True for a word whose posts are compared with the draft, not only its tags.
bool tells_posts_apart(const Corpus &corpus, std::uint64_t posts, const Limits &limits);

/// The `limits.considered` posts most like the draft by BM25 (k1 = 1.2, b = 0.75, idf = ln(1 + (N - df + 0.5) / (df +
/// 0.5))), best first, equal scores by post number. A post's words are added from the rarest on, equal counts in the
/// order of `words`: the last bit is fixed. Once the words that are left cannot bring a post that has none of the rarer
/// ones among the best, only posts that still may come there are looked up in their lists (MaxScore); the result is the
/// same. Posts in `gone` are passed over.
std::vector<Neighbour> similar_posts(const Corpus &corpus, const std::vector<Feature> &words, const Limits &limits,
                                     Interrupt interrupt = Interrupt(), const std::set<std::uint64_t> &gone = {});

/// Raises the posts of the draft's niche and keeps the best `limits.neighbours`, in the order of similar_posts. Without
/// a niche, in_niche is false for every post.
std::vector<Neighbour> nearest_in_niche(std::vector<Neighbour> posts, const Limits &limits,
                                        const std::function<bool(std::uint64_t post)> &in_niche);

/// Gathers the parts of all candidates.
///
///     Relevance relevance;
///     relevance.vote(neighbours, tags_of);
///     relevance.add_words(corpus, words);
///     for (const Candidate &c : relevance.candidates(posts_of, spelt_of)) ...
class Relevance {
 public:
  using TagsOf = std::function<const std::vector<std::uint32_t> &(std::uint64_t post)>;
  using PostsOf = std::function<std::uint64_t(std::uint32_t tag)>;
  using SpeltOf = std::function<double(std::uint32_t tag)>;

  explicit Relevance(Weights weights = Weights()) : weights_(weights) {}
  Relevance(const Relevance &) = delete;
  Relevance &operator=(const Relevance &) = delete;

  /// Similar posts: each votes with its squared score for its tags; the votes for all tags sum to 1.
  void vote(const std::vector<Neighbour> &neighbours, const TagsOf &tags_of);

  /// Words: over the draft's words, i^2 n / sqrt((df + 1.5) (c + 3)) summed and divided by the sum of i^2, where
  /// i = ln(N / df + 1), df the posts with the word, c the posts with the tag, n the posts with both. The constants
  /// shrink what few posts say.
  void add_words(const Corpus &corpus, const std::vector<Feature> &words, Interrupt interrupt = Interrupt());

  /// Niche: the share of the niche's posts that carry the tag, n / (posts + 5). Platform likewise.
  void add_niche(const Feature &niche);
  /// A seed of the niche: as five more of its posts with the tag, 5 / (posts + 5), and no tag of few posts.
  void add_seed(const Feature &niche, std::uint32_t tag);
  void add_platform(const Feature &platform);

  /// A tag that is spelt in the text by several words.
  void add_joined(std::uint32_t tag) { at(tag).joined = 1; }

  /// A tag that the caller wants judged though nothing of the text speaks for it.
  void add(std::uint32_t tag) { at(tag); }

  /// The tags found, in no order, with `relevance` the weighted sum of the square roots of the parts, times
  /// c / (c + 1) for a tag of c posts: what a single post did is weak evidence. A root lets several weak parts that
  /// agree outweigh one strong part. `spelt_of` says which share of a tag's words stands in the draft.
  std::vector<Candidate> candidates(const PostsOf &posts_of, const SpeltOf &spelt_of) const;
  std::vector<std::uint32_t> tags() const;

 private:
  static constexpr std::uint32_t kDense = std::uint32_t{1} << 20;

  Candidate &at(std::uint32_t tag);

  Weights weights_;
  std::vector<Candidate> candidates_;
  std::vector<std::uint32_t> places_;                         // by tag: 1 + place in candidates_, or 0
  std::unordered_map<std::uint32_t, std::uint32_t> further_;  // the same for tags from kDense on
  double word_weight_ = 0;                                    // the sum of i^2
};

/// The weight of a word, ln(N / df + 1).
double word_weight(const Corpus &corpus, std::uint64_t posts);

/// The author's own use of a tag: h / (|h| + 2), h = the sum over the author's posts with it of 2^(-age / 30 days). A
/// post after `as_of` counts as new. A suggestion that was accepted adds as a post does, one dismissed takes off as
/// much.
///
///     Affinity affinity(as_of);
///     affinity.add(tag, posted_at);
///     affinity.value(tag)
class Affinity {
 public:
  explicit Affinity(std::int64_t as_of) : as_of_(as_of) {}
  void add(std::uint32_t tag, std::int64_t posted_at);
  void decide(std::uint32_t tag, bool accepted, std::int64_t decided_at);
  double value(std::uint32_t tag) const;
  struct Use {
    double decayed = 0;
    std::uint64_t uses = 0, accepted = 0, dismissed = 0;
  };
  Use use(std::uint32_t tag) const;
  std::vector<std::uint32_t> tags() const;

 private:
  double weight(std::int64_t at) const;
  std::int64_t as_of_;  // microseconds
  std::unordered_map<std::uint32_t, Use> uses_;
};

}  // namespace nexus::hashtags
