#pragma once

#include <openssl/types.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::bridge {

/// How a token is signed. A key has exactly one algorithm, so that no key is ever used with another one: a public RSA
/// key cannot be taken for an HMAC secret.
enum class Algorithm { kHs256, kRs256, kEs256 };

/// One key of a key set (RFC 7517).
struct Key {
  std::string id;  ///< "kid"; empty: it fits every token
  Algorithm algorithm = Algorithm::kHs256;
  std::string secret;                  ///< of kHs256
  std::shared_ptr<EVP_PKEY> verifier;  ///< of the others
};

/// The keys are not usable; what() says what is wrong, without any part of a secret.
struct KeyError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads what jwt-secret may hold: a JWK, a JWK set, or an HS256 secret as it is (at least 32 bytes). Of a set, keys of
/// other kinds and keys that are not for signatures are left out, as RFC 7517, section 5 wants. Throws KeyError.
///
///     parse_keys(R"({"kty":"RSA","kid":"k1","n":"...","e":"AQAB"})").at(0).algorithm == Algorithm::kRs256
std::vector<Key> parse_keys(const std::string &text);

/// True when `signature` (raw bytes as in a token; of ES256 r and s, 64 bytes) is the key's for the text.
bool verifies(const Key &key, std::string_view text, const std::string &signature);

}  // namespace nexus::bridge
