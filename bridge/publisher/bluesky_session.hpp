#pragma once

#include "bridge/publisher/oauth.hpp"

namespace nexus::publisher {

/// Signs in at a PDS with an app password: what is kept are the session's tokens, the password is not. The profile's
/// instance_url is the PDS that the account's own document names, else `pds`. Failures: auth for a wrong password, and
/// their text never repeats what the PDS said.
std::optional<Failure> create_session(const HttpClient &http, const std::string &pds, const std::string &identifier,
                                      const std::string &password, std::chrono::milliseconds timeout, Grant &grant,
                                      Profile &profile);

/// Reads the answer to that.
std::optional<Failure> read_session(const Exchange &exchange, const std::string &pds, Grant &grant, Profile &profile);

/// Ends the session of a refresh token.
std::optional<Failure> delete_session(const HttpClient &http, const std::string &pds, const std::string &refresh_token,
                                      std::chrono::milliseconds timeout);

}  // namespace nexus::publisher
