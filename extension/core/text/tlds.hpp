#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstddef>
#include <string_view>

namespace nexus::text {

/// True if `label`, in lower case, is a top-level domain of today. (X has a list of its own: tld_end.)
///
///     is_current_tld("com")
bool is_current_tld(std::string_view label);

/// Where the top-level domain that starts at `at` ends, as X reads it; 0 if there is none. The longest wins; it must
/// not run into an ASCII letter, a digit or one of `@ + -`, but other scripts may follow it. `xn--` and what follows
/// always counts.
///
///     tld_end("a.com中国", 2) == 5
std::size_t tld_end(std::string_view text, std::size_t at);

}  // namespace nexus::text
