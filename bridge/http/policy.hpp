#pragma once

#include <memory>

#include "bridge/accounts/account_services.hpp"
#include "bridge/auth/jwt.hpp"
#include "bridge/auth/session_keys.hpp"
#include "bridge/config/settings.hpp"
#include "bridge/http/rate_limit.hpp"

namespace nexus::bridge {

/// What the settings of a moment make of requests. It never changes; new settings make a new one, and a request ends
/// under the one that it began with.
struct Policy {
  /// `before`: the policy that this one follows. Limits that stay the same go on counting where they stood.
  explicit Policy(const Settings &settings, const Policy *before = nullptr);
  Policy(const Policy &) = delete;
  Policy &operator=(const Policy &) = delete;

  const Settings settings;
  const SessionKeys session_keys;
  Authenticator authenticator;
  std::unique_ptr<const AccountServices> accounts;  ///< null without account-keys
  std::shared_ptr<RateLimiter> address_limit, user_limit, sign_in_limit;
};
using PolicyPtr = std::shared_ptr<const Policy>;

}  // namespace nexus::bridge
