#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::bridge {

/// The keys are not usable; what() says what is wrong, without any part of a key.
struct SessionKeyError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A new session: what the client gets, and what the database keeps.
struct SessionToken {
  std::string token;  ///< cn1.<key id>.<base64url of 32 random bytes>
  std::string id;     ///< "nexus:" and the keyed hash of the token
};

/// Makes session tokens and finds the row they stand for. The database has only a hash under a key that it does not
/// know, so that neither a dump nor a write to its tables gives a token.
class SessionKeys {
 public:
  /// Lines of `<key id> <32 bytes in base64>`; the first makes new tokens, all of them know their own. Empty: there are
  /// no sessions. Throws SessionKeyError.
  explicit SessionKeys(std::string_view text);

  bool empty() const { return keys_.empty(); }

  SessionToken make() const;

  /// True for what looks like a token of ours and not like a JWT: whether it is one is the database's to say.
  static bool is_token(std::string_view text) { return text.substr(0, 4) == "cn1."; }

  /// A signature of a text under the first key, `<key id>.<base64url>`, and whether one is of that text. Signatures are
  /// under keys of their own, made from these.
  std::string sign(std::string_view text) const;
  bool verify(std::string_view text, std::string_view signature) const;

  /// The id of a token's row; empty when the form is wrong or the key unknown.
  std::string id_of(std::string_view token) const;

 private:
  struct Key {
    std::string id, secret;
  };
  static std::string hash(const Key &key, std::string_view token);
  static std::string signature(const Key &key, std::string_view text);

  std::vector<Key> keys_;
};

}  // namespace nexus::bridge
