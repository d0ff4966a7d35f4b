#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace nexus::bridge {

/// Bytes from `first` to `last`, both included.
struct ByteRange {
  std::uint64_t first = 0, last = 0;
};

/// What a Range header asks for of `size` bytes (RFC 9110, 14.1.2): one range, cut at the end. Nothing where the header
/// is to be ignored: another unit, several ranges, or malformed. `unsatisfiable` is set where it lies behind the end.
///
///     parse_byte_range("bytes=-3", 10, unsatisfiable)->first == 7
std::optional<ByteRange> parse_byte_range(std::string_view header, std::uint64_t size, bool &unsatisfiable);

}  // namespace nexus::bridge
