#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/auth/base64.hpp"
#include "bridge/auth/claim_path.hpp"
#include "bridge/auth/keys.hpp"
#include "bridge/auth/session_keys.hpp"
#include "bridge/http/plan.hpp"

namespace nexus::bridge {

class TokenCache;

/// Verifies tokens: HS256, RS256 and ES256, each only with a key of its own kind; "kid" picks the key. The algorithms
/// are those of the configured keys, whatever the token asks for.
class Authenticator {
 public:
  /// `secret`: what jwt-secret holds (see parse_keys), empty when none is configured. `audience`: empty takes every
  /// aud. `role_claim`: where the role stands in the claims. `cached`: how many verified tokens are remembered at most.
  /// Throws KeyError, std::invalid_argument.
  Authenticator(const std::string &secret, std::string audience, std::string anonymous_role,
                std::string_view role_claim = ".role", std::size_t cached = 1000);
  ~Authenticator();

  /// From now on tokens of own sessions are taken as well; whoever has one gets that role.
  void take_sessions(const SessionKeys &keys, std::string role);

  /// Who sends this Authorization header (null: none) at the time `now` (seconds since 1970). Throws 401 PGRST301 to
  /// PGRST303, 500 PGRST300. 30 seconds of clock skew are allowed. Thread safe.
  Identity authenticate(const std::string *authorization, std::int64_t now) const;

 private:
  Identity anonymous() const;
  Identity verified(std::string_view token, std::int64_t now) const;
  Identity identity_of(nlohmann::json claims) const;
  Identity session(std::string_view token) const;

  std::vector<Key> keys_;
  std::string audience_, anonymous_role_;
  ClaimPath role_claim_;
  std::unique_ptr<TokenCache> cache_;
  const SessionKeys *sessions_ = nullptr;
  std::string session_role_;
};

}  // namespace nexus::bridge
