#include "bridge/net/trace.hpp"

#include <algorithm>
#include <cstdint>
#include <random>
#include <string_view>

namespace nexus::bridge::net {
namespace {

constexpr std::size_t kLongestId = 128, kLength = 55;  // of a traceparent of version 00

// Names need no secrecy, only to differ.
std::string random_hex(std::size_t words) {
  thread_local std::mt19937_64 engine{(std::uint64_t{std::random_device{}()} << 32) ^ std::random_device{}()};
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(words * 16);
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t bits = engine();
    for (int digit = 0; digit < 16; ++digit, bits >>= 4) text += kDigits[bits & 15];
  }
  return text;
}

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

bool is_harmless(const std::string &id) {
  return !id.empty() && id.size() <= kLongestId && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.~+/=:@").find(c) != std::string_view::npos;
  });
}

// version-traceid-parentid-flags; versions to come may add to it.
bool take_parent(std::string_view text, Trace &trace) {
  if (text.size() < kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const std::string_view version = text.substr(0, 2), id = text.substr(3, 32), parent = text.substr(36, 16),
                         flags = text.substr(53, 2);
  if (!is_hex(version) || version == "ff" || !is_id(id) || !is_id(parent) || !is_hex(flags)) return false;
  if (text.size() > kLength && (version == "00" || text[kLength] != '-')) return false;
  trace.trace_id = std::string(id);
  trace.parent_id = std::string(parent);
  trace.flags = std::string(flags);
  return true;
}

}  // namespace

Trace trace_of(const httplib::Request &request) {
  Trace trace;
  const bool single = request.get_header_value_count("traceparent") == 1;
  if (!single || !take_parent(request.get_header_value("traceparent"), trace)) trace.trace_id = random_hex(2);
  trace.span_id = random_hex(1);
  trace.request_id = request.get_header_value("X-Request-Id");
  if (!is_harmless(trace.request_id)) trace.request_id = random_hex(2);
  return trace;
}

}  // namespace nexus::bridge::net
