#pragma once

#include <httplib.h>

#include <cstddef>
#include <exception>
#include <string>
#include <string_view>

namespace nexus::bridge::net {

constexpr std::size_t kMaxUri = 8192, kMaxHead = 16384, kMaxFields = 100;

/// A request that is not HTTP as RFC 9112 writes it, or is beyond a limit. The connection is closed after the answer.
struct FramingError : std::exception {
  FramingError(int status, const char *message) : status(status), message(message) {}
  const char *what() const noexcept override { return message; }
  int status;
  const char *message;
};

/// The head of a request, taken apart strictly.
struct Head {
  std::string method, target, path;
  httplib::Headers headers;
  std::size_t content_length = 0;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;
};

/// Parses the bytes before the empty line. What other parsers forgive is refused: it is how requests are smuggled.
///
///     parse_head("GET /live HTTP/1.1\r\nHost: x").path == "/live"
Head parse_head(std::string_view bytes);

/// Takes chunked bodies apart, piece by piece.
class ChunkedBody {
 public:
  explicit ChunkedBody(std::size_t limit) : limit_(limit) {}

  /// Eats what it can from the front of `buffer`; true when the body is complete.
  bool take(std::string &buffer);

  std::string body;

 private:
  enum class State { kSize, kData, kDataEnd, kTrailer } state_ = State::kSize;
  std::size_t limit_, left_ = 0, trailer_ = 0;
};

/// "Not Found" for 404.
const char *reason_phrase(int status);

}  // namespace nexus::bridge::net
