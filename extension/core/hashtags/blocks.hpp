#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
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

/// The words of one post: (bytes of the word, the word, count) ...
std::string encode_terms(const std::vector<Term> &terms);
std::vector<Term> decode_terms(std::string_view block);

/// Sums two ascending lists tag by tag.
///
///     merge_tag_counts({{1, 2}}, {{1, 1}, {4, 1}}) == {{1, 3}, {4, 1}}
std::vector<TagCount> merge_tag_counts(const std::vector<TagCount> &left, const std::vector<TagCount> &right);

}  // namespace nexus::hashtags
