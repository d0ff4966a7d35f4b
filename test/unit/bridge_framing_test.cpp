#include "bridge/net/framing.hpp"

#include <gtest/gtest.h>

namespace nexus::bridge::net {
namespace {

int status_of(const std::string &head) {
  try {
    parse_head(head);
  } catch (const FramingError &error) {
    return error.status;
  }
  return 200;
}

std::string get(const std::string &fields) {
  return "GET / HTTP/1.1\r\nHost: x" + fields;
}

TEST(BridgeFraming, AGoodHead) {
  const Head head = parse_head("POST /rpc/f?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX-A:  b  ");
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/rpc/f?a=1");
  EXPECT_EQ(head.path, "/rpc/f");
  EXPECT_EQ(head.content_length, 3U);
  EXPECT_EQ(head.headers.find("x-a")->second, "b");
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(parse_head("GET / HTTP/1.0").keep_alive);
  EXPECT_FALSE(parse_head(get("\r\nConnection: Close")).keep_alive);
}

TEST(BridgeFraming, RequestLines) {
  EXPECT_EQ(status_of("GET / HTTP/1.1"), 400);  // no Host
  EXPECT_EQ(status_of("GET / HTTP/2.0\r\nHost: x"), 505);
  EXPECT_EQ(status_of("GET  / HTTP/1.1\r\nHost: x"), 400);
  EXPECT_EQ(status_of("GET /a b HTTP/1.1\r\nHost: x"), 400);
  EXPECT_EQ(status_of("GET http://x/ HTTP/1.1\r\nHost: x"), 400);
  EXPECT_EQ(status_of("G@T / HTTP/1.1\r\nHost: x"), 400);
  EXPECT_EQ(status_of("GET /\r\nHost: x"), 400);
  EXPECT_EQ(status_of("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x"), 414);
}

TEST(BridgeFraming, Fields) {
  EXPECT_EQ(status_of(get("\r\nHost: y")), 400);
  EXPECT_EQ(status_of(get("\r\nX : y")), 400);
  EXPECT_EQ(status_of(get("\r\nX: a\r\n folded")), 400);
  EXPECT_EQ(status_of(get("\r\nX: a\nY: b")), 400);
  EXPECT_EQ(status_of(get(std::string("\r\nX: a\0b", 8))), 400);
  std::string many;
  for (int i = 0; i < 100; ++i) many += "\r\nX: y";
  EXPECT_EQ(status_of(get(many)), 431);
}

TEST(BridgeFraming, OneOpinionAboutTheLength) {
  EXPECT_EQ(status_of(get("\r\nContent-Length: 3\r\nContent-Length: 3")), 400);
  EXPECT_EQ(status_of(get("\r\nContent-Length: 3\r\nTransfer-Encoding: chunked")), 400);
  for (const char *length : {"3x", "+3", "-3", "", "0x3", "3, 3"}) {
    EXPECT_EQ(status_of(get(std::string("\r\nContent-Length: ") + length)), 400) << length;
  }
  EXPECT_EQ(status_of(get("\r\nContent-Length: 99999999999999999999")), 413);
  EXPECT_EQ(status_of(get("\r\nTransfer-Encoding: xchunked")), 501);
  EXPECT_EQ(status_of(get("\r\nTransfer-Encoding: gzip, chunked")), 501);
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\nTransfer-Encoding: chunked"), 400);
}

int chunk_status(std::string bytes, std::string *body = nullptr) {
  ChunkedBody chunked(16);
  try {
    // Byte by byte: no cut may matter.
    std::string buffer;
    for (char c : bytes) {
      buffer += c;
      if (chunked.take(buffer)) {
        if (body != nullptr) *body = chunked.body;
        return 200;
      }
    }
  } catch (const FramingError &error) {
    return error.status;
  }
  return 0;
}

TEST(BridgeFraming, Chunks) {
  std::string body;
  EXPECT_EQ(chunk_status("3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: z\r\n\r\n", &body), 200);
  EXPECT_EQ(body, "abc0123456789");
  EXPECT_EQ(chunk_status("11\r\n"), 413);
  EXPECT_EQ(chunk_status("A\r\n0123456789\r\nA\r\n"), 413);
  EXPECT_EQ(chunk_status("FFFFFFFFFFFFFFFF1\r\n"), 400);
  EXPECT_EQ(chunk_status("x\r\n"), 400);
  EXPECT_EQ(chunk_status("1\r\nabc\r\n"), 400);
  EXPECT_EQ(chunk_status("3\r\nab"), 0);
}

}  // namespace
}  // namespace nexus::bridge::net
