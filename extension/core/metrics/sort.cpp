#include "core/metrics/sort.hpp"

#include <algorithm>
#include <bit>

namespace nexus::metrics {

namespace {

constexpr std::size_t kFewestDoubles = 384;  // below that, counting 8 times 256 digits costs more than it saves
constexpr int kDigits = 8, kDigitBits = 8, kDigitValues = 1 << kDigitBits;
constexpr std::size_t kFewestHashes = 24, kMostSteps = 8;
constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;

/// Numbers whose order without sign is that of the doubles.
std::uint64_t ordered(double value) {
  auto bits = std::bit_cast<std::uint64_t>(value);
  return (bits & kSignBit) != 0 ? ~bits : bits | kSignBit;
}
double unordered(std::uint64_t bits) {
  return std::bit_cast<double>((bits & kSignBit) != 0 ? bits & ~kSignBit : ~bits);
}

std::size_t digit(std::uint64_t number, int place) {
  return number >> (place * kDigitBits) & (kDigitValues - 1);
}

/// Counts become the place of the first of each kind.
void places_of(std::size_t *counts, std::size_t size) {
  std::size_t before = 0;
  for (std::size_t i = 0; i < size; ++i) {
    std::size_t count = counts[i];
    counts[i] = before;
    before += count;
  }
}

bool before(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(a) < static_cast<std::int64_t>(b);
}

/// Sorts what is nearly in order. False, with the same hashes in any order, where it is not.
bool insertion_sort(std::pmr::vector<std::uint64_t> &hashes) {
  std::size_t steps = 0;
  for (std::size_t i = 1; i < hashes.size(); ++i) {
    const std::uint64_t hash = hashes[i];
    std::size_t place = i;
    for (; place > 0 && before(hash, hashes[place - 1]); --place) hashes[place] = hashes[place - 1];
    hashes[place] = hash;
    steps += i - place;
    if (steps > kMostSteps * hashes.size()) return false;
  }
  return true;
}

}  // namespace

void sort_doubles(std::pmr::vector<double> &values) {
  if (std::is_sorted(values.begin(), values.end())) return;
  if (values.size() < kFewestDoubles) {
    std::sort(values.begin(), values.end());
    return;
  }
  std::pmr::vector<std::uint64_t> from(values.size(), values.get_allocator().resource());
  std::pmr::vector<std::uint64_t> to(values.size(), values.get_allocator().resource());
  std::size_t counts[kDigits][kDigitValues] = {};
  for (std::size_t i = 0; i < values.size(); ++i) {
    from[i] = ordered(values[i]);
    for (int place = 0; place < kDigits; ++place) ++counts[place][digit(from[i], place)];
  }
  for (int place = 0; place < kDigits; ++place) {
    if (counts[place][digit(from[0], place)] == from.size()) continue;  // the same digit everywhere
    places_of(counts[place], kDigitValues);
    for (std::uint64_t number : from) to[counts[place][digit(number, place)]++] = number;
    from.swap(to);
  }
  std::transform(from.begin(), from.end(), values.begin(), unordered);
}

void sort_hashes(std::pmr::vector<std::uint64_t> &hashes) {
  auto out_of_order = [](std::uint64_t a, std::uint64_t b) { return !before(a, b); };
  if (std::adjacent_find(hashes.begin(), hashes.end(), out_of_order) == hashes.end()) return;
  bool sorted = false;
  if (hashes.size() >= kFewestHashes) {
    // By as many leading bits as make one hash a bucket, then the few steps that are left.
    const auto shift = std::countl_zero(static_cast<std::uint64_t>(hashes.size() - 1));
    auto bucket = [shift](std::uint64_t hash) { return (hash ^ kSignBit) >> shift; };
    std::vector<std::size_t> places(std::bit_ceil(hashes.size()));
    for (std::uint64_t hash : hashes) ++places[bucket(hash)];
    places_of(places.data(), places.size());
    const std::vector<std::uint64_t> from(hashes.begin(), hashes.end());
    for (std::uint64_t hash : from) hashes[places[bucket(hash)]++] = hash;
    sorted = insertion_sort(hashes);
  }
  if (!sorted) std::sort(hashes.begin(), hashes.end(), before);
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
}

}  // namespace nexus::metrics
