#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"
#include "core/text/entities.hpp"

// How the dialects hand over what they found: byte ranges, before positions and values are made of them.
namespace nexus::text {

struct Span {
  EntityKind kind;
  std::size_t start, end;  ///< bytes, half open, the sign included
};

/// The links of X (twitter-text 3), in text order and without overlaps.
std::vector<Span> x_spans(std::string_view utf8, Interrupt &interrupt);

/// The facets of Bluesky (@atproto/api), in text order and without overlaps.
std::vector<Span> bluesky_spans(std::string_view utf8, Interrupt &interrupt);

/// What Mastodon links: URLs with protocol, @user and @user@host, tags; in text order and without overlaps.
std::vector<Span> mastodon_spans(std::string_view utf8, Interrupt &interrupt);

/// Sorts by place; of two that overlap the one that starts first stays.
void resolve_overlaps(std::vector<Span> &spans);

/// The URLs alone, as X counts them 23.
std::vector<Span> x_url_spans(std::string_view utf8, Interrupt &interrupt);

}  // namespace nexus::text
