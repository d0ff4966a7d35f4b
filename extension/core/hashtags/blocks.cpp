#include "core/hashtags/blocks.hpp"

#include <algorithm>
#include <limits>

#include "core/error.hpp"

namespace nexus::hashtags {

namespace {

[[noreturn]] void damaged(const char *what) {
  throw Error("XX001", std::string("a block of the hashtag model is damaged: ") + what)
      .hint("SELECT nexus.rebuild_hashtag_model() counts all learned posts again.");
}

void put(std::string &block, std::uint64_t value) {
  while (value >= 0x80) {
    block.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  block.push_back(static_cast<char>(value));
}

class Reader {
 public:
  explicit Reader(std::string_view block) : block_(block) {}

  bool at_end() const { return at_ == block_.size(); }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_end()) damaged("it ends inside a number");
      auto byte = static_cast<unsigned char>(block_[at_++]);
      if (shift == 63 && byte > 1) damaged("a number is too large");
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) {
        if (byte == 0 && shift > 0) damaged("a number is not in its shortest form");
        return value;
      }
    }
    damaged("a number is too large");
  }

  std::uint32_t small() {
    std::uint64_t value = number();
    if (value > std::numeric_limits<std::uint32_t>::max()) damaged("a count is too large");
    return static_cast<std::uint32_t>(value);
  }

  /// The next of an ascending series, not above `limit`.
  std::uint64_t next(std::uint64_t before, bool first, std::uint64_t limit) {
    std::uint64_t gap = number();
    if (!first && gap == 0) damaged("an entry stands twice");
    if (gap > limit - before) damaged("an entry is out of range");
    return before + gap;
  }

  std::string_view bytes(std::uint64_t size) {
    if (size > block_.size() - at_) damaged("it ends inside a word");
    std::string_view view = block_.substr(at_, size);
    at_ += size;
    return view;
  }

 private:
  std::string_view block_;
  std::size_t at_ = 0;
};

}  // namespace

std::string encode_tag_counts(const std::vector<TagCount> &counts) {
  std::string block;
  block.reserve(counts.size() * 3);
  std::uint32_t before = 0;
  for (const TagCount &entry : counts) {
    put(block, entry.tag - before);
    put(block, entry.posts);
    before = entry.tag;
  }
  return block;
}

std::vector<TagCount> decode_tag_counts(std::string_view block) {
  std::vector<TagCount> counts;
  counts.reserve(block.size() / 2);  // no entry is shorter
  Reader reader(block);
  std::uint64_t tag = 0;
  while (!reader.at_end()) {
    tag = reader.next(tag, counts.empty(), std::numeric_limits<std::uint32_t>::max());
    counts.push_back({static_cast<std::uint32_t>(tag), reader.small()});
  }
  return counts;
}

std::string encode_postings(const std::vector<Posting> &postings) {
  std::string block;
  block.reserve(postings.size() * 4);
  std::uint64_t before = 0;
  for (const Posting &entry : postings) {
    put(block, entry.post - before);
    put(block, entry.count);
    put(block, entry.length);
    before = entry.post;
  }
  return block;
}

std::vector<Posting> decode_postings(std::string_view block) {
  std::vector<Posting> postings;
  postings.reserve(block.size() / 3);
  Reader reader(block);
  std::uint64_t post = 0;
  while (!reader.at_end()) {
    post = reader.next(post, postings.empty(), std::numeric_limits<std::uint64_t>::max());
    std::uint32_t count = reader.small();
    postings.push_back({post, count, reader.small()});
  }
  return postings;
}

void PostingList::append(std::string_view block) {
  Reader reader(block);
  std::uint64_t post = 0;
  for (bool begins = true; !reader.at_end(); begins = false) {
    post = reader.next(post, begins, std::numeric_limits<std::uint64_t>::max());
    if (begins && !empty() && post <= last()) damaged("blocks of postings overlap");
    std::uint32_t count = reader.small();
    add({post, count, reader.small()});
  }
}

void PostingList::add(const Posting &posting) {
  if (empty()) first_ = posting.post;
  most_uses_ = std::max(most_uses_, posting.count);
  fewest_words_ = std::min(fewest_words_, posting.length);
  std::uint64_t offset = posting.post - first_;
  if (offset > std::numeric_limits<std::uint32_t>::max()) {
    far_.push_back(posting);
    return;
  }
  offsets_.push_back(static_cast<std::uint32_t>(offset));
  if (posting.count == 0 || posting.count > 15 || posting.length > kMostWords) {
    shapes_.push_back(kWide);
    wide_.push_back(posting);
  } else {
    shapes_.push_back(static_cast<std::uint16_t>(posting.count << 12 | posting.length));
  }
}

std::optional<Posting> PostingList::find_in(const std::vector<Posting> &postings, std::uint64_t post) const {
  auto found = std::lower_bound(postings.begin(), postings.end(), post,
                                [](const Posting &entry, std::uint64_t key) { return entry.post < key; });
  if (found == postings.end() || found->post != post) return std::nullopt;
  return *found;
}

std::optional<Posting> PostingList::find(std::uint64_t post, std::size_t &cursor) const {
  if (post < first_) return std::nullopt;
  if (post - first_ > std::numeric_limits<std::uint32_t>::max()) return find_in(far_, post);
  auto offset = static_cast<std::uint32_t>(post - first_);
  // Steps that double, then halves: near the cursor is where it is most of the time.
  std::size_t step = 1, end = cursor;
  while (end < offsets_.size() && offsets_[end] < offset) {
    cursor = end;
    end += step;
    step *= 2;
  }
  auto limit = offsets_.begin() + static_cast<std::ptrdiff_t>(std::min(end + 1, offsets_.size()));
  auto found = std::lower_bound(offsets_.begin() + static_cast<std::ptrdiff_t>(cursor), limit, offset);
  cursor = static_cast<std::size_t>(found - offsets_.begin());
  if (found == offsets_.end() || *found != offset) return std::nullopt;
  std::uint16_t shape = shapes_[cursor];
  if (shape == kWide) return find_in(wide_, post);
  return Posting{post, std::uint32_t{shape} >> 12, shape & std::uint32_t{kMostWords}};
}

std::size_t PostingList::bytes() const {
  return offsets_.capacity() * sizeof(std::uint32_t) + shapes_.capacity() * sizeof(std::uint16_t) +
         (wide_.capacity() + far_.capacity()) * sizeof(Posting);
}

void PostingList::shrink_to_fit() {
  offsets_.shrink_to_fit();
  shapes_.shrink_to_fit();
  wide_.shrink_to_fit();
  far_.shrink_to_fit();
}

std::string encode_terms(const std::vector<Term> &terms) {
  std::string block;
  for (const Term &term : terms) {
    put(block, term.word.size());
    block += term.word;
    put(block, term.count);
  }
  return block;
}

std::vector<Term> decode_terms(std::string_view block) {
  std::vector<Term> terms;
  Reader reader(block);
  while (!reader.at_end()) {
    std::string word(reader.bytes(reader.number()));
    if (word.empty() || (!terms.empty() && word <= terms.back().word)) damaged("words are out of order");
    terms.push_back({std::move(word), reader.small()});
  }
  return terms;
}

std::vector<TagCount> merge_tag_counts(const std::vector<TagCount> &left, const std::vector<TagCount> &right) {
  std::vector<TagCount> merged;
  merged.reserve(left.size() + right.size());
  auto l = left.begin(), r = right.begin();
  while (l != left.end() || r != right.end()) {
    if (r == right.end() || (l != left.end() && l->tag < r->tag))
      merged.push_back(*l++);
    else if (l == left.end() || r->tag < l->tag)
      merged.push_back(*r++);
    else
      merged.push_back({l->tag, l++->posts + r++->posts});
  }
  return merged;
}

}  // namespace nexus::hashtags
