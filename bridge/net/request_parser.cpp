#include "bridge/net/request_parser.hpp"

#include <algorithm>
#include <boost/beast/http/error.hpp>

#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge::net {
namespace {

using HttpFault = boost::beast::http::error;

constexpr std::size_t kMaxDigits = 18;

std::string_view std_view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

bool starts_with_word(std::string_view line, std::string_view lower) {
  return line.size() >= lower.size() && lower_case(line.substr(0, lower.size())) == lower;
}

// What Beast lets pass: bare line ends and NUL, folded lines, and a limit that names what is too long.
void check_lines(std::string_view head) {
  std::size_t start = 0, fields = 0;
  while (start < head.size()) {
    const std::size_t end = head.find_first_of(std::string_view("\r\n\0", 3), start);
    if (end == std::string_view::npos || head.compare(end, 2, "\r\n") != 0) {
      throw FramingError(400, "A line must end with CR LF and hold no control characters");
    }
    const std::string_view line = head.substr(start, end - start);
    if (start == 0) {
      const std::size_t target = line.find(' ');
      if (target != std::string_view::npos && line.size() - target > kMaxUri + sizeof " HTTP/1.1") {
        throw FramingError(414, "The request target is too long");
      }
    } else if (!line.empty()) {
      if (line[0] == ' ' || line[0] == '\t') throw FramingError(400, "A header field is folded");
      if (++fields > kMaxFields) throw FramingError(431, "There are too many header fields");
      if (starts_with_word(line, "content-length:")) {
        const std::string_view digits = trimmed(line.substr(line.find(':') + 1));
        const bool number = digits.find_first_not_of("0123456789") == std::string_view::npos && !digits.empty();
        if (!number) throw FramingError(400, "Content-Length is no number");
        if (digits.size() > kMaxDigits) throw FramingError(413, "The body is too large");
      }
    }
    start = end + 2;
  }
}

// Whether a quoted string of a chunk's extension goes on behind the end of its line. Beast would wait for its end
// there, and count the chunk against the limit each time it looks.
bool quotes_stay_open(std::string_view rest) {
  if (rest.substr(0, 2) == "\r\n") rest.remove_prefix(2);
  const std::size_t end = rest.find("\r\n");
  if (end == std::string_view::npos) return false;
  bool open = false;
  for (std::size_t i = 0; i < end; ++i) {
    if (open && rest[i] == '\\') {
      ++i;
    } else if (rest[i] == '"') {
      open = !open;
    }
  }
  return open;
}

[[noreturn]] void refuse(HttpFault fault, std::string_view head) {
  switch (fault) {
    case HttpFault::body_limit:
      throw FramingError(413, "The body is too large");
    case HttpFault::header_limit:
      throw FramingError(431, "The header fields are too long");
    case HttpFault::bad_version: {
      const std::string_view line = head.substr(0, head.find("\r\n"));
      const std::size_t space = line.rfind(' ');
      const std::string_view version = space == std::string_view::npos ? line : line.substr(space + 1);
      const bool named = std::count(line.begin(), line.end(), ' ') == 2 && version.size() == 8 &&
                         version.substr(0, 5) == "HTTP/" && version[6] == '.';
      throw named ? FramingError(505, "HTTP version not supported")
                  : FramingError(400, "The request line is malformed");
    }
    case HttpFault::bad_method:
      throw FramingError(400, "The method is no token");
    case HttpFault::bad_target:
      throw FramingError(400, "The request target is malformed");
    case HttpFault::bad_content_length:
    case HttpFault::multiple_content_length:
    case HttpFault::bad_transfer_encoding:
      throw FramingError(400, "The length of the body is ambiguous");
    case HttpFault::bad_chunk:
    case HttpFault::bad_chunk_extension:
      throw FramingError(400, "A chunk is malformed");
    default:
      throw FramingError(400, "A header field is malformed");
  }
}

}  // namespace

RequestParser::RequestParser(std::size_t max_body, InParts in_parts) : wants_parts_(std::move(in_parts)) {
  header_limit(kMaxHead + 4);
  body_limit(max_body);
  eager(true);
}

std::size_t RequestParser::take(std::string_view bytes) {
  std::size_t used = 0;
  if (!head_done()) {
    used = take_head(bytes);
    if (!head_done() || in_parts_) return used;
  }
  if (!done() && used < bytes.size()) {
    used += put_all(bytes.substr(used));
    if (!done() && bytes.size() - used > kMaxHead) throw FramingError(400, "A chunk is malformed");
  }
  return used;
}

std::size_t RequestParser::take_head(std::string_view bytes) {
  // RFC 9112, 2.2: an empty line before the request line is skipped.
  std::size_t skipped = 0;
  while (searched_ == 0 && bytes.substr(skipped, 2) == "\r\n") skipped += 2;
  bytes.remove_prefix(skipped);
  const std::size_t end = bytes.find("\r\n\r\n", searched_);
  if (end > kMaxHead) {
    if (bytes.size() > kMaxHead) {
      throw bytes.substr(0, kMaxUri).find("\r\n") == std::string_view::npos
          ? FramingError(414, "The request target is too long")
          : FramingError(431, "The header fields are too long");
    }
    if (bytes.find("\n\n") != std::string_view::npos) throw FramingError(400, "A line must end with CR LF");
    searched_ = bytes.size() < 3 ? 0 : bytes.size() - 3;
    return skipped;
  }
  const std::string_view head = bytes.substr(0, end + 4);
  check_lines(head);
  Error error;
  put({head.data(), head.size()}, error);
  if (error && error != HttpFault::need_more) refuse(static_cast<HttpFault>(error.value()), head);
  if (!head_done()) throw FramingError(400, "The request line is malformed");
  return skipped + head.size();
}

std::size_t RequestParser::put_all(std::string_view bytes) {
  Error error;
  const std::size_t used = put({bytes.data(), bytes.size()}, error);
  if (error && error != HttpFault::need_more) refuse(static_cast<HttpFault>(error.value()), {});
  if (error && chunked() && quotes_stay_open(bytes.substr(used))) throw FramingError(400, "A chunk is malformed");
  return used;
}

void RequestParser::on_request_impl(Verb, View method, View target, int version, Error &) {
  request.method = std_view(method);
  request.target = std_view(target);
  if (request.target.size() > kMaxUri) throw FramingError(414, "The request target is too long");
  if (request.target.empty() || (request.target[0] != '/' && request.target != "*")) {
    throw FramingError(400, "The request target is malformed");
  }
  request.path = request.target.substr(0, request.target.find('?'));
  http_1_1_ = version == 11;
  in_parts_ = wants_parts_ && wants_parts_(request);
  if (in_parts_) body_limit(boost::none);
}

void RequestParser::on_response_impl(int, View, int, Error &) {}

void RequestParser::on_field_impl(Field field, View name, View value, Error &) {
  if (in_trailer_) {
    if (++fields_ > kMaxFields) throw FramingError(431, "There are too many header fields");
    return;  // a trailer is read away: what it says comes too late
  }
  ++fields_;
  const std::string_view text = trimmed(std_view(value));
  if (!header_is_clean(std_view(name), text)) throw FramingError(400, "A header field is malformed");
  if (field == Field::host) {
    if (text.find_first_of(" \t/?#@,") != std::string_view::npos) throw FramingError(400, "The Host is malformed");
    ++hosts_;
  } else if (field == Field::content_length) {
    ++lengths_;
  } else if (field == Field::transfer_encoding) {
    if (!http_1_1_) throw FramingError(400, "Transfer-Encoding needs HTTP/1.1");
    if (++codings_ > 1 || lower_case(text) != "chunked") {
      throw FramingError(501, "The transfer coding is not supported");
    }
  } else if (field == Field::expect) {
    if (lower_case(text) != "100-continue") throw FramingError(417, "The expectation cannot be met");
    expects_continue_ = http_1_1_;
  }
  request.headers.emplace(std::string(std_view(name)), std::string(text));
}

void RequestParser::on_header_impl(Error &) {
  if (hosts_ > 1 || (http_1_1_ && hosts_ == 0)) throw FramingError(400, "There must be exactly one Host header");
  if (lengths_ > 1 || (lengths_ > 0 && codings_ > 0)) throw FramingError(400, "The length of the body is ambiguous");
  keep_alive_ = http_1_1_ && boost::beast::http::basic_parser<true>::keep_alive();
  in_trailer_ = true;
  fields_ = 0;
}

void RequestParser::on_body_init_impl(const boost::optional<std::uint64_t> &, Error &) {}

std::size_t RequestParser::on_body_impl(View bytes, Error &) {
  request.body.append(bytes.data(), bytes.size());
  return bytes.size();
}

void RequestParser::on_chunk_header_impl(std::uint64_t, View extensions, Error &) {
  if (extensions.size() > kMaxChunkExtension) throw FramingError(400, "A chunk extension is too long");
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, View bytes, Error &) {
  request.body.append(bytes.data(), bytes.size());
  return bytes.size();
}

void RequestParser::on_finish_impl(Error &) {}

}  // namespace nexus::bridge::net
