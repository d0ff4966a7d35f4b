#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <string_view>

namespace nexus::metrics {

/// The first 64 bits of MurmurHash3 x64 128 with seed 0. Part of the stored form of distinct counts, so it never
/// changes; the hll extension hashes the same way.
std::uint64_t murmur3(std::string_view bytes);

/// The hash of a bigint: of its eight bytes, lowest first.
std::uint64_t murmur3(std::int64_t value);

}  // namespace nexus::metrics
