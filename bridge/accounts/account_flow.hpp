#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bridge/accounts/account_services.hpp"
#include "bridge/http/error.hpp"
#include "bridge/http/flow.hpp"
#include "bridge/publisher/oauth.hpp"

namespace nexus::bridge {

/// A request for /accounts/connect, /accounts/app-password, /accounts/ID, /accounts/ID/disconnect or /oauth/callback on
/// its way. Codes, tokens, verifiers and passwords stay in here: the database gets hashes and sealed values.
class AccountFlow : public Flow {
 public:
  /// Throws HttpError: 400 for a bad request, 401 without a user, 404 for an unknown path, 405.
  AccountFlow(const Settings &settings, const AccountServices &services, CataloguePtr catalogue,
              const httplib::Request &request, const std::string &path, const Identity &identity);
  ~AccountFlow() override;

  void take_result(const CallResult &result) override;
  void work() override;
  void write(httplib::Response &response) const override;

 private:
  enum class Action { kConnect, kCallback, kAppPassword, kDisconnect };
  enum class Step { kWho, kBegin, kTake, kStore, kDisconnect, kNote };

  void read_path(const httplib::Request &request, const std::string &path);
  void read_callback(const httplib::Request &request);
  void read_body(const httplib::Request &request);
  void ask(Step step, const std::string &expression, std::vector<std::string> values, const Identity &identity);
  void ask_as_worker(Step step, const std::string &expression, std::vector<std::string> values);
  void go_on_as(const std::string &user_id);
  void begin_connection();
  void take_connection(const nlohmann::json &pending);
  void sign_in();
  void exchange();
  void revoke();
  void store(const std::string &platform, const publisher::Grant &grant, const publisher::Profile &profile,
             const std::vector<std::string> &scopes);
  void finish(nlohmann::json answer);
  [[noreturn]] static void refuse(const publisher::Failure &failure);

  const Settings &settings_;
  const AccountServices &services_;
  const Identity worker_;
  const std::unique_ptr<const httplib::Request> seen_;  ///< what functions may see of the request
  Action action_ = Action::kConnect;
  Step step_ = Step::kWho;
  std::string user_id_, platform_, instance_url_, account_;
  std::string identifier_, password_;
  std::string state_, browser_, verifier_, code_, said_, issuer_;
  nlohmann::json pending_, answer_;
  std::string location_, cookie_;
};

}  // namespace nexus::bridge
