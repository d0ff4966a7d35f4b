#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/http/plan.hpp"

namespace nexus::bridge {

/// Bytes of an unpadded base64url text (RFC 7515); nothing when a character or the length is wrong.
std::optional<std::string> base64url_decoded(std::string_view text);

/// Bytes of a base64 text with or without padding, in either alphabet.
std::optional<std::string> base64_decoded(std::string_view text);

/// Verifies tokens. HS256 alone: the algorithm stands here, not in the token.
class Authenticator {
 public:
  /// `secret`: the key's bytes, empty when none is configured. `audience`: empty takes every aud.
  Authenticator(std::string secret, std::string audience, std::string anonymous_role)
      : secret_(std::move(secret)), audience_(std::move(audience)), anonymous_role_(std::move(anonymous_role)) {}

  /// Who sends this Authorization header (null: none) at the time `now` (seconds since 1970). Throws 401 PGRST301 to
  /// PGRST303, 500 PGRST300. 30 seconds of clock skew are allowed.
  Identity authenticate(const std::string *authorization, std::int64_t now) const;

 private:
  Identity anonymous() const;
  Identity verified(std::string_view token, std::int64_t now) const;

  std::string secret_, audience_, anonymous_role_;
};

}  // namespace nexus::bridge
