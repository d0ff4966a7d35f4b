#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hashtags/tokens.hpp"

namespace nexus::hashtags {

/// How many posts of a word (or of a niche) carry a tag.
struct TagCount {
  std::uint32_t tag = 0;
  std::uint32_t posts = 0;
  bool operator==(const TagCount &) const = default;
};

/// One post that holds a word: how often, and how long the post is in words.
struct Posting {
  std::uint64_t post = 0;
  std::uint32_t count = 0;
  std::uint32_t length = 0;
  bool operator==(const Posting &) const = default;
};

// Packed forms, as they stand in the tables: a row of variable-length integers (seven bits a byte, the lowest first,
// the top bit set on all but the last byte), numbers that ascend as the gap to the one before. An encoder wants its
// input sorted; a decoder takes any bytes and throws XX001 where they are not what an encoder writes.

/// Tags in ascending order: (gap of tag, posts) ...
///
///     decode_tag_counts(encode_tag_counts({{7, 2}, {9, 1}})) == {{7, 2}, {9, 1}}
std::string encode_tag_counts(const std::vector<TagCount> &counts);
std::vector<TagCount> decode_tag_counts(std::string_view block);

/// Posts in ascending order: (gap of post, count, length) ...
std::string encode_postings(const std::vector<Posting> &postings);
std::vector<Posting> decode_postings(std::string_view block);

/// The posts of a word as they are kept in memory: six bytes each, so that long lists stay near the processor. A list
/// keeps postings of more than 15 uses or 4095 words, and those 2^32 posts after its first, in full.
///
///     PostingList list;
///     list.append(encode_postings({{7, 1, 10}, {9, 2, 12}}));
///     list.find(9, cursor)->count == 2
class PostingList {
 public:
  /// Adds what encode_postings has made of posts that come after those the list holds; XX001 for others.
  void append(std::string_view block);

  std::size_t size() const { return offsets_.size() + far_.size(); }
  bool empty() const { return size() == 0; }
  std::uint64_t first() const { return first_; }
  std::uint64_t last() const { return far_.empty() ? first_ + offsets_.back() : far_.back().post; }
  /// The most uses in a post, and the fewest words of one: no posting weighs more than these would together.
  std::uint32_t most_uses() const { return most_uses_; }
  std::uint32_t fewest_words() const { return fewest_words_; }
  std::size_t bytes() const;
  void shrink_to_fit();

  /// Calls `use(post, count, length)` in ascending order.
  template <class Use>
  void for_each(Use &&use) const {
    auto wide = wide_.begin();
    for (std::size_t i = 0; i < offsets_.size(); ++i) {
      if (shapes_[i] != kWide) {
        use(first_ + offsets_[i], std::uint32_t{shapes_[i]} >> 12, shapes_[i] & std::uint32_t{kMostWords});
      } else {
        use(wide->post, wide->count, wide->length);
        ++wide;
      }
    }
    for (const Posting &posting : far_) use(posting.post, posting.count, posting.length);
  }

  /// The posting of a post, if the list has it. `cursor` starts at 0; the posts asked for with one cursor ascend.
  std::optional<Posting> find(std::uint64_t post, std::size_t &cursor) const;

 private:
  static constexpr std::uint16_t kMostWords = 0xFFF, kWide = 0;  // no posting has 0 uses and no words

  void add(const Posting &posting);
  std::optional<Posting> find_in(const std::vector<Posting> &postings, std::uint64_t post) const;

  std::uint64_t first_ = 0;
  std::uint32_t most_uses_ = 0, fewest_words_ = 0xFFFFFFFF;
  std::vector<std::uint32_t> offsets_;  // from first_
  std::vector<std::uint16_t> shapes_;   // uses and, in the lower 12 bits, words
  std::vector<Posting> wide_, far_;     // what does not fit a shape, or an offset
};

/// The words of one post: (bytes of the word, the word, count) ...
std::string encode_terms(const std::vector<Term> &terms);
std::vector<Term> decode_terms(std::string_view block);

/// Sums two ascending lists tag by tag.
///
///     merge_tag_counts({{1, 2}}, {{1, 1}, {4, 1}}) == {{1, 3}, {4, 1}}
std::vector<TagCount> merge_tag_counts(const std::vector<TagCount> &left, const std::vector<TagCount> &right);

}  // namespace nexus::hashtags
