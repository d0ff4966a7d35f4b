// Any bytes as a post's text, as a tag, and as each kind of block: refused with an error of ours, or understood the
// same way twice.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.hpp"
#include "core/hashtags/batch.hpp"
#include "core/hashtags/blocks.hpp"
#include "core/hashtags/tokens.hpp"

using namespace nexus::hashtags;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

template <class F>
void attempt(F &&run) {
  try {
    run();
  } catch (const nexus::Error &) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char *>(data), size);
  attempt([&] {
    Terms terms = tokenize(bytes);
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < terms.terms.size(); ++i) {
      const Term &term = terms.terms[i];
      require(!term.word.empty() && term.word.size() <= kMaxWordBytes && term.count > 0);
      require(i == 0 || terms.terms[i - 1].word < term.word);
      length += term.count;
    }
    require(length == terms.length);
    std::vector<Term> decoded = decode_terms(encode_terms(terms.terms));
    require(decoded.size() == terms.terms.size());
    for (std::size_t i = 0; i < decoded.size(); ++i)
      require(decoded[i].word == terms.terms[i].word && decoded[i].count == terms.terms[i].count);
  });
  attempt([&] {
    for (const Tag &tag : check_tags({bytes})) require(check_tags({tag.canonical}).front().canonical == tag.canonical);
  });
  attempt([&] { require(encode_tag_counts(decode_tag_counts(bytes)) == bytes); });
  attempt([&] { require(encode_postings(decode_postings(bytes)) == bytes); });
  attempt([&] { require(encode_terms(decode_terms(bytes)) == bytes); });
  return 0;
}
