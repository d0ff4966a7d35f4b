#include "bridge/http/cors.hpp"

#include <gtest/gtest.h>
#include <httplib.h>

namespace nexus::bridge {
namespace {

httplib::Request request(const char *method, const char *origin, const char *wanted = nullptr) {
  httplib::Request request;
  request.method = method;
  request.headers.emplace("Origin", origin);
  if (wanted != nullptr) request.headers.emplace("Access-Control-Request-Method", wanted);
  return request;
}

TEST(BridgeCors, Preflight) {
  auto asked = request("OPTIONS", "http://a.example", "POST");
  asked.headers.emplace("Access-Control-Request-Headers", "Foo,Bar");
  httplib::Response response;
  ASSERT_TRUE(answer_preflight({}, asked, response));
  add_cors_headers({}, asked, response);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.get_header_value("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(response.get_header_value("Access-Control-Allow-Headers"),
            "Authorization, Foo, Bar, Accept, Accept-Language, Content-Language");
  EXPECT_EQ(response.get_header_value("Access-Control-Allow-Methods"), "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD");
  EXPECT_EQ(response.get_header_value("Access-Control-Max-Age"), "86400");
  EXPECT_FALSE(response.has_header("Access-Control-Expose-Headers"));
  EXPECT_FALSE(response.has_header("Access-Control-Allow-Credentials"));
}

TEST(BridgeCors, AListNamesTheOrigin) {
  const std::vector<std::string> allowed{"http://a.example", "http://b.example"};
  httplib::Response response;
  add_cors_headers(allowed, request("GET", "http://b.example"), response);
  EXPECT_EQ(response.get_header_value("Access-Control-Allow-Origin"), "http://b.example");
  EXPECT_EQ(response.get_header_value("Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(response.get_header_value("Vary"), "Origin");
  const std::string exposed = response.get_header_value("Access-Control-Expose-Headers");
  for (const char *name : {"Content-Range", "Link", "ETag", "Server-Timing", "X-Request-Id", "Consistency-Token"}) {
    EXPECT_NE(exposed.find(name), std::string::npos) << name;
  }
}

TEST(BridgeCors, OthersGetNothing) {
  const std::vector<std::string> allowed{"http://a.example"};
  for (const char *origin : {"http://b.example", "http://a.example.evil", "null", "HTTP://A.EXAMPLE"}) {
    httplib::Response response;
    EXPECT_FALSE(answer_preflight(allowed, request("OPTIONS", origin, "POST"), response)) << origin;
    add_cors_headers(allowed, request("OPTIONS", origin, "POST"), response);
    for (const auto &header : response.headers) EXPECT_EQ(header.first, "Vary");
  }
}

TEST(BridgeCors, OnlyAnOptionsThatAsksIsAPreflight) {
  httplib::Response response;
  EXPECT_FALSE(answer_preflight({}, request("OPTIONS", "http://a.example"), response));
  EXPECT_FALSE(answer_preflight({}, request("GET", "http://a.example", "POST"), response));
}

}  // namespace
}  // namespace nexus::bridge
