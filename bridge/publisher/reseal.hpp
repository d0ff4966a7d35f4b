#pragma once

#include "bridge/publisher/database.hpp"
#include "bridge/publisher/seal.hpp"

namespace nexus::publisher {

struct Resealed {
  std::size_t accounts = 0, unopened = 0;  ///< unopened: sealed with a key that is not in the file, or altered
};

/// Seals the tokens of all accounts with the first key, `batch` accounts at a time, and logs how far it is. It may end
/// at any time and be run again; what is renewed or connected meanwhile stays as it is. Throws ConnectionLost,
/// SqlError.
Resealed reseal(Database &database, const Sealer &sealer, int batch);

}  // namespace nexus::publisher
