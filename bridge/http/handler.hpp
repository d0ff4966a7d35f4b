#pragma once

#include <atomic>
#include <functional>

#include "bridge/auth/jwt.hpp"
#include "bridge/config/settings.hpp"
#include "bridge/http/answer.hpp"
#include "bridge/http/plan.hpp"
#include "bridge/http/rate_limit.hpp"

namespace httplib {
struct Request;
struct Response;
}  // namespace httplib

namespace nexus::bridge {

/// What the handlers need of a database; the tests have one that is none.
class Database {
 public:
  virtual ~Database() = default;

  /// The current picture of the schemas, null while there is none.
  virtual CataloguePtr catalogue() const = 0;

  /// Asks for a newer picture than `seen` and waits for it a moment; `seen` again when there is no news.
  virtual CataloguePtr newer_catalogue(const CataloguePtr &seen) = 0;

  /// Runs the plan in one transaction. `accept` sees the result before the end of the transaction; when it throws,
  /// the transaction is rolled back. Throws DatabaseError, HttpError (503, 504).
  virtual void run(const Plan &plan, const std::function<void(CallResult)> &accept) = 0;

  /// Whether requests can be served now.
  virtual bool ready() const = 0;
};

/// Answers requests: the whole dialect, in terms of cpp-httplib's Request and Response. Thread safe.
class Handler {
 public:
  Handler(const Settings &settings, const Authenticator &authenticator, const SessionKeys &session_keys,
          Database &database)
      : settings_(settings),
        authenticator_(authenticator),
        session_keys_(session_keys),
        database_(database),
        address_limit_({settings.rate_limit_address, settings.rate_limit_address_burst}),
        user_limit_({settings.rate_limit_user, settings.rate_limit_user_burst}),
        sign_in_limit_({settings.rate_limit_sign_in, settings.rate_limit_sign_in_burst}) {}

  /// The public port: /rpc/NAME, /batch, /, /docs, /auth/..., /live, /ready.
  void handle(const httplib::Request &request, httplib::Response &response);

  /// The admin port: /live, /ready.
  void handle_admin(const httplib::Request &request, httplib::Response &response);

  /// From now on /ready answers 503, so that no new work is sent here.
  void drain() { draining_ = true; }

 private:
  void route(const httplib::Request &request, httplib::Response &response);
  using Planner = std::function<Plan(const CataloguePtr &catalogue, const Identity &identity)>;
  void transact(const httplib::Request &request, httplib::Response &response, const Planner &planner);
  void authenticate(const httplib::Request &request, httplib::Response &response, const std::string &action);
  void options(const httplib::Request &request, httplib::Response &response, const std::string &name);
  bool health(const httplib::Request &request, httplib::Response &response, const std::string &path) const;
  void add_common_headers(const httplib::Request &request, httplib::Response &response) const;

  const Settings &settings_;
  const Authenticator &authenticator_;
  const SessionKeys &session_keys_;
  Database &database_;
  mutable RateLimiter address_limit_, user_limit_, sign_in_limit_;
  std::atomic<bool> draining_{false};
};

}  // namespace nexus::bridge
