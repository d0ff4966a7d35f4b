// Wide sums of core/metrics <-> numeric.
#pragma once

#include <optional>
#include <string>

#include "core/metrics/wide.hpp"
#include "glue/guard.hpp"

namespace nexus::pg {

Datum numeric_datum(metrics::Wide value);
/// From decimal digits as numeric_in reads them.
Datum numeric_datum(const std::string &digits);

inline std::optional<Datum> optional_numeric(std::optional<metrics::Wide> value) {
  if (!value) return std::nullopt;
  return numeric_datum(*value);
}
inline std::optional<Datum> optional_float8(std::optional<double> value) {
  if (!value) return std::nullopt;
  return Float8GetDatum(*value);
}

}  // namespace nexus::pg
