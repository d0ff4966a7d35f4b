#pragma once

#include "bridge/publisher/adapter.hpp"

// OAuth 2 as a client: authorization code with PKCE (RFC 6749, 7636), refreshing, revocation (RFC 7009).
namespace nexus::publisher {

/// A row of nexus.oauth_providers, and the client's secret from the environment.
struct OAuthProvider {
  std::string name, platform, instance_url, issuer;
  std::string authorization_endpoint, token_endpoint, userinfo_endpoint, revocation_endpoint;
  std::string client_id, client_secret, client_auth;  ///< client_auth: basic, post, none
  std::vector<std::string> scopes, account_id_path, name_path, handle_path;
  std::vector<std::pair<std::string, std::string>> parameters;
};

/// The variable with the secret of a provider.
///
///     secret_variable("mastodon_social") == "NEXUS_OAUTH_SECRET_MASTODON_SOCIAL"
std::string secret_variable(const std::string &name);

/// Reads a row as JSON, and the secret's variable.
OAuthProvider oauth_provider(const Json &row);

/// 32 random bytes in base64url: a state, or a verifier of PKCE.
std::string random_token();

/// SHA-256 in base64url: of a verifier it is the challenge (S256), of a state what the database knows of it.
///
///     token_hash("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
std::string token_hash(std::string_view token);

/// Where the user's browser goes. The provider's own parameters never replace those of the protocol.
std::string authorization_url(const OAuthProvider &provider, const std::string &redirect_uri, const std::string &state,
                              const std::string &verifier);

/// What a provider granted.
struct Grant {
  Tokens tokens;
  std::optional<double> refresh_expires_at;  ///< seconds since 1970
  std::optional<std::string> scope;          ///< nothing: as asked for
};

/// Reads the answer of a token endpoint (RFC 6749, 5.1 and 5.2); `now` in seconds since 1970. The failure's text names
/// errors that the standard knows and never repeats what the provider said: that may hold a token. auth: the grant is
/// no longer good; transient and rate_limited: ask again; invalid: the provider or its settings are at fault.
std::optional<Failure> read_grant(const Exchange &exchange, double now, Grant &grant);

/// Exchanges a code for tokens.
std::optional<Failure> exchange_code(const HttpClient &http, const OAuthProvider &provider, const std::string &code,
                                     const std::string &verifier, const std::string &redirect_uri,
                                     std::chrono::milliseconds timeout, Grant &grant);

/// Exchanges a refresh token for tokens.
std::optional<Failure> refresh_grant(const HttpClient &http, const OAuthProvider &provider,
                                     const std::string &refresh_token, std::chrono::milliseconds timeout, Grant &grant);

/// Whose account it is.
struct Profile {
  std::string account_id, name, handle, instance_url;
};

/// Reads a profile from the answer of a userinfo endpoint. An answer that repeats the access token is refused.
std::optional<Failure> read_profile(const OAuthProvider &provider, const Json &body, const std::string &access_token,
                                    Profile &profile);

std::optional<Failure> fetch_profile(const HttpClient &http, const OAuthProvider &provider,
                                     const std::string &access_token, std::chrono::milliseconds timeout,
                                     Profile &profile);

/// Revokes a token at the provider; a failure says why that was not possible.
std::optional<Failure> revoke_token(const HttpClient &http, const OAuthProvider &provider, const std::string &token,
                                    const char *hint, std::chrono::milliseconds timeout);

}  // namespace nexus::publisher
