#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <string_view>

namespace nexus::text {

/// How many characters a label of a domain has in its ASCII form: itself, or `xn--` and Punycode (RFC 3492). An
/// ideographic full stop parts it like a dot. Above `limit` any larger number may come back.
///
///     punycode_label_size("bücher", 63) == 13  // xn--bcher-kva
int punycode_label_size(std::string_view label, int limit);

}  // namespace nexus::text
