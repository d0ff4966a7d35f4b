#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <algorithm>
#include <tuple>

#include "glue/datum.hpp"
#include "glue/metrics_rollup.hpp"
#include "glue/metrics_zone.hpp"

extern "C" {
#include "access/xact.h"
#include "catalog/namespace.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"
}

namespace nexus::pg {

using metrics::Cell;
using metrics::DayChange;
using metrics::DayRow;
using metrics::DaySpan;
using metrics::DayState;
using metrics::LocalDays;
using metrics::Values;

namespace {

constexpr size_t kFlushDays = 20000;
/// Touched instants further apart are remembered apart, so that a late sample costs its own days.
constexpr Timestamp kGap = 2 * USECS_PER_DAY;
constexpr size_t kMostRanges = 4;
/// So many rows are written by one statement: unnest() of more would go through a file.
constexpr size_t kSlice = 4096;

/// A few locks for all authors: a statement over very many must not fill the server's table of locks.
constexpr uint32 kLocks = 1024;

uint32 lock_number(const std::string &user) {
  const char *text = user.data();
  size_t size = user.size();
  return call([=] {
           return DatumGetUInt32(hash_any(reinterpret_cast<const unsigned char *>(text), static_cast<int>(size)));
         }) %
         kLocks;
}

/// The spans and all days from `first` on.
void add_open_span(std::vector<DaySpan> &spans, int32 first) {
  while (!spans.empty() && spans.back().last + 1 >= first) {
    first = std::min(first, spans.back().first);
    spans.pop_back();
  }
  spans.push_back({first, kAllDays.last});
}

Datum text_of(const std::string &text) {
  return call(
      [&text] { return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size()))); });
}

bool has_column(const std::string &schema, const char *table, const char *name) {
  const char *quoted = schema.c_str();
  return call([=] {
    List *names = stringToQualifiedNameList(quoted);
    Oid relation = get_relname_relid(table, get_namespace_oid(strVal(linitial(names)), false));
    return OidIsValid(relation) && get_attnum(relation, name) != InvalidAttrNumber;
  });
}

}  // namespace

Rollup::Rollup() : store_(false) {
  scratch_ = call([] {
    MemoryContext made = AllocSetContextCreate(CurrentMemoryContext, "metric rollups", ALLOCSET_DEFAULT_SIZES);
    MemoryContextSwitchTo(made);
    return made;
  });
}

Rollup::~Rollup() = default;  // scratch_ ends with SPI's memory

bool Rollup::lock(uint32 number, bool wait) {
  if (auto known = locked_.find(number); known != locked_.end() && (known->second || !wait)) return known->second;
  bool ours = call([=] {
    LOCKTAG tag;
    Oid table = get_relname_relid("metric_series", get_namespace_oid("nexus", false));
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, table, number, 2);
    return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
  });
  locked_[number] = ours;
  return ours;
}

bool Rollup::lock_author(const std::string &user, bool wait) {
  return lock(lock_number(user), wait);
}

void Rollup::lock_authors(const std::set<std::string> &users) {
  std::set<uint32> numbers;  // in one order for everybody who waits
  for (const std::string &user : users) numbers.insert(lock_number(user));
  for (uint32 number : numbers) lock(number, true);
}

std::unordered_map<int32, std::string> Rollup::owners_of(const Column &contents) {
  std::unordered_map<int32, std::string> owners;
  constexpr Oid kTypes[] = {INT4ARRAYOID};
  Datum parameters[] = {contents.array()};
  for_rows(
      store_.plan("SELECT id, coalesce(user_id, '') FROM " + store_.schema() + ".content WHERE id = ANY ($1)", kTypes),
      parameters, false, false, [&owners](HeapTuple row, TupleDesc descriptor) {
        owners[DatumGetInt32(column(row, descriptor, 1))] = stored_bytes(column(row, descriptor, 2));
      });
  return owners;
}

void Rollup::append_delta(const std::vector<SeriesTouch> &touched) {
  Column contents(INT4OID), platforms(TEXTOID), from(TIMESTAMPOID), to(TIMESTAMPOID), posts(INT4OID);
  for (const SeriesTouch &touch : touched)
    for (size_t i = 0; i < touch.ranges.size(); ++i) {
      contents.add(Int32GetDatum(touch.key.content_id));
      platforms.add_text(touch.key.platform);
      from.add(TimestampGetDatum(touch.ranges[i].first));
      to.add(TimestampGetDatum(touch.ranges[i].second));
      posts.add(Int32GetDatum(i + 1 == touch.ranges.size() && !touch.posts.empty() ? touch.posts.back().first : 0));
    }
  if (contents.empty()) return;
  constexpr Oid kTypes[] = {INT4ARRAYOID, TEXTARRAYOID, TIMESTAMPARRAYOID, TIMESTAMPARRAYOID, INT4ARRAYOID};
  Datum parameters[] = {contents.array(), platforms.array(), from.array(), to.array(), posts.array()};
  static const std::string kAppend =
      "INSERT INTO nexus.metric_delta (content_id, platform, from_at, to_at, post_id)"
      " SELECT c, p, f, t, nullif(r, 0) FROM unnest($1, $2, $3, $4, $5) k(c, p, f, t, r)";
  store_.run(kAppend, kTypes, parameters);
}

void Rollup::append_touched(std::vector<SampleChange> &changes, const Names &names) {
  std::sort(changes.begin(), changes.end(), [](const SampleChange &a, const SampleChange &b) {
    return std::tie(a.content_id, a.platform, a.at) < std::tie(b.content_id, b.platform, b.at);
  });
  std::vector<SeriesTouch> touched;
  for (const SampleChange &change : changes) {
    if (store_.raw_from() != DT_NOBEGIN && change.added && change.at < store_.raw_from() + USECS_PER_DAY)
      throw Error("22008", "samples of that time are closed").hint("freeze_metrics() set the instant.");
    const std::string &platform = names.name(change.platform);
    if (touched.empty() || touched.back().key.content_id != change.content_id ||
        touched.back().key.platform != platform)
      touched.push_back({{change.content_id, platform}, {}, {}});
    auto &ranges = touched.back().ranges;
    if (ranges.empty() || change.at - ranges.back().second > kGap)
      ranges.emplace_back(change.at, change.at);
    else
      ranges.back().second = change.at;
    // A series that is touched all over is read again as a whole.
    if (ranges.size() > kMostRanges) ranges = {{ranges.front().first, ranges.back().second}};
    if (change.added && change.post_id != 0) touched.back().posts = {{change.post_id, change.at}};
  }
  append_delta(touched);
}

LocalDays &Rollup::days_of(const std::string &zone) {
  auto found = zones_.find(zone);
  if (found == zones_.end()) found = zones_.emplace(zone, LocalDays(zone_rules(zone))).first;
  return found->second;
}

void Rollup::count(const SeriesHead &head, int32 day, const DayState &state, int sign) {
  if (state.empty()) return;
  if (author_of_ != &head) {
    author_ = &authors_[{head.user, head.key.platform}];
    author_of_ = &head;
  }
  author_->days[day].add(state.cell(), sign);
  int dow = LocalDays::day_of_week(day);
  for (size_t i = 0; i < state.hours().size(); ++i)
    author_->hours[dow * 24 + state.hours()[i].hour].add(state.hour_cell(i), sign);
}

void Rollup::put_day(const SeriesHead &head, int32 day, const DayState &state, bool is_new) {
  if (state.empty()) {
    removed_days_.emplace_back(head.series, day);
    return;
  }
  DayColumns &columns = is_new ? new_days_ : changed_days_;
  columns.series.add(Int32GetDatum(head.series));
  columns.days.add(DateADTGetDatum(day));
  columns.states.add_text(state.encode());
}

void Rollup::change_day(const SeriesHead &head, const DayChange &change) {
  count(head, change.day, change.before, -1);
  count(head, change.day, change.after, 1);
  put_day(head, change.day, change.after, change.before.empty());
}

void Rollup::append(SeriesHead &head, std::span<const SampleChange> samples, const DayState *stored) {
  LocalDays &days = days_of(head.zone);
  int32 stored_day = stored != nullptr ? days.at(head.last_at).day : 0;
  DayChange change{INT32_MIN, {}, {}};
  Values before = head.latest;
  auto close = [&] {
    if (change.after.empty()) return;
    for (size_t i = 0; i < metrics::kMetrics; ++i)
      if (change.after.knows(i) && !change.before.knows(i)) change.after.rebase(i, before.knows(i), before.value[i]);
    head.latest.update(change.after.last());
    change_day(head, change);
  };
  auto add = [&](metrics::Instant at, std::uint32_t rows, const Values &values) {
    LocalDays::When when = days.at(at);
    if (when.day != change.day) {
      close();
      before = head.latest;
      change.day = when.day;
      change.before = stored != nullptr && when.day == stored_day ? *stored : DayState();
      change.after = change.before;
    }
    change.after.append(when.hour, rows, values);
  };
  metrics::Instants instants;
  for (const SampleChange &sample : samples) instants.add(sample.at, sample.values, add);
  instants.finish(add);
  close();
  head.last_at = samples.back().at;
  changed_heads_.push_back(head);
}

void Rollup::patch(SeriesHead &head, std::vector<DaySpan> spans) {
  LocalDays &days = days_of(head.zone);
  int32 open = store_.first_open_day(days);
  TableSource source(store_, head, true);
  Timestamp last = DT_NOBEGIN;
  bool frozen = false;
  std::vector<DayChange> changes;
  with_one_snapshot([&] {
    last = source.last_at();
    // A head is never earlier than a sample that is stored in a day: append() would take it for the end of the series.
    // Where the last samples are gone, days that still have them go too, also those that wait in metric_delta.
    if (last == DT_NOBEGIN || last < head.last_at)
      add_open_span(spans, last == DT_NOBEGIN ? open : std::max(open, days.at(last).day));
    changes = metrics::patch_series(source, days, spans, head.latest);
    frozen = store_.raw_from() != DT_NOBEGIN && !source.days_before(open).empty();
  });
  for (const DayChange &change : changes) change_day(head, change);
  if (last != DT_NOBEGIN) {
    head.last_at = last;
  } else if (frozen) {
    head.last_at = std::min(head.last_at, store_.raw_from());
  } else {
    removed_series_.push_back(head.series);
    return;
  }
  changed_heads_.push_back(head);
}

void Rollup::apply(std::vector<SampleChange> &changes, const Names &names) {
  if (changes.empty()) return;
  // With a snapshot of the whole transaction nobody could see what a predecessor in the lock has written.
  bool appends_only = call([] { return IsolationUsesXactSnapshot(); });
  if (appends_only) {
    append_touched(changes, names);
    return;
  }
  std::vector<SeriesTouch> later = keep_last_measured(changes, names);
  auto key_order = [&names](const SampleChange &a, const SampleChange &b) {
    if (a.content_id != b.content_id) return a.content_id < b.content_id ? -1 : 1;
    return a.platform == b.platform ? 0 : names.name(a.platform).compare(names.name(b.platform));
  };
  std::sort(changes.begin(), changes.end(), [&key_order](const SampleChange &a, const SampleChange &b) {
    if (int order = key_order(a, b); order != 0) return order < 0;
    return a.at != b.at ? a.at < b.at : a.id < b.id;
  });
  struct Group {
    std::span<const SampleChange> changes;
    SeriesHead *head = nullptr;
    bool appends = false;
  };
  std::vector<Group> groups;
  std::vector<SeriesKey> keys;
  for (size_t from = 0; from < changes.size();) {
    size_t to = from + 1;
    while (to < changes.size() && key_order(changes[from], changes[to]) == 0) ++to;
    groups.push_back({std::span(changes).subspan(from, to - from)});
    keys.push_back({changes[from].content_id, names.name(changes[from].platform)});
    from = to;
  }
  Column contents(INT4OID);
  for (const SeriesKey &key : keys) contents.add(Int32GetDatum(key.content_id));
  std::unordered_map<int32, std::string> owners = owners_of(contents);
  std::vector<SeriesKey> ours;
  std::vector<std::string> users;
  for (const SeriesKey &key : keys) {
    auto owner = owners.find(key.content_id);
    if (owner == owners.end() || !lock_author(owner->second, false)) continue;
    ours.push_back(key);
    users.push_back(owner->second);
  }
  std::vector<SeriesHead> heads = store_.make_heads(ours, users);
  auto put_off = [&](const SeriesKey &key, std::span<const SampleChange> samples) {
    later.push_back({key, {}, {{samples.front().at, samples.back().at}}});
    for (const SampleChange &sample : samples)
      if (sample.added && sample.post_id != 0) later.back().posts = {{sample.post_id, sample.at}};
  };

  // Heads come in the same order. Content that is gone has no owner: the trigger on content takes its series away.
  Column series(INT4OID), last_days(DATEOID);
  for (size_t g = 0, h = 0; g < groups.size(); ++g) {
    while (h < heads.size() && heads[h].key < keys[g]) ++h;
    Group &group = groups[g];
    auto owner = owners.find(keys[g].content_id);
    if (owner == owners.end()) continue;
    if (h == heads.size() || heads[h].key != keys[g] || heads[h].user != owner->second) {
      put_off(keys[g], group.changes);
      continue;
    }
    group.head = &heads[h];
    group.appends =
        std::all_of(group.changes.begin(), group.changes.end(), [](const SampleChange &c) { return c.added; }) &&
        group.changes.front().at > group.head->last_at;
    if (!group.appends || group.head->last_at == DT_NOBEGIN) continue;
    LocalDays &days = days_of(group.head->zone);
    int32 day = days.at(group.head->last_at).day;
    if (days.at(group.changes.front().at).day != day) continue;
    series.add(Int32GetDatum(group.head->series));
    last_days.add(DateADTGetDatum(day));
  }
  std::unordered_map<int32, DayState> stored;
  if (!series.empty()) {
    constexpr Oid kTypes[] = {INT4ARRAYOID, DATEARRAYOID};
    Datum parameters[] = {series.array(), last_days.array()};
    for_rows(store_.plan("SELECT d.series, d.state FROM unnest($1, $2) k(series, day)"
                         " JOIN nexus.metric_days d ON d.series = k.series AND d.day = k.day",
                         kTypes),
             parameters, false, true, [&stored](HeapTuple row, TupleDesc descriptor) {
               stored.emplace(DatumGetInt32(column(row, descriptor, 1)),
                              DayState::decode(stored_bytes(column(row, descriptor, 2))));
             });
  }

  Interrupt interrupt = pg::interrupt();
  for (Group &group : groups) {
    interrupt.poll(16);
    if (group.head == nullptr) continue;
    LocalDays &days = days_of(group.head->zone);
    int32 open = store_.first_open_day(days);
    std::vector<std::pair<Timestamp, Timestamp>> ranges;
    for (const SampleChange &change : group.changes) {
      if (store_.raw_from() != DT_NOBEGIN && days.at(change.at).day < open) {
        if (!change.added) continue;
        throw Error("22008", "samples of that time are closed")
            .detail(
                "The samples of days that began before a set instant may have been dropped already, so their "
                "rollups stay as they are.")
            .hint("freeze_metrics() set the instant.");
      }
      if (!group.appends) ranges.emplace_back(change.at, change.at);
    }
    if (group.appends) {
      auto found = stored.find(group.head->series);
      append(*group.head, group.changes, found == stored.end() ? nullptr : &found->second);
    } else if (!ranges.empty()) {
      patch(*group.head, spans_of(ranges, days));
    }
  }
  append_delta(later);
  flush();
}

int64 Rollup::refresh(const std::vector<SeriesTouch> &touched) {
  if (touched.empty()) return 0;
  Column contents(INT4OID);
  for (const SeriesTouch &touch : touched) contents.add(Int32GetDatum(touch.key.content_id));
  std::unordered_map<int32, std::string> owners = owners_of(contents);
  std::vector<SeriesKey> keys;
  std::vector<std::string> users;
  for (const SeriesTouch &touch : touched) {
    auto owner = owners.find(touch.key.content_id);
    if (owner == owners.end() || !lock_author(owner->second, false)) continue;
    keys.push_back(touch.key);
    users.push_back(owner->second);
  }
  std::vector<SeriesHead> heads = store_.make_heads(keys, users);
  std::vector<SeriesTouch> later;
  std::vector<const SeriesTouch *> done;
  int64 gone = 0;
  size_t h = 0;
  for (const SeriesTouch &touch : touched) {
    check_interrupts();
    auto owner = owners.find(touch.key.content_id);
    if (owner == owners.end()) {  // the content is gone, and its series with it
      ++gone;
      continue;
    }
    while (h < heads.size() && heads[h].key < touch.key) ++h;
    if (h == heads.size() || heads[h].key != touch.key || heads[h].user != owner->second) {
      later.push_back(touch);
      continue;
    }
    LocalDays &days = days_of(heads[h].zone);
    int32 open = store_.first_open_day(days);
    std::vector<DaySpan> spans;
    for (DaySpan span : spans_of(touch.ranges, days))
      if (span.last >= open) spans.push_back({std::max(span.first, open), span.last});
    if (!spans.empty()) patch(heads[h], spans);
    done.push_back(&touch);
  }
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
  // Before flush(), which empties the memory of the arrays. Nothing is waited for: what another transaction holds
  // is put off.
  write_days();
  write_heads();
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
  append_delta(later);
  flush();
  return static_cast<int64>(done.size()) + gone;
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

std::vector<SeriesHead> Rollup::lock_series(std::set<std::string> users, const std::string &condition,
                                            std::span<const Oid> types, const Datum *parameters) {
  for (const SeriesHead &head : store_.heads(condition, types, parameters)) users.insert(head.user);
  lock_authors(users);
  std::vector<SeriesHead> heads = store_.heads(condition, types, parameters);
  // A snapshot of the whole transaction may be older than the lock. Rows that were changed since, PostgreSQL itself
  // refuses to change again; a series that is new would stay where it is. Nobody changes a day without its series.
  if (call([] { return IsolationUsesXactSnapshot(); })) {
    SPIPlanPtr plan = store_.plan("SELECT FROM nexus.metric_series s" + condition, types);
    auto *given = const_cast<Datum *>(parameters);  // only read
    size_t latest = call([=] {
      if (SPI_execute_snapshot(plan, given, nullptr, GetLatestSnapshot(), nullptr, true, false, 0) < 0)
        elog(ERROR, "the series cannot be counted");
      SPI_freetuptable(SPI_tuptable);
      return SPI_processed;
    });
    if (latest != heads.size())
      throw Error("40001", "could not serialize access due to a concurrent change of rollups")
          .hint("Run the transaction again.");
  }
  return heads;
}

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
    for (const DayRow &row : stored) count(head, row.day, row.state, -1);
  author_of_ = nullptr;
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
    count(head, row.day, row.state, 1);
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
      count(head, row.day, row.state, 1);
      remove_before(row.day);
      put_day(head, row.day, row.state, false);
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
  for (uint32 number = 0; number < kLocks; ++number) lock(number, true);
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
    constexpr Oid kTypes[] = {INT4ARRAYOID, DATEARRAYOID, BYTEAARRAYOID};
    for (size_t from = 0; from < columns.series.size(); from += kSlice) {
      size_t count = std::min(kSlice, columns.series.size() - from);
      Datum parameters[] = {columns.series.array(from, count), columns.days.array(from, count),
                            columns.states.array(from, count)};
      store_.run(std::string("INSERT INTO nexus.metric_days (series, day, state) SELECT * FROM unnest($1, $2, $3)") +
                     (is_new ? "" : " ON CONFLICT (series, day) DO UPDATE SET state = excluded.state"),
                 kTypes, parameters);
    }
    columns.series.clear();
    columns.days.clear();
    columns.states.clear();
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
