// SQL functions of sql/install/11-recurrence-schedules.sql: rows of post_schedules as recurrence sets.
#include "glue/recurrence_schedules.hpp"

#include <algorithm>

namespace nexus::pg {

using recurrence::Instant;
using recurrence::LocalTime;

bool read_schedule_columns(FunctionCallInfo fcinfo, RuleCache &cache, Expansion &expansion, ScheduleEnds &ends) {
  const NullableDatum *args = fcinfo->args;
  if (args[kScheduledAt].isnull) return false;
  const Instant begin = local_time(DatumGetTimestamp(args[kScheduledAt].value), "scheduled_at");
  std::string_view recurrence = args[kRecurrence].isnull ? "none" : text_arg(fcinfo, kRecurrence);
  recurrence::Schedule &schedule = expansion.schedule;
  // A single time is an instant: no zone's clock is asked, not even where it shows the time twice.
  if (recurrence != "none" && !args[kTimezone].isnull) expansion.set_zone(cache.zone(text_arg(fcinfo, kTimezone)));
  if (recurrence == "custom") {
    if (args[kRrule].isnull) throw Error("NX010", "a custom recurrence needs an rrule").hint("Set rrule to an RRULE.");
    recurrence = text_arg(fcinfo, kRrule);
  }
  schedule.rule = cache.rule(recurrence, false);
  if (!args[kOccurrenceLimit].isnull) {
    std::int64_t limit = DatumGetInt32(args[kOccurrenceLimit].value);
    if (limit < 1) throw invalid_argument("occurrence_limit must be at least 1");
    schedule.rule.count = std::min(schedule.rule.count.value_or(limit), limit);
  }
  recurrence::WallClock clock(expansion.rules());
  schedule.dtstart = clock.local(begin);
  if (!args[kExdates].isnull) {
    // One that is no time takes nothing out; whether a row may have it is the guard's to say.
    for (Instant exdate : local_times(args[kExdates].value, nullptr)) {
      // The second of a repeated time is an instant at which nothing recurs: as wall time it would mean the first.
      LocalTime wall = clock.local(exdate);
      if (clock.resolve(wall).instant == exdate) schedule.exdates.push_back(wall);
    }
  }
  ends = {begin, recurrence::kMaxInstant};
  if (!args[kSeriesEnd].isnull) ends.last = local_time(DatumGetTimestamp(args[kSeriesEnd].value), "series_end_date");
  return true;
}

NEXUS_FUNCTION(nexus_schedule_next) {
  Expansion expansion;
  ScheduleEnds ends{};
  if (!read_schedule_columns(fcinfo, RuleCache::of(fcinfo), expansion, ends)) PG_RETURN_NULL();
  const int after = kScheduleColumns, inclusive = after + 1;
  Instant from = bound(fcinfo, after, recurrence::kMinInstant);
  if (!fcinfo->args[after].isnull && (fcinfo->args[inclusive].isnull || !DatumGetBool(fcinfo->args[inclusive].value)))
    ++from;
  expansion.open(std::max(from, ends.first), ends.last);
  std::optional<Instant> next = expansion.set->next();
  if (!next) PG_RETURN_NULL();
  PG_RETURN_TIMESTAMP(*next - kEpochShift);
}

NEXUS_FUNCTION(nexus_schedule_instants) {
  return rows_of(fcinfo, [&](Expansion &expansion, RuleCache &cache) {
    ScheduleEnds ends{};
    if (!read_schedule_columns(fcinfo, cache, expansion, ends)) return;
    // From `after` on, and before `before`: a calendar's pages neither overlap nor leave anything out.
    const int after = kScheduleColumns, before = after + 1;
    Instant from = bound(fcinfo, after, recurrence::kMinInstant), to = bound(fcinfo, before, recurrence::kMaxInstant);
    if (!fcinfo->args[before].isnull) --to;
    expansion.open(std::max(from, ends.first), std::min(to, ends.last));
  });
}

}  // namespace nexus::pg
