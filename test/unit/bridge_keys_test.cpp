#include "bridge/auth/keys.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "bridge/auth/jwt.hpp"
#include "bridge/http/error.hpp"

namespace nexus::bridge {
namespace {

using nlohmann::json;

// The keys and signatures of RFC 7515, appendices A.1 to A.3; all three sign the same payload.
constexpr const char *kPayload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
constexpr std::int64_t kExpires = 1300819380;
const json kHmacKey{{"kty", "oct"},
                    {"k", "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}};
const json kRsaKey{
    {"kty", "RSA"},
    {"n",
     "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC"
     "gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg6"
     "65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW"
     "yuXpoQ"},
    {"e", "AQAB"}};
const json kEcKey{{"kty", "EC"},
                  {"crv", "P-256"},
                  {"x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"},
                  {"y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}};
const std::string kRsaToken =
    std::string("eyJhbGciOiJSUzI1NiJ9.") + kPayload +
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t"
    "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzD"
    "wusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77"
    "Rw";
const std::string kEcToken = std::string("eyJhbGciOiJFUzI1NiJ9.") + kPayload +
                             ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

json with(json key, const char *name, json value) {
  key[name] = std::move(value);
  return key;
}

json set_of(std::vector<json> keys) {
  return json{{"keys", std::move(keys)}};
}

Identity ask(const Authenticator &authenticator, const std::string &token, std::int64_t now = kExpires) {
  const std::string header = "Bearer " + token;
  return authenticator.authenticate(&header, now);
}

Identity ask(const json &keys, const std::string &token) {
  return ask(Authenticator(keys.dump(), "", "visitor"), token);
}

std::string refusal(const json &keys, const std::string &token) {
  try {
    ask(keys, token);
  } catch (const HttpError &error) {
    return error.message;
  }
  return "accepted";
}

std::string hs256(const std::string &secret, const json &header, const json &claims) {
  const std::string text = base64url_encoded(header.dump()) + "." + base64url_encoded(claims.dump());
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char *>(text.data()), text.size(), mac, &size);
  return text + "." + base64url_encoded({reinterpret_cast<const char *>(mac), size});
}

const std::string kSecret = "a-secret-that-is-for-tests-alone-0123456789";

TEST(BridgeKeys, TheTokensOfTheRfcAreAccepted) {
  EXPECT_EQ(json::parse(ask(kRsaKey, kRsaToken).claims)["iss"], "joe");
  EXPECT_EQ(json::parse(ask(kEcKey, kEcToken).claims)["iss"], "joe");
  EXPECT_EQ(json::parse(ask(set_of({kHmacKey, kRsaKey, kEcKey}), kEcToken).claims)["iss"], "joe");
}

TEST(BridgeKeys, AChangedSignatureIsNoticed) {
  for (const auto &[key, token] : {std::pair{kRsaKey, kRsaToken}, std::pair{kEcKey, kEcToken}}) {
    for (std::size_t i = token.rfind('.') + 1; i < token.size(); i += 7) {
      std::string changed = token;
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      EXPECT_NE(refusal(key, changed), "accepted") << i;
    }
    EXPECT_NE(refusal(key, token.substr(0, token.size() - 2)), "accepted");
    EXPECT_NE(refusal(key, token.substr(0, token.rfind('.') + 1)), "accepted");
  }
  // r = s = 0 verifies for every text in implementations that do not check the range.
  const std::string zeros = base64url_encoded(std::string(64, '\0'));
  EXPECT_EQ(refusal(kEcKey, kEcToken.substr(0, kEcToken.rfind('.') + 1) + zeros), "No suitable key or wrong key type");
}

TEST(BridgeKeys, AKeyHasOneAlgorithm) {
  // The public key as HMAC secret, in every form that the attacker could know it.
  for (const std::string &known : {kRsaKey.dump(), *base64url_decoded(kRsaKey["n"].get<std::string>())}) {
    const std::string forged = hs256(known, {{"alg", "HS256"}}, {{"role", "admin"}});
    EXPECT_EQ(refusal(kRsaKey, forged), "No suitable key or wrong key type");
  }
  EXPECT_EQ(refusal(kEcKey, kRsaToken), "No suitable key or wrong key type");
  EXPECT_EQ(refusal(kRsaKey, kEcToken), "No suitable key or wrong key type");
  EXPECT_EQ(refusal(kHmacKey, kRsaToken), "No suitable key or wrong key type");
}

TEST(BridgeKeys, TheKeyIdPicksTheKey) {
  const auto secret = [](const std::string &text) { return json{{"kty", "oct"}, {"k", base64url_encoded(text)}}; };
  const std::string other = "another-secret-that-is-for-tests-alone-0123";
  const json keys = set_of({with(secret(kSecret), "kid", "old"), with(secret(other), "kid", "new")});
  const json claims{{"role", "author"}};
  EXPECT_EQ(ask(keys, hs256(other, {{"alg", "HS256"}, {"kid", "new"}}, claims)).role, "author");
  EXPECT_EQ(ask(keys, hs256(kSecret, {{"alg", "HS256"}}, claims)).role, "author");
  EXPECT_NE(refusal(keys, hs256(kSecret, {{"alg", "HS256"}, {"kid", "new"}}, claims)), "accepted");
  EXPECT_NE(refusal(keys, hs256(kSecret, {{"alg", "HS256"}, {"kid", "gone"}}, claims)), "accepted");
}

TEST(BridgeKeys, WhatIsNoKeyIsTold) {
  const auto complaint = [](const std::string &text) -> std::string {
    try {
      parse_keys(text);
    } catch (const KeyError &error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(complaint(kSecret), "");
  EXPECT_EQ(complaint("short"), "the secret must be at least 32 characters long");
  EXPECT_NE(complaint(with(kRsaKey, "n", base64url_encoded(std::string(128, '\x81'))).dump()), "");  // 1024 bits
  EXPECT_NE(complaint(with(kEcKey, "y", kEcKey["x"]).dump()), "");                                   // not on the curve
  EXPECT_NE(complaint(with(kEcKey, "crv", "P-384").dump()), "");
  EXPECT_NE(complaint(with(kRsaKey, "use", "enc").dump()), "");
  EXPECT_NE(complaint(with(kRsaKey, "alg", "RS512").dump()), "");
  EXPECT_NE(complaint(R"({"keys": []})"), "");
  EXPECT_EQ(complaint(set_of({json{{"kty", "OKP"}}, kEcKey}).dump()), "");
  EXPECT_EQ(parse_keys(set_of({with(kRsaKey, "use", "sig"), with(kRsaKey, "key_ops", {"verify"})}).dump()).size(), 2U);
}

TEST(BridgeKeys, TheRoleMayStandAnywhere) {
  const json claims{{"app", {{"roles", {"reader", "author"}}}}, {"https://e/role", "owner"}};
  const std::string token = hs256(kSecret, {{"alg", "HS256"}}, claims);
  EXPECT_EQ(ask(Authenticator(kSecret, "", "visitor", ".app.roles[1]"), token).role, "author");
  EXPECT_EQ(ask(Authenticator(kSecret, "", "visitor", ".\"https://e/role\""), token).role, "owner");
  EXPECT_TRUE(ask(Authenticator(kSecret, "", "visitor", ".app.roles[2]"), token).anonymous);
  const Identity found = ask(Authenticator(kSecret, "", "visitor", ".app.roles[0]"), token);
  EXPECT_EQ(json::parse(found.claims)["role"], "reader");
  for (const char *path : {"", "role", ".", ".a[", ".a[x]", ".a[-1]", ".\"a", "..a"}) {
    EXPECT_THROW(ClaimPath{path}, std::invalid_argument) << path;
  }
}

TEST(BridgeKeys, ARememberedTokenExpiresAllTheSame) {
  const Authenticator authenticator(kSecret, "", "visitor");
  const std::string token = hs256(kSecret, {{"alg", "HS256"}}, {{"role", "author"}, {"exp", 1000}, {"nbf", 500}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(authenticator, token, 1000).role, "author");
  EXPECT_THROW(ask(authenticator, token, 1031), HttpError);
  EXPECT_EQ(ask(authenticator, token, 1030).role, "author");
  EXPECT_THROW(ask(authenticator, token, 400), HttpError);
}

TEST(BridgeKeys, TheCacheForgetsTheLeastUsed) {
  const Authenticator authenticator(kSecret, "", "visitor", ".role", 2);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5; ++i) {
      const std::string role = "role" + std::to_string(i);
      EXPECT_EQ(ask(authenticator, hs256(kSecret, {{"alg", "HS256"}}, {{"role", role}})).role, role);
    }
  }
}

}  // namespace
}  // namespace nexus::bridge
