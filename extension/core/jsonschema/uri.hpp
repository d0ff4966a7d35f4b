#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace nexus::jsonschema {

/// A URI reference without its fragment, and the fragment, percent-decoded: "a.json#/b%25c" gives "a.json" and "/b%c".
std::pair<std::string_view, std::string> split_fragment(std::string_view reference);

/// What `reference` (without a fragment) means in a document at `base`, by RFC 3986 5.2; the base may be relative or
/// empty itself.
///
///     resolve("http://example.com/a/b.json", "../c.json") == "http://example.com/c.json"
std::string resolve(std::string_view base, std::string_view reference);

}  // namespace nexus::jsonschema
