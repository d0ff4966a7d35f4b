#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstddef>
#include <string_view>

namespace nexus::text {

/// Whose list of top-level domains: X stopped in 2021, Bluesky follows the root zone.
enum class TldList { x, current };

/// True if `label` as a whole is a top-level domain, in any case.
///
///     is_tld("COM", TldList::x)
bool is_tld(std::string_view label, TldList list);

/// Where the top-level domain that starts at `at` ends, as X reads it; 0 if there is none. The longest wins; it must
/// not run into an ASCII letter, a digit or one of `@ + -`, but other scripts may follow it. `xn--` and what follows
/// always counts.
///
///     tld_end("a.com中国", 2) == 5
std::size_t tld_end(std::string_view text, std::size_t at);

}  // namespace nexus::text
