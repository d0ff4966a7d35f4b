#pragma once

#include <functional>
#include <memory>

#include "bridge/http/script.hpp"
#include "bridge/pg/connection.hpp"

namespace nexus::bridge::pg {

/// A script on its way through the database.
struct Job {
  Script script;
  std::function<void(Outcome)> done;

  Outcome outcome;
  Clock::time_point submitted, begun;  ///< begun: when the server could start on it
  int tries = 0;
  bool abandoned = false;  ///< nobody waits for it any more
  bool answered = false;   ///< the server has said something about it
  bool slow = false;       ///< counts against the lane of the slow
  bool trial = false;      ///< the one call of unknown pace beyond that lane
};
using JobPtr = std::shared_ptr<Job>;

}  // namespace nexus::bridge::pg
