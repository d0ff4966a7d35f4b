#include "bridge/media/sigv4.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

namespace nexus::media {
namespace {

constexpr std::size_t kDigest = 32;

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string hmac(std::string_view key, std::string_view text) {
  std::string digest(kDigest, '\0');
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char *>(text.data()),
       text.size(), reinterpret_cast<unsigned char *>(digest.data()), &size);
  return digest;
}

// The names of signed headers, and the headers as they are signed.
std::pair<std::string, std::string> signed_headers(std::vector<std::pair<std::string, std::string>> headers) {
  std::sort(headers.begin(), headers.end());
  std::pair<std::string, std::string> result;
  for (const auto &[name, value] : headers) {
    if (!result.first.empty()) result.first += ';';
    result.first += name;
    result.second.append(name).append(":").append(value).append("\n");
  }
  return result;
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return hex({reinterpret_cast<const char *>(digest.data()), size});
}

std::string uri_encoded(std::string_view text, bool keep_slash) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash);
    if (plain) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kDigits[byte >> 4];
      encoded += kDigits[byte & 15];
    }
  }
  return encoded;
}

std::string query_string(std::vector<std::pair<std::string, std::string>> query) {
  for (auto &[name, value] : query) {
    name = uri_encoded(name, false);
    value = uri_encoded(value, false);
  }
  std::sort(query.begin(), query.end());
  std::string text;
  for (const auto &[name, value] : query) {
    if (!text.empty()) text += '&';
    text.append(name).append("=").append(value);
  }
  return text;
}

std::string Signer::authorization(const SignedRequest &request, const std::string &time) const {
  const auto [names, headers] = signed_headers(request.headers);
  const std::string canonical = request.method + "\n" + request.path + "\n" + query_string(request.query) + "\n" +
                                headers + "\n" + names + "\n" + request.payload_hash;
  const std::string day = time.substr(0, 8);
  const std::string scope = day + "/" + region + "/" + service + "/aws4_request";
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + sha256_hex(canonical);
  const std::string key = hmac(hmac(hmac(hmac("AWS4" + secret_key, day), region), service), "aws4_request");
  return "AWS4-HMAC-SHA256 Credential=" + access_key + "/" + scope + ", SignedHeaders=" + names +
         ", Signature=" + hex(hmac(key, to_sign));
}

}  // namespace nexus::media
