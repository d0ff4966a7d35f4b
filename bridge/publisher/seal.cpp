#include "bridge/publisher/seal.hpp"

#include <sodium.h>

#include <algorithm>

#include "bridge/auth/base64.hpp"
#include "bridge/http/text.hpp"

namespace nexus::publisher {
namespace {

constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kKey = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr std::size_t kLongestId = 64;

bool is_key_id(std::string_view text) {
  return !text.empty() && text.size() <= kLongestId && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

const unsigned char *bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char *>(text.data());
}
unsigned char *bytes(std::string &text) {
  return reinterpret_cast<unsigned char *>(text.data());
}

// Lengths stand before the parts: no two pairs of key id and context give the same bytes.
std::string authenticated(std::string_view key_id, std::string_view context) {
  return "cn1." + std::to_string(key_id.size()) + "." + std::string(key_id) + "." + std::string(context);
}

}  // namespace

Sealer::Sealer(std::string_view text) {
  if (sodium_init() < 0) throw SealError("libsodium does not start");
  for (const auto &line : bridge::split_trimmed(text, '\n')) {
    if (line.empty() || line.front() == '#') continue;
    const auto words = bridge::split_trimmed(line, ' ');
    const auto secret = words.size() == 2 ? bridge::base64_decoded(words[1]) : std::nullopt;
    if (!secret || secret->size() != kKey || !is_key_id(words[0])) {
      throw SealError("expecting lines of a key id and 32 bytes in base64");
    }
    keys_.push_back({words[0], *secret});
  }
  if (keys_.empty()) throw SealError("there is no key");
}

std::string Sealer::token_context(std::string_view platform, std::string_view account_id, std::string_view column) {
  return std::string(platform) + "\n" + std::string(account_id) + "\n" + std::string(column);
}

std::string Sealer::seal(std::string_view value, std::string_view context) const {
  const Key &key = keys_.front();
  const std::string with = authenticated(key.id, context);
  std::string box(kNonce + value.size() + kTag, '\0');
  randombytes_buf(box.data(), kNonce);
  unsigned long long length = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes(box) + kNonce, &length, bytes(value), value.size(), bytes(with),
                                             with.size(), nullptr, bytes(box), bytes(key.secret));
  return "cn1." + key.id + "." + bridge::base64url_encoded(box);
}

std::string Sealer::open(std::string_view sealed, std::string_view context) const {
  const std::size_t dot = sealed.find('.', 4);
  if (sealed.substr(0, 4) != "cn1." || dot == std::string_view::npos) throw SealError("it is not a sealed value");
  const std::string_view id = sealed.substr(4, dot - 4);
  const auto key = std::find_if(keys_.begin(), keys_.end(), [&](const Key &k) { return k.id == id; });
  if (key == keys_.end()) throw SealError("it is sealed with a key that is not in the key file");
  const auto box = bridge::base64url_decoded(sealed.substr(dot + 1));
  if (!box || box->size() < kNonce + kTag) throw SealError("it is not a sealed value");
  const std::string with = authenticated(id, context);
  std::string value(box->size() - kNonce - kTag, '\0');
  unsigned long long length = 0;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(bytes(value), &length, nullptr, bytes(*box) + kNonce,
                                                 box->size() - kNonce, bytes(with), with.size(), bytes(*box),
                                                 bytes(key->secret)) != 0) {
    throw SealError("it was altered, or sealed for another account or column");
  }
  return value;
}

}  // namespace nexus::publisher
