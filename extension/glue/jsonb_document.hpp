// A jsonb value as the core's document.
#pragma once

#include "core/jsonschema/document.hpp"
#include "glue/guard.hpp"

namespace nexus::pg {

/// Lays out a jsonb value. The document's texts are views into it, or (where the server's encoding is not UTF-8) into
/// the current memory context.
///
///     jsonschema::Document document;
///     read_jsonb(PG_GETARG_JSONB_P(1), document);
void read_jsonb(Jsonb *value, jsonschema::Document &document, Interrupt interrupt);

}  // namespace nexus::pg
