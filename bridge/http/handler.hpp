#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "bridge/auth/auth_flow.hpp"
#include "bridge/http/answer.hpp"
#include "bridge/http/plan.hpp"
#include "bridge/http/policy.hpp"
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
  kPassword,        ///< work() on a thread that may use a processor, then go_on()
  kProvider,        ///< work() on a thread that may wait for somebody else's server, then go_on()
  kNewerCatalogue,  ///< the function may be younger than the picture of the schemas: begin() again with a newer one
  kEvents,          ///< the stream of the user's notifications
};

/// A request between begin() and its answer.
struct Call {
  PolicyPtr policy;  ///< that it began under
  Plan plan;
  Script script;
  std::chrono::steady_clock::time_point start, authenticated, planned;
  std::unique_ptr<Flow> flow;        ///< of a request for /auth/..., /accounts/... or /oauth/callback
  bool positioned = false;           ///< the last rows of the outcome are the position that the script asks for
  std::string position{};            ///< of the log behind what the call has written
  std::optional<HttpError> refusal;  ///< what work() found
};

/// Answers requests: the whole dialect, in terms of cpp-httplib's Request and Response, as functions before and after
/// whatever takes time. Never waits. Thread safe.
///
///     Next next = handler.begin(request, response, call, false);
///     while (next == Next::kCall) next = handler.finish(request, response, call, run(call.script));
class Handler {
 public:
  Handler(PolicyPtr policy, const Database &database) : policy_(std::move(policy)), database_(database) {}

  /// What requests are served under, and another one for those to come. Thread safe.
  PolicyPtr policy() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return policy_;
  }
  void follow(PolicyPtr policy) {
    const std::lock_guard<std::mutex> lock(mutex_);
    policy_ = std::move(policy);
  }

  /// Takes a request of the public port (/rpc/NAME, /batch, /auth/..., /accounts/..., /oauth/callback, /events,
  /// /, /docs, /live, /ready) as far as it
  /// goes at once. `again`: begin() has said kNewerCatalogue to this request before.
  Next begin(const httplib::Request &request, httplib::Response &response, Call &call, bool again) const;

  /// Goes on with what became of call.script.
  Next finish(const httplib::Request &request, httplib::Response &response, Call &call, Outcome outcome) const;

  /// The head of a stream whose rows come from call.script.
  static void write_stream_head(const httplib::Request &request, httplib::Response &response, const Call &call);

  /// Does what call.flow takes time for.
  static void work(Call &call);

  /// Goes on behind work().
  Next go_on(const httplib::Request &request, httplib::Response &response, Call &call) const;

  /// Makes an error the answer.
  void fail(const httplib::Request &request, httplib::Response &response, const HttpError &error) const;

  /// /live and /ready, on both ports; false for any other path.
  bool health(const httplib::Request &request, httplib::Response &response, const std::string &path) const;

  /// For services that answer paths of their own on the public port: the path of a request behind the configured
  /// prefix.
  static std::string path_of(const Settings &settings, const httplib::Request &request);

  /// Counts a request of an address, which may be one too many (429), and answers it where it is a preflight.
  static bool answer_early(const Policy &policy, const httplib::Request &request, httplib::Response &response);

  /// Who asks. Throws 401 and, unless `again`, 429.
  static Identity identify(const Policy &policy, const httplib::Request &request, bool again);

  /// The current picture of the schemas. Throws 503.
  CataloguePtr catalogue() const;

  /// Adds the headers that every answer has.
  static void complete(const Settings &settings, const httplib::Request &request, httplib::Response &response);

  /// From now on /ready answers 503, so that no new work is sent here.
  void drain() { draining_ = true; }

 private:
  using Planner = std::function<Plan(const CataloguePtr &catalogue, const Identity &identity)>;
  Next route(const httplib::Request &request, httplib::Response &response, Call &call, bool again) const;
  Next transact(const httplib::Request &request, Call &call, bool again, const Planner &planner) const;
  Next connect(const httplib::Request &request, Call &call, const std::string &path, bool again) const;
  Next authenticate(const httplib::Request &request, Call &call, const std::string &action) const;
  Next answer(const httplib::Request &request, httplib::Response &response, Call &call, Outcome outcome) const;
  static void write_script(const httplib::Request &request, Call &call);
  static Next advance(const httplib::Request &request, httplib::Response &response, Call &call);
  static Next next_of(const httplib::Request &request, Call &call);
  void options(const Settings &settings, const httplib::Request &request, httplib::Response &response,
               const std::string &name) const;
  static void refuse(const Settings &settings, const httplib::Request &request, httplib::Response &response,
                     const HttpError &error);

  mutable std::mutex mutex_;
  PolicyPtr policy_;
  const Database &database_;
  std::atomic<bool> draining_{false};
};

}  // namespace nexus::bridge
