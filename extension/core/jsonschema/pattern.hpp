#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <string>
#include <string_view>

namespace nexus::jsonschema {

/// A regular expression of JSON Schema (ECMA-262 with the u flag; \w, \d, \s and `.` as ECMA means them) as one of
/// PostgreSQL, to be used without options and with the collation "C". Braces that are no quantifier are taken as they
/// are. 2201B for what is no regular expression; 0A000 for \p, more than 255 repeats, and references to groups that may
/// take no part in a match or stand in a look-around.
///
///     to_postgres("^\\d+.$") == "^[0-9]+[^\\u000a\\u000d\\u2028\\u2029]$"
std::string to_postgres(std::string_view ecma);

/// Finds regular expressions in texts, cancellably: the host's engine.
class Matcher {
 public:
  Matcher() = default;
  Matcher(const Matcher &) = delete;
  Matcher &operator=(const Matcher &) = delete;
  virtual ~Matcher() = default;

  /// Takes a regular expression in PostgreSQL's form; the answer names it in matches(). 2201B if it is none.
  virtual int add(std::string_view expression) = 0;
  virtual bool matches(int expression, std::string_view text) = 0;
};

}  // namespace nexus::jsonschema
