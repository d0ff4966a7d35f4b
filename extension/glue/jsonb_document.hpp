// A jsonb value as the core's document.
#pragma once

#include "core/jsonschema/document.hpp"
#include "glue/guard.hpp"
#include "glue/jsonb_walk.hpp"

namespace nexus::pg {

/// Lays out a jsonb value; `walk` keeps its memory from one to the next. The document's texts are views into the value,
/// or (where the server's encoding is not UTF-8) into the current memory context.
///
///     JsonbWalk walk;
///     jsonschema::Document document;
///     read_jsonb(PG_GETARG_JSONB_P(1), walk, document, interrupt());
void read_jsonb(const Jsonb *value, JsonbWalk &walk, jsonschema::Document &document, Interrupt interrupt);

}  // namespace nexus::pg
