// When contents and accounts were last measured.
#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <algorithm>
#include <map>

#include "glue/datum.hpp"
#include "glue/metrics_rollup.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
}

namespace nexus::pg {

namespace {

bool has_column(const std::string &schema, const char *table, const char *name) {
  const char *quoted = schema.c_str();
  return call([=] {
    List *names = stringToQualifiedNameList(quoted);
    Oid relation = get_relname_relid(table, get_namespace_oid(strVal(linitial(names)), false));
    return OidIsValid(relation) && get_attnum(relation, name) != InvalidAttrNumber;
  });
}

}  // namespace

void Rollup::measure(const std::vector<const SeriesTouch *> &done, std::vector<SeriesTouch> &later) {
  Column measured(INT4OID), posts(INT4OID), times(TIMESTAMPOID);
  for (const SeriesTouch *touch : done) {
    measured.add(Int32GetDatum(touch->key.content_id));
    for (auto [post, at] : touch->posts) {
      posts.add(Int32GetDatum(post));
      times.add(TimestampGetDatum(at));
    }
  }
  Datum given[] = {measured.array()};
  Datum accounts[] = {posts.array(), times.array()};
  const std::string &schema = store_.schema();
  if (has_column(schema, "content", "last_measured_at")) {
    constexpr Oid kTypes[] = {INT4ARRAYOID};
    std::map<int32, Timestamp> skipped;
    for_rows(
        store_.plan("WITH n AS MATERIALIZED (SELECT o.id, k.at FROM (SELECT s.content_id, max(s.last_at) AS at"
                    " FROM nexus.metric_series s WHERE s.content_id = ANY ($1) GROUP BY s.content_id) k JOIN " +
                        schema +
                        ".content o ON o.id = k.content_id WHERE o.last_measured_at IS DISTINCT FROM k.at), l AS"
                        " MATERIALIZED (SELECT o.id, n.at FROM n JOIN " +
                        schema +
                        ".content o ON o.id = n.id ORDER BY o.id FOR NO KEY UPDATE OF o SKIP LOCKED), u AS (UPDATE " +
                        schema +
                        ".content c SET last_measured_at = l.at FROM l WHERE c.id = l.id) SELECT n.id, n.at FROM n"
                        " WHERE NOT EXISTS (SELECT FROM l WHERE l.id = n.id)",
                    kTypes),
        given, false, false, [&skipped](HeapTuple row, TupleDesc descriptor) {
          skipped[DatumGetInt32(column(row, descriptor, 1))] = DatumGetTimestamp(column(row, descriptor, 2));
        });
    for (const SeriesTouch *touch : done)
      if (auto found = skipped.find(touch->key.content_id); found != skipped.end()) {
        later.push_back({touch->key, {}, {{found->second, found->second}}});
        skipped.erase(found);
      }
  }
  measure_accounts(accounts);
}

void Rollup::measure_accounts(const Datum *posts_and_times) {
  const std::string &schema = store_.schema();
  if (!has_column(schema, "social_accounts", "last_measured_at")) return;
  constexpr Oid kTypes[] = {INT4ARRAYOID, TIMESTAMPARRAYOID};
  store_.run("WITH n AS MATERIALIZED (SELECT p.account_id, max(k.at) AS at FROM unnest($1, $2) k(id, at) JOIN " +
                 schema +
                 ".platform_posts p ON p.id = k.id GROUP BY p.account_id), l AS MATERIALIZED (SELECT o.id, n.at"
                 " FROM n JOIN " +
                 schema +
                 ".social_accounts o ON o.id = n.account_id WHERE o.last_measured_at IS NULL OR"
                 " o.last_measured_at < n.at ORDER BY o.id FOR NO KEY UPDATE OF o SKIP LOCKED) UPDATE " +
                 schema +
                 ".social_accounts a SET last_measured_at = l.at FROM l WHERE a.id = l.id AND"
                 " (a.last_measured_at IS NULL OR a.last_measured_at < l.at)",
             kTypes, posts_and_times);
}

std::vector<SeriesTouch> Rollup::keep_last_measured(const std::vector<SampleChange> &changes, const Names &names) {
  struct Measured {
    Timestamp added = DT_NOBEGIN, removed = DT_NOBEGIN;
    uint16 platform = 0;
  };
  std::map<int32, Measured> contents;
  std::map<int32, Timestamp> posts;
  for (const SampleChange &change : changes) {
    Measured &measured = contents[change.content_id];
    Timestamp &at = change.added ? measured.added : measured.removed;
    at = std::max(at, change.at);
    measured.platform = change.platform;
    if (!change.added || change.post_id == 0) continue;
    auto [found, is_new] = posts.try_emplace(change.post_id, change.at);
    if (!is_new) found->second = std::max(found->second, change.at);
  }
  const std::string &schema = store_.schema();
  constexpr Oid kTypes[] = {INT4ARRAYOID, TIMESTAMPARRAYOID};
  std::vector<SeriesTouch> skipped;
  // Rows that another transaction holds are left to the next fold: a writer waits for nobody.
  auto update = [&](bool removed) {
    Column ids(INT4OID), at(TIMESTAMPOID);
    for (const auto &[id, measured] : contents) {
      Timestamp time = removed ? measured.removed : measured.added;
      if (time == DT_NOBEGIN) continue;
      ids.add(Int32GetDatum(id));
      at.add(TimestampGetDatum(time));
    }
    if (ids.empty()) return;
    Datum parameters[] = {ids.array(), at.array()};
    std::string compare =
        removed ? "o.last_measured_at <= k.at" : "(o.last_measured_at IS NULL OR o.last_measured_at < k.at)";
    std::string set =
        removed ? "(SELECT max(m.captured_at) FROM " + schema + ".content_metrics m WHERE m.content_id = c.id)"
                : "l.at";
    std::string still = removed ? "" : " AND (c.last_measured_at IS NULL OR c.last_measured_at < l.at)";
    for_rows(
        store_.plan("WITH n AS MATERIALIZED (SELECT o.id, k.at FROM unnest($1, $2) k(id, at) JOIN " + schema +
                        ".content o ON o.id = k.id WHERE " + compare +
                        "), l AS MATERIALIZED (SELECT o.id, n.at FROM n JOIN " + schema +
                        ".content o ON o.id = n.id ORDER BY o.id FOR NO KEY UPDATE OF o SKIP LOCKED), u AS (UPDATE " +
                        schema + ".content c SET last_measured_at = " + set + " FROM l WHERE c.id = l.id" + still +
                        ") SELECT n.id, n.at FROM n WHERE NOT EXISTS (SELECT FROM l WHERE l.id = n.id)",
                    kTypes),
        parameters, false, false, [&](HeapTuple row, TupleDesc descriptor) {
          int32 id = DatumGetInt32(column(row, descriptor, 1));
          Timestamp time = DatumGetTimestamp(column(row, descriptor, 2));
          skipped.push_back({{id, names.name(contents[id].platform)}, {}, {{time, time}}});
        });
  };
  if (has_column(schema, "content", "last_measured_at")) {
    update(true);
    update(false);
  }
  if (!posts.empty()) {
    Column ids(INT4OID), at(TIMESTAMPOID);
    for (auto [id, time] : posts) {
      ids.add(Int32GetDatum(id));
      at.add(TimestampGetDatum(time));
    }
    Datum parameters[] = {ids.array(), at.array()};
    measure_accounts(parameters);
  }
  return skipped;
}

}  // namespace nexus::pg
