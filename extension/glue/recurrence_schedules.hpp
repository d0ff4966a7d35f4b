// A row of post_schedules as arguments of a SQL function.
#pragma once

#include "glue/recurrence.hpp"

namespace nexus::pg {

/// The columns in the order in which these functions take them; what else they take follows.
enum ScheduleColumn : int {
  kRecurrence,
  kRrule,
  kScheduledAt,
  kTimezone,
  kSeriesEnd,
  kExdates,
  kOccurrenceLimit,
  kScheduleColumns
};

/// Instants between which a schedule may fire, both included.
struct ScheduleEnds {
  recurrence::Instant first, last;
};

/// Fills the expansion's schedule and zone: scheduled_at, series_end_date and exdates are UTC, the rule recurs in wall
/// time of the zone, occurrence_limit bounds it as COUNT does. False where scheduled_at is NULL. NX010 and 22023 as for
/// occurrences().
bool read_schedule_columns(FunctionCallInfo fcinfo, RuleCache &cache, Expansion &expansion, ScheduleEnds &ends);

}  // namespace nexus::pg
