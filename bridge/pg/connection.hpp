#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bridge/http/error.hpp"
#include "bridge/http/script.hpp"

namespace nexus::bridge::pg {

using Clock = std::chrono::steady_clock;

/// The connection broke, could not be made, or did not answer in time. The text names no password.
struct ConnectionLost : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The server was silent beyond the deadline.
struct NoAnswer : ConnectionLost {
  using ConnectionLost::ConnectionLost;
};

struct Finish {
  void operator()(PGconn *connection) const { PQfinish(connection); }
};

/// The error that a result reports.
DatabaseError error_of(const PGresult *result, Step step);

/// The rows of a result.
std::vector<Row> rows_of(const PGresult *result);

/// True for the states in which the server ends a session: whatever ran, the connection is gone.
bool ends_session(const std::string &sqlstate);

/// One connection to PostgreSQL. Waits on its socket, never beyond a deadline; used by one thread at a time.
class Connection {
 public:
  /// Connects or throws ConnectionLost.
  Connection(const std::string &uri, Clock::time_point deadline);

  /// Runs a single statement without parameters and gives its rows.
  std::vector<Row> query(const std::string &sql, Clock::time_point deadline);

  /// One statement of a pipeline, and where a failure of it belongs.
  struct Stage {
    const Statement *statement;
    Step step;
  };

  /// Sends all statements at once and waits for all answers: one round trip. Gives the rows of the last one. Throws
  /// DatabaseError of the statement that failed; the others after it did not run.
  std::vector<Row> pipeline(const std::vector<Stage> &stages, Clock::time_point deadline);

  /// Gives the connection away, to be used without waiting.
  std::unique_ptr<PGconn, Finish> release() { return std::move(connection_); }

  /// Notifications that arrived: channel and payload.
  std::vector<std::pair<std::string, std::string>> notifications();

  int socket() const { return PQsocket(connection_.get()); }

 private:
  struct Clear {
    void operator()(PGresult *result) const { PQclear(result); }
  };
  using Result = std::unique_ptr<PGresult, Clear>;

  Result next_result(Clock::time_point deadline);
  void flush(Clock::time_point deadline);
  void wait(short events, Clock::time_point deadline) const;
  [[noreturn]] void lost() const;

  std::unique_ptr<PGconn, Finish> connection_;
};

}  // namespace nexus::bridge::pg
