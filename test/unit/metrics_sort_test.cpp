#include "core/metrics/sort.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace nexus::metrics;

TEST(MetricsSort, Doubles) {
  std::mt19937_64 random(3);
  for (std::size_t size :
       {0U, 1U, 2U, 7U, 8U, 9U, 15U, 16U, 31U, 33U, 64U, 100U, 104U, 250U, 383U, 384U, 2047U, 2048U, 2049U, 5000U})
    for (int kind = 0; kind < 9; ++kind) {
      std::pmr::vector<double> values(size);
      for (double &value : values) {
        if (kind == 0) value = std::normal_distribution<double>(0, 1e9)(random);
        if (kind == 1) value = static_cast<double>(random() % 3) - 1;
        if (kind == 2) value = random() % 2 == 0 ? 1.7e308 : -4.9e-324;
        if (kind == 3) value = 7;
        if (kind == 4) value = random() % 2 == 0 ? 1.7e308 : -1.7e308;  // a range that no double has
        if (kind == 5) value = 4.9e-324 * static_cast<double>(random() % 1000);
        if (kind == 6) value = std::lognormal_distribution<double>(3, 9)(random);  // nearly all in one place
        if (kind == 7) value = std::cauchy_distribution<double>(0, 10)(random);
        if (kind == 8) value = static_cast<double>(random() % 100000);
      }
      auto sorted = values;
      std::sort(sorted.begin(), sorted.end());
      sort_doubles(values);
      EXPECT_EQ(values, sorted) << size << ' ' << kind;
    }
}

TEST(MetricsSort, HashesOnceEach) {
  std::mt19937_64 random(4);
  for (std::size_t size : {0U, 1U, 2U, 23U, 24U, 32U, 33U, 1000U, 20000U})
    for (int kind = 0; kind < 5; ++kind) {
      std::pmr::vector<std::uint64_t> hashes(size);
      std::uint64_t next = size;
      for (std::uint64_t &hash : hashes) {
        if (kind == 0) hash = random();
        if (kind == 1) hash = random() % 5 == 0 ? 0 : random() % 50 * 0x9e3779b97f4a7c15U;
        if (kind == 2) hash = next--;  // one bucket, the worst order
        if (kind == 3) hash = 42;
        if (kind == 4) hash = ~std::uint64_t{0} - random() % 9;  // one bucket, negative numbers
      }
      auto sorted = hashes;
      std::sort(sorted.begin(), sorted.end(), [](std::uint64_t a, std::uint64_t b) {
        return static_cast<std::int64_t>(a) < static_cast<std::int64_t>(b);
      });
      sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
      sort_hashes(hashes);
      EXPECT_EQ(hashes, sorted) << size << ' ' << kind;
    }
}
