#pragma once

#include "bridge/http/answer.hpp"
#include "bridge/http/plan.hpp"

namespace httplib {
struct Response;
}

namespace nexus::bridge {

/// A request that is more than one call of a function: what it waits for in turn. Nothing here touches the database;
/// only work() takes time.
///
///     while (flow.wait() != Flow::Wait::kNothing)
///       flow.wait() == Flow::Wait::kQuery ? flow.take_result(run(flow.query())) : flow.work();
///     flow.write(response);
class Flow {
 public:
  enum class Wait {
    kQuery,     ///< run query(), its result goes to take_result()
    kPassword,  ///< work(): about 70 ms of one processor
    kProvider,  ///< work(): a request to somebody else's server
    kNothing
  };

  virtual ~Flow() = default;

  Wait wait() const { return wait_; }
  const Plan &query() const { return query_; }
  virtual void take_result(const CallResult &result) = 0;

  /// Throws HttpError.
  virtual void work() = 0;
  virtual void write(httplib::Response &response) const = 0;

 protected:
  Wait wait_ = Wait::kQuery;
  Plan query_;
};

}  // namespace nexus::bridge
