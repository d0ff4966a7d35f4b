#include "bridge/net/framing.hpp"

#include <algorithm>
#include <limits>

#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge::net {
namespace {

constexpr std::size_t kMaxChunkLine = 256;

std::string_view take_line(std::string_view &rest) {
  const std::size_t end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
  return line;
}

void parse_request_line(std::string_view line, Head &head, bool &http_1_1) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) throw FramingError(400, "The request line is malformed");
  head.method = std::string(line.substr(0, first));
  head.target = std::string(line.substr(first + 1, last - first - 1));
  const std::string_view version = line.substr(last + 1);
  if (!header_is_clean(head.method, "")) throw FramingError(400, "The method is no token");
  if (head.target.size() > kMaxUri) throw FramingError(414, "The request target is too long");
  const bool clean = std::all_of(head.target.begin(), head.target.end(),
                                 [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; });
  if (head.target.empty() || (head.target[0] != '/' && head.target != "*") || !clean) {
    throw FramingError(400, "The request target is malformed");
  }
  if (version.size() != 8 || version.substr(0, 5) != "HTTP/") throw FramingError(400, "The request line is malformed");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") throw FramingError(505, "HTTP version not supported");
  http_1_1 = version == "HTTP/1.1";
  head.path = head.target.substr(0, head.target.find('?'));
}

void parse_field(std::string_view line, Head &head) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) throw FramingError(400, "A header field has no colon");
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (!header_is_clean(name, value)) throw FramingError(400, "A header field is malformed");
  head.headers.emplace(std::string(name), std::string(value));
}

// How long the body is; two opinions about it are an attack.
void parse_length(Head &head, bool http_1_1) {
  const std::size_t lengths = head.headers.count("Content-Length");
  const std::size_t codings = head.headers.count("Transfer-Encoding");
  if (lengths > 1 || (lengths > 0 && codings > 0)) throw FramingError(400, "The length of the body is ambiguous");
  if (codings > 0) {
    if (!http_1_1) throw FramingError(400, "Transfer-Encoding needs HTTP/1.1");
    if (codings > 1 || lower_case(head.headers.find("Transfer-Encoding")->second) != "chunked") {
      throw FramingError(501, "The transfer coding is not supported");
    }
    head.chunked = true;
  }
  if (lengths == 1) {
    const std::string &text = head.headers.find("Content-Length")->second;
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    const auto number = digits ? whole_number(text) : std::nullopt;
    if (!digits) throw FramingError(400, "Content-Length is no number");
    if (!number) throw FramingError(413, "The body is too large");
    head.content_length = static_cast<std::size_t>(*number);
  }
}

}  // namespace

Head parse_head(std::string_view bytes) {
  Head head;
  bool http_1_1 = true;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool line_end = bytes[i] == '\r' && i + 1 < bytes.size() && bytes[i + 1] == '\n';
    if (line_end) {
      ++i;
    } else if (bytes[i] == '\r' || bytes[i] == '\n' || bytes[i] == '\0') {
      throw FramingError(400, "A line must end with CR LF and hold no control characters");
    }
  }
  parse_request_line(take_line(bytes), head, http_1_1);
  std::size_t fields = 0;
  while (!bytes.empty()) {
    if (++fields > kMaxFields) throw FramingError(431, "There are too many header fields");
    parse_field(take_line(bytes), head);
  }
  const std::size_t hosts = head.headers.count("Host");
  if (hosts > 1 || (http_1_1 && hosts == 0)) throw FramingError(400, "There must be exactly one Host header");
  parse_length(head, http_1_1);
  const auto options = head.headers.find("Connection");
  const std::string connection = options == head.headers.end() ? "" : lower_case(options->second);
  const auto words = split_trimmed(connection, ',');
  const bool close = std::find(words.begin(), words.end(), "close") != words.end();
  const bool keep = std::find(words.begin(), words.end(), "keep-alive") != words.end();
  head.keep_alive = !close && (http_1_1 || keep);
  const auto expect = head.headers.find("Expect");
  if (expect != head.headers.end()) {
    if (lower_case(expect->second) != "100-continue") throw FramingError(417, "The expectation cannot be met");
    head.expects_continue = http_1_1;
  }
  return head;
}

bool ChunkedBody::take(std::string &buffer) {
  std::size_t used = 0;
  bool done = false;
  while (!done) {
    if (state_ == State::kData) {
      const std::size_t piece = std::min(left_, buffer.size() - used);
      body.append(buffer, used, piece);
      used += piece;
      left_ -= piece;
      if (left_ > 0) break;
      state_ = State::kDataEnd;
    }
    const std::size_t end = buffer.find("\r\n", used);
    if (end == std::string::npos) {
      if (buffer.size() - used > kMaxChunkLine) throw FramingError(400, "A chunk is malformed");
      break;
    }
    const std::string_view line(buffer.data() + used, end - used);
    used = end + 2;
    if (state_ == State::kDataEnd) {
      if (!line.empty()) throw FramingError(400, "A chunk is malformed");
      state_ = State::kSize;
    } else if (state_ == State::kTrailer) {
      done = line.empty();
      trailer_ += line.size();
      if (trailer_ > kMaxHead) throw FramingError(431, "The trailer is too long");
    } else {
      const std::string_view digits = trimmed(line.substr(0, line.find(';')));
      if (digits.empty() || digits.size() > 8 || line.size() > kMaxChunkLine ||
          digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
        throw FramingError(400, "A chunk is malformed");
      }
      left_ = std::stoul(std::string(digits), nullptr, 16);
      if (left_ > limit_ - body.size()) throw FramingError(413, "The body is too large");
      state_ = left_ == 0 ? State::kTrailer : State::kData;
    }
  }
  buffer.erase(0, used);
  return done;
}

const char *reason_phrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 408:
      return "Request Timeout";
    case 413:
      return "Payload Too Large";
    case 414:
      return "URI Too Long";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

}  // namespace nexus::bridge::net
