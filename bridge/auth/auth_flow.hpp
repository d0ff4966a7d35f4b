#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bridge/auth/session_keys.hpp"
#include "bridge/http/flow.hpp"

namespace nexus::bridge {

/// A request for /auth/sign-up, sign-in, sign-out or refresh on its way.
class AuthFlow : public Flow {
 public:
  /// Throws HttpError: 400 and 422 for a bad body, 401, 404 for an unknown action, 405.
  AuthFlow(const Settings &settings, const SessionKeys &keys, CataloguePtr catalogue, const httplib::Request &request,
           const std::string &action);

  void take_result(const CallResult &result) override;

  /// Hashes or verifies the password. Throws 401 when it is wrong.
  void work() override;

  void write(httplib::Response &response) const override;

 private:
  enum class Action { kSignUp, kSignIn, kSignOut, kRefresh };

  void read_credentials();
  void ask(const std::string &expression, std::vector<std::string> values);
  void ask_for_session();

  const Settings &settings_;
  const SessionKeys &keys_;
  const httplib::Request &request_;
  Action action_ = Action::kSignIn;
  bool user_asked_ = false;  ///< the first query of a sign-in
  std::string email_, password_, first_name_, last_name_, hash_, user_id_;
  SessionToken session_;
  nlohmann::json answer_;
};

}  // namespace nexus::bridge
