#include "core/metrics/distinct_state.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/metrics/hash.hpp"

using nexus::metrics::DistinctState;
using nexus::metrics::murmur3;

namespace {

template <class F>
std::string sqlstate(F &&body) {
  try {
    body();
  } catch (const nexus::Error &error) {
    return error.sqlstate();
  }
  return "none";
}

DistinctState state_of(std::int64_t first, std::int64_t count, int log2m = DistinctState::kDefaultLog2m) {
  DistinctState state;
  state.use(log2m);
  for (std::int64_t i = 0; i < count; ++i) state.add(murmur3(first + i));
  return state;
}

std::string bytes_of(const char *hex) {
  std::string bytes;
  for (; *hex != 0; hex += 2) bytes += static_cast<char>(std::stoi(std::string(hex, 2), nullptr, 16));
  return bytes;
}

}  // namespace

TEST(MetricsHash, NumbersAreTheirBytes) {
  for (std::int64_t value : {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, INT64_MAX, INT64_MIN}) {
    std::string bytes;
    for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(static_cast<std::uint64_t>(value) >> shift);
    EXPECT_EQ(murmur3(value), murmur3(bytes)) << value;
  }
}

TEST(MetricsHash, EveryByteCounts) {
  std::string text = "0123456789abcdefghijklmnopqrstuvwxyz!?";
  for (std::size_t size = 1; size <= text.size(); ++size)
    for (std::size_t i = 0; i < size; ++i) {
      std::string other = text.substr(0, size);
      other[i] ^= 1;
      EXPECT_NE(murmur3(other), murmur3(std::string_view(text).substr(0, size))) << size << ' ' << i;
    }
  EXPECT_NE(murmur3(std::string_view("a\0", 2)), murmur3("a"));
  EXPECT_EQ(murmur3(""), 0U);
}

TEST(MetricsDistinct, ExactWhileFew) {
  EXPECT_EQ(DistinctState().count(), 0U);
  for (int log2m : {4, 11, 14, 18})
    for (std::int64_t count : {1, 2, 100, 128}) {
      DistinctState state = state_of(1000, count, log2m);
      for (std::int64_t i = 0; i < count; i += 3) state.add(murmur3(1000 + i));
      EXPECT_EQ(state.count(), static_cast<std::uint64_t>(count)) << log2m;
    }
  EXPECT_EQ(state_of(0, 1280).count(), 1280U);
  DistinctState zero;
  zero.add(0);
  zero.add(0);
  EXPECT_EQ(zero.count(), 1U);
}

TEST(MetricsDistinct, EstimatesWithinItsError) {
  for (int log2m : {8, 11, 14}) {
    double squares = 0, bias = 0;
    int runs = 0;
    double standard_error = 1.04 / std::sqrt(std::pow(2, log2m));
    for (std::int64_t count : {2000, 5000, 20000, 40000, 80000, 150000})
      for (int run = 0; run < 6; ++run, ++runs) {
        double error = static_cast<double>(state_of((run + 1) * 1000003 * count, count, log2m).count()) /
                           static_cast<double>(count) -
                       1;
        EXPECT_LT(std::abs(error), 4 * standard_error) << log2m << ' ' << count;
        squares += error * error;
        bias += error;
      }
    EXPECT_LT(std::sqrt(squares / runs), 1.3 * standard_error) << log2m;
    EXPECT_LT(std::abs(bias / runs), standard_error) << log2m;
  }
}

TEST(MetricsDistinct, RepeatedAndChosenHashes) {
  for (int log2m : {11, 14}) {
    DistinctState repeated, close, once;
    repeated.use(log2m);
    close.use(log2m);
    once.use(log2m);
    for (int round = 0; round < 50; ++round)
      for (std::int64_t i = 0; i < 120; ++i) {
        repeated.add(murmur3(i));
        close.add(std::uint64_t{0x7fffffff00000000} - static_cast<std::uint64_t>(i));
      }
    for (std::int64_t i = 119; i >= 0; --i) once.add(murmur3(i));
    EXPECT_EQ(repeated.count(), 120U);
    EXPECT_EQ(close.count(), 120U);
    EXPECT_EQ(repeated.encode(), once.encode());
    EXPECT_EQ(DistinctState::decode(close.encode()).encode(), close.encode());
    // Reading a state in between changes nothing.
    DistinctState read = state_of(0, 0, log2m), unread = read;
    for (std::int64_t i = 0; i < 2000; ++i) {
      read.add(murmur3(i % 1500));
      unread.add(murmur3(i % 1500));
      if (i % 97 == 0) read.count();
    }
    EXPECT_EQ(read.encode(), unread.encode());
  }
}

TEST(MetricsDistinct, MergesToTheWhole) {
  for (int log2m : {4, 11, 14})
    for (std::int64_t count : {0, 10, 150, 3000, 50000}) {
      DistinctState whole = state_of(0, count, log2m), merged, reversed;
      std::vector<DistinctState> parts;
      for (std::int64_t from = 0; from < count; from += count / 3 + 1)
        parts.push_back(state_of(from, std::min(count - from, count / 3 + 7), log2m));
      for (auto part = parts.begin(); part != parts.end(); ++part) merged.merge(*part);
      for (auto part = parts.rbegin(); part != parts.rend(); ++part) reversed.merge(*part);
      if (count > 0) {
        DistinctState longer = state_of(0, count + 6, log2m);
        EXPECT_EQ(merged.encode(), reversed.encode());
        EXPECT_TRUE(merged.encode() == whole.encode() || merged.count() <= longer.count());
      }
      whole.merge(state_of(0, count, log2m));
      EXPECT_EQ(whole.encode(), state_of(0, count, log2m).encode());
    }
}

TEST(MetricsDistinct, CoarserOfTwoRemains) {
  for (std::int64_t count : {50, 1000, 30000}) {
    DistinctState fine = state_of(0, count, 14), coarse = state_of(count, count, 11);
    DistinctState both = fine, other_way = coarse;
    both.merge(coarse);
    other_way.merge(fine);
    EXPECT_EQ(both.encode(), state_of(0, 2 * count, 11).encode()) << count;
    EXPECT_EQ(other_way.encode(), both.encode()) << count;
  }
}

TEST(MetricsDistinct, RefusesOtherPrecision) {
  DistinctState state;
  EXPECT_EQ(sqlstate([&] { state.use(3); }), "22023");
  EXPECT_EQ(sqlstate([&] { state.use(19); }), "22023");
  state.use(11);
  state.add(1);
  state.use(11);
  EXPECT_EQ(sqlstate([&] { state.use(12); }), "22023");
}

TEST(MetricsDistinct, HllStorageFormat) {
  // bigint 1 and 2 as the hll extension writes them with log2m 11 and no explicit form: registers 168 and 1098 hold 4.
  DistinctState two = DistinctState::from_hll(bytes_of("138b4015048944"));
  EXPECT_EQ(two.count(), 2U);
  EXPECT_EQ(two.to_hll(), bytes_of("138b7f15048944"));
  DistinctState added = two;
  added.add(murmur3(std::int64_t{1}));
  added.add(murmur3(std::int64_t{2}));
  EXPECT_EQ(added.encode(), two.encode());
  EXPECT_EQ(state_of(1, 2, 11).to_hll().substr(0, 3), bytes_of("128b7f"));
  EXPECT_EQ(DistinctState::from_hll(bytes_of("118b7f")).count(), 0U);
  for (int log2m : {4, 11, 14})
    for (std::int64_t count : {0, 1, 100, 128, 200, 3000, 100000}) {
      DistinctState state = state_of(5, count, log2m);
      std::string hll = state.to_hll();
      DistinctState back = DistinctState::from_hll(hll);
      EXPECT_EQ(back.to_hll(), hll);
      if (hll[0] == 0x12 || count > 1280) {
        EXPECT_EQ(back.count(), state.count());
      }
      EXPECT_LE(hll.size(), 3 + (std::size_t{1} << log2m) * 5 / 8);
    }
  // Registers of eight bits: 200 is cut as five bits would have been.
  std::string wide = bytes_of("14e47f") + std::string(15, 0) + static_cast<char>(200);
  EXPECT_EQ(DistinctState::from_hll(wide).to_hll(), bytes_of("13847fff80"));
  EXPECT_EQ(sqlstate([] { DistinctState::from_hll(bytes_of("108b7f")); }), "0A000");
  EXPECT_EQ(sqlstate([] { DistinctState::from_hll(bytes_of("216b7f")); }), "0A000");
  EXPECT_EQ(sqlstate([] { DistinctState::from_hll(bytes_of("116b7f")); }), "0A000");
  EXPECT_EQ(sqlstate([] { DistinctState::from_hll(bytes_of("11937f")); }), "0A000");
  for (const char *bad : {"", "13", "158b7f", "128b7f", "128b7f00", "118b7f00", "148b7f00", "138b7f8944150400",
                          "128b7f00000000000000020000000000000001"})
    EXPECT_EQ(sqlstate([&] { DistinctState::from_hll(bytes_of(bad)); }), "XX001") << bad;
}

TEST(MetricsDistinct, StoredAndReadableForms) {
  for (int log2m : {4, 11, 14})
    for (std::int64_t count : {0, 1, 128, 1281, 60000}) {
      DistinctState state = state_of(9, count, log2m);
      std::string bytes = state.encode();
      EXPECT_EQ(DistinctState::decode(bytes).encode(), bytes);
      EXPECT_EQ(DistinctState::decode(bytes).count(), state.count());
      EXPECT_EQ(DistinctState::from_text(state.to_text()).encode(), bytes);
      for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 5) {
        if (size >= 5 && (bytes[2] == 0x12 || bytes[2] == 0x13)) break;  // a shorter list can be a state too
        EXPECT_EQ(sqlstate([&] { DistinctState::decode(std::string_view(bytes).substr(0, size)); }), "XX001") << size;
      }
      EXPECT_EQ(sqlstate([&] { DistinctState::decode(bytes + '\0'); }), "XX001");
    }
  EXPECT_EQ(DistinctState().to_text(), "v1 murmur3 118e7f");
  EXPECT_EQ(sqlstate([] { DistinctState::decode(bytes_of("0201118e7f")); }), "0A000");
  EXPECT_EQ(sqlstate([] { DistinctState::decode(bytes_of("0102118e7f")); }), "0A000");
  // Well formed hll, but not as this version writes it.
  EXPECT_EQ(sqlstate([] { DistinctState::decode(bytes_of("0101118e40")); }), "XX001");
  for (const char *bad : {"", "v1", "v1 murmur3", "v2 murmur3 118e7f", "v1 murmur3 118e7", "v1 murmur3 118e7g"})
    EXPECT_EQ(sqlstate([&] { DistinctState::from_text(bad); }), "22P02") << bad;
}
