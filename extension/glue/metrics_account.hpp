// What the questions about an account share: whom they let see what.
#pragma once

#include <vector>

#include "glue/metrics_rollup_read.hpp"

namespace nexus::pg {

/// The contents of a user that the caller sees. Also asks for the right to read content_metrics (42501). Before
/// AsOwner.
std::vector<int32> visible_contents(const std::string &schema, Datum user);

/// True if `seen` contents are all that the user has. With AsOwner.
bool sees_all(const RollupReader &reader, Datum user, size_t seen);

/// True if all series of a user have their days in `zone`, and the window cuts none of them. Where hot mode has
/// something to fold, the reader has it afterwards. With AsOwner.
bool in_whole_days(RollupReader &reader, Datum user, const std::vector<int32> &contents, const std::string &zone,
                   Window window);

/// Gives what a user gained on each platform in each day of the window, as the sums over all contents say: several
/// cells for one day where hot mode has something to fold, with sign -1 for what is to be taken away.
template <class OnDay>
void read_user_days(RollupReader &reader, Datum user, metrics::LocalDays &days, Window window, OnDay &&on_day) {
  auto inside = [&days, window](std::int32_t day) {
    return days.start(day + 1) > window.after && days.start(day) < window.before;
  };
  constexpr Oid kTypes[] = {TEXTOID, DATEOID, DATEOID};
  auto bound = [&days](Timestamp at, int32 open) { return TIMESTAMP_NOT_FINITE(at) ? open : days.at(at).day; };
  Datum given[] = {user, DateADTGetDatum(bound(window.after, kAllDays.first)),
                   DateADTGetDatum(bound(window.before, kAllDays.last))};
  for_rows(reader.store().plan("SELECT platform, day, state FROM nexus.metric_user_days WHERE user_id = $1 AND day"
                               " BETWEEN $2 AND $3",
                               kTypes),
           given, true, true, [&](HeapTuple row, TupleDesc descriptor) {
             std::int32_t day = DatumGetDateADT(column(row, descriptor, 2));
             if (inside(day))
               on_day(stored_bytes(column(row, descriptor, 1)), day,
                      metrics::Cell::decode(stored_bytes(column(row, descriptor, 3))), 1);
           });
  for (const RollupReader::Series &series : reader.series())
    for (const metrics::DayChange &change : series.not_folded) {
      if (!inside(change.day)) continue;
      const std::string_view platform = series.head.key.platform;
      if (!change.before.empty()) on_day(platform, change.day, change.before.cell(), -1);
      if (!change.after.empty()) on_day(platform, change.day, change.after.cell(), 1);
    }
}

}  // namespace nexus::pg
