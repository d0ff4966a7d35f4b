#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nexus::bridge {

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// Undoes percent-encoding; nothing when a % is not followed by two hex digits, or the result is no UTF-8 or holds NUL.
/// `plus_is_space`: as in query strings and forms.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

/// The pairs of `a=1&b=2`, decoded, in order; a key without `=` has an empty value. Throws 400 PGRST100.
///
///     parse_pairs("a=1&b=x%20y") == {{"a", "1"}, {"b", "x y"}}
Pairs parse_pairs(std::string_view text);

}  // namespace nexus::bridge
