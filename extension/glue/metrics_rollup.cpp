#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <algorithm>
#include <tuple>

#include "glue/datum.hpp"
#include "glue/index_scan.hpp"
#include "glue/metrics_rollup.hpp"
#include "glue/metrics_zone.hpp"

extern "C" {
#include "access/stratnum.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
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

/// A few locks for all authors: a statement over very many must not fill the server's table of locks.
constexpr uint32 kLocks = 1024;
/// A change within days of more samples is left to the fold, which reads them again once for many changes.
constexpr std::size_t kManySamples = 500;

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

void Rollup::lock_everybody() {
  for (uint32 number = 0; number < kLocks; ++number) lock(number, true);
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
    size_t latest = 0;
    spi_call([&] {
      if (SPI_execute_snapshot(plan, given, nullptr, GetLatestSnapshot(), nullptr, true, false, 0) < 0)
        elog(ERROR, "the series cannot be counted");
      SPI_freetuptable(SPI_tuptable);
      latest = SPI_processed;
    });
    if (latest != heads.size())
      throw Error("40001", "could not serialize access due to a concurrent change of rollups")
          .hint("Run the transaction again.");
  }
  return heads;
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

LocalDays &Rollup::days_of(const std::string &zone) {
  auto found = zones_.find(zone);
  if (found == zones_.end()) found = zones_.emplace(zone, LocalDays(zone_rules(zone))).first;
  return found->second;
}

void Rollup::count(const SeriesHead &head, int32 day, const DayState &state, const Cell &gained, int sign) {
  if (state.empty()) return;
  if (author_of_ != &head) {
    author_ = &authors_[{head.user, head.key.platform}];
    author_of_ = &head;
  }
  author_->days[day].add(gained, sign);
  int dow = LocalDays::day_of_week(day);
  const auto &hours = state.hours();
  for (size_t i = 0; i < hours.size(); ++i)
    author_->hours[dow * 24 + hours[i].hour].add(hours.size() == 1 ? gained : state.hour_cell(i), sign);
}

void Rollup::put_day(const SeriesHead &head, int32 day, const DayState &state, const Cell &gained, bool is_new) {
  if (state.empty()) {
    removed_days_.emplace_back(head.series, day);
    return;
  }
  DayColumns &columns = is_new ? new_days_ : changed_days_;
  columns.series.add(Int32GetDatum(head.series));
  columns.days.add(DateADTGetDatum(day));
  columns.states.add_text(state.encode());
  columns.resets.add(BoolGetDatum(state.resets(gained)));
  columns.authors.add(Int32GetDatum(author_number(head.user)));
}

void Rollup::change_day(const SeriesHead &head, const DayChange &change) {
  if (!change.before.empty()) count(head, change.day, change.before, change.before.cell(), -1);
  const Cell gained = change.after.cell();
  count(head, change.day, change.after, gained, 1);
  put_day(head, change.day, change.after, gained, change.before.empty());
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
    append_touched(changes, names, store_.raw_from());
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
    std::optional<DayState> last_day;  // as stored, where samples are appended to it
    std::size_t samples = 0;           // of the stored days that others fall into
  };
  std::vector<Group> groups;
  std::vector<SeriesKey> keys;
  for (size_t from = 0; from < changes.size();) {
    size_t to = from + 1;
    while (to < changes.size() && key_order(changes[from], changes[to]) == 0) ++to;
    groups.emplace_back().changes = std::span(changes).subspan(from, to - from);
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
  std::vector<std::pair<Group *, int32>> wanted;  // days that must be looked at
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
    if (group.head->last_at == DT_NOBEGIN) continue;
    LocalDays &days = days_of(group.head->zone);
    int32 first = days.at(group.changes.front().at).day, last = days.at(group.changes.back().at).day;
    if (!group.appends) {
      if (last - first > 1) continue;
      wanted.emplace_back(&group, first);
      if (last != first) wanted.emplace_back(&group, last);
    } else if (int32 day = days.at(group.head->last_at).day; day == first) {
      wanted.emplace_back(&group, day);
    }
  }
  if (!wanted.empty())
    with_one_snapshot([&] {
      IndexScan scan("metric_days", "metric_days_pkey", 2);
      for (auto [group, day] : wanted) {
        check_interrupts();
        ScanKeyData conditions[2];
        ScanKeyInit(&conditions[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(group->head->series));
        ScanKeyInit(&conditions[1], 2, BTEqualStrategyNumber, F_DATE_EQ, DateADTGetDatum(day));
        scan.find(conditions);
        TupleTableSlot *row = scan.next();
        if (row == nullptr) continue;
        DayState state = DayState::decode(stored_bytes(row->tts_values[2]));
        for (const DayState::Hour &hour : state.hours()) group->samples += hour.samples;
        if (group->appends) group->last_day = std::move(state);
      }
      scan.close();
    });

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
    if (group.appends)
      append(*group.head, group.changes, group.last_day ? &*group.last_day : nullptr);
    else if (ranges.empty())
      continue;
    else if (group.samples > kManySamples)
      put_off(group.head->key, group.changes);
    else
      patch(*group.head, spans_of(ranges, days));
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
  write_days();
  write_heads();
  measure(done, later);
  append_delta(later);
  flush();
  return static_cast<int64>(done.size()) + gone;
}

}  // namespace nexus::pg
