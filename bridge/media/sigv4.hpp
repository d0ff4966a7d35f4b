#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nexus::media {

/// SHA-256 in hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

/// Every byte but letters, digits and -._~ as %XX; '/' stays where `keep_slash` is true.
///
///     uri_encoded("a b/c", true) == "a%20b/c"
std::string uri_encoded(std::string_view text, bool keep_slash);

/// A request as AWS Signature Version 4 sees it.
struct SignedRequest {
  std::string method = "GET";
  std::string path = "/";                                    ///< encoded
  std::vector<std::pair<std::string, std::string>> query;    ///< not encoded
  std::vector<std::pair<std::string, std::string>> headers;  ///< host and all that is signed, names in lower case
  std::string payload_hash;                                  ///< sha256_hex() of the body
};

struct Signer {
  std::string access_key, secret_key, region, service = "s3";

  /// The Authorization header of a request at `time`, as 20130524T000000Z, which is its x-amz-date header too.
  ///
  ///     request.headers.emplace_back("authorization", signer.authorization(request, time));
  std::string authorization(const SignedRequest &request, const std::string &time) const;
};

/// The query as it stands in the target: names in order, both sides encoded.
std::string query_string(std::vector<std::pair<std::string, std::string>> query);

}  // namespace nexus::media
