#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bridge/auth/session_keys.hpp"
#include "bridge/http/answer.hpp"
#include "bridge/http/plan.hpp"

namespace nexus::bridge {

/// A request for /auth/sign-up, sign-in, sign-out or refresh on its way: what it waits for in turn. Nothing here
/// touches a socket or the database; only run_password() takes time.
///
///     AuthFlow flow(settings, keys, catalogue, request, "sign-in");
///     while (flow.wait() != AuthFlow::Wait::kNothing)
///       flow.wait() == AuthFlow::Wait::kQuery ? flow.take_result(run(flow.query())) : flow.run_password();
///     flow.write(response);
class AuthFlow {
 public:
  enum class Wait { kQuery, kPassword, kNothing };

  /// Throws HttpError: 400 and 422 for a bad body, 401, 404 for an unknown action, 405.
  AuthFlow(const Settings &settings, const SessionKeys &keys, CataloguePtr catalogue, const httplib::Request &request,
           const std::string &action);

  Wait wait() const { return wait_; }

  /// What to run now; its result goes to take_result().
  const Plan &query() const { return query_; }
  void take_result(const CallResult &result);

  /// Hashes or verifies the password: about 70 ms of one processor. Throws 401 when it is wrong.
  void run_password();

  void write(httplib::Response &response) const;

 private:
  enum class Action { kSignUp, kSignIn, kSignOut, kRefresh };

  void read_credentials();
  void ask(const std::string &expression, std::vector<std::string> values);
  void ask_for_session();

  const Settings &settings_;
  const SessionKeys &keys_;
  const httplib::Request &request_;
  Action action_ = Action::kSignIn;
  Wait wait_ = Wait::kQuery;
  Plan query_;
  bool user_asked_ = false;  ///< the first query of a sign-in
  std::string email_, password_, first_name_, last_name_, hash_, user_id_;
  SessionToken session_;
  nlohmann::json answer_;
};

}  // namespace nexus::bridge
