#include "bridge/media/tus.hpp"

#include <httplib.h>

#include <array>
#include <ctime>

#include "bridge/auth/base64.hpp"
#include "bridge/http/error.hpp"
#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge::tus {
namespace {

constexpr std::size_t kMaxDigits = 18, kSha1 = 20, kSha256 = 32;
constexpr const char *kExpose = "Access-Control-Expose-Headers";
constexpr const char *kExposed =
    ", Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, "
    "Upload-Expires, Upload-Metadata, X-Request-Id, Content-Length, Accept-Ranges, ETag";

HttpError bad(const std::string &message) {
  return {400, "TUS400", message};
}

}  // namespace

std::optional<std::uint64_t> parse_length(std::string_view text) {
  if (text.empty() || text.size() > kMaxDigits) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

Metadata parse_metadata(std::string_view header) {
  Metadata metadata;
  for (const auto &pair : split_trimmed(header, ',')) {
    const std::size_t blank = pair.find(' ');
    const std::string key = pair.substr(0, blank);
    const auto value = blank == std::string::npos ? std::string() : base64_decoded(trimmed(pair.substr(blank + 1)));
    if (key.empty() || !value) throw bad("Upload-Metadata is no list of keys with values in base64");
    std::string *place = key == "filename" || key == "name"   ? &metadata.file_name
                         : key == "filetype" || key == "type" ? &metadata.file_type
                                                              : nullptr;
    if (place == nullptr) continue;
    if (!is_utf8(*value) || value->find('\0') != std::string::npos)
      throw bad("Upload-Metadata holds text that is not UTF-8");
    if (place->empty()) *place = *value;
  }
  return metadata;
}

Checksum parse_checksum(std::string_view header) {
  const std::size_t blank = header.find(' ');
  Checksum checksum;
  checksum.algorithm = lower_case(header.substr(0, blank));
  const std::size_t size = checksum.algorithm == "sha1" ? kSha1 : checksum.algorithm == "sha256" ? kSha256 : 0;
  if (size == 0) throw bad("Upload-Checksum must be of sha1 or sha256");
  const auto digest =
      blank == std::string_view::npos ? std::nullopt : base64_decoded(trimmed(header.substr(blank + 1)));
  if (!digest || digest->size() != size) throw bad("Upload-Checksum is no digest in base64");
  checksum.digest = *digest;
  return checksum;
}

std::string method_of(const httplib::Request &request) {
  const std::string other = request.get_header_value("X-HTTP-Method-Override");
  return request.method == "POST" && !other.empty() ? other : request.method;
}

void check_version(const httplib::Request &request) {
  if (request.get_header_value("Tus-Resumable") == kVersion) return;
  throw HttpError(412, "TUS412", "The header Tus-Resumable must be 1.0.0").with_header("Tus-Version", kVersion);
}

void write_options(std::uint64_t max_size, httplib::Response &response) {
  response.status = 204;
  response.set_header("Tus-Version", kVersion);
  response.set_header("Tus-Extension", kExtensions);
  response.set_header("Tus-Checksum-Algorithm", kChecksums);
  response.set_header("Tus-Max-Size", std::to_string(max_size));
}

void complete(const httplib::Request &request, httplib::Response &response) {
  if (!response.has_header("Tus-Resumable")) response.set_header("Tus-Resumable", kVersion);
  if (!request.has_header("Origin") || !response.has_header(kExpose)) return;
  const std::string exposed = response.get_header_value(kExpose) + kExposed;
  response.headers.erase(kExpose);
  response.set_header(kExpose, exposed);
}

std::string http_time(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text.data();
}

}  // namespace nexus::bridge::tus
