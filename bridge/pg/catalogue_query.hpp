#pragma once

#include <string>
#include <vector>

#include "bridge/http/catalogue.hpp"
#include "bridge/pg/connection.hpp"

namespace nexus::bridge::pg {

/// Reads the exposed schemas' functions from the system catalogues.
CataloguePtr load_catalogue(Connection &connection, const std::vector<std::string> &schemas,
                            Clock::time_point deadline);

}  // namespace nexus::bridge::pg
