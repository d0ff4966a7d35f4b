#include "core/metrics/wide.hpp"

#include <algorithm>

namespace nexus::metrics {

std::string to_string(Wide value) {
  // The magnitude of the smallest value exists as unsigned only.
  UnsignedWide rest = value < 0 ? -static_cast<UnsignedWide>(value) : static_cast<UnsignedWide>(value);
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
    rest /= 10;
  } while (rest != 0);
  if (value < 0) digits.push_back('-');
  std::reverse(digits.begin(), digits.end());
  return digits;
}

bool parse_wide(std::string_view text, Wide &value) {
  bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty()) return false;
  Wide sum = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    int digit = c - '0';
    if (__builtin_mul_overflow(sum, Wide(10), &sum)) return false;
    if (__builtin_add_overflow(sum, Wide(negative ? -digit : digit), &sum)) return false;
  }
  value = sum;
  return true;
}

}  // namespace nexus::metrics
