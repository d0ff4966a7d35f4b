#pragma once

namespace nexus::bridge {

/// What the OpenAPI document is made of, as one JSON text: {"comment", "functions": [...], "types": [...]}. Parameters:
/// $1 the schema, $2 'true' for only what the current role may execute.
extern const char *const kOpenApiQuery;

}  // namespace nexus::bridge
