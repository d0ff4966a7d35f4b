// What the SQL functions of recurrence share: arguments as the core takes them, and rules parsed once per call site.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/recurrence/occurrences.hpp"
#include "glue/datum.hpp"
#include "glue/memory.hpp"
#include "glue/timezone.hpp"

namespace nexus::pg {

/// From PostgreSQL's epoch, 2000-01-01, to the core's, 1970-01-01.
inline constexpr std::int64_t kEpochShift = INT64CONST(946684800) * 1000000;

/// A timestamp argument; 22008 outside the years 1 to 9999.
recurrence::LocalTime local_time(Timestamp value, const char *argument);
/// The same for the elements of a timestamp[]; 22004 for a NULL among them. Without `argument` such elements are left
/// out.
std::vector<recurrence::LocalTime> local_times(Datum array, const char *argument);

/// Rules and zones that this call site of a function has seen, in its FmgrInfo: a query over many rows parses each rule
/// once. Two texts that fall on one place take turns.
class RuleCache {
 public:
  /// The cache of this call site; where the caller keeps none (the planner), one that lives for the call.
  static RuleCache &of(FunctionCallInfo fcinfo);

  /// NX010 or 0A000 as recurrence::parse_rule; with nexus.rrule_strict also for an UNTIL of the wrong form.
  const recurrence::Rule &rule(std::string_view text, bool floating);
  pg_tz *zone(std::string_view name);

 private:
  struct ParsedRule {
    std::string text;
    recurrence::Rule rule;
  };
  struct FoundZone {
    std::string name;
    pg_tz *zone = nullptr;
  };
  std::array<std::unique_ptr<ParsedRule>, 64> rules_;
  std::array<FoundZone, 16> zones_;
};

/// A schedule being expanded. It refers to itself: it stays where it was made.
struct Expansion {
  Expansion() = default;
  Expansion(const Expansion &) = delete;
  Expansion &operator=(const Expansion &) = delete;

  recurrence::Schedule schedule;
  ServerZone zone{nullptr};
  bool has_zone = false;
  std::optional<recurrence::Occurrences> set;
  std::int64_t left = PG_INT64_MAX;  // of max_count
  std::int64_t returned = 0;

  const recurrence::Zone *rules() const { return has_zone ? &zone : nullptr; }
  void set_zone(pg_tz *found);
  /// Opens the set between two instants, both included.
  void open(recurrence::Instant from, recurrence::Instant to);
};

/// A bound as an instant of the core; NULL is `open`, the infinities are the ends of time.
recurrence::Instant bound(FunctionCallInfo fcinfo, int index, recurrence::Instant open);

/// NX011.
Error too_many_occurrences(const char *remedy);

/// The set-returning functions: one row a call, so that LIMIT ends the expansion early. `state` is the fn_extra of such
/// a function.
struct RowState {
  RuleCache cache;
  std::optional<Expansion> expansion;
};
RowState &row_state(FunctionCallInfo fcinfo);
/// Called when the expansion has just been made: forgets it when the query ends or starts over.
void begin_rows(FunctionCallInfo fcinfo, RowState &state);
/// The next instant as a timestamp or timestamptz, or the end of the set.
Datum next_row(FunctionCallInfo fcinfo, RowState &state);

/// The rows of a set-returning function; `open` fills the expansion at the first of them.
template <class Open>
Datum rows_of(FunctionCallInfo fcinfo, Open &&open) {
  RowState &state = row_state(fcinfo);
  try {
    if (!state.expansion) {
      open(state.expansion.emplace(), state.cache);
      begin_rows(fcinfo, state);
    }
    return next_row(fcinfo, state);
  } catch (...) {
    state.expansion.reset();
    throw;
  }
}

}  // namespace nexus::pg
