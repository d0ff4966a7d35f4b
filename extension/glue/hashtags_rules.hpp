// What a suggestion is bound to: whose history it may use, and how many hashtags a platform takes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nexus::pg {

constexpr int kMaxHashtags = 200;  // of one suggestion

/// History belongs to its user: 42501 unless the caller is that user, or sees all users' rows anyway. Wants an open
/// Spi.
void check_hashtag_history(std::string_view user_id);

/// How many hashtags the platform's rules leave to a draft that has `written` already. Wants an open Spi.
std::size_t hashtag_room(const std::string &platform, std::size_t written);

}  // namespace nexus::pg
