#include "bridge/publisher/oauth.hpp"

#include <openssl/sha.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <ctime>

#include "bridge/auth/base64.hpp"

namespace nexus::publisher {
namespace {

using Form = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kLargestAnswer = 65536, kLongestToken = 16384, kLongestScope = 4096, kLongestName = 255;
constexpr double kLongestLife = 10.0 * 366 * 86400;

std::string form_of(const Form &form) {
  std::string text;
  for (const auto &[name, value] : form) {
    if (!text.empty()) text += '&';
    text.append(percent_encoded(name)).append("=").append(percent_encoded(value));
  }
  return text;
}

std::vector<std::string> words_of(const Json &row, const char *name) {
  std::vector<std::string> words;
  const Json list = row.value(name, Json());
  if (!list.is_array()) return words;
  for (const Json &word : list) {
    if (word.is_string()) words.push_back(word.get<std::string>());
  }
  return words;
}

double now() {
  return static_cast<double>(std::time(nullptr));
}

Failure at_fault(const std::string &code, const std::string &message, int status) {
  return {"invalid", code, message, status, std::nullopt};
}

// Of the errors that RFC 6749, 6750, 7009 and OpenID Connect know; whatever else stands there may hold anything.
std::string known_error(const Json &body) {
  static constexpr std::array kKnown{
      "invalid_request",        "invalid_client",          "invalid_grant", "unauthorized_client",
      "unsupported_grant_type", "invalid_scope",           "access_denied", "unsupported_response_type",
      "server_error",           "temporarily_unavailable", "invalid_token", "unsupported_token_type",
      "insufficient_scope"};
  const std::string error = text_of(body, "error");
  return std::find(kKnown.begin(), kKnown.end(), error) == kKnown.end() ? "" : error;
}

// Why there is no good answer, without anything that the provider wrote.
Failure failure_of(const Exchange &exchange, double when) {
  if (exchange.state != Exchange::State::kAnswered) {
    Failure failure = failed_before(exchange).failure;
    failure.message = "the provider: " + failure.message;
    return failure;
  }
  const std::string error = known_error(parse_json(exchange.body));
  Failure failure{"invalid", error.empty() ? "http_" + std::to_string(exchange.status) : error,
                  "the provider answers HTTP " + std::to_string(exchange.status) + (error.empty() ? "" : ", " + error),
                  exchange.status, std::nullopt};
  if (exchange.status == 429) {
    failure.type = "rate_limited";
    failure.retry_after = retry_after(exchange, when);
  } else if (exchange.status >= 500 || exchange.status == 408 || error == "server_error" ||
             error == "temporarily_unavailable") {
    failure.type = "transient";
  } else if (error == "invalid_grant") {
    failure.type = "auth";
  }
  return failure;
}

// VSCHAR of RFC 6749, appendix A
bool is_token(const std::string &text) {
  return !text.empty() && text.size() <= kLongestToken &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// When something ends that lasts `seconds`, written as a number or as its text; nothing where that is no sensible time.
std::optional<double> end_of(const Json &seconds, double when) {
  double life = -1;
  if (seconds.is_number()) life = seconds.get<double>();
  if (seconds.is_string()) {
    const std::string text = seconds.get<std::string>();
    char *end = nullptr;
    life = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') return std::nullopt;
  }
  if (!std::isfinite(life) || life < 0 || life > kLongestLife) return std::nullopt;
  return when + life;
}

std::string text_at(const Json &body, const std::vector<std::string> &path) {
  const Json *place = &body;
  for (const std::string &name : path) {
    const auto found = place->is_object() ? place->find(name) : place->end();
    if (!place->is_object() || found == place->end()) return "";
    place = &*found;
  }
  std::string text;
  if (place->is_string()) text = place->get<std::string>();
  if (place->is_number_integer()) text = place->dump();
  const bool clean = text.size() <= kLongestName && std::none_of(text.begin(), text.end(), [](char c) {
                       return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
                     });
  return clean ? text : "";
}

// A request to an endpoint that wants to know which client asks.
std::optional<Failure> ask(const HttpClient &http, const OAuthProvider &provider, const std::string &endpoint,
                           Form form, std::chrono::milliseconds timeout, Exchange &exchange) {
  Call call;
  call.method = "POST";
  call.url = endpoint;
  call.timeout = timeout;
  call.max_response = kLargestAnswer;
  call.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
  if (provider.client_auth != "none" && provider.client_secret.empty()) {
    return Failure{"transient", "no_secret", secret_variable(provider.name) + " is not set", 0, std::nullopt};
  }
  if (provider.client_auth == "basic") {
    const std::string pair = percent_encoded(provider.client_id) + ":" + percent_encoded(provider.client_secret);
    std::string text(sodium_base64_encoded_len(pair.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char *>(pair.data()), pair.size(),
                      sodium_base64_VARIANT_ORIGINAL);
    text.pop_back();  // the NUL at its end
    call.headers.emplace_back("Authorization", "Basic " + text);
  } else {
    form.emplace_back("client_id", provider.client_id);
    if (provider.client_auth == "post") form.emplace_back("client_secret", provider.client_secret);
  }
  call.body = form_of(form);
  exchange = http.run(call);
  return std::nullopt;
}

}  // namespace

std::string secret_variable(const std::string &name) {
  std::string variable = "NEXUS_OAUTH_SECRET_";
  for (const char c : name) variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return variable;
}

OAuthProvider oauth_provider(const Json &row) {
  OAuthProvider provider;
  provider.name = text_of(row, "name");
  provider.platform = text_of(row, "platform");
  provider.instance_url = text_of(row, "instance_url");
  provider.issuer = text_of(row, "issuer");
  provider.authorization_endpoint = text_of(row, "authorization_endpoint");
  provider.token_endpoint = text_of(row, "token_endpoint");
  provider.userinfo_endpoint = text_of(row, "userinfo_endpoint");
  provider.revocation_endpoint = text_of(row, "revocation_endpoint");
  provider.client_id = text_of(row, "client_id");
  provider.client_auth = text_of(row, "client_auth");
  provider.scopes = words_of(row, "scopes");
  provider.account_id_path = words_of(row, "account_id_path");
  provider.name_path = words_of(row, "name_path");
  provider.handle_path = words_of(row, "handle_path");
  const Json parameters = row.value("parameters", Json::object());
  for (const auto &[name, value] : parameters.items()) {
    if (value.is_string()) provider.parameters.emplace_back(name, value.get<std::string>());
  }
  const char *secret = std::getenv(secret_variable(provider.name).c_str());
  if (secret != nullptr) provider.client_secret = secret;
  return provider;
}

std::string random_token() {
  std::array<char, 32> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  return bridge::base64url_encoded({bytes.data(), bytes.size()});
}

std::string token_hash(std::string_view token) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char *>(token.data()), token.size(), digest.data());
  return bridge::base64url_encoded({reinterpret_cast<const char *>(digest.data()), digest.size()});
}

std::string authorization_url(const OAuthProvider &provider, const std::string &redirect_uri, const std::string &state,
                              const std::string &verifier) {
  Form form{{"response_type", "code"}, {"client_id", provider.client_id}, {"redirect_uri", redirect_uri},
            {"state", state},          {"code_challenge_method", "S256"}, {"code_challenge", token_hash(verifier)}};
  std::string scope;
  for (const std::string &word : provider.scopes) scope += (scope.empty() ? "" : " ") + word;
  if (!scope.empty()) form.emplace_back("scope", scope);
  const std::size_t own = form.size();
  for (const auto &parameter : provider.parameters) {
    const bool taken = std::any_of(form.begin(), form.begin() + static_cast<std::ptrdiff_t>(own),
                                   [&](const auto &pair) { return pair.first == parameter.first; });
    if (!taken) form.push_back(parameter);
  }
  const std::string &endpoint = provider.authorization_endpoint;
  return endpoint + (endpoint.find('?') == std::string::npos ? '?' : '&') + form_of(form);
}

std::optional<Failure> read_grant(const Exchange &exchange, double when, Grant &grant) {
  if (!exchange.ok()) return failure_of(exchange, when);
  const auto refused = [&](const char *what) {
    return at_fault("bad_grant", std::string("the provider's answer ") + what, exchange.status);
  };
  const Json body = parse_json(exchange.body);
  if (!body.is_object()) return refused("is no JSON object");
  if (body.contains("error") && !body.contains("access_token")) {
    // Some say no with status 200.
    Exchange said = exchange;
    said.status = 400;
    return failure_of(said, when);
  }
  const std::string access = text_of(body, "access_token");
  if (!is_token(access)) return refused("holds no access token");
  const Json refresh = body.value("refresh_token", Json());
  if (!refresh.is_null() && !refresh.is_string()) return refused("holds a refresh token that is no text");
  std::string next = refresh.is_string() ? refresh.get<std::string>() : "";
  if (!next.empty() && !is_token(next)) return refused("holds no usable refresh token");
  const Json type = body.value("token_type", Json("bearer"));
  std::string word = type.is_string() ? type.get<std::string>() : "";
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (word != "bearer") return refused("holds a token of another type than bearer");
  const std::string scope = text_of(body, "scope");
  if (scope.size() > kLongestScope ||
      std::any_of(scope.begin(), scope.end(), [](char c) { return c < ' ' || c > '~'; })) {
    return refused("holds no usable scope");
  }
  grant.tokens.access_token = access;
  grant.tokens.refresh_token = std::move(next);
  grant.tokens.expires_at = end_of(body.value("expires_in", Json()), when);
  grant.refresh_expires_at =
      end_of(body.value("refresh_token_expires_in", body.value("refresh_expires_in", Json())), when);
  if (!scope.empty() && scope.find(access) == std::string::npos) grant.scope = scope;
  return std::nullopt;
}

std::optional<Failure> exchange_code(const HttpClient &http, const OAuthProvider &provider, const std::string &code,
                                     const std::string &verifier, const std::string &redirect_uri,
                                     std::chrono::milliseconds timeout, Grant &grant) {
  Exchange exchange;
  const Form form{{"grant_type", "authorization_code"},
                  {"code", code},
                  {"redirect_uri", redirect_uri},
                  {"code_verifier", verifier}};
  if (auto failure = ask(http, provider, provider.token_endpoint, form, timeout, exchange)) return failure;
  return read_grant(exchange, now(), grant);
}

std::optional<Failure> refresh_grant(const HttpClient &http, const OAuthProvider &provider,
                                     const std::string &refresh_token, std::chrono::milliseconds timeout,
                                     Grant &grant) {
  if (refresh_token.empty()) return Failure{"auth", "no_refresh", "the account has no refresh token", 0, std::nullopt};
  Exchange exchange;
  const Form form{{"grant_type", "refresh_token"}, {"refresh_token", refresh_token}};
  auto failure = ask(http, provider, provider.token_endpoint, form, timeout, exchange);
  if (!failure) failure = read_grant(exchange, now(), grant);
  // A provider that is set up wrongly says nothing about the account: somebody puts that right.
  if (failure && failure->type == "invalid") failure->type = "transient";
  return failure;
}

std::optional<Failure> read_profile(const OAuthProvider &provider, const Json &body, const std::string &access_token,
                                    Profile &profile) {
  Profile read{text_at(body, provider.account_id_path), text_at(body, provider.name_path),
               text_at(body, provider.handle_path), provider.instance_url};
  if (read.account_id.empty()) {
    return at_fault("no_account", "the provider does not say whose account it is: see account_id_path", 0);
  }
  for (const std::string *text : {&read.account_id, &read.name, &read.handle}) {
    if (text->find(access_token) != std::string::npos) {
      return at_fault("bad_profile", "the provider repeats the token in the profile", 0);
    }
  }
  profile = std::move(read);
  return std::nullopt;
}

std::optional<Failure> fetch_profile(const HttpClient &http, const OAuthProvider &provider,
                                     const std::string &access_token, std::chrono::milliseconds timeout,
                                     Profile &profile) {
  Call call;
  call.url = provider.userinfo_endpoint;
  call.timeout = timeout;
  call.headers = {{"Authorization", "Bearer " + access_token}, {"Accept", "application/json"}};
  const Exchange exchange = http.run(call);
  if (!exchange.ok()) return failure_of(exchange, now());
  return read_profile(provider, parse_json(exchange.body), access_token, profile);
}

std::optional<Failure> revoke_token(const HttpClient &http, const OAuthProvider &provider, const std::string &token,
                                    const char *hint, std::chrono::milliseconds timeout) {
  if (provider.revocation_endpoint.empty()) {
    return Failure{"invalid", "no_revocation", "the provider has no revocation endpoint", 0, std::nullopt};
  }
  Exchange exchange;
  const Form form{{"token", token}, {"token_type_hint", hint}};
  if (auto failure = ask(http, provider, provider.revocation_endpoint, form, timeout, exchange)) return failure;
  return exchange.ok() ? std::nullopt : std::optional<Failure>(failure_of(exchange, now()));
}

}  // namespace nexus::publisher
