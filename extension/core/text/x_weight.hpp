#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>

#include "core/text/unicode.hpp"

// What X's weighted length is made of. Source: twitter-text's configurations v2 and v3.
namespace nexus::text {

inline constexpr std::int64_t kXUrlWeight = 23, kXEmojiWeight = 2;

/// The weight of a character that belongs to no URL and no emoji sequence.
constexpr std::int64_t x_weight(Properties p) {
  return p.x_heavy() ? 2 : 1;
}

}  // namespace nexus::text
