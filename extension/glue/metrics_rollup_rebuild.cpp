// Rollups that go, are made anew or change hands.
#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <algorithm>

#include "glue/datum.hpp"
#include "glue/metrics_rollup.hpp"
#include "glue/metrics_zone.hpp"

namespace nexus::pg {

using metrics::DayRow;
using metrics::Values;

namespace {

constexpr size_t kFlushDays = 20000;

}  // namespace

void Rollup::forget(const Column &contents, const std::set<std::string> &owners) {
  constexpr Oid kTypes[] = {INT4ARRAYOID};
  Datum parameters[] = {contents.array()};
  // The owners also where no series is there yet: a fold may be making it.
  std::vector<SeriesHead> heads = lock_series(owners, " WHERE s.content_id = ANY ($1)", kTypes, parameters);
  store_.run("DELETE FROM nexus.metric_delta WHERE content_id = ANY ($1)", kTypes, parameters);
  for (SeriesHead &head : heads) {
    TableSource source(store_, head);
    for (const DayRow &row : source.days(kAllDays)) change_day(head, {row.day, row.state, {}});
    removed_series_.push_back(head.series);
  }
  flush();
}

void Rollup::rebuild(SeriesHead &head, const std::string &user, const std::string &zone, bool counted) {
  TableSource source(store_, head, true);
  bool anew = head.zone != zone || !counted;
  std::vector<DayRow> stored, fresh;
  Timestamp last = DT_NOBEGIN;
  int32 first = store_.first_open_day(days_of(zone));
  with_one_snapshot([&] {
    stored = source.days(kAllDays);
    if (head.zone != zone && !stored.empty() && store_.raw_from() != DT_NOBEGIN)
      first = std::max(first, store_.first_open_day(days_of(head.zone)));
    if (!anew) return;
    fresh = metrics::days_of_samples(source, days_of(zone), {first, kAllDays.last});
    last = source.last_at();
  });
  if (counted)
    for (const DayRow &row : stored) count(head, row.day, row.state, row.state.cell(), -1);
  author_of_ = nullptr;
  if (head.user != user && !stored.empty()) {
    constexpr Oid kTypes[] = {INT4OID, INT4OID};
    Datum parameters[] = {Int32GetDatum(head.series), Int32GetDatum(author_number(user))};
    store_.run("UPDATE nexus.metric_days SET author = $2 WHERE series = $1", kTypes, parameters);
  }
  head.user = user;
  head.zone = zone;
  bool any = false;
  Values latest;
  std::vector<int32> old_days;
  for (const DayRow &row : stored) {
    if (anew && row.day >= first) {
      old_days.push_back(row.day);
      continue;
    }
    count(head, row.day, row.state, row.state.cell(), 1);
    latest.update(row.state.last());
    any = true;
  }
  if (anew) {
    auto old = old_days.begin();
    auto remove_before = [&](int32 day) {
      for (; old != old_days.end() && *old < day; ++old) removed_days_.emplace_back(head.series, *old);
      if (old != old_days.end() && *old == day) ++old;
    };
    for (DayRow &row : fresh) {
      row.state.rebase(latest);
      latest.update(row.state.last());
      const metrics::Cell gained = row.state.cell();
      count(head, row.day, row.state, gained, 1);
      remove_before(row.day);
      put_day(head, row.day, row.state, gained, false);
      any = true;
    }
    remove_before(INT32_MAX);
    head.latest = latest;
    if (last != DT_NOBEGIN) head.last_at = last;
  }
  if (any)
    changed_heads_.push_back(head);
  else
    removed_series_.push_back(head.series);
  author_of_ = nullptr;
}

int64 Rollup::rebuild_all() {
  const std::string &schema = store_.schema();
  store_.run("LOCK TABLE " + schema + ".content_metrics IN SHARE ROW EXCLUSIVE MODE", {}, nullptr);
  store_.run("SELECT pg_advisory_xact_lock('nexus.metric_delta'::regclass::oid::bigint)", {}, nullptr);  // as folds do
  // Everybody: content without a series yet may be changing hands.
  lock_everybody();
  store_.run("DELETE FROM nexus.metric_delta", {}, nullptr);
  store_.run("DELETE FROM nexus.metric_user_days", {}, nullptr);
  store_.run("DELETE FROM nexus.metric_user_hours", {}, nullptr);
  store_.run("DELETE FROM nexus.metric_series s WHERE NOT EXISTS (SELECT FROM " + schema +
                 ".content c WHERE c.id = s.content_id)",
             {}, nullptr);
  store_.run(
      "DELETE FROM nexus.metric_days d WHERE NOT EXISTS (SELECT FROM nexus.metric_series s WHERE s.series ="
      " d.series)",
      {}, nullptr);
  store_.run(
      "INSERT INTO nexus.metric_series (content_id, platform, user_id, tz, latest)"
      " SELECT k.content_id, k.platform, '', 'UTC', '\\x0100' FROM (SELECT DISTINCT content_id, platform FROM " +
          schema + ".content_metrics) k ORDER BY k.content_id, k.platform COLLATE \"C\" ON CONFLICT DO NOTHING",
      {}, nullptr);
  // Who owns a series, and in which zone its days are to be counted.
  struct Owner {
    std::string user, zone;
  };
  std::unordered_map<int32, Owner> owners;
  for_rows(
      store_.plan("SELECT s.series, coalesce(c.user_id, ''), coalesce(z.tz, 'UTC') FROM nexus.metric_series s JOIN " +
                      schema +
                      ".content c ON c.id = s.content_id LEFT JOIN nexus.metric_zones z"
                      " ON z.user_id = c.user_id COLLATE \"C\"",
                  {}),
      nullptr, false, true, [&owners](HeapTuple row, TupleDesc descriptor) {
        owners[DatumGetInt32(column(row, descriptor, 1))] = {std::string(stored_bytes(column(row, descriptor, 2))),
                                                             std::string(stored_bytes(column(row, descriptor, 3)))};
      });
  std::vector<SeriesHead> heads = store_.heads("", {}, nullptr);
  for (SeriesHead &head : heads) {
    check_interrupts();
    const Owner &owner = owners.at(head.series);
    rebuild(head, owner.user, owner.zone, false);
    if (changed_days_.series.size() >= kFlushDays) flush();
  }
  flush();
  return static_cast<int64>(heads.size());
}

int64 Rollup::change_zone(const std::string &user, const std::string &zone) {
  days_of(zone);  // refuses an unknown one
  store_.run("LOCK TABLE " + store_.schema() + ".content_metrics IN SHARE ROW EXCLUSIVE MODE", {}, nullptr);
  constexpr Oid kTypes[] = {TEXTOID, TEXTOID};
  Datum parameters[] = {text_of(user), text_of(zone)};
  store_.run("INSERT INTO nexus.metric_zones VALUES ($1, $2) ON CONFLICT (user_id) DO UPDATE SET tz = excluded.tz",
             kTypes, parameters);
  lock_author(user, true);
  std::vector<SeriesHead> heads = store_.heads(" WHERE s.user_id = $1", std::span(kTypes).first(1), parameters);
  for (SeriesHead &head : heads) {
    check_interrupts();
    rebuild(head, user, zone, true);
    if (changed_days_.series.size() >= kFlushDays) flush();
  }
  flush();
  return static_cast<int64>(heads.size());
}

void Rollup::change_owner(int32 content_id, const std::string &before, const std::string &after) {
  constexpr Oid kContent[] = {INT4OID};
  Datum parameters[] = {Int32GetDatum(content_id)};
  // The owner before also where no series is there yet: a writer or a fold may be making it.
  std::vector<SeriesHead> heads = lock_series({before, after}, " WHERE s.content_id = $1", kContent, parameters);
  constexpr Oid kUser[] = {TEXTOID};
  Datum given[] = {text_of(after)};
  std::string zone = "UTC";
  for_rows(store_.plan("SELECT tz FROM nexus.metric_zones WHERE user_id = $1", kUser), given, false, false,
           [&zone](HeapTuple row, TupleDesc descriptor) { zone = stored_bytes(column(row, descriptor, 1)); });
  for (SeriesHead &head : heads) rebuild(head, after, zone, true);
  flush();
}

}  // namespace nexus::pg
