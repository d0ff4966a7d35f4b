#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::publisher {

/// What is wrong with a key file or a sealed value. The text never holds a secret.
struct SealError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Seals the tokens of accounts: `cn1.KEYID.BASE64URL` of 24 bytes nonce, ciphertext and 16 bytes tag
/// (XChaCha20-Poly1305, IETF). Key id and context are authenticated, so that no sealed value works in another place.
class Sealer {
 public:
  /// Lines of a key id and 32 bytes in base64; the first seals, all open. Throws SealError.
  explicit Sealer(std::string_view keys);

  /// The context of a token of an account.
  ///
  ///     token_context("bluesky", "did:plc:1", "access_token")
  static std::string token_context(std::string_view platform, std::string_view account_id, std::string_view column);

  /// The id of the key that seals.
  const std::string &key_id() const { return keys_.front().id; }

  std::string seal(std::string_view value, std::string_view context) const;

  /// Throws SealError when the key is not known or the value was not sealed with this key for this context.
  std::string open(std::string_view sealed, std::string_view context) const;

 private:
  struct Key {
    std::string id, secret;
  };
  std::vector<Key> keys_;
};

}  // namespace nexus::publisher
