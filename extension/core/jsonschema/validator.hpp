#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <string>
#include <vector>

#include "core/interrupt.hpp"
#include "core/jsonschema/schema.hpp"

namespace nexus::jsonschema {

/// Why a document does not fit. Paths are JSON Pointers into the document and into the schema.
struct Violation {
  std::string instance_path, schema_path, keyword, message;
};

/// At most so many violations are collected; the last one then has the keyword "" and says that there are more.
constexpr std::size_t kMaxViolations = 1000;

/// True if the document fits the schema. 54001 where references lead deeper than 1500 levels, as in a schema that
/// refers to itself for the same value.
bool is_valid(const Schema &schema, const Document &document, Interrupt interrupt);

/// All violations, in the order of the schema's keywords. Where alternatives fail (anyOf, oneOf) those of each one come
/// before that of the whole.
std::vector<Violation> violations(const Schema &schema, const Document &document, Interrupt interrupt);

}  // namespace nexus::jsonschema
