#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "bridge/http/script.hpp"
#include "bridge/pg/connection.hpp"

namespace nexus::bridge::pg {

/// A script on its way through the database.
struct Job {
  Script script;
  std::function<void(Outcome)> done;

  /// Of a script with streamed rows: takes the one column of a row. False when no more can be taken for now; then
  /// Executor::resume() goes on.
  std::function<bool(std::optional<std::string_view>)> on_row;
  /// The same, when no more rows have come for the moment.
  std::function<bool()> on_pause;

  Outcome outcome;
  Clock::time_point submitted, begun;  ///< begun: when the server could start on it
  int tries = 0;
  bool abandoned = false;  ///< nobody waits for it any more
  bool answered = false;   ///< the server has said something about it
  bool flowing = false;    ///< rows of it have been handed on: it cannot be run again
  bool cold = false;       ///< the connection had to prepare a statement of it first
  bool exposed = false;    ///< it stood behind one that was cancelled, and may be hit instead
  bool slow = false;       ///< counts against the lane of the slow
  bool trial = false;      ///< the one call of unknown pace beyond that lane
};
using JobPtr = std::shared_ptr<Job>;

}  // namespace nexus::bridge::pg
