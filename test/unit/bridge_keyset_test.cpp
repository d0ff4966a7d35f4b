#include "bridge/http/keyset.hpp"

#include <gtest/gtest.h>

#include "bridge/auth/base64.hpp"
#include "bridge/http/error.hpp"

namespace nexus::bridge {
namespace {

std::vector<OrderItem> order(const char *text) {
  return parse_query(std::string("order=") + text, true).rows.order;
}

TEST(BridgeKeyset, ATokenGivesItsKeyBack) {
  const auto by = order("score.desc.nullslast,data->>n,id");
  const PageKey key{std::nullopt, "\xc3\xbc \"quoted\" \\ , \n", "7"};
  const std::string token = page_token("api.posts", by, key);
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
  EXPECT_EQ(page_key(token, "api.posts", by), key);
}

TEST(BridgeKeyset, OtherTokensAreRefused) {
  const auto by = order("id");
  const std::string token = page_token("api.posts", by, {"7"});
  EXPECT_THROW(page_key(token, "api.others", by), HttpError);
  EXPECT_THROW(page_key(token, "api.posts", order("id.desc")), HttpError);
  EXPECT_THROW(page_key(token, "api.posts", order("id.nullsfirst")), HttpError);
  EXPECT_THROW(page_key(token, "api.posts", order("id,title")), HttpError);
  for (const char *text : {"", "[]", "{}", R"(["api.posts","id.asc,",["7"],1])", R"(["api.posts","id.asc,",[7]])",
                           R"(["api.posts","id.asc,",[]])", R"(["api.posts","id.asc,",["\u0000"]])"}) {
    EXPECT_THROW(page_key(base64url_encoded(text), "api.posts", by), HttpError) << text;
  }
  EXPECT_THROW(page_key("!", "api.posts", by), HttpError);
  EXPECT_THROW(page_token("api.posts", by, {std::string(5000, 'x')}), HttpError);
}

TEST(BridgeKeyset, TheNextTarget) {
  EXPECT_EQ(next_target("/rpc/posts", "t"), "/rpc/posts?page-token=t");
  EXPECT_EQ(next_target("/rpc/posts?", "t"), "/rpc/posts?page-token=t");
  EXPECT_EQ(next_target("/rpc/posts?page-token=a&order=id&page-token&x=%26", "t"),
            "/rpc/posts?order=id&x=%26&page-token=t");
}

}  // namespace
}  // namespace nexus::bridge
