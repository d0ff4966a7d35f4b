#include "bridge/media/byte_range.hpp"

#include <algorithm>

#include "bridge/http/text.hpp"
#include "bridge/media/tus.hpp"

namespace nexus::bridge {

std::optional<ByteRange> parse_byte_range(std::string_view header, std::uint64_t size, bool &unsatisfiable) {
  constexpr std::string_view kUnit = "bytes=";
  unsatisfiable = false;
  header = trimmed(header);
  if (lower_case(header.substr(0, kUnit.size())) != kUnit) return std::nullopt;
  const std::string_view range = trimmed(header.substr(kUnit.size()));
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view from = range.substr(0, dash), to = range.substr(dash + 1);
  const auto first = tus::parse_length(from), last = tus::parse_length(to);
  if ((!from.empty() && !first) || (!to.empty() && !last) || (!first && !last)) return std::nullopt;
  if (first && last && *last < *first) return std::nullopt;
  unsatisfiable = first ? *first >= size : *last == 0 || size == 0;
  if (unsatisfiable) return std::nullopt;
  if (!first) return ByteRange{size - std::min(*last, size), size - 1};
  return ByteRange{*first, std::min(last.value_or(size - 1), size - 1)};
}

}  // namespace nexus::bridge
