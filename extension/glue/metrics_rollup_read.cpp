#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <algorithm>

#include "glue/datum.hpp"
#include "glue/metrics_rollup_read.hpp"
#include "glue/metrics_zone.hpp"

extern "C" {
#include "utils/builtins.h"
}

namespace nexus::pg {

using metrics::DayRow;
using metrics::DaySpan;
using metrics::LocalDays;

std::string author_zone(const Store &store, const std::string &user) {
  std::string zone = "UTC";
  constexpr Oid kTypes[] = {TEXTOID};
  Datum parameters[] = {
      call([&user] { return PointerGetDatum(cstring_to_text_with_len(user.data(), static_cast<int>(user.size()))); })};
  for_rows(store.plan("SELECT tz FROM nexus.metric_zones WHERE user_id = $1", kTypes), parameters, true, false,
           [&zone](HeapTuple row, TupleDesc descriptor) { zone = stored_bytes(column(row, descriptor, 1)); });
  return zone;
}

LocalDays &RollupReader::days_of(const std::string &zone) {
  auto found = zones_.find(zone);
  if (found == zones_.end()) found = zones_.emplace(zone, LocalDays(zone_rules(zone))).first;
  return found->second;
}

DaySpan RollupReader::span(LocalDays &days, Window window) {
  DaySpan span = kAllDays;
  if (!TIMESTAMP_IS_NOBEGIN(window.after))
    span.first = TIMESTAMP_IS_NOEND(window.after) ? span.last : days.at(window.after).day;
  if (!TIMESTAMP_IS_NOEND(window.before))
    span.last = TIMESTAMP_IS_NOBEGIN(window.before) ? span.first - 1 : days.at(window.before).day;
  return span;
}

void RollupReader::read(const std::string &condition, std::span<const Oid> types, const Datum *parameters,
                        const std::vector<int32> &contents, const std::string &zone, Window window, bool with_days) {
  std::vector<int32> visible = contents;
  std::sort(visible.begin(), visible.end());
  DaySpan wanted = span(days_of(zone), window);
  Column numbers(INT4OID);
  for (SeriesHead &head : store_.heads(condition, types, parameters)) {
    if (!std::binary_search(visible.begin(), visible.end(), head.key.content_id)) continue;
    if (head.zone != zone) {
      DaySpan other = span(days_of(head.zone), window);
      wanted = {std::min(wanted.first, other.first), std::max(wanted.last, other.last)};
    }
    numbers.add(Int32GetDatum(head.series));
    series_.push_back({std::move(head), {}, {}});
  }
  if (with_days && !series_.empty() && wanted.first <= wanted.last) {
    std::unordered_map<int32, size_t> places;
    for (size_t i = 0; i < series_.size(); ++i) places[series_[i].head.series] = i;
    Series *last = nullptr;
    auto on_row = [&](HeapTuple row, TupleDesc descriptor) {
      int32 number = DatumGetInt32(column(row, descriptor, 1));
      if (last == nullptr || last->head.series != number) last = &series_[places.at(number)];
      last->days.push_back({DatumGetDateADT(column(row, descriptor, 2)),
                            metrics::DayState::decode(stored_bytes(column(row, descriptor, 3)))});
    };
    Datum given[] = {series_.size() == 1 ? Int32GetDatum(series_[0].head.series) : numbers.array(),
                     DateADTGetDatum(wanted.first), DateADTGetDatum(wanted.last)};
    if (series_.size() == 1) {
      constexpr Oid kTypes[] = {INT4OID, DATEOID, DATEOID};
      for_rows(
          store_.plan("SELECT series, day, state FROM nexus.metric_days WHERE series = $1 AND day BETWEEN $2 AND $3"
                      " ORDER BY series, day",
                      kTypes),
          given, true, false, on_row);
    } else {
      constexpr Oid kTypes[] = {INT4ARRAYOID, DATEOID, DATEOID};
      for_rows(store_.plan("SELECT d.series, d.day, d.state FROM unnest($1) k(series), LATERAL (SELECT * FROM"
                           " nexus.metric_days m WHERE m.series = k.series AND m.day BETWEEN $2 AND $3"
                           " ORDER BY m.series, m.day OFFSET 0) d",
                           kTypes),
               given, true, true, on_row);
    }
  }
  add_not_folded(visible, zone);
}

void RollupReader::add_not_folded(const std::vector<int32> &contents, const std::string &zone) {
  if (contents.empty()) return;
  bool any = false;
  for_rows(store_.plan("SELECT FROM nexus.metric_delta LIMIT 1", {}), nullptr, true, false,
           [&any](HeapTuple, TupleDesc) { any = true; });
  if (!any) return;
  Column ids(INT4OID);
  for (int32 id : contents) ids.add(Int32GetDatum(id));
  std::map<SeriesKey, std::vector<std::pair<Timestamp, Timestamp>>> touched;
  constexpr Oid kTypes[] = {INT4ARRAYOID};
  Datum parameters[] = {ids.array()};
  for_rows(
      store_.plan("SELECT content_id, platform, from_at, to_at FROM nexus.metric_delta WHERE content_id = ANY ($1)",
                  kTypes),
      parameters, true, false, [&touched](HeapTuple row, TupleDesc descriptor) {
        touched[{DatumGetInt32(column(row, descriptor, 1)), std::string(stored_bytes(column(row, descriptor, 2)))}]
            .emplace_back(DatumGetTimestamp(column(row, descriptor, 3)), DatumGetTimestamp(column(row, descriptor, 4)));
      });
  for (const auto &entry : touched) {
    const SeriesKey &key = entry.first;
    check_interrupts();
    auto found = std::find_if(series_.begin(), series_.end(), [&key](const Series &s) { return s.head.key == key; });
    if (found == series_.end()) {
      series_.push_back({});
      found = std::prev(series_.end());
      found->head.key = key;
      found->head.zone = zone;
    }
    TableSource source(store_, found->head);
    found->not_folded = metrics::patch_series(source, days_of(found->head.zone),
                                              spans_of(entry.second, days_of(found->head.zone)), found->head.latest);
    // Also earlier than in the head: the last sample may be gone.
    Timestamp last = source.last_at();
    if (last == DT_NOBEGIN && store_.raw_from() != DT_NOBEGIN &&
        !source.days_before(store_.first_open_day(days_of(found->head.zone))).empty())
      last = std::min(found->head.last_at, store_.raw_from());
    found->head.last_at = last;
    std::map<std::int32_t, metrics::DayState> days;
    for (DayRow &row : found->days) days[row.day] = std::move(row.state);
    for (const metrics::DayChange &change : found->not_folded) {
      if (change.after.empty())
        days.erase(change.day);
      else
        days[change.day] = change.after;
    }
    found->days.clear();
    for (auto &[day, state] : days) found->days.push_back({day, std::move(state)});
  }
}

bool RollupReader::whole_days(const Series &series, Window window) {
  LocalDays &days = days_of(series.head.zone);
  auto cuts = [&days](Timestamp at) { return !TIMESTAMP_NOT_FINITE(at) && days.start(days.at(at).day) != at; };
  return !cuts(window.after) && (series.head.last_at < window.before || !cuts(window.before));
}

void RollupReader::gains(const Series &series, Window window,
                         const std::function<void(std::int32_t, const metrics::Cell &)> &on_day) {
  LocalDays &days = days_of(series.head.zone);
  Timestamp before = series.head.last_at < window.before ? DT_NOEND : window.before;
  for (const DayRow &row : series.days) {
    Timestamp start = days.start(row.day), end = days.start(row.day + 1);
    if (end <= window.after || start >= before) continue;
    if (window.after <= start && end <= before) {
      on_day(row.day, row.state.cell());
      continue;
    }
    if (start < store_.raw_from())
      throw Error("55000", "the samples of that time are gone")
          .hint("Before the instant that freeze_metrics() set, ask for whole days of the author's zone.");
    metrics::DayState part;
    metrics::Values base = row.state.base();
    metrics::Instants instants;
    auto add = [&](metrics::Instant at, std::uint32_t rows, const metrics::Values &values) {
      if (at < window.after)
        base.update(values);
      else if (at < before)
        part.append(days.at(at).hour, rows, values);
    };
    TableSource source(store_, series.head);
    source.samples(start, end,
                   [&](metrics::Instant at, const metrics::Values &values) { instants.add(at, values, add); });
    instants.finish(add);
    if (part.empty()) continue;
    part.rebase(base);
    on_day(row.day, part.cell());
  }
}

}  // namespace nexus::pg
