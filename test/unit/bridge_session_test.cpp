#include "bridge/auth/auth_flow.hpp"

#include <gtest/gtest.h>
#include <httplib.h>

#include <nlohmann/json.hpp>

#include "bridge/auth/jwt.hpp"
#include "bridge/auth/password.hpp"
#include "bridge/http/error.hpp"

namespace nexus::bridge {
namespace {

using nlohmann::json;
using Wait = AuthFlow::Wait;

const std::string kFirst = "k2 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const std::string kSecond = "k1 HxwdGhsYGRYXFBUSExAREg8ODQwLCgkIBwYFBAMCAQA=";

class BridgeSession : public testing::Test {
 protected:
  BridgeSession() {
    settings.db_schemas = {"api"};
    request.method = "POST";
  }

  AuthFlow flow(const std::string &action, const json &body) {
    request.body = body.dump();
    return AuthFlow(settings, keys, std::make_shared<Catalogue>(), request, action);
  }

  static CallResult result(const json &body) { return {std::nullopt, 1, body.dump(), std::nullopt, std::nullopt, {}}; }

  static bool sends(const Plan &plan, const std::string &text) {
    for (const auto *statement : {&plan.call, &plan.context}) {
      if (statement->sql.find(text) != std::string::npos) return true;
      for (const auto &parameter : statement->parameters) {
        if (parameter.value.find(text) != std::string::npos) return true;
      }
    }
    return false;
  }

  Settings settings;
  SessionKeys keys{kFirst + "\n" + kSecond};
  httplib::Request request;
};

TEST_F(BridgeSession, ATokenIsNeverItsId) {
  const SessionToken made = keys.make();
  EXPECT_EQ(made.token.compare(0, 7, "cn1.k2."), 0);
  EXPECT_EQ(made.token.size(), 7U + 43U);
  EXPECT_EQ(keys.id_of(made.token), made.id);
  EXPECT_EQ(made.id.find(made.token.substr(7)), std::string::npos);
  EXPECT_NE(keys.make().token, made.token);
  EXPECT_EQ(SessionKeys(kSecond + "\n" + kFirst).id_of(made.token), made.id);  // after a rotation of the keys
  EXPECT_EQ(SessionKeys(kSecond).id_of(made.token), "");
}

TEST_F(BridgeSession, MalformedTokensAreNobody) {
  const std::string good = keys.make().token;
  for (const std::string &token : {std::string("cn1."), std::string("cn1.k2."), std::string("cn1.k2"), good + "A",
                                   good.substr(0, 49), "cn1.k3." + good.substr(7), good.substr(4)}) {
    EXPECT_EQ(keys.id_of(token), "") << token;
  }
}

TEST_F(BridgeSession, KeysAreChecked) {
  EXPECT_TRUE(SessionKeys("").empty());
  for (const char *text : {"k1", "k1 AAAA", "k.1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "k1 !", "k1 A B"}) {
    EXPECT_THROW(SessionKeys{text}, SessionKeyError) << text;
  }
}

TEST_F(BridgeSession, ABearerIsASessionOrAJwt) {
  Authenticator authenticator("a-secret-that-is-for-tests-alone-0123456789", "", "visitor");
  authenticator.take_sessions(keys, "member");
  const SessionToken made = keys.make();
  const std::string header = "Bearer " + made.token;
  const Identity identity = authenticator.authenticate(&header, 0);
  EXPECT_EQ(identity.role, "member");
  EXPECT_EQ(identity.session_id, made.id);
  EXPECT_FALSE(identity.anonymous);
  const std::string forged = "Bearer cn1.k2.AAAA", jwt = "Bearer a.b.c";
  EXPECT_THROW(authenticator.authenticate(&forged, 0), HttpError);
  EXPECT_THROW(authenticator.authenticate(&jwt, 0), HttpError);
}

TEST_F(BridgeSession, SignUpSendsTheHashAlone) {
  auto sign_up = flow("sign-up", {{"email", "a@example.org"}, {"password", "correct horse"}});
  ASSERT_EQ(sign_up.wait(), Wait::kPassword);
  sign_up.work();
  ASSERT_EQ(sign_up.wait(), Wait::kQuery);
  EXPECT_FALSE(sends(sign_up.query(), "correct horse"));
  EXPECT_TRUE(sends(sign_up.query(), "$argon2id$v=19$m=19456,t=2,p=1$"));
  EXPECT_FALSE(sign_up.query().read_only);
  sign_up.take_result(result({{"user_id", "u1"}, {"expires", "2026-01-01T00:00:00+00:00"}}));
  httplib::Response response;
  sign_up.write(response);
  EXPECT_EQ(response.status, 201);
  const json answer = json::parse(response.body);
  EXPECT_FALSE(sends(sign_up.query(), answer["access_token"]));
  EXPECT_TRUE(sends(sign_up.query(), keys.id_of(answer["access_token"].get<std::string>())));
  EXPECT_EQ(answer["user"]["id"], "u1");
}

TEST_F(BridgeSession, SignIn) {
  const std::string hash = hash_password("correct horse");
  const json good{{"email", "a@example.org"}, {"password", "correct horse"}};
  auto right = flow("sign-in", good);
  ASSERT_EQ(right.wait(), Wait::kQuery);
  EXPECT_TRUE(right.query().read_only);
  right.take_result(result({{"user_id", "u1"}, {"password", hash}}));
  right.work();
  EXPECT_TRUE(sends(right.query(), "nexus.start_session"));
  EXPECT_FALSE(sends(right.query(), "correct horse"));

  // An unknown user and a wrong password are answered alike.
  std::string bodies[2];
  for (const bool known : {false, true}) {
    auto wrong = flow("sign-in", {{"email", "a@example.org"}, {"password", "wrong horse"}});
    wrong.take_result(result(known ? json{{"user_id", "u1"}, {"password", hash}} : json::object()));
    ASSERT_EQ(wrong.wait(), Wait::kPassword);
    try {
      wrong.work();
      FAIL();
    } catch (const HttpError &error) {
      EXPECT_EQ(error.status, 401);
      bodies[known ? 1 : 0] = error_body(error);
    }
  }
  EXPECT_EQ(bodies[0], bodies[1]);
}

TEST_F(BridgeSession, RefreshAndSignOutWantASession) {
  EXPECT_THROW(flow("refresh", json::object()), HttpError);
  EXPECT_THROW(flow("sign-out", json::object()), HttpError);
  const SessionToken made = keys.make();
  request.headers.emplace("Authorization", "Bearer " + made.token);
  auto refresh = flow("refresh", json::object());
  EXPECT_TRUE(sends(refresh.query(), made.id));
  refresh.take_result(result({{"user_id", "u1"}, {"expires", "2026-01-01T00:00:00+00:00"}}));
  httplib::Response response;
  refresh.write(response);
  EXPECT_NE(json::parse(response.body)["access_token"], made.token);
  EXPECT_TRUE(sends(flow("sign-out", {{"all", true}}).query(), "nexus.end_sessions"));
  EXPECT_TRUE(sends(flow("sign-out", json::object()).query(), "nexus.end_session("));
  EXPECT_THROW(flow("sign-out", {{"all", "yes"}}), HttpError);
}

TEST_F(BridgeSession, BadRequests) {
  const auto status = [&](const std::string &action, const json &body) {
    try {
      flow(action, body);
    } catch (const HttpError &error) {
      return error.status;
    }
    return 0;
  };
  EXPECT_EQ(status("sign-up", {{"email", "a@example.org"}}), 400);
  EXPECT_EQ(status("sign-up", {{"email", 1}, {"password", "correct horse"}}), 400);
  EXPECT_EQ(status("sign-up", {{"email", "a@example.org"}, {"password", "short"}}), 422);
  EXPECT_EQ(status("sign-up", {{"email", "a@example.org"}, {"password", std::string(1025, 'x')}}), 400);
  EXPECT_EQ(status("sign-in", {{"email", "a@example.org"}, {"password", std::string("a\0b", 3)}}), 400);
  EXPECT_EQ(status("sign-in", json::array()), 400);
  EXPECT_EQ(status("dance", json::object()), 404);
  request.method = "GET";
  EXPECT_EQ(status("sign-in", json::object()), 405);
  keys = SessionKeys("");
  EXPECT_EQ(status("sign-in", json::object()), 404);
}

TEST_F(BridgeSession, BcryptOfOtherApplications) {
  // Of the test vectors of crypt_blowfish: the password U*U.
  EXPECT_TRUE(verify_password("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"));
  EXPECT_FALSE(verify_password("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*V"));
  EXPECT_FALSE(verify_password("", ""));
  EXPECT_FALSE(verify_password("", "nobody's password"));
  EXPECT_FALSE(verify_password("clear text", "clear text"));
}

}  // namespace
}  // namespace nexus::bridge
