#include "bridge/auth/session_keys.hpp"

#include <sodium.h>

#include <algorithm>

#include "bridge/auth/base64.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

constexpr std::size_t kTokenBytes = 32, kKeyBytes = 32, kLongestId = 32;

bool is_key_id(std::string_view text) {
  return !text.empty() && text.size() <= kLongestId && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace

SessionKeys::SessionKeys(std::string_view text) {
  if (sodium_init() < 0) throw SessionKeyError("libsodium does not start");
  for (const auto &line : split_trimmed(text, '\n')) {
    const auto words = split_trimmed(line, ' ');
    const auto secret = words.size() == 2 ? base64_decoded(words[1]) : std::nullopt;
    if (!secret || secret->size() != kKeyBytes || !is_key_id(words[0])) {
      throw SessionKeyError("expecting lines of a key id and 32 bytes in base64");
    }
    keys_.push_back({words[0], *secret});
  }
}

SessionToken SessionKeys::make() const {
  const Key &key = keys_.at(0);
  std::string random(kTokenBytes, '\0');
  randombytes_buf(random.data(), random.size());
  SessionToken made;
  made.token = "cn1." + key.id + "." + base64url_encoded(random);
  made.id = hash(key, made.token);
  return made;
}

std::string SessionKeys::id_of(std::string_view token) const {
  if (!is_token(token)) return "";
  const std::string_view rest = token.substr(4);
  const std::size_t dot = rest.find('.');
  if (dot == std::string_view::npos) return "";
  const auto random = base64url_decoded(rest.substr(dot + 1));
  if (!random || random->size() != kTokenBytes) return "";
  for (const auto &key : keys_) {
    if (key.id == rest.substr(0, dot)) return hash(key, token);
  }
  return "";
}

std::string SessionKeys::sign(std::string_view text) const {
  return signature(keys_.at(0), text);
}

bool SessionKeys::verify(std::string_view text, std::string_view signature) const {
  bool good = false;
  for (const auto &key : keys_) {
    const std::string made = SessionKeys::signature(key, text);
    good = good || (made.size() == signature.size() && sodium_memcmp(made.data(), signature.data(), made.size()) == 0);
  }
  return good;
}

std::string SessionKeys::signature(const Key &key, std::string_view text) {
  const auto keyed = [](std::string_view message, std::string_view secret) {
    std::string digest(crypto_generichash_BYTES, '\0');
    crypto_generichash(reinterpret_cast<unsigned char *>(digest.data()), digest.size(),
                       reinterpret_cast<const unsigned char *>(message.data()), message.size(),
                       reinterpret_cast<const unsigned char *>(secret.data()), secret.size());
    return digest;
  };
  return key.id + "." + base64url_encoded(keyed(text, keyed("signatures of addresses", key.secret)));
}

std::string SessionKeys::hash(const Key &key, std::string_view token) {
  std::string digest(crypto_generichash_BYTES, '\0');
  crypto_generichash(reinterpret_cast<unsigned char *>(digest.data()), digest.size(),
                     reinterpret_cast<const unsigned char *>(token.data()), token.size(),
                     reinterpret_cast<const unsigned char *>(key.secret.data()), key.secret.size());
  return "nexus:" + base64url_encoded(digest);
}

}  // namespace nexus::bridge
