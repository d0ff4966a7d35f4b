#include "bridge/auth/jwt.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bridge/http/error.hpp"

namespace nexus::bridge {
namespace {

// The key and the token of RFC 7515, appendix A.1: {"iss":"joe","exp":1300819380,"http://example.com/is_root":true}.
constexpr const char *kKey = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
constexpr const char *kToken =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
constexpr std::int64_t kExpires = 1300819380;

Authenticator authenticator(const char *audience = "", const char *anonymous = "visitor") {
  return {*base64url_decoded(kKey), audience, anonymous};
}

HttpError refusal(const std::string &header, std::int64_t now = kExpires) {
  try {
    authenticator().authenticate(&header, now);
  } catch (const HttpError &error) {
    return error;
  }
  ADD_FAILURE() << "accepted: " << header;
  return {0, "", ""};
}

TEST(BridgeJwt, TheTokenOfTheRfcIsAccepted) {
  const std::string header = std::string("bearer ") + kToken;
  const Identity identity = authenticator().authenticate(&header, kExpires);
  EXPECT_EQ(identity.role, "visitor");
  EXPECT_TRUE(identity.anonymous);
  const auto claims = nlohmann::json::parse(identity.claims);
  EXPECT_EQ(claims["iss"], "joe");
  EXPECT_EQ(claims["role"], "visitor");
}

TEST(BridgeJwt, ItExpiresWithHalfAMinuteOfGrace) {
  const std::string header = std::string("Bearer ") + kToken;
  EXPECT_NO_THROW(authenticator().authenticate(&header, kExpires + 30));
  const HttpError error = refusal(header, kExpires + 31);
  EXPECT_EQ(error.code, "PGRST303");
  EXPECT_EQ(error.message, "JWT expired");
  EXPECT_EQ(error.headers[0].second, "Bearer error=\"invalid_token\", error_description=\"JWT expired\"");
}

TEST(BridgeJwt, EveryChangedCharacterIsNoticed) {
  for (std::size_t i = 0; kToken[i] != '\0'; i += 3) {
    std::string token = kToken;
    token[i] = token[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(refusal("Bearer " + token).status, 401) << i;
  }
}

TEST(BridgeJwt, MalformedTokens) {
  EXPECT_EQ(refusal("Bearer ").message, "Empty JWT is sent in Authorization header");
  EXPECT_EQ(refusal("Bearer a.b").message, "Expected 3 parts in JWT; got 2");
  EXPECT_EQ(refusal("Bearer !.b.c").message, "JWT cryptographic operation failed");
  // {"alg":"none"} and {"alg":"HS512"}
  EXPECT_EQ(refusal("Bearer eyJhbGciOiJub25lIn0.e30.").message, "Wrong or unsupported encoding algorithm");
  EXPECT_EQ(refusal("Bearer eyJhbGciOiJIUzUxMiJ9.e30.AAAA").message, "Wrong or unsupported encoding algorithm");
  EXPECT_EQ(refusal("Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA").message, "No suitable key or wrong key type");
}

TEST(BridgeJwt, WithoutToken) {
  EXPECT_EQ(authenticator().authenticate(nullptr, 0).claims, R"({"role":"visitor"})");
  const std::string basic = "Basic eA==";
  EXPECT_EQ(authenticator().authenticate(&basic, 0).role, "visitor");
  try {
    authenticator("", "").authenticate(nullptr, 0);
    FAIL();
  } catch (const HttpError &error) {
    EXPECT_EQ(error.code, "PGRST302");
  }
  const std::string header = std::string("Bearer ") + kToken;
  EXPECT_THROW(Authenticator("", "", "visitor").authenticate(&header, 0), HttpError);
}

TEST(BridgeJwt, Base64urlIsStrict) {
  EXPECT_EQ(*base64url_decoded("Zm9v"), "foo");
  EXPECT_EQ(*base64url_decoded("Zg"), "f");
  for (const char *text : {"Z", "Zh", "Zg==", "Zm+v", "Zm v"}) EXPECT_FALSE(base64url_decoded(text)) << text;
  EXPECT_EQ(*base64_decoded("Zg=="), "f");
}

}  // namespace
}  // namespace nexus::bridge
