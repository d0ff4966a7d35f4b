#include "bridge/net/trace.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bridge/net/log.hpp"

namespace nexus::bridge::net {
namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736", kSpan = "00f067aa0ba902b7";

Trace trace(const httplib::Headers &headers) {
  httplib::Request request;
  request.headers = headers;
  return trace_of(request);
}

TEST(BridgeTrace, GoesOn) {
  for (const std::string &header : {"00-" + kTrace + "-" + kSpan + "-01", "cc-" + kTrace + "-" + kSpan + "-01-more",
                                    "cc-" + kTrace + "-" + kSpan + "-01"}) {
    const Trace found = trace({{"traceparent", header}});
    EXPECT_EQ(found.trace_id, kTrace) << header;
    EXPECT_EQ(found.parent_id, kSpan);
    EXPECT_NE(found.span_id, kSpan);
    EXPECT_EQ(found.traceparent(), "00-" + kTrace + "-" + found.span_id + "-01");
  }
}

TEST(BridgeTrace, StartsWhereTheHeaderIsMalformed) {
  const std::string zeros(32, '0');
  for (const std::string &header :
       {std::string(), std::string("00-"), "00-" + kTrace + "-" + kSpan + "-0",
        "00-" + kTrace + "-" + kSpan + "-01-more", "ff-" + kTrace + "-" + kSpan + "-01",
        "00-" + zeros + "-" + kSpan + "-01", "00-" + kTrace + "-" + zeros.substr(16) + "-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + kSpan + "-01", "00_" + kTrace + "-" + kSpan + "-01",
        "cc-" + kTrace + "-" + kSpan + "-01x"}) {
    const Trace made = trace({{"traceparent", header}});
    EXPECT_NE(made.trace_id, kTrace) << header;
    EXPECT_EQ(made.trace_id.size(), 32U);
    EXPECT_EQ(made.span_id.size(), 16U);
    EXPECT_EQ(made.parent_id, "");
    EXPECT_EQ(made.flags, "00");
  }
  const std::string good = "00-" + kTrace + "-" + kSpan + "-01";
  EXPECT_NE(trace({{"traceparent", good}, {"traceparent", good}}).trace_id, kTrace);
}

TEST(BridgeTrace, RequestIds) {
  EXPECT_EQ(trace({{"X-Request-Id", "a-B_1.~+/=:@"}}).request_id, "a-B_1.~+/=:@");
  for (const std::string &id : {std::string(), std::string("a b"), std::string("a\"b"), std::string(129, 'a')}) {
    EXPECT_EQ(trace({{"X-Request-Id", id}}).request_id.size(), 32U) << id;
  }
  EXPECT_NE(trace({}).request_id, trace({}).request_id);
}

TEST(BridgeTrace, ALineIsOneJsonObject) {
  const Trace known = trace({{"X-Request-Id", "r1"}, {"traceparent", "00-" + kTrace + "-" + kSpan + "-01"}});
  const RequestLine line{known, "192.0.2.1", "GET", "/rpc/\"odd\xff\n", 404, std::chrono::microseconds(1500), 3,
                         7,     "42883",     ""};
  const std::string text = "{" + json_members(line) + "}";
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["request_id"], "r1");
  EXPECT_EQ(json["traceparent"], known.traceparent());
  EXPECT_EQ(json["parent_id"], kSpan);
  EXPECT_EQ(json["path"], "/rpc/\"odd\xef\xbf\xbd\n");
  EXPECT_EQ(json["status"], 404);
  EXPECT_DOUBLE_EQ(json["duration_ms"], 1.5);
  EXPECT_EQ(json["bytes_in"], 3);
  EXPECT_EQ(json["bytes"], 7);
  EXPECT_EQ(json["sqlstate"], "42883");
  EXPECT_FALSE(json.contains("reason"));
}

}  // namespace
}  // namespace nexus::bridge::net
