#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace nexus::metrics {

/// A sum of counters: 2^63 rows of the largest bigint fit.
using Wide = __int128;
using UnsignedWide = unsigned __int128;

/// Wide inside a struct that lives in PostgreSQL's memory, which is aligned to 8 bytes only.
typedef __int128 PackedWide __attribute__((aligned(8)));

/// a + b; 22003 where that leaves 128 bits, never a wrapped sum.
inline Wide add(Wide a, Wide b) {
  Wide sum;
  if (__builtin_add_overflow(a, b, &sum)) throw Error("22003", "sum of counters out of range");
  return sum;
}

/// a - b; 22003 where that leaves 128 bits.
inline Wide subtract(Wide a, Wide b) {
  Wide difference;
  if (__builtin_sub_overflow(a, b, &difference)) throw Error("22003", "difference of counters out of range");
  return difference;
}

/// Decimal digits, as numeric_in takes them: to_string(Wide(-5)) == "-5".
std::string to_string(Wide value);

/// Reads what to_string() writes: an optional '-', then digits and nothing else. False where it is anything else or
/// leaves 128 bits.
bool parse_wide(std::string_view text, Wide &value);

}  // namespace nexus::metrics
