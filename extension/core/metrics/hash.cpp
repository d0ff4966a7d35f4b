#include "core/metrics/hash.hpp"

#include <bit>
#include <cstddef>

namespace nexus::metrics {

namespace {

constexpr std::uint64_t kFirst = 0x87c37b91114253d5U, kSecond = 0x4cf5ad432745937fU;

std::uint64_t mix_first(std::uint64_t block) {
  return std::rotl(block * kFirst, 31) * kSecond;
}
std::uint64_t mix_second(std::uint64_t block) {
  return std::rotl(block * kSecond, 33) * kFirst;
}

std::uint64_t spread(std::uint64_t hash) {
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdU;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53U;
  return hash ^ (hash >> 33);
}

/// Up to eight bytes as a number, lowest first, whatever the machine's order.
std::uint64_t number(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return value;
}

std::uint64_t finish(std::uint64_t one, std::uint64_t two, std::size_t size) {
  one ^= size;
  two ^= size;
  one += two;
  two += one;
  return spread(one) + spread(two);
}

}  // namespace

std::uint64_t murmur3(std::string_view bytes) {
  const std::size_t size = bytes.size();
  std::uint64_t one = 0, two = 0;
  for (; bytes.size() >= 16; bytes.remove_prefix(16)) {
    one = (std::rotl(one ^ mix_first(number(bytes.substr(0, 8))), 27) + two) * 5 + 0x52dce729;
    two = (std::rotl(two ^ mix_second(number(bytes.substr(8, 8))), 31) + one) * 5 + 0x38495ab5;
  }
  if (bytes.size() > 8) two ^= mix_second(number(bytes.substr(8)));
  if (!bytes.empty()) one ^= mix_first(number(bytes.substr(0, 8)));
  return finish(one, two, size);
}

std::uint64_t murmur3(std::int64_t value) {
  return finish(mix_first(static_cast<std::uint64_t>(value)), 0, sizeof(value));
}

}  // namespace nexus::metrics
