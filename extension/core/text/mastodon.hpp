#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/text/spans.hpp"

namespace nexus::text {

/// True if there is nothing but white space.
bool is_blank(std::string_view utf8);

/// The length of a post's text on Mastodon: grapheme clusters; a URL with protocol counts 23, `@user@host` as `@user`;
/// a blank text counts nothing. (A content warning counts all its clusters: grapheme_count.)
///
/// Its URLs are X's, without the bare domains. `graphemes` and `urls` are what the caller, text_stats(), knows already.
///
///     text_stats("see https://example.com/a/long/path @ann@example.social").mastodon_length == 4 + 23 + 1 + 4
std::int64_t mastodon_length(std::string_view utf8, std::int64_t graphemes, const std::vector<Span> &urls,
                             Interrupt &interrupt);

}  // namespace nexus::text
