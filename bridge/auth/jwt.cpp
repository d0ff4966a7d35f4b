#include "bridge/auth/jwt.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "bridge/http/error.hpp"
#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

constexpr std::int64_t kClockSkew = 30;
constexpr std::size_t kSignatureSize = 32;

HttpError refused(const char *code, std::string message) {
  std::string challenge = "Bearer error=\"invalid_token\", error_description=\"" + message + "\"";
  return HttpError(401, code, std::move(message)).with_header("WWW-Authenticate", std::move(challenge));
}

int sextet(char c, bool url_alphabet) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-' || (c == '+' && !url_alphabet)) return 62;
  if (c == '_' || (c == '/' && !url_alphabet)) return 63;
  return -1;
}

std::optional<std::string> decoded(std::string_view text, bool url_alphabet) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  unsigned buffer = 0;
  int bits = 0;
  for (char c : text) {
    const int value = sextet(c, url_alphabet);
    if (value < 0) return std::nullopt;
    buffer = (buffer << 6) | static_cast<unsigned>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>((buffer >> bits) & 0xFF);
    }
  }
  // Bits left over must be zero, or two texts would mean the same bytes.
  if ((buffer & ((1U << bits) - 1)) != 0) return std::nullopt;
  return bytes;
}

std::vector<std::string_view> split_dots(std::string_view token) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t dot = token.find('.');
    parts.push_back(token.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    token.remove_prefix(dot + 1);
  }
}

bool signature_matches(const std::string &key, std::string_view signed_text, const std::string &signature) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char *>(signed_text.data()), signed_text.size(), mac.data(),
           &size) == nullptr) {
    return false;
  }
  return size == kSignatureSize && signature.size() == size && CRYPTO_memcmp(mac.data(), signature.data(), size) == 0;
}

// A claim that counts seconds, whole or not.
std::optional<double> time_claim(const nlohmann::json &claims, const char *name) {
  auto found = claims.find(name);
  if (found == claims.end() || found->is_null()) return std::nullopt;
  if (!found->is_number()) throw refused("PGRST303", "The JWT '" + std::string(name) + "' claim must be a number");
  return found->get<double>();
}

void check_times(const nlohmann::json &claims, std::int64_t now) {
  const auto expires = time_claim(claims, "exp");
  const auto not_before = time_claim(claims, "nbf");
  const auto issued = time_claim(claims, "iat");
  const auto seconds = static_cast<double>(now);
  if (expires && seconds - kClockSkew > *expires) throw refused("PGRST303", "JWT expired");
  if (not_before && seconds + kClockSkew < *not_before) throw refused("PGRST303", "JWT not yet valid");
  if (issued && seconds + kClockSkew < *issued) throw refused("PGRST303", "JWT issued at future");
}

void check_audience(const nlohmann::json &claims, const std::string &audience) {
  auto found = claims.find("aud");
  if (found == claims.end() || found->is_null()) return;
  const bool is_list = found->is_array() && std::all_of(found->begin(), found->end(),
                                                        [](const nlohmann::json &entry) { return entry.is_string(); });
  if (!found->is_string() && !is_list) {
    throw refused("PGRST303", "The JWT 'aud' claim must be a string or an array of strings");
  }
  if (audience.empty() || (is_list && found->empty())) return;
  const bool meant = is_list ? std::find(found->begin(), found->end(), audience) != found->end() : *found == audience;
  if (!meant) throw refused("PGRST303", "JWT not in audience");
}

}  // namespace

std::optional<std::string> base64url_decoded(std::string_view text) {
  return decoded(text, true);
}

std::optional<std::string> base64_decoded(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  return decoded(text, false);
}

Identity Authenticator::authenticate(const std::string *authorization, std::int64_t now) const {
  if (authorization == nullptr) return anonymous();
  const std::string_view header = trimmed(*authorization);
  const std::size_t blank = header.find(' ');
  if (lower_case(header.substr(0, blank)) != "bearer") return anonymous();
  return verified(blank == std::string_view::npos ? "" : trimmed(header.substr(blank)), now);
}

Identity Authenticator::anonymous() const {
  if (anonymous_role_.empty()) {
    throw HttpError(401, "PGRST302", "Anonymous access is disabled").with_header("WWW-Authenticate", "Bearer");
  }
  return {anonymous_role_, true, json_object({{"role", anonymous_role_}})};
}

Identity Authenticator::verified(std::string_view token, std::int64_t now) const {
  if (secret_.empty()) throw HttpError(500, "PGRST300", "Server lacks JWT secret");
  if (token.empty()) throw refused("PGRST301", "Empty JWT is sent in Authorization header");
  const auto parts = split_dots(token);
  if (parts.size() != 3) {
    throw refused("PGRST301", "Expected 3 parts in JWT; got " + std::to_string(parts.size()));
  }
  const auto header_text = base64url_decoded(parts[0]);
  const auto payload_text = base64url_decoded(parts[1]);
  const auto signature = base64url_decoded(parts[2]);
  const auto header = header_text ? parse_json(*header_text) : std::nullopt;
  if (!header || !header->is_object() || !payload_text || !signature) {
    throw refused("PGRST301", "JWT cryptographic operation failed");
  }
  const auto algorithm = header->find("alg");
  if (algorithm == header->end() || *algorithm != "HS256" || header->contains("crit")) {
    throw refused("PGRST301", "Wrong or unsupported encoding algorithm");
  }
  const std::string_view signed_text = token.substr(0, parts[0].size() + 1 + parts[1].size());
  if (!signature_matches(secret_, signed_text, *signature)) {
    throw refused("PGRST301", "No suitable key or wrong key type")
        .with_details("None of the keys was able to decode the JWT");
  }
  auto claims = parse_json(*payload_text);
  if (!claims || !claims->is_object()) throw refused("PGRST301", "JWT cryptographic operation failed");
  check_times(*claims, now);
  check_audience(*claims, audience_);

  auto role = claims->find("role");
  if (role == claims->end() || role->is_null()) {
    Identity identity = anonymous();
    (*claims)["role"] = identity.role;
    return {identity.role, true, claims->dump()};
  }
  if (!role->is_string()) throw refused("PGRST303", "The JWT 'role' claim must be a string");
  return {role->get<std::string>(), false, claims->dump()};
}

}  // namespace nexus::bridge
