#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"
#include "core/text/entities.hpp"

// What the dialects find: byte ranges, before positions and values are made of them.
namespace nexus::text {

/// The links of X (twitter-text 3), in text order and without overlaps; `urls` are those of x_url_spans().
std::vector<Span> x_spans(std::string_view utf8, const std::vector<Span> &urls, Interrupt &interrupt);

/// The facets of Bluesky (@atproto/api), in text order and without overlaps.
std::vector<Span> bluesky_spans(std::string_view utf8, Interrupt &interrupt);

/// What Mastodon links: URLs with protocol, @user and @user@host, tags; in text order and without overlaps; `urls` are
/// those of x_url_spans().
std::vector<Span> mastodon_spans(std::string_view utf8, const std::vector<Span> &urls, Interrupt &interrupt);

/// Both lists, each in order of its starts, as one in that order.
std::vector<Span> merged(const std::vector<Span> &some, const std::vector<Span> &others);

/// Of two that overlap the one that starts first stays; they are in order of their starts.
void drop_overlaps(std::vector<Span> &spans);

/// The URLs alone, as X counts them 23.
std::vector<Span> x_url_spans(std::string_view utf8, Interrupt &interrupt);

}  // namespace nexus::text
