#include "bridge/auth/keys.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "bridge/auth/base64.hpp"
#include "bridge/http/json.hpp"

namespace nexus::bridge {
namespace {

using nlohmann::json;

constexpr std::size_t kShortestSecret = 32, kHashSize = 32, kCoordinateSize = 32;
constexpr int kShortestModulus = 2048;

template <auto release>
struct Release {
  template <typename T>
  void operator()(T *object) const {
    release(object);
  }
};
using BigNumber = std::unique_ptr<BIGNUM, Release<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Release<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Release<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Release<ECDSA_SIG_free>>;

const unsigned char *bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char *>(text.data());
}

std::string text_member(const json &jwk, const char *name) {
  const auto found = jwk.find(name);
  return found != jwk.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string binary_member(const json &jwk, const char *name) {
  const auto bytes = base64url_decoded(text_member(jwk, name));
  if (!bytes || bytes->empty()) throw KeyError(std::string("the member ") + name + " is missing or not base64url");
  return *bytes;
}

BigNumber number_of(const std::string &bytes) {
  return BigNumber(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

std::shared_ptr<EVP_PKEY> make_key(const char *type, OSSL_PARAM_BLD *builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY *raw = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &raw, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    throw KeyError("its numbers are not a public key");
  }
  std::shared_ptr<EVP_PKEY> key(raw, EVP_PKEY_free);
  const KeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, raw, nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1) throw KeyError("its numbers are not a public key");
  return key;
}

std::shared_ptr<EVP_PKEY> rsa_key(const json &jwk) {
  const BigNumber modulus = number_of(binary_member(jwk, "n")), exponent = number_of(binary_member(jwk, "e"));
  if (BN_num_bits(modulus.get()) < kShortestModulus) throw KeyError("an RSA key must have at least 2048 bits");
  const Builder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return make_key("RSA", builder.get());
}

std::shared_ptr<EVP_PKEY> ec_key(const json &jwk) {
  const std::string x = binary_member(jwk, "x"), y = binary_member(jwk, "y");
  if (x.size() != kCoordinateSize || y.size() != kCoordinateSize) throw KeyError("x and y must have 32 bytes");
  const std::string point = '\4' + x + y;
  const Builder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  return make_key("EC", builder.get());
}

// Whether the key is for signatures by the algorithm of its kind.
bool signs_with(const json &jwk, const char *algorithm) {
  const std::string use = text_member(jwk, "use"), own = text_member(jwk, "alg");
  if ((!use.empty() && use != "sig") || (!own.empty() && own != algorithm)) return false;
  const auto operations = jwk.find("key_ops");
  return operations == jwk.end() ||
         (operations->is_array() && std::find(operations->begin(), operations->end(), "verify") != operations->end());
}

Key hmac_key(std::string secret) {
  if (secret.size() < kShortestSecret) throw KeyError("the secret must be at least 32 characters long");
  return {"", Algorithm::kHs256, std::move(secret), nullptr};
}

// Nothing: the key is of a kind, or for a use, that is not ours.
std::optional<Key> read_jwk(const json &jwk) {
  const std::string kind = text_member(jwk, "kty");
  std::optional<Key> key;
  if (kind == "oct" && signs_with(jwk, "HS256")) {
    key = hmac_key(binary_member(jwk, "k"));
  } else if (kind == "RSA" && signs_with(jwk, "RS256")) {
    key = Key{"", Algorithm::kRs256, "", rsa_key(jwk)};
  } else if (kind == "EC" && text_member(jwk, "crv") == "P-256" && signs_with(jwk, "ES256")) {
    key = Key{"", Algorithm::kEs256, "", ec_key(jwk)};
  }
  if (key) key->id = text_member(jwk, "kid");
  return key;
}

// The two halves of an ES256 signature, in the form that OpenSSL takes.
std::string der_signature(const std::string &signature) {
  if (signature.size() != 2 * kCoordinateSize) return "";
  const EcSignature parts(ECDSA_SIG_new());
  BigNumber r = number_of(signature.substr(0, kCoordinateSize)), s = number_of(signature.substr(kCoordinateSize));
  if (!parts || ECDSA_SIG_set0(parts.get(), r.get(), s.get()) != 1) return "";
  static_cast<void>(r.release());  // they belong to the signature now
  static_cast<void>(s.release());
  unsigned char *der = nullptr;
  const int size = i2d_ECDSA_SIG(parts.get(), &der);
  if (size <= 0) return "";
  std::string text(reinterpret_cast<const char *>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

bool hmac_verifies(const std::string &secret, std::string_view text, const std::string &signature) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes_of(text), text.size(), mac.data(),
           &size) == nullptr) {
    return false;
  }
  return size == kHashSize && signature.size() == size && CRYPTO_memcmp(mac.data(), signature.data(), size) == 0;
}

}  // namespace

std::vector<Key> parse_keys(const std::string &text) {
  const auto document = parse_json(text);
  if (!document || !document->is_object()) return {hmac_key(text)};
  const auto list = document->find("keys");
  const bool is_set = list != document->end();
  if (is_set && !list->is_array()) throw KeyError("the member keys of a key set must be an array");
  std::vector<Key> keys;
  for (const auto &jwk : is_set ? *list : json::array({*document})) {
    if (auto key = jwk.is_object() ? read_jwk(jwk) : std::nullopt) keys.push_back(std::move(*key));
  }
  if (keys.empty()) throw KeyError("there is no key for signatures: oct (HS256), RSA (RS256) or EC P-256 (ES256)");
  return keys;
}

bool verifies(const Key &key, std::string_view text, const std::string &signature) {
  if (key.algorithm == Algorithm::kHs256) return hmac_verifies(key.secret, text, signature);
  const std::string der = key.algorithm == Algorithm::kEs256 ? der_signature(signature) : signature;
  const DigestContext context(EVP_MD_CTX_new());
  return context && !der.empty() &&
         EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.verifier.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(der), der.size(), bytes_of(text), text.size()) == 1;
}

}  // namespace nexus::bridge
