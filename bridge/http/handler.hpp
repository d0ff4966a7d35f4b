#pragma once

#include <atomic>
#include <chrono>

#include "bridge/auth/jwt.hpp"
#include "bridge/config/settings.hpp"
#include "bridge/http/answer.hpp"
#include "bridge/http/plan.hpp"
#include "bridge/http/script.hpp"

namespace httplib {
struct Request;
struct Response;
}  // namespace httplib

namespace nexus::bridge {

/// What the handlers ask about the database; the tests have one that is none.
class Database {
 public:
  virtual ~Database() = default;

  /// The current picture of the schemas, null while there is none.
  virtual CataloguePtr catalogue() const = 0;

  /// Whether requests can be served now.
  virtual bool ready() const = 0;
};

/// What a request waits for.
enum class Next {
  kAnswered,        ///< nothing: the response is complete
  kCall,            ///< run call.script, then finish()
  kNewerCatalogue,  ///< the function may be younger than the picture of the schemas: begin() again with a newer one
  kEvents,          ///< the stream of the user's notifications
};

/// A request between begin() and finish().
struct Call {
  Plan plan;
  Script script;
  std::chrono::steady_clock::time_point start, authenticated, planned;
};

/// Answers requests: the whole dialect, in terms of cpp-httplib's Request and Response, as pure functions before and
/// after the database. Never waits. Thread safe.
class Handler {
 public:
  Handler(const Settings &settings, const Authenticator &authenticator, const Database &database)
      : settings_(settings), authenticator_(authenticator), database_(database) {}

  /// Takes a request of the public port (/rpc/NAME, /events, /, /live, /ready) as far as it goes without the database.
  /// `newest`: there is no newer picture of the schemas to ask for.
  Next begin(const httplib::Request &request, httplib::Response &response, Call &call, bool newest) const;

  /// Makes the answer from what became of call.script.
  void finish(const httplib::Request &request, httplib::Response &response, const Call &call, Outcome outcome) const;

  /// Makes an error the answer.
  void fail(const httplib::Request &request, httplib::Response &response, const HttpError &error) const;

  /// /live and /ready, on both ports; false for any other path.
  bool health(const httplib::Request &request, httplib::Response &response, const std::string &path) const;

  /// From now on /ready answers 503, so that no new work is sent here.
  void drain() { draining_ = true; }

 private:
  Next route(const httplib::Request &request, httplib::Response &response, Call &call, bool newest) const;
  Next plan(const httplib::Request &request, Call &call, const std::string &name, bool newest) const;
  Identity identify(const httplib::Request &request) const;
  CataloguePtr catalogue() const;
  void options(const httplib::Request &request, httplib::Response &response, const std::string &name) const;
  void add_common_headers(const httplib::Request &request, httplib::Response &response) const;

  const Settings &settings_;
  const Authenticator &authenticator_;
  const Database &database_;
  std::atomic<bool> draining_{false};
};

}  // namespace nexus::bridge
