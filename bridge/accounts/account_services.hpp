#pragma once

#include <chrono>

#include "bridge/config/settings.hpp"
#include "bridge/publisher/http_client.hpp"
#include "bridge/publisher/seal.hpp"

namespace nexus::bridge {

/// What connecting accounts needs besides the database: the keys of sealed values, and a client for the providers.
struct AccountServices {
  /// Throws SealError, std::invalid_argument or std::runtime_error for settings that cannot be used.
  explicit AccountServices(const Settings &settings)
      : sealer(settings.account_keys),
        http(publisher::AddressGuard(settings.accounts_allow_network), settings.accounts_ca_file),
        timeout(std::chrono::seconds(settings.accounts_timeout)) {}

  publisher::Sealer sealer;
  publisher::HttpClient http;
  std::chrono::milliseconds timeout;
};

}  // namespace nexus::bridge
