#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace httplib {
struct Request;
struct Response;
}  // namespace httplib

/// The words of the tus protocol 1.0.0 for resumable uploads (tus.io): what requests say and what answers carry.
namespace nexus::bridge::tus {

constexpr const char *kVersion = "1.0.0";
constexpr const char *kExtensions = "creation,creation-with-upload,termination,checksum,expiration";
constexpr const char *kChecksums = "sha1,sha256";
constexpr const char *kBodyType = "application/offset+octet-stream";

/// A number of at most 18 digits, and nothing else.
std::optional<std::uint64_t> parse_length(std::string_view text);

/// The names of the file that Upload-Metadata tells; other keys are read over.
struct Metadata {
  std::string file_name, file_type;
};

/// Pairs of a key and a base64 text, between commas. Throws 400 HttpError.
///
///     parse_metadata("filename YS5wbmc=,filetype aW1hZ2UvcG5n").file_name == "a.png"
Metadata parse_metadata(std::string_view header);

struct Checksum {
  std::string algorithm;  ///< sha1 or sha256
  std::string digest;     ///< in bytes
};

/// "sha1 <base64>". Throws 400 HttpError for another algorithm or a digest that is none.
Checksum parse_checksum(std::string_view header);

/// The method that a request means: that of X-HTTP-Method-Override where it is a POST.
std::string method_of(const httplib::Request &request);

/// Throws 412 HttpError for another version of the protocol, or none.
void check_version(const httplib::Request &request);

/// What OPTIONS tells.
void write_options(std::uint64_t max_size, httplib::Response &response);

/// Tus-Resumable, and the names of the headers that a browser may show to a page.
void complete(const httplib::Request &request, httplib::Response &response);

/// "Thu, 01 Jan 1970 00:00:00 GMT", for Upload-Expires.
std::string http_time(std::int64_t seconds);

}  // namespace nexus::bridge::tus
