// The JSON Schemas that an installation binds to the metadata of its rows.
#pragma once

#include <string_view>
#include <vector>

#include "core/validation/draft.hpp"
#include "glue/guard.hpp"

namespace nexus::pg {

/// What nexus.metadata_schemas minds about a value of column metadata: findings of severity error, code
/// metadata.schema, each with the place in the value as its field (metadata.cover[0].url); 20 at most.
void check_metadata_schemas(std::string_view table, std::string_view content_type, Datum metadata,
                            std::vector<validation::Finding> &findings);

}  // namespace nexus::pg
