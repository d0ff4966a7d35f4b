#include "bridge/http/conditional.hpp"

#include <httplib.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <string>

#include "bridge/auth/base64.hpp"
#include "bridge/http/plan.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

constexpr std::size_t kTagBytes = 16;

// A tag says that the bytes are the same, and that they mean the same.
std::string tag_of(const httplib::Response &response) {
  std::array<unsigned char, kTagBytes> digest{};
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, digest.size());
  for (const std::string &part : {response.get_header_value("Content-Type") + "\n",
                                  response.get_header_value("Content-Range") + "\n", response.body}) {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char *>(part.data()), part.size());
  }
  crypto_generichash_final(&state, digest.data(), digest.size());
  return '"' + base64url_encoded({reinterpret_cast<const char *>(digest.data()), digest.size()}) + '"';
}

// RFC 9110, 13.1.2: tags are compared weakly.
bool is_known(const httplib::Request &request, std::string tag) {
  if (tag.compare(0, 2, "W/") == 0) tag.erase(0, 2);
  const auto known = split_trimmed(joined(header_values(request, "If-None-Match"), ","), ',');
  return std::any_of(known.begin(), known.end(), [&](const std::string &one) {
    return one == "*" || one == tag || (one.compare(0, 2, "W/") == 0 && one.compare(2, std::string::npos, tag) == 0);
  });
}

}  // namespace

void answer_conditionally(const httplib::Request &request, httplib::Response &response) {
  if ((request.method != "GET" && request.method != "HEAD") || response.status != 200) return;
  if (!response.has_header("ETag")) response.set_header("ETag", tag_of(response));
  if (!response.has_header("Cache-Control")) {
    response.set_header("Cache-Control", request.has_header("Authorization") ? "private, no-cache" : "no-cache");
  }
  if (!is_known(request, response.get_header_value("ETag"))) return;
  response.status = 304;
  response.body.clear();
  response.headers.erase("Content-Type");
  response.headers.erase("Content-Range");
}

}  // namespace nexus::bridge
