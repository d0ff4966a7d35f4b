#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <algorithm>

#include "glue/datum.hpp"
#include "glue/index_scan.hpp"
#include "glue/metrics_rollup_read.hpp"
#include "glue/metrics_zone.hpp"

extern "C" {
#include "access/stratnum.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
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
  for (SeriesHead &head : store_.heads(condition, types, parameters))
    if (std::binary_search(visible.begin(), visible.end(), head.key.content_id))
      series_.emplace_back().head = std::move(head);
  complete(visible, zone, window, with_days);
}

void RollupReader::read_user(Datum user, const std::vector<int32> &contents, const std::string &zone, Window window,
                             bool with_days) {
  std::vector<int32> visible = contents;
  std::sort(visible.begin(), visible.end());
  Store::heads_of_user(user, [&](SeriesHead &&head) {
    if (std::binary_search(visible.begin(), visible.end(), head.key.content_id))
      series_.emplace_back().head = std::move(head);
  });
  complete(visible, zone, window, with_days);
}

void RollupReader::complete(const std::vector<int32> &visible, const std::string &zone, Window window, bool with_days) {
  if (with_days) read_days(zone, window);
  add_not_folded(visible, zone);
}

void RollupReader::read_days(const std::string &zone, Window window) {
  DaySpan wanted = span(days_of(zone), window);
  for (const Series &series : series_) {
    if (series.head.zone == zone) continue;
    DaySpan other = span(days_of(series.head.zone), window);
    wanted = {std::min(wanted.first, other.first), std::max(wanted.last, other.last)};
  }
  if (series_.empty() || wanted.first > wanted.last) return;
  IndexScan scan("metric_days", "metric_days_pkey", 3);
  for (Series &series : series_) read_days(series, wanted, scan);
  scan.close();
}

void RollupReader::read_days(Series &series, DaySpan wanted, IndexScan &scan) {
  check_interrupts();
  ScanKeyData keys[3];
  ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(series.head.series));
  ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_DATE_GE, DateADTGetDatum(wanted.first));
  ScanKeyInit(&keys[2], 2, BTLessEqualStrategyNumber, F_DATE_LE, DateADTGetDatum(wanted.last));
  scan.find(keys);
  series.first_stored = stored_.size();
  while (TupleTableSlot *row = scan.next()) {
    std::string_view bytes = stored_bytes(row->tts_values[2]);
    stored_.push_back({DatumGetDateADT(row->tts_values[1]), static_cast<std::uint32_t>(bytes.size()), states_.size()});
    states_.append(bytes);
  }
  series.stored = stored_.size() - series.first_stored;
}

void RollupReader::read_days(Series &series, Window window, IndexScan &scan) {
  read_days(series, span(days_of(series.head.zone), window), scan);
  merge(series);
}

void RollupReader::merge(Series &series) {
  if (series.not_folded.empty()) return;
  std::map<std::int32_t, metrics::DayState> patched;
  for (size_t i = 0; i < series.stored; ++i) {
    const StoredDay &day = stored_[series.first_stored + i];
    patched[day.day] = metrics::DayState::decode(state(day));
  }
  for (const metrics::DayChange &change : series.not_folded) {
    if (change.after.empty())
      patched.erase(change.day);
    else
      patched[change.day] = change.after;
  }
  series.days.clear();
  for (auto &[day, state] : patched) series.days.push_back({day, std::move(state)});
}

std::vector<DayRow> RollupReader::days(const Series &series) const {
  if (!series.not_folded.empty()) return series.days;
  std::vector<DayRow> rows;
  for (size_t i = 0; i < series.stored; ++i) {
    const StoredDay &day = stored_[series.first_stored + i];
    rows.push_back({day.day, metrics::DayState::decode(state(day))});
  }
  return rows;
}

bool RollupReader::waits_for_fold() {
  bool any = false;
  for_rows(store_.plan("SELECT FROM nexus.metric_delta LIMIT 1", {}), nullptr, true, false,
           [&any](HeapTuple, TupleDesc) { any = true; });
  return any;
}

void RollupReader::add_not_folded(const std::vector<int32> &contents, const std::string &zone) {
  if (contents.empty() || !waits_for_fold()) return;
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
  if (touched.empty()) return;
  std::map<SeriesKey, size_t> known;
  for (size_t i = 0; i < series_.size(); ++i) known[series_[i].head.key] = i;
  for (const auto &entry : touched) {
    const SeriesKey &key = entry.first;
    check_interrupts();
    auto [place, is_new] = known.try_emplace(key, series_.size());
    if (is_new) {
      series_.push_back({});
      series_.back().head.key = key;
      series_.back().head.zone = zone;
    }
    Series *found = &series_[place->second];
    TableSource source(store_, found->head);
    found->not_folded = metrics::patch_series(source, days_of(found->head.zone),
                                              spans_of(entry.second, days_of(found->head.zone)), found->head.latest);
    // Also earlier than in the head: the last sample may be gone.
    Timestamp last = source.last_at();
    if (last == DT_NOBEGIN && store_.raw_from() != DT_NOBEGIN &&
        !source.days_before(store_.first_open_day(days_of(found->head.zone))).empty())
      last = std::min(found->head.last_at, store_.raw_from());
    found->head.last_at = last;
    merge(*found);
  }
}

std::optional<DaySpan> RollupReader::whole_days(const Series &series, Window window) {
  Timestamp before = series.head.last_at < window.before ? DT_NOEND : window.before;
  const Cut within = cut(days_of(series.head.zone), {window.after, before});
  if (within.touched.first != within.whole.first || within.touched.last != within.whole.last) return std::nullopt;
  return within.whole;
}

bool RollupReader::whole_days(const std::string &zone, Timestamp last_at, Window window) {
  LocalDays &days = days_of(zone);
  auto cuts = [&days](Timestamp at) { return !TIMESTAMP_NOT_FINITE(at) && days.start(days.at(at).day) != at; };
  return !cuts(window.after) && (last_at < window.before || !cuts(window.before));
}

RollupReader::Cut RollupReader::cut(LocalDays &days, Window window) {
  if (cut_days_ == &days && cut_window_.after == window.after && cut_window_.before == window.before) return cut_;
  cut_days_ = &days;
  cut_window_ = window;
  cut_ = {kAllDays, kAllDays};
  if (TIMESTAMP_IS_NOEND(window.after) || TIMESTAMP_IS_NOBEGIN(window.before)) {
    cut_.touched.last = cut_.touched.first - 1;
  } else {
    if (!TIMESTAMP_IS_NOBEGIN(window.after)) {
      std::int32_t day = days.at(window.after).day;
      cut_.touched.first = day;
      cut_.whole.first = days.start(day) < window.after ? day + 1 : day;
    }
    if (!TIMESTAMP_IS_NOEND(window.before)) {
      std::int32_t day = days.at(window.before).day;
      cut_.touched.last = days.start(day) < window.before ? day : day - 1;
      cut_.whole.last = day - 1;
    }
  }
  return cut_;
}

void RollupReader::gains(const Series &series, Window window,
                         const std::function<void(std::int32_t, const metrics::Cell &)> &on_day) {
  LocalDays &days = days_of(series.head.zone);
  Timestamp before = series.head.last_at < window.before ? DT_NOEND : window.before;
  const Cut within = cut(days, {window.after, before});
  auto touched = [&within](std::int32_t day) { return within.touched.first <= day && day <= within.touched.last; };
  auto whole = [&within](std::int32_t day) { return within.whole.first <= day && day <= within.whole.last; };
  auto count_samples = [&](std::int32_t day, const metrics::DayState &state) {
    Timestamp start = days.start(day), end = days.start(day + 1);
    if (start < store_.raw_from())
      throw Error("55000", "the samples of that time are gone")
          .hint("Before the instant that freeze_metrics() set, ask for whole days of the author's zone.");
    metrics::DayState part;
    metrics::Values base = state.base();
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
    if (part.empty()) return;
    part.rebase(base);
    on_day(day, part.cell());
  };
  if (!series.not_folded.empty()) {
    for (const DayRow &row : series.days) {
      if (whole(row.day))
        on_day(row.day, row.state.cell());
      else if (touched(row.day))
        count_samples(row.day, row.state);
    }
    return;
  }
  for (size_t i = 0; i < series.stored; ++i) {
    const StoredDay &stored = stored_[series.first_stored + i];
    if (whole(stored.day))
      on_day(stored.day, metrics::DayState::decode_cell(state(stored)));
    else if (touched(stored.day))
      count_samples(stored.day, metrics::DayState::decode(state(stored)));
  }
}

}  // namespace nexus::pg
