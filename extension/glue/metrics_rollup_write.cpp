// What has changed in the rollups, written to their tables.
#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <algorithm>

#include "glue/datum.hpp"
#include "glue/metrics_rollup.hpp"
#include "glue/table_writer.hpp"

namespace nexus::pg {

using metrics::Cell;

void Rollup::flush() {
  // In this order: days that a newer transaction has deleted are noticed, above read committed, before anything is
  // added to the cells that counted them.
  write_days();
  write_heads();
  write_cells();
  author_of_ = nullptr;
  call([this] { MemoryContextReset(scratch_); });
}

void Rollup::write_days() {
  if (!new_days_.series.empty() || !changed_days_.series.empty()) {
    TableWriter days("metric_days");
    for (size_t i = 0; i < changed_days_.series.size(); ++i) {
      check_interrupts();
      const DayColumns &changed = changed_days_;
      if (days.find({changed.series[i], changed.days[i]}) != nullptr) {
        days.update({{3, changed.states[i]}, {4, changed.resets[i]}, {5, changed.authors[i]}});
        continue;
      }
      new_days_.series.add(changed.series[i]);
      new_days_.days.add(changed.days[i]);
      new_days_.states.add(changed.states[i]);
      new_days_.resets.add(changed.resets[i]);
      new_days_.authors.add(changed.authors[i]);
    }
    const Datum *columns[] = {new_days_.series.data(), new_days_.days.data(), new_days_.states.data(),
                              new_days_.resets.data(), new_days_.authors.data()};
    days.insert(columns, new_days_.series.size());
    days.close();
    new_days_ = {};
    changed_days_ = {};
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
    TableWriter heads("metric_series");
    for (const SeriesHead &head : changed_heads_) {
      check_interrupts();
      if (heads.find({Int32GetDatum(head.series)}) != nullptr)
        heads.update({{4, text_of(head.user)},
                      {5, text_of(head.zone)},
                      {6, TimestampGetDatum(head.last_at)},
                      {7, text_of(head.latest.encode())}});
    }
    heads.close();
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
  if (authors_.empty()) return;
  // Authors with many new days, as a bulk load brings them, are mostly new themselves: then nothing can be there to be
  // added to.
  constexpr size_t kMany = 16;
  std::set<const Author *> known;
  TableWriter days("metric_user_days");
  for (const auto &[author, cells] : authors_)
    if (cells.days.size() < kMany || days.find({text_of(author.user), text_of(author.platform)}) != nullptr)
      known.insert(&author);
  write_cells(days, known, false);
  days.close();
  TableWriter hours("metric_user_hours");
  write_cells(hours, known, true);
  hours.close();
  authors_.clear();
}

void Rollup::write_cells(TableWriter &table, const std::set<const Author *> &known, bool hours) {
  std::vector<Datum> users, platforms, first, second, states;
  const Cell none;
  for (const auto &[author, cells] : authors_) {
    check_interrupts();
    const Datum user = text_of(author.user), platform = text_of(author.platform);
    const bool is_known = known.contains(&author);
    for (const auto &[at, cell] : hours ? cells.hours : cells.days) {
      if (cell == none) continue;
      const Datum place = hours ? Int16GetDatum(at / 24) : DateADTGetDatum(at), hour = Int16GetDatum(at % 24);
      TupleTableSlot *stored = nullptr;
      if (is_known) stored = hours ? table.find({user, platform, place, hour}) : table.find({user, platform, place});
      if (stored != nullptr) {
        const int state = hours ? 5 : 4;
        Cell sum = Cell::decode(stored_bytes(stored->tts_values[state - 1]));
        sum.add(cell);
        if (sum == none)
          table.remove();
        else
          table.update({{state, text_of(sum.encode())}});
        continue;
      }
      users.push_back(user);
      platforms.push_back(platform);
      first.push_back(place);
      second.push_back(hour);
      states.push_back(text_of(cell.encode()));
    }
  }
  const Datum *columns[] = {users.data(), platforms.data(), first.data(), second.data(), states.data()};
  if (!hours) columns[3] = states.data();
  table.insert(std::span<const Datum *const>(columns).first(hours ? 5 : 4), users.size());
}

}  // namespace nexus::pg
