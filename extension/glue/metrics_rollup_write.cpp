// What has changed in the rollups, written to their tables.
#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <algorithm>

#include "glue/datum.hpp"
#include "glue/metrics_rollup.hpp"

namespace nexus::pg {

using metrics::Cell;

namespace {

/// So many rows are written by one statement: unnest() of more would go through a file.
constexpr size_t kSlice = 4096;

}  // namespace

void Rollup::flush() {
  write_days();
  write_heads();
  write_cells();
  author_of_ = nullptr;
  call([this] { MemoryContextReset(scratch_); });
}

void Rollup::write_days() {
  for (bool is_new : {true, false}) {
    DayColumns &columns = is_new ? new_days_ : changed_days_;
    if (columns.series.empty()) continue;
    constexpr Oid kTypes[] = {INT4ARRAYOID, DATEARRAYOID, BYTEAARRAYOID, BOOLARRAYOID, INT4ARRAYOID};
    for (size_t from = 0; from < columns.series.size(); from += kSlice) {
      size_t count = std::min(kSlice, columns.series.size() - from);
      Datum parameters[] = {columns.series.array(from, count), columns.days.array(from, count),
                            columns.states.array(from, count), columns.resets.array(from, count),
                            columns.authors.array(from, count)};
      store_.run(std::string("INSERT INTO nexus.metric_days (series, day, state, resets, author)"
                             " SELECT * FROM unnest($1, $2, $3, $4, $5)") +
                     (is_new ? ""
                             : " ON CONFLICT (series, day) DO UPDATE SET state = excluded.state,"
                               " resets = excluded.resets, author = excluded.author"),
                 kTypes, parameters);
    }
    columns.series.clear();
    columns.days.clear();
    columns.states.clear();
    columns.resets.clear();
    columns.authors.clear();
  }
  for (auto [series, day] : removed_days_) {
    constexpr Oid kTypes[] = {INT4OID, DATEOID};
    Datum parameters[] = {Int32GetDatum(series), DateADTGetDatum(day)};
    store_.run("DELETE FROM nexus.metric_days WHERE series = $1 AND day = $2", kTypes, parameters);
  }
  removed_days_.clear();
}

void Rollup::write_heads() {
  if (!changed_heads_.empty()) {
    Column series(INT4OID), users(TEXTOID), zones(TEXTOID), times(TIMESTAMPOID), latest(BYTEAOID);
    for (const SeriesHead &head : changed_heads_) {
      series.add(Int32GetDatum(head.series));
      users.add_text(head.user);
      zones.add_text(head.zone);
      times.add(TimestampGetDatum(head.last_at));
      latest.add_text(head.latest.encode());
    }
    constexpr Oid kTypes[] = {INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPARRAYOID, BYTEAARRAYOID};
    Datum parameters[] = {series.array(), users.array(), zones.array(), times.array(), latest.array()};
    store_.run(
        "UPDATE nexus.metric_series s SET user_id = k.user_id, tz = k.tz, last_at = k.last_at, latest = k.latest"
        " FROM unnest($1, $2, $3, $4, $5) k(series, user_id, tz, last_at, latest) WHERE s.series = k.series",
        kTypes, parameters);
    changed_heads_.clear();
  }
  if (!removed_series_.empty()) {
    Column series(INT4OID);
    for (int32 removed : removed_series_) series.add(Int32GetDatum(removed));
    constexpr Oid kTypes[] = {INT4ARRAYOID};
    Datum parameters[] = {series.array()};
    store_.run("DELETE FROM nexus.metric_series WHERE series = ANY ($1)", kTypes, parameters);
    removed_series_.clear();
  }
}

void Rollup::write_cells() {
  // Authors with many new days, as a bulk load brings them, are mostly new themselves: then nothing can be there to be
  // added to.
  constexpr size_t kMany = 16;
  std::vector<const Author *> known, fresh;
  for (const auto &[author, cells] : authors_) {
    bool is_new = cells.days.size() >= kMany;
    if (is_new) {
      constexpr Oid kTypes[] = {TEXTOID, TEXTOID};
      Datum parameters[] = {text_of(author.user), text_of(author.platform)};
      for_rows(store_.plan("SELECT FROM nexus.metric_user_days WHERE user_id = $1 AND platform = $2 LIMIT 1", kTypes),
               parameters, false, false, [&is_new](HeapTuple, TupleDesc) { is_new = false; });
    }
    (is_new ? fresh : known).push_back(&author);
  }
  for (bool is_new : {false, true})
    for (bool hours : {false, true}) write_cells(is_new ? fresh : known, hours, is_new && !hours);
  authors_.clear();
}

void Rollup::write_cells(const std::vector<const Author *> &authors, bool hours, bool is_new) {
  const std::string table = hours ? "metric_user_hours" : "metric_user_days";
  const std::string key = hours ? "user_id, platform, dow, hour" : "user_id, platform, day";
  const std::string arrays = hours ? "unnest($1, $2, $3, $4, $5)" : "unnest($1, $2, $3, $4)";
  std::vector<Oid> types = {TEXTARRAYOID, TEXTARRAYOID};
  types.push_back(hours ? INT4ARRAYOID : DATEARRAYOID);
  if (hours) types.push_back(INT4ARRAYOID);
  types.push_back(BYTEAARRAYOID);
  Column users(TEXTOID), platforms(TEXTOID), first(hours ? INT4OID : DATEOID), second(INT4OID), states(BYTEAOID);
  bool shrinks = false;
  const Cell none;
  for (const Author *author : authors) {
    const AuthorCells &cells = authors_.at(*author);
    for (const auto &[at, cell] : hours ? cells.hours : cells.days) {
      if (cell == none) continue;
      shrinks = shrinks || cell.samples < 0;
      users.add_text(author->user);
      platforms.add_text(author->platform);
      first.add(hours ? Int32GetDatum(at / 24) : DateADTGetDatum(at));
      if (hours) second.add(Int32GetDatum(at % 24));
      states.add_text(cell.encode());
    }
  }
  for (size_t from = 0; from < users.size(); from += kSlice) {
    size_t count = std::min(kSlice, users.size() - from);
    std::vector<Datum> parameters = {users.array(from, count), platforms.array(from, count), first.array(from, count)};
    if (hours) parameters.push_back(second.array(from, count));
    parameters.push_back(states.array(from, count));
    store_.run("INSERT INTO nexus." + table + " AS t (" + key + ", state) SELECT * FROM " + arrays +
                   (is_new ? std::string()
                           : " ON CONFLICT (" + key +
                                 ") DO UPDATE SET state = nexus.add_metric_cells(t.state, excluded.state)"),
               types, parameters.data());
    if (!shrinks) continue;
    store_.run("DELETE FROM nexus." + table + " t USING " + arrays + " k(" + key +
                   ", state) WHERE (t.user_id, t.platform) = (k.user_id COLLATE \"C\", k.platform COLLATE \"C\") AND " +
                   (hours ? "t.dow = k.dow AND t.hour = k.hour" : "t.day = k.day") + " AND t.state = '\\x010000000000'",
               types, parameters.data());
  }
}

}  // namespace nexus::pg
