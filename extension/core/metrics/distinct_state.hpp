#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::metrics {

/// How many different values there are: the state of distinct_agg, over their murmur3() hashes.
///
/// A few hashes are kept as they are and counted exactly (128 at least; as many as take the room of the registers).
/// More become a HyperLogLog of 2^log2m registers of five bits, with a standard error of 1.04 / sqrt(2^log2m): 0.8 %
/// for 14, 2.3 % for 11. The estimate is Ertl's, unbiased from few to many ("New cardinality estimation algorithms for
/// HyperLogLog sketches", 2017, algorithm 6).
///
///     DistinctState state; state.use(11);
///     state.add(murmur3("ann")); state.add(murmur3("bob")); state.add(murmur3("ann"));
///     state.count() == 2
///
/// States merge to what one state over all values would be, in any order; the coarser log2m of two remains.
class DistinctState {
 public:
  static constexpr int kLeastLog2m = 4, kMostLog2m = 18, kDefaultLog2m = 14;

  explicit DistinctState(std::pmr::memory_resource *memory = std::pmr::get_default_resource())
      : hashes_(memory), registers_(memory) {}

  /// Sets the precision before the first value; 22023 outside the limits and for a state that has another.
  void use(int log2m);
  void add(std::uint64_t hash) {
    if (hashes_.size() < hashes_.capacity())
      hashes_.push_back(hash);
    else
      add_beyond_room(hash);
  }
  void merge(const DistinctState &other);
  std::uint64_t count();

  /// The stored form: version, hash function, then the hll storage format. Equal states have equal bytes.
  std::string encode();
  /// Throws XX001 for damaged bytes and 0A000 for a format that is not ours; never reads outside `bytes`.
  static DistinctState decode(std::string_view bytes,
                              std::pmr::memory_resource *memory = std::pmr::get_default_resource());

  /// The published storage format of HyperLogLog (schema version 1), as the hll extension reads and writes it.
  std::string to_hll();
  /// Throws XX001 for damaged bytes; 0A000 for registers of less than five bits or a log2m outside the limits.
  static DistinctState from_hll(std::string_view bytes,
                                std::pmr::memory_resource *memory = std::pmr::get_default_resource());

  /// The readable form: `v1 murmur3 118b7f`, the hll storage format in hexadecimal digits.
  std::string to_text();
  /// Throws 22P02 for any other form.
  static DistinctState from_text(std::string_view text);

 private:
  std::size_t most_exact() const;
  bool empty() const { return hashes_.empty() && registers_.empty(); }
  void add_beyond_room(std::uint64_t hash);
  void settle();
  void start_registers();
  void coarsen(int log2m);
  void raise(std::uint32_t index, std::uint8_t value);
  void raise(std::uint64_t hash);
  std::string registers_body() const;

  std::pmr::vector<std::uint64_t> hashes_;    // while exact: those that settle() left, then new ones as they came
  std::pmr::vector<std::uint8_t> registers_;  // 2^log2m, none while exact; then hashes_ has no room and stays empty
  int log2m_ = kDefaultLog2m;
};

}  // namespace nexus::metrics
