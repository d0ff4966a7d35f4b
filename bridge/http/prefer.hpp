#pragma once

#include <optional>
#include <string>
#include <vector>

namespace nexus::bridge {

/// What the Prefer headers of a request ask for.
struct Preferences {
  bool count_exact = false;
  std::optional<bool> commit;  ///< tx=commit or tx=rollback
  bool strict = false, lenient = false;
  bool keyset = false;  ///< paging=keyset
  std::string timezone;
  std::optional<long long> max_affected;
};

/// Reads all Prefer headers; of a repeated preference the first counts. handling=strict makes an unknown word 400
/// PGRST122.
///
///     parse_preferences({"count=exact, tx=rollback"}).count_exact
Preferences parse_preferences(const std::vector<std::string> &headers);

/// The value of Preference-Applied, empty when nothing was honoured. `tx_allowed`: the configuration lets clients
/// choose.
std::string applied_preferences(const Preferences &preferences, bool tx_allowed);

}  // namespace nexus::bridge
