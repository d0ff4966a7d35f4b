#include "core/metrics/sort.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace nexus::metrics {

namespace {

constexpr std::size_t kFewestDoubles = 384;  // below that, counting 8 times 256 digits costs more than it saves
constexpr std::size_t kFewestSpread = 16, kMostSpread = 2048, kPlacesForEach = 4;
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
template <class Count>
void places_of(Count *counts, std::size_t size) {
  Count before = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const Count count = counts[i];
    counts[i] = before;
    before = static_cast<Count>(before + count);
  }
}

/// Sorts eight numbers with nineteen exchanges that are no branches (Knuth, The Art of Computer Programming 3, 5.3.4).
void sort_eight(std::uint64_t *v) {
  auto order = [v](int a, int b) {
    const std::uint64_t low = std::min(v[a], v[b]), high = std::max(v[a], v[b]);
    v[a] = low;
    v[b] = high;
  };
  order(0, 2), order(1, 3), order(4, 6), order(5, 7);
  order(0, 4), order(1, 5), order(2, 6), order(3, 7);
  order(0, 1), order(2, 3), order(4, 5), order(6, 7);
  order(2, 4), order(3, 5);
  order(1, 4), order(3, 6);
  order(1, 2), order(3, 4), order(5, 6);
}

/// Merges two sorted runs of one size. Which is next is as good as random, so it is arithmetic and no branch; from both
/// ends to the middle no run can end early, and the processor does two steps at once.
void merge_runs(const std::uint64_t *a, const std::uint64_t *b, std::size_t size, std::uint64_t *to) {
  const std::uint64_t *a_last = a + size - 1, *b_last = b + size - 1;
  std::uint64_t *last = to + 2 * size - 1;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t low_a = *a, low_b = *b, high_a = *a_last, high_b = *b_last;
    *to++ = std::min(low_a, low_b);
    *last-- = std::max(high_a, high_b);
    const auto from_b = static_cast<std::ptrdiff_t>(low_b < low_a),
               from_a = static_cast<std::ptrdiff_t>(high_b < high_a);
    b += from_b;
    a += 1 - from_b;
    a_last -= from_a;
    b_last -= 1 - from_a;
  }
}

/// Sorts fewer than kFewestDoubles: runs of up to eight, as many as a power of two, then merges of two. std::sort()
/// takes twice the time, most of it for branches that the processor cannot foresee.
void merge_sort(std::span<double> values) {
  constexpr std::size_t kMostRun = 8;
  std::uint64_t rooms[2][std::bit_ceil(kFewestDoubles)], *from = rooms[0], *to = rooms[1];
  const std::size_t runs = std::bit_ceil((values.size() + kMostRun - 1) / kMostRun);
  std::size_t size = (values.size() + runs - 1) / runs;
  for (std::size_t i = 0, next = 0; i < runs; ++i) {
    std::uint64_t *run = from + i * kMostRun;
    for (std::size_t place = 0; place < kMostRun; ++place)
      run[place] = place < size && next < values.size() ? ordered(values[next++]) : UINT64_MAX;
    sort_eight(run);
  }
  for (std::size_t step = kMostRun, left = runs; left > 1; left /= 2) {  // `step` from run to run
    for (std::size_t i = 0; i < left; i += 2) merge_runs(from + i * step, from + (i + 1) * step, size, to + i * size);
    std::swap(from, to);
    size *= 2;
    step = size;
  }
  std::transform(from, from + values.size(), values.begin(), unordered);
}

/// Sorts up to kMostSpread values of which no two have far too much in common, in a third to a half of the time of the
/// others: by a place in four times as many as there are values, then the few steps that are left. The place is the
/// logarithm of the distance to the least value, as the bits of a double have it by lines: a difference counts where it
/// is large and where, as in counters, most values are small. A 4096th of the range is added first, so that the
/// distances next to 0 do not take all places. False, with the same values in any order, where too many steps are left.
bool spread_sort(std::span<double> values) {
  const auto [least, largest] = std::minmax_element(values.begin(), values.end());
  const double low = *least, range = *largest - low, added = range / 4096;
  if (!std::isfinite(range)) return false;
  const auto first = std::bit_cast<std::uint64_t>(added), last = std::bit_cast<std::uint64_t>(range + added) - first;
  const int shift = std::max(
      0, static_cast<int>(std::bit_width(last)) - static_cast<int>(std::bit_width(kPlacesForEach * values.size() - 1)));
  double spread[kMostSpread];
  std::uint16_t place_of[kMostSpread], places[std::bit_ceil(kPlacesForEach * kMostSpread)];
  std::fill_n(places, (last >> shift) + 1, std::uint16_t{0});
  for (std::size_t i = 0; i < values.size(); ++i) {
    place_of[i] = static_cast<std::uint16_t>((std::bit_cast<std::uint64_t>(values[i] - low + added) - first) >> shift);
    ++places[place_of[i]];
  }
  places_of(places, (last >> shift) + 1);
  for (std::size_t i = 0; i < values.size(); ++i) spread[places[place_of[i]]++] = values[i];

  std::size_t steps = 0;
  for (std::size_t i = 1; i < values.size() && steps <= kMostSteps * values.size(); ++i) {
    const double value = spread[i];
    std::size_t place = i;
    for (; place > 0 && value < spread[place - 1]; --place) spread[place] = spread[place - 1];
    spread[place] = value;
    steps += i - place;
  }
  std::memcpy(values.data(), spread, values.size_bytes());
  return steps <= kMostSteps * values.size();
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

void sort_doubles(std::span<double> values) {
  if (std::is_sorted(values.begin(), values.end())) return;
  if (values.size() >= kFewestSpread && values.size() <= kMostSpread && spread_sort(values)) return;
  if (values.size() < kFewestDoubles) {
    merge_sort(values);
    return;
  }
  std::vector<std::uint64_t> from(values.size()), to(values.size());
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
