#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <functional>
#include <memory_resource>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/metrics/wide.hpp"

namespace nexus::metrics {

/// A key with its sum of weights.
struct Ranked {
  std::string key;  // a bigint in decimal digits
  Wide weight;
};

/// The k keys with the largest sums of weights: the state of topk_agg.
///
/// Up to max(1000, 8k) different keys all sums are kept and the answer is exact. With more, the sum of the first key
/// that finds no place is taken off all others and what has nothing left is dropped; so each weight is at most error()
/// too small, no key that is missing weighs more than error(), and error() is at most the sum of all weights divided by
/// the number of places. Source: Misra and Gries 1982; Agarwal et al., "Mergeable summaries", 2012.
///
///     TopkState state; state.use(TopkState::Keys::text, 2);
///     state.add_text("cats", 5); state.add_text("dogs", 3); state.add_text("cats", 1);
///     state.top()  ->  {"cats", 6} {"dogs", 3}
///
/// Keys of equal weight come in order of number or of bytes.
class TopkState {
 public:
  enum class Keys : std::uint8_t { bigint, text };
  static constexpr int kMostK = 10000;
  static constexpr std::size_t kMostKeyBytes = 2048;

  explicit TopkState(std::pmr::memory_resource *memory = std::pmr::get_default_resource()) : sums_(memory) {}

  /// Sets type of key and k before the first key; 22023 outside 1 to kMostK and for a state that has others.
  void use(Keys keys, std::int64_t k);
  /// 22023 for a negative weight, 54000 for a key of more than kMostKeyBytes.
  void add_bigint(std::int64_t key, std::int64_t weight);
  void add_text(std::string_view utf8, std::int64_t weight);
  /// 22023 where the other has another type of key or another k.
  void merge(const TopkState &other);

  Keys keys() const { return keys_; }
  int k() const { return k_; }
  /// How much a weight may be too small, and how much a key that is missing may weigh at most; 0 while exact.
  Wide error() const { return error_; }
  std::vector<Ranked> top();

  /// The stored form: version, type of key, k, error, then keys and weights by rank. Equal states have equal bytes.
  std::string encode();
  /// Throws XX001 for damaged bytes and 0A000 for a format that is not ours; never reads outside `bytes`. Whether a
  /// text key is UTF-8 is for the caller to check.
  static TopkState decode(std::string_view bytes, std::pmr::memory_resource *memory = std::pmr::get_default_resource());

  /// The readable form: `v1 text k=2 error=0 cats=6 dogs=3`; in text keys whatever is not an ASCII letter, a digit or
  /// one of - _ . is percent-encoded.
  std::string to_text();
  /// Throws 22P02 for any other form.
  static TopkState from_text(std::string_view text);

  /// All keys, for who must look at them.
  template <class OnKey>
  void each_key(OnKey &&on_key) const {
    for (const auto &[key, sum] : sums_) on_key(std::string_view(key));
  }

 private:
  struct Sum {
    PackedWide weight = 0;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  using Sums = std::pmr::unordered_map<std::pmr::string, Sum, Hash, std::equal_to<>>;
  using Entry = Sums::const_iterator;

  std::size_t places() const;
  void add(std::string_view key, Wide weight);
  void prune();
  std::vector<Entry> ranked() const;
  std::string readable(std::string_view key) const;

  Sums sums_;  // a bigint key is eight bytes whose order is that of the numbers
  PackedWide error_ = 0;
  int k_ = 0;  // 0 before use()
  Keys keys_ = Keys::bigint;
};

}  // namespace nexus::metrics
