#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bridge/http/answer.hpp"
#include "bridge/http/error.hpp"
#include "bridge/http/plan.hpp"

namespace nexus::bridge {

/// One row of an answer; SQL null is nothing.
using Row = std::vector<std::optional<std::string>>;

/// One statement, where a failure of it belongs, and whether its rows are of interest.
struct Stage {
  Statement statement;
  Step step = Step::kCall;
  bool wanted = false;
  bool streamed = false;  ///< its rows are handed on one by one
};

/// A whole transaction as it goes to the server in one round trip, up to one Sync. The first statement that fails
/// keeps the later ones from running.
struct Script {
  std::vector<Stage> stages;
  bool read_only = false;
  bool implicit_transaction = false;         ///< without BEGIN and COMMIT: an error leaves nothing open
  bool streamed = false;                     ///< one of its stages is
  std::chrono::milliseconds timeout{30000};  ///< what one statement may take
  std::string lane;                          ///< what is called: calls of one lane take about equally long
  bool for_replica = false;                  ///< a replica may run it
  std::optional<std::uint64_t> since;        ///< a replica only once it has replayed the log that far
};

/// What became of a script: the rows of its wanted stages as far as they ran, and what went wrong.
struct Outcome {
  std::vector<std::vector<Row>> rows;
  std::optional<DatabaseError> error;
  std::optional<HttpError> unavailable;  ///< it may not have reached the server
};

/// The transaction of a plan: BEGIN, context, [time zone], [pre-request], call, [check], COMMIT or ROLLBACK, where it
/// is no implicit one; of a batch all its calls, each with its check. A check fails where write_answer() would refuse
/// the result, so that what is refused is not committed.
Script script_of(Plan &plan);

/// The results of the calls of script_of(), as far as they ran. Throws HttpError.
CallResult result_of(std::vector<std::vector<Row>> answers);

}  // namespace nexus::bridge
