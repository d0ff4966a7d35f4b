// SQL functions of sql/install/12-recurrence-icalendar.sql: iCalendar out and in, and overlaps of two schedules.
#include <string>

#include "core/recurrence/icalendar.hpp"
#include "core/recurrence/overlap.hpp"
#include "glue/recurrence_schedules.hpp"
#include "glue/settings.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/timestamp.h"
}

namespace nexus::pg {

namespace {

using recurrence::Instant;
using recurrence::LocalTime;
using recurrence::WrittenTime;

std::string optional_string(FunctionCallInfo fcinfo, int index) {
  return fcinfo->args[index].isnull ? std::string() : std::string(text_arg(fcinfo, index));
}

/// The zone of a TZID: a name of the tz database, also at the end of a longer path as some programs write it.
pg_tz *zone_of(std::string_view tzid) {
  if (pg_tz *zone = find_timezone(tzid)) return zone;
  for (std::size_t slash = tzid.find('/'); slash != std::string_view::npos; slash = tzid.find('/', slash + 1))
    if (pg_tz *zone = find_timezone(tzid.substr(slash + 1))) return zone;
  throw Error("22023",
              "ics: time zone \"" + std::string(tzid.size() <= 64 ? tzid : tzid.substr(0, 0)) + "\" is not known")
      .hint("Use a TZID of the tz database, such as America/New_York, or X-LIC-LOCATION in its VTIMEZONE.");
}

/// A written time on the wall clock of the event: `zone` null is floating, then a time in UTC is taken as it stands.
LocalTime on_clock(const WrittenTime &time, pg_tz *zone) {
  if (zone == nullptr || (time.tzid.empty() && !time.is_utc)) return time.at;
  Instant instant = time.at;
  if (!time.is_utc) {
    ServerZone own(zone_of(time.tzid));
    instant = recurrence::WallClock(&own).resolve(time.at).instant;
  }
  ServerZone target(zone);
  return recurrence::WallClock(&target).local(instant);
}

Datum timestamp_array(const std::vector<LocalTime> &times) {
  return call([&]() -> Datum {
    auto *values = static_cast<Datum *>(palloc(sizeof(Datum) * (times.size() + 1)));
    for (size_t i = 0; i < times.size(); ++i) values[i] = TimestampGetDatum(times[i] - kEpochShift);
    return PointerGetDatum(
        construct_array(values, static_cast<int>(times.size()), TIMESTAMPOID, 8, true, TYPALIGN_DOUBLE));
  });
}

std::int64_t microseconds(FunctionCallInfo fcinfo, int index, const char *name) {
  auto *interval = DatumGetIntervalP(fcinfo->args[index].value);
  constexpr std::int64_t kMostDays = 36525;
  if (interval->month != 0)
    throw invalid_argument(std::string(name) + " must not have months or years")
        .hint("Give days, hours and minutes; a day is 24 hours.");
  if (interval->day < -kMostDays || interval->day > kMostDays || interval->time > kMostDays * recurrence::kDay)
    throw invalid_argument(std::string(name) + " is longer than a hundred years");
  std::int64_t length = interval->day * recurrence::kDay + interval->time;
  if (length < 0) throw invalid_argument(std::string(name) + " must not be negative");
  return length;
}

}  // namespace

NEXUS_FUNCTION(nexus_ics_event) {
  Expansion expansion;
  ScheduleEnds ends{};
  RuleCache &cache = RuleCache::of(fcinfo);
  if (!read_schedule_columns(fcinfo, cache, expansion, ends)) PG_RETURN_NULL();
  const int stamp = kScheduleColumns;
  recurrence::EventText text{optional_string(fcinfo, stamp + 1), optional_string(fcinfo, stamp + 2),
                             optional_string(fcinfo, stamp + 3), optional_string(fcinfo, stamp + 4),
                             optional_string(fcinfo, stamp + 5), 0};
  if (fcinfo->args[stamp].isnull) refuse_null("stamp");
  text.stamp = local_time(DatumGetTimestamp(fcinfo->args[stamp].value), "stamp");
  std::string tzid =
      expansion.has_zone ? std::string(pg_get_timezone_name(cache.zone(text_arg(fcinfo, kTimezone)))) : "UTC";
  std::string event =
      recurrence::write_event(expansion.schedule, expansion.rules(), tzid, ends.last, text, interrupt());
  if (event.empty()) PG_RETURN_NULL();
  return text_datum(event);
}

NEXUS_FUNCTION(nexus_ics_timezone) {
  pg_tz *zone = require_timezone(text_arg(fcinfo, 0));
  ServerZone rules(zone);
  return text_datum(recurrence::write_timezone(pg_get_timezone_name(zone), rules,
                                               bound(fcinfo, 1, recurrence::kMinInstant),
                                               bound(fcinfo, 2, recurrence::kMaxInstant)));
}

NEXUS_FUNCTION(nexus_parse_ics) {
  Rows rows(fcinfo);
  for (const recurrence::WrittenEvent &event : recurrence::parse_icalendar(text_arg(fcinfo, 0))) {
    const WrittenTime &start = *event.dtstart;
    pg_tz *zone = start.is_utc ? require_timezone("UTC") : start.tzid.empty() ? nullptr : zone_of(start.tzid);
    auto clock_times = [zone](const std::vector<WrittenTime> &written) {
      std::vector<LocalTime> times;
      times.reserve(written.size());
      for (const WrittenTime &time : written) times.push_back(on_clock(time, zone));
      return timestamp_array(times);
    };
    auto optional_text = [](const std::string &value) {
      return value.empty() ? std::optional<Datum>() : std::optional<Datum>(text_datum(value));
    };
    if (!event.rrule.empty()) recurrence::parse_rule(event.rrule);  // refuses what cannot be expanded
    std::vector<std::string_view> exrules(event.exrules.begin(), event.exrules.end());
    for (std::string_view exrule : exrules) recurrence::parse_rule(exrule);
    std::optional<Datum> recurrence_id;
    if (event.recurrence_id) recurrence_id = TimestampGetDatum(on_clock(*event.recurrence_id, zone) - kEpochShift);
    rows.add({optional_text(event.uid), optional_text(event.summary), optional_text(event.rrule),
              TimestampGetDatum(start.at - kEpochShift),
              zone == nullptr ? std::optional<Datum>() : text_datum(pg_get_timezone_name(zone)),
              clock_times(event.rdates), clock_times(event.exdates), text_array_datum(exrules), recurrence_id});
  }
  return 0;
}

NEXUS_FUNCTION(nexus_overlaps) {
  // (rrule, dtstart, duration, other_rrule, other_dtstart, other_duration, tz, other_tz, after, before, max_count)
  Rows rows(fcinfo);
  for (int i = 0; i < 8; ++i)
    if (fcinfo->args[i].isnull) return 0;
  RuleCache cache;
  Expansion sides[2];
  recurrence::TimedSchedule timed[2];
  for (int i = 0; i < 2; ++i) {
    sides[i].set_zone(cache.zone(text_arg(fcinfo, 6 + i)));
    sides[i].schedule.rule = cache.rule(text_arg(fcinfo, 3 * i), false);
    sides[i].schedule.dtstart =
        local_time(DatumGetTimestamp(fcinfo->args[3 * i + 1].value), i == 0 ? "dtstart" : "other_dtstart");
    timed[i] = {&sides[i].schedule, sides[i].rules(),
                microseconds(fcinfo, 3 * i + 2, i == 0 ? "duration" : "other_duration")};
  }
  Instant from = bound(fcinfo, 8, recurrence::kMinInstant), to = bound(fcinfo, 9, recurrence::kMaxInstant);
  if (!fcinfo->args[9].isnull) --to;
  std::int64_t left = fcinfo->args[10].isnull ? PG_INT64_MAX : DatumGetInt32(fcinfo->args[10].value);
  if (left < 0) throw invalid_argument("max_count must not be negative");
  recurrence::Overlaps overlaps(timed[0], timed[1], from, to, max_occurrences, interrupt());
  for (std::int64_t count = 0; left > 0; --left, ++count) {
    std::optional<recurrence::Overlap> overlap = overlaps.next();
    if (!overlap) break;
    if (count == max_occurrences)
      throw too_many_occurrences("Give before or max_count, or raise nexus.max_occurrences.");
    auto instant = [](Instant at) { return std::optional<Datum>(TimestampTzGetDatum(at - kEpochShift)); };
    rows.add({instant(overlap->first), instant(overlap->second), instant(overlap->begin), instant(overlap->end)});
  }
  return 0;
}

}  // namespace nexus::pg
