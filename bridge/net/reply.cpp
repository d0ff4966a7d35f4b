#include "bridge/net/reply.hpp"

#include <array>
#include <boost/beast/http/status.hpp>
#include <cstdio>
#include <ctime>

namespace nexus::bridge::net {
namespace {

// Formatted once a second.
const std::string &http_date() {
  thread_local std::time_t formatted = 0;
  thread_local std::string date;
  const std::time_t now = std::time(nullptr);
  if (now != formatted) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 40> text{};
    std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    date = text.data();
    formatted = now;
  }
  return date;
}

void add(std::string &head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

std::string start_of(const httplib::Response &response) {
  std::string head;
  head.reserve(512);
  head.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  head.append(reason_phrase(response.status)).append("\r\n");
  add(head, "Date", http_date());
  return head;
}

}  // namespace

const char *reason_phrase(int status) {
  const auto known = boost::beast::http::int_to_status(static_cast<unsigned>(status));
  // Beast's phrases are literals, so their end is marked.
  return known == boost::beast::http::status::unknown ? "Unknown" : boost::beast::http::obsolete_reason(known).data();
}

bool without_body(const httplib::Request &request, const httplib::Response &response) {
  return request.method == "HEAD" || response.status == 204 || response.status == 304;
}

std::string head_of(const httplib::Request &request, const httplib::Response &response, bool last) {
  std::string head = start_of(response);
  for (const auto &[name, value] : response.headers) {
    if (response.status == 204 && name == "Content-Type") continue;
    add(head, name, value);
  }
  if (!without_body(request, response)) add(head, "Content-Length", std::to_string(response.body.size()));
  if (last) add(head, "Connection", "close");
  return head.append("\r\n");
}

std::string stream_head_of(const httplib::Response &response, bool chunked, bool last) {
  std::string head = start_of(response);
  for (const auto &[name, value] : response.headers) add(head, name, value);
  if (chunked) add(head, "Transfer-Encoding", "chunked");
  if (last) add(head, "Connection", "close");
  return head.append("\r\n");
}

std::string chunk_of(std::string_view bytes) {
  std::array<char, 24> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
  return std::string(size.data()).append(bytes).append("\r\n");
}

}  // namespace nexus::bridge::net
