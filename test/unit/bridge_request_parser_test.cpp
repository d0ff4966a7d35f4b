#include "bridge/net/request_parser.hpp"

#include <gtest/gtest.h>

namespace nexus::bridge::net {
namespace {

constexpr std::size_t kLimit = 1 << 20;

// The bytes cut at every place and handed over piece by piece: no cut may matter.
int status_of_pieces(const std::string &bytes, std::size_t piece, std::size_t limit, std::string *body = nullptr) {
  RequestParser parser(limit);
  try {
    std::string buffer;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      buffer += bytes.substr(at, piece);
      buffer.erase(0, parser.take(buffer));
      if (parser.done()) {
        if (body != nullptr) *body = parser.request.body;
        return 200;
      }
    }
  } catch (const FramingError &error) {
    return error.status;
  }
  return 0;
}

int status_of(const std::string &head, const std::string &rest = "") {
  const std::string bytes = head + "\r\n\r\n" + rest;
  const int whole = status_of_pieces(bytes, bytes.size(), kLimit);
  if (bytes.size() < 2000) {
    for (std::size_t piece : {1U, 7U}) EXPECT_EQ(status_of_pieces(bytes, piece, kLimit), whole) << head;
  }
  return whole;
}

std::string get(const std::string &fields) {
  return "GET / HTTP/1.1\r\nHost: x" + fields;
}

TEST(BridgeRequestParser, AGoodRequest) {
  RequestParser parser(kLimit);
  const std::string bytes = "\r\nPOST /rpc/f?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX-A:  b  \r\n\r\nabcGET /";
  EXPECT_EQ(parser.take(bytes), bytes.size() - 5);
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(parser.request.method, "POST");
  EXPECT_EQ(parser.request.target, "/rpc/f?a=1");
  EXPECT_EQ(parser.request.path, "/rpc/f");
  EXPECT_EQ(parser.request.headers.find("x-a")->second, "b");
  EXPECT_EQ(parser.request.body, "abc");
  EXPECT_TRUE(parser.keep_alive());
}

TEST(BridgeRequestParser, KeepAlive) {
  for (const char *head : {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n"}) {
    RequestParser parser(kLimit);
    parser.take(head);
    EXPECT_TRUE(parser.done());
    EXPECT_FALSE(parser.keep_alive());
  }
}

TEST(BridgeRequestParser, Continue) {
  RequestParser parser(kLimit);
  parser.take("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n");
  EXPECT_TRUE(parser.expects_continue());
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: tea"), 417);
}

TEST(BridgeRequestParser, RequestLines) {
  EXPECT_EQ(status_of("GET / HTTP/1.1"), 400);  // no Host
  EXPECT_EQ(status_of("GET / HTTP/2.0\r\nHost: x"), 505);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: x", ""), 200);
  EXPECT_EQ(status_of("GET / HTTP/1.2\r\nHost: x"), 505);
  EXPECT_EQ(status_of("GET / HTTQ/1.1\r\nHost: x"), 400);
  EXPECT_EQ(status_of("GET /\x01 HTTP/1.1\r\nHost: x"), 400);
  EXPECT_EQ(status_of(" GET / HTTP/1.1\r\nHost: x"), 400);
  EXPECT_EQ(status_of("GET  / HTTP/1.1\r\nHost: x"), 400);
  EXPECT_EQ(status_of("GET /a b HTTP/1.1\r\nHost: x"), 400);
  EXPECT_EQ(status_of("GET http://x/ HTTP/1.1\r\nHost: x"), 400);
  EXPECT_EQ(status_of("G@T / HTTP/1.1\r\nHost: x"), 400);
  EXPECT_EQ(status_of("GET /\r\nHost: x"), 400);
  EXPECT_EQ(status_of("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x"), 414);
}

TEST(BridgeRequestParser, Fields) {
  EXPECT_EQ(status_of(get("\r\nHost: y")), 400);
  EXPECT_EQ(status_of(get("\r\nX : y")), 400);
  EXPECT_EQ(status_of(get("\r\nX: a\r\n folded")), 400);
  EXPECT_EQ(status_of(get("\r\nX: a\nY: b")), 400);
  EXPECT_EQ(status_of(get(std::string("\r\nX: a\0b", 8))), 400);
  EXPECT_EQ(status_of(get("\r\nX: a\r\n\tfolded")), 400);
  EXPECT_EQ(status_of(get("\r\nX: a\rb")), 400);
  EXPECT_EQ(status_of(get("\r\nno colon")), 400);
  EXPECT_EQ(status_of(get("\r\n: no name")), 400);
  EXPECT_EQ(status_of(get("\r\nX: \x7f")), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a b"), 400);
  EXPECT_EQ(status_of(get("\r\nX: " + std::string(20000, 'a'))), 431);
  std::string many;
  for (int i = 0; i < 100; ++i) many += "\r\nX: y";
  EXPECT_EQ(status_of(get(many)), 431);
}

TEST(BridgeRequestParser, OneOpinionAboutTheLength) {
  EXPECT_EQ(status_of(get("\r\nContent-Length: 3\r\nContent-Length: 3")), 400);
  EXPECT_EQ(status_of(get("\r\nContent-Length: 3\r\nTransfer-Encoding: chunked")), 400);
  for (const char *length : {"3x", "+3", "-3", "", "0x3", "3, 3"}) {
    EXPECT_EQ(status_of(get(std::string("\r\nContent-Length: ") + length)), 400) << length;
  }
  EXPECT_EQ(status_of(get("\r\nContent-Length: 99999999999999999999")), 413);
  EXPECT_EQ(status_of(get("\r\nTransfer-Encoding: xchunked")), 501);
  EXPECT_EQ(status_of(get("\r\nTransfer-Encoding: gzip, chunked")), 501);
  EXPECT_EQ(status_of(get("\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked")), 400);
  EXPECT_EQ(status_of(get("\r\nTransfer-Encoding: identity")), 501);
  EXPECT_EQ(status_of(get("\r\nTransfer-Encoding: chunked\r\nContent-Length: 3")), 400);
  EXPECT_EQ(status_of(get("\r\nContent-Length: 2000000")), 413);
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\nTransfer-Encoding: chunked"), 400);
}

int chunk_status(const std::string &chunks, std::string *body = nullptr) {
  return status_of_pieces(get("\r\nTransfer-Encoding: chunked\r\n\r\n") + chunks, 1, 16, body);
}

TEST(BridgeRequestParser, Chunks) {
  std::string body;
  EXPECT_EQ(chunk_status("3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: z\r\n\r\n", &body), 200);
  EXPECT_EQ(body, "abc0123456789");
  EXPECT_EQ(chunk_status("11\r\n"), 413);
  EXPECT_EQ(chunk_status("A\r\n0123456789\r\nA\r\n"), 413);
  EXPECT_EQ(chunk_status("FFFFFFFFFFFFFFFF1\r\n"), 400);
  EXPECT_EQ(chunk_status("x\r\n"), 400);
  EXPECT_EQ(chunk_status("1\r\nabc\r\n"), 400);
  EXPECT_EQ(chunk_status("3\r\nab"), 0);
  EXPECT_EQ(chunk_status("3;" + std::string(300, 'x') + "\r\nabc\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(chunk_status("3\r\nabc\r\n0\r\nX : y\r\n\r\n"), 400);
  EXPECT_EQ(chunk_status("3" + std::string(40000, '0')), 400);
}

TEST(BridgeRequestParser, AQuotedChunkExtensionEndsOnItsLine) {
  EXPECT_EQ(chunk_status("3;x=\"y\\\"\"\r\nabc\r\n0\r\n\r\n"), 200);
  EXPECT_EQ(chunk_status("3;x=\"\r\nabc\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(chunk_status("3\r\nabc\r\n3;x=\"y\r\nabc\r\n0\r\n\r\n\""), 400);
}

}  // namespace
}  // namespace nexus::bridge::net
