#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <string>
#include <string_view>

namespace nexus::metrics {

/// The front of a text for use in a message: at most `limit` bytes, cut between characters of UTF-8.
inline std::string clip(std::string_view utf8, std::size_t limit = 80) {
  if (utf8.size() <= limit) return std::string(utf8);
  while (limit > 0 && (static_cast<unsigned char>(utf8[limit]) & 0xc0) == 0x80) --limit;
  return std::string(utf8.substr(0, limit));
}

}  // namespace nexus::metrics
