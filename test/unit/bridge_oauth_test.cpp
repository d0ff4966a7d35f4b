#include "bridge/publisher/oauth.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "bridge/publisher/bluesky_session.hpp"

namespace nexus::publisher {
namespace {

Exchange answer(int status, const std::string &body) {
  Exchange exchange;
  exchange.state = Exchange::State::kAnswered;
  exchange.status = status;
  exchange.body = body;
  return exchange;
}

Json row() {
  return {{"name", "mock_one"},
          {"platform", "mock"},
          {"authorization_endpoint", "https://id.example/authorize?tenant=a"},
          {"token_endpoint", "https://id.example/token"},
          {"userinfo_endpoint", "https://id.example/me"},
          {"client_id", "our app"},
          {"client_auth", "basic"},
          {"scopes", {"read", "write:media"}},
          {"account_id_path", {"data", "id"}},
          {"name_path", {"data", "name"}},
          {"handle_path", {"data", "user"}},
          {"parameters", {{"prompt", "consent"}, {"state", "stolen"}, {"code_challenge_method", "plain"}, {"n", 1}}}};
}

TEST(OAuth, ChallengeOfRfc7636AppendixB) {
  EXPECT_EQ(token_hash("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

TEST(OAuth, RandomTokensAreVerifiersAndDiffer) {
  const std::string token = random_token();
  EXPECT_EQ(token.size(), 43U);
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
  EXPECT_NE(random_token(), token);
}

TEST(OAuth, ProviderWithItsSecret) {
  EXPECT_EQ(secret_variable("mastodon_social"), "NEXUS_OAUTH_SECRET_MASTODON_SOCIAL");
  setenv("NEXUS_OAUTH_SECRET_MOCK_ONE", "quiet", 1);
  const OAuthProvider provider = oauth_provider(row());
  unsetenv("NEXUS_OAUTH_SECRET_MOCK_ONE");
  EXPECT_EQ(provider.client_secret, "quiet");
  EXPECT_EQ(provider.parameters.size(), 3U);  // the one that is no text is left out
  EXPECT_TRUE(oauth_provider(row()).client_secret.empty());
}

TEST(OAuth, AuthorizationUrl) {
  EXPECT_EQ(authorization_url(oauth_provider(row()), "https://we.example/oauth/callback", "st",
                              "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "https://id.example/authorize?tenant=a&response_type=code&client_id=our%20app&redirect_uri=https%3A%2F%2F"
            "we.example%2Foauth%2Fcallback&state=st&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHao"
            "eK1t8URWbuGJSstw-cM&scope=read%20write%3Amedia&prompt=consent");
}

TEST(OAuth, ReadsAGrant) {
  Grant grant;
  ASSERT_FALSE(read_grant(answer(200, R"({"access_token":"a.b","token_type":"Bearer","expires_in":3600,
      "refresh_token":"r","refresh_token_expires_in":"7200","scope":"read"})"),
                          1000, grant));
  EXPECT_EQ(grant.tokens.access_token, "a.b");
  EXPECT_EQ(grant.tokens.refresh_token, "r");
  EXPECT_EQ(grant.tokens.expires_at, 4600);
  EXPECT_EQ(grant.refresh_expires_at, 8200);
  EXPECT_EQ(grant.scope, "read");
}

TEST(OAuth, AGrantNeedsLittle) {
  for (const char *body : {R"({"access_token":"a"})", R"({"access_token":"a","refresh_token":"","expires_in":null})",
                           R"({"access_token":"a","refresh_token":null,"expires_in":"soon"})",
                           R"({"access_token":"a","expires_in":-5})", R"({"access_token":"a","expires_in":1e300})",
                           R"({"access_token":"a","token_type":"BEARER","expires_in":[1]})"}) {
    Grant grant;
    EXPECT_FALSE(read_grant(answer(200, body), 0, grant)) << body;
    EXPECT_EQ(grant.tokens.access_token, "a");
    EXPECT_TRUE(grant.tokens.refresh_token.empty());
    EXPECT_FALSE(grant.tokens.expires_at) << body;
  }
}

TEST(OAuth, HostileAnswersAreRefusedAndNotRepeated) {
  const std::string large = R"({"access_token":")" + std::string(20000, 's') + "\"}";
  const std::string deep = std::string(30000, '[') + std::string(30000, ']');
  for (const std::string &body :
       {std::string(), std::string("secret"), std::string("[\"secret\"]"), std::string("{\"access_token\":7}"),
        std::string("{\"access_token\":\"\"}"), std::string("{\"access_token\":\"secret\\u0000\"}"),
        std::string("{\"access_token\":\"secret\\r\\nX: y\"}"), std::string("{\"access_token\":\"secr\xc3\xa9t\"}"),
        std::string("{\"access_token\":\"secret\",\"token_type\":\"mac\"}"),
        std::string("{\"access_token\":\"secret\",\"token_type\":1}"),
        std::string("{\"access_token\":\"secret\",\"refresh_token\":[\"secret\"]}"),
        std::string("{\"access_token\":\"secret\",\"refresh_token\":\"a\\nb\"}"),
        std::string("{\"access_token\":\"secret\",\"scope\":\"a\\u0007\"}"), std::string("{\"access_token\":{}}"),
        large, deep, std::string("{\"error\":\"secret\"}"), std::string("<html>secret</html>")}) {
    Grant grant;
    const auto failure = read_grant(answer(200, body), 0, grant);
    ASSERT_TRUE(failure) << body.substr(0, 80);
    EXPECT_EQ(failure->type, "invalid") << body.substr(0, 80);
    EXPECT_EQ((failure->message + failure->code).find("secret"), std::string::npos) << failure->message;
    EXPECT_TRUE(grant.tokens.access_token.empty());
  }
}

TEST(OAuth, WhatRefusalsMean) {
  const auto type = [](int status, const char *body) {
    Grant grant;
    const auto failure = read_grant(answer(status, body), 0, grant);
    EXPECT_TRUE(failure);
    if (failure) EXPECT_EQ((failure->message + failure->code).find("secret"), std::string::npos);
    return failure ? failure->type : "";
  };
  EXPECT_EQ(type(400, R"({"error":"invalid_grant","error_description":"secret"})"), "auth");
  EXPECT_EQ(type(200, R"({"error":"invalid_grant"})"), "auth");
  EXPECT_EQ(type(401, R"({"error":"invalid_client"})"), "invalid");
  EXPECT_EQ(type(400, R"({"error":"secret"})"), "invalid");
  EXPECT_EQ(type(503, ""), "transient");
  EXPECT_EQ(type(503, R"({"error":"invalid_grant"})"), "transient");
  EXPECT_EQ(type(400, R"({"error":"temporarily_unavailable"})"), "transient");
  EXPECT_EQ(type(429, ""), "rate_limited");
  Grant grant;
  EXPECT_EQ(read_grant(Exchange{}, 0, grant)->type, "transient");
}

TEST(OAuth, ReadsAProfile) {
  const OAuthProvider provider = oauth_provider(row());
  Profile profile;
  ASSERT_FALSE(read_profile(provider, Json::parse(R"({"data":{"id":12345678901234567,"name":"A B","user":"ab"}})"),
                            "secret", profile));
  EXPECT_EQ(profile.account_id, "12345678901234567");
  EXPECT_EQ(profile.name, "A B");
  EXPECT_EQ(profile.handle, "ab");
  for (const char *body : {"{}", R"({"data":[1]})", R"({"data":{"id":null}})", R"({"data":{"id":""}})", "null", "7",
                           R"({"data":{"id":1.5}})", R"({"data":{"id":"a\nb"}})", R"({"data":{"id":"x-secret"}})",
                           R"({"data":{"id":"x","name":"secret"}})"}) {
    Profile none;
    const auto failure = read_profile(provider, Json::parse(body), "secret", none);
    ASSERT_TRUE(failure) << body;
    EXPECT_EQ(failure->message.find("secret"), std::string::npos);
    EXPECT_TRUE(none.account_id.empty()) << body;
  }
}

TEST(OAuth, ReadsASessionOfAPds) {
  Grant grant;
  Profile profile;
  ASSERT_FALSE(
      read_session(answer(200, R"({"accessJwt":"e30.eyJleHAiOjE3MDAwMDAwMDB9.x","refreshJwt":"r","did":"did:plc:a",
      "handle":"a.test","didDoc":{"service":[{"id":"#atproto_pds","serviceEndpoint":"https://pds.example"}]}})"),
                   "https://bsky.social", grant, profile));
  EXPECT_EQ(grant.tokens.expires_at, 1700000000);
  EXPECT_EQ(profile.account_id, "did:plc:a");
  EXPECT_EQ(profile.instance_url, "https://pds.example");
  for (const char *body : {"", "{}", R"({"accessJwt":"a","refreshJwt":"r","did":"x","handle":"h"})",
                           R"({"accessJwt":"a","refreshJwt":"","did":"did:plc:a","handle":"h"})",
                           R"({"accessJwt":"aa","refreshJwt":"r","did":"did:plc:a","handle":"haah"})"}) {
    EXPECT_TRUE(read_session(answer(200, body), "https://p", grant, profile)) << body;
  }
  const auto refused =
      read_session(answer(401, R"({"error":"AuthenticationRequired","message":"secret"})"), "", grant, profile);
  EXPECT_EQ(refused->type, "auth");
  EXPECT_EQ(refused->message.find("secret"), std::string::npos);
  // A document that points nowhere sensible does not move the account.
  ASSERT_FALSE(read_session(answer(200, R"({"accessJwt":"a.b.c","refreshJwt":"r","did":"did:plc:a","handle":"h.test",
      "didDoc":{"service":[{"id":"#atproto_pds","serviceEndpoint":"file:///etc"}, 7]}})"),
                            "https://first.example", grant, profile));
  EXPECT_EQ(profile.instance_url, "https://first.example");
}

}  // namespace
}  // namespace nexus::publisher
