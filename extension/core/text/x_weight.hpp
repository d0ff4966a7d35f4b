#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>

// What X's weighted length is made of. Source: twitter-text's configurations v2 and v3.
namespace nexus::text {

inline constexpr std::int64_t kXUrlWeight = 23, kXEmojiWeight = 2;

/// The weight of a character that belongs to no URL and no emoji sequence.
constexpr std::int64_t x_weight(char32_t c) {
  if (c <= 0x10FF) return 1;
  return (c >= 0x2000 && c <= 0x200D) || (c >= 0x2010 && c <= 0x201F) || (c >= 0x2032 && c <= 0x2037) ? 1 : 2;
}

}  // namespace nexus::text
