// Bytes of a connection: however they are cut into pieces, the same requests come out of them, each of them such that
// nobody behind or before the bridge could read another request into it.
#include <httplib.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"
#include "bridge/net/reply.hpp"
#include "bridge/net/request_parser.hpp"
#include "bridge/net/trace.hpp"

using namespace nexus::bridge;
using namespace nexus::bridge::net;

namespace {

constexpr std::size_t kMaxBody = 1000;

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_hex(const std::string &text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// What a request says, in one text.
std::string check(const RequestParser &parser) {
  const httplib::Request &request = parser.request;
  require(header_is_clean(request.method, request.target) && !request.target.empty());
  require(request.target.size() <= kMaxUri && request.body.size() <= kMaxBody);
  require(request.headers.size() <= kMaxFields);
  require(request.get_header_value_count("Host") <= 1);
  require(!parser.http_1_1() || request.has_header("Host"));
  const bool chunked = request.has_header("Transfer-Encoding");
  require(request.get_header_value_count("Content-Length") + (chunked ? 1 : 0) <= 1);
  if (!chunked) {
    const auto length = whole_number(request.get_header_value("Content-Length"));
    require(request.body.size() == static_cast<std::size_t>(length.value_or(0)));
  }
  std::string text = request.method + ' ' + request.target + (parser.keep_alive() ? " keep" : " close");
  for (const auto &[name, value] : request.headers) {
    require(header_is_clean(name, value));
    text += '\n' + lower_case(name) + ':' + value;
  }
  const Trace trace = trace_of(request);
  require(is_hex(trace.trace_id, 32) && is_hex(trace.span_id, 16) && is_hex(trace.flags, 2));
  require(trace.parent_id.empty() || is_hex(trace.parent_id, 16));
  httplib::Response response;
  response.status = 200;
  response.headers.emplace("X-Request-Id", trace.request_id);
  const std::string head = head_of(request, response, !parser.keep_alive());
  require(head.find("\r\n\r\n") == head.size() - 4);
  return text + "\n\n" + request.body;
}

// The requests that a connection reads, as its session does it, and the status that ends it.
std::vector<std::string> requests_of(std::string_view bytes, const std::vector<std::size_t> &pieces) {
  std::vector<std::string> requests;
  std::string buffer;
  RequestParser parser(kMaxBody);
  std::size_t at = 0, piece = 0;
  try {
    while (at < bytes.size()) {
      const std::size_t size = pieces.empty() ? bytes.size() : pieces[piece++ % pieces.size()];
      buffer += bytes.substr(at, size);
      at += size;
      while (!buffer.empty()) {
        const std::size_t before = buffer.size(), used = parser.take(buffer);
        require(used <= before);
        buffer.erase(0, used);
        if (parser.done()) {
          requests.push_back(check(parser));
          if (!parser.keep_alive()) return requests;
          std::destroy_at(&parser);
          std::construct_at(&parser, kMaxBody);
        } else if (used == 0) {
          break;
        }
      }
    }
  } catch (const FramingError &error) {
    require(error.status >= 400 && error.status <= 505);
    requests.push_back(std::to_string(error.status));
  }
  return requests;
}

}  // namespace

// The first bytes say how the others are cut.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::vector<std::size_t> pieces;
  std::size_t at = 0;
  for (std::size_t i = 0; i < 3 && at < size; ++i) pieces.push_back(std::size_t{1} + data[at++] % 64);
  const std::string_view bytes(reinterpret_cast<const char *>(data) + at, size - at);
  const auto whole = requests_of(bytes, {});
  const auto cut = requests_of(bytes, pieces);
  require(whole.size() == cut.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    // Which of several faults is found first may depend on what is there.
    if (i + 1 == whole.size() && whole[i].size() == 3 && cut[i].size() == 3) break;
    require(whole[i] == cut[i]);
  }
  return 0;
}
