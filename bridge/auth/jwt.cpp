#include "bridge/auth/jwt.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "bridge/auth/token_cache.hpp"
#include "bridge/http/error.hpp"
#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

constexpr std::int64_t kClockSkew = 30;

HttpError refused(const char *code, std::string message) {
  std::string challenge = "Bearer error=\"invalid_token\", error_description=\"" + message + "\"";
  return HttpError(401, code, std::move(message)).with_header("WWW-Authenticate", std::move(challenge));
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

// A claim that counts seconds, whole or not.
std::optional<double> time_claim(const nlohmann::json &claims, const char *name) {
  auto found = claims.find(name);
  if (found == claims.end() || found->is_null()) return std::nullopt;
  if (!found->is_number()) throw refused("PGRST303", "The JWT '" + std::string(name) + "' claim must be a number");
  return found->get<double>();
}

TokenTimes times_of(const nlohmann::json &claims) {
  TokenTimes times;
  times.expires = time_claim(claims, "exp");
  times.not_before = time_claim(claims, "nbf");
  times.issued = time_claim(claims, "iat");
  return times;
}

void check_times(const TokenTimes &times, std::int64_t now) {
  const auto seconds = static_cast<double>(now);
  if (times.expires && seconds - kClockSkew > *times.expires) throw refused("PGRST303", "JWT expired");
  if (times.not_before && seconds + kClockSkew < *times.not_before) throw refused("PGRST303", "JWT not yet valid");
  if (times.issued && seconds + kClockSkew < *times.issued) throw refused("PGRST303", "JWT issued at future");
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

// What the token's header asks for. RFC 7515, 4.1.11: extensions that are marked as critical must be understood.
Algorithm algorithm_of(const nlohmann::json &header) {
  const auto found = header.find("alg");
  const std::string name = found != header.end() && found->is_string() ? found->get<std::string>() : "";
  if (!header.contains("crit")) {
    if (name == "HS256") return Algorithm::kHs256;
    if (name == "RS256") return Algorithm::kRs256;
    if (name == "ES256") return Algorithm::kEs256;
  }
  throw refused("PGRST301", "Wrong or unsupported encoding algorithm");
}

bool any_verifies(const std::vector<Key> &keys, Algorithm algorithm, const nlohmann::json &header,
                  std::string_view text, const std::string &signature) {
  const auto found = header.find("kid");
  const std::string id = found != header.end() && found->is_string() ? found->get<std::string>() : "";
  return std::any_of(keys.begin(), keys.end(), [&](const Key &key) {
    const bool meant = key.algorithm == algorithm && (id.empty() || key.id.empty() || key.id == id);
    return meant && verifies(key, text, signature);
  });
}

}  // namespace

Authenticator::Authenticator(const std::string &secret, std::string audience, std::string anonymous_role,
                             std::string_view role_claim, std::size_t cached)
    : keys_(secret.empty() ? std::vector<Key>() : parse_keys(secret)),
      audience_(std::move(audience)),
      anonymous_role_(std::move(anonymous_role)),
      role_claim_(role_claim),
      cache_(std::make_unique<TokenCache>(cached)) {}

Authenticator::~Authenticator() = default;

Identity Authenticator::authenticate(const std::string *authorization, std::int64_t now) const {
  if (authorization == nullptr) return anonymous();
  const std::string_view header = trimmed(*authorization);
  const std::size_t blank = header.find(' ');
  if (lower_case(header.substr(0, blank)) != "bearer") return anonymous();
  const std::string_view token = blank == std::string_view::npos ? "" : trimmed(header.substr(blank));
  if (sessions_ != nullptr && SessionKeys::is_token(token)) return session(token);
  return verified(token, now);
}

void Authenticator::take_sessions(const SessionKeys &keys, std::string role) {
  sessions_ = keys.empty() ? nullptr : &keys;
  session_role_ = std::move(role);
}

Identity Authenticator::session(std::string_view token) const {
  std::string id = sessions_->id_of(token);
  if (id.empty()) throw refused("PGRST303", "The session is unknown or has ended");
  return {session_role_, false, "", std::move(id)};
}

Identity Authenticator::anonymous() const {
  if (anonymous_role_.empty()) {
    throw HttpError(401, "PGRST302", "Anonymous access is disabled").with_header("WWW-Authenticate", "Bearer");
  }
  return {anonymous_role_, true, json_object({{"role", anonymous_role_}}), ""};
}

Identity Authenticator::verified(std::string_view token, std::int64_t now) const {
  if (keys_.empty()) throw HttpError(500, "PGRST300", "Server lacks JWT secret");
  if (token.empty()) throw refused("PGRST301", "Empty JWT is sent in Authorization header");
  if (const auto known = cache_->find(token)) {
    check_times(known->times, now);
    return known->identity;
  }
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
  const std::string_view signed_text = token.substr(0, parts[0].size() + 1 + parts[1].size());
  if (!any_verifies(keys_, algorithm_of(*header), *header, signed_text, *signature)) {
    throw refused("PGRST301", "No suitable key or wrong key type")
        .with_details("None of the keys was able to decode the JWT");
  }
  auto claims = parse_json(*payload_text);
  if (!claims || !claims->is_object()) throw refused("PGRST301", "JWT cryptographic operation failed");
  const TokenTimes times = times_of(*claims);
  check_times(times, now);
  check_audience(*claims, audience_);
  Identity identity = identity_of(std::move(*claims));
  cache_->keep(token, {times, identity});
  return identity;
}

Identity Authenticator::identity_of(nlohmann::json claims) const {
  const nlohmann::json *role = role_claim_.find(claims);
  if (role == nullptr) {
    Identity identity = anonymous();
    claims["role"] = identity.role;
    return {identity.role, true, claims.dump(), ""};
  }
  if (!role->is_string()) throw refused("PGRST303", "The JWT 'role' claim must be a string");
  const std::string name = role->get<std::string>();
  claims["role"] = name;  // wherever it stood
  const auto subject = claims.find("sub");
  return {name, false, claims.dump(), "",
          subject != claims.end() && subject->is_string() ? subject->get<std::string>() : std::string()};
}

}  // namespace nexus::bridge
