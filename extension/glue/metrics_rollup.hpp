// The rollups of content_metrics (sql/install/58-metrics-rollups.sql): how they are written. Reading them is
// metrics_rollup_read.hpp.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/metrics/series_patch.hpp"

#include "glue/metrics_rollup_delta.hpp"
#include "glue/metrics_rollup_store.hpp"

namespace nexus::pg {

class TableWriter;

/// Collects what changes in the rollups and writes it. All rows of an author belong to the transaction that holds the
/// author's lock. A writer never waits for one: what it finds locked it appends to metric_delta, as hot mode does, and
/// the next fold brings it in. So two writers cannot wait for each other, and readers, who look at metric_delta, are
/// right all the time. Only who takes something away from an author (forget, rebuild, changes of zone and owner) waits.
class Rollup {
 public:
  Rollup();
  ~Rollup();

  const Store &store() const { return store_; }
  /// Samples that this transaction has written, in any order. `names` are the platforms they speak of.
  void apply(std::vector<SampleChange> &changes, const Names &names);
  /// Series to be brought up to date with their samples, ordered by key. Returns how many could be; the others are
  /// appended to metric_delta again.
  int64 refresh(const std::vector<SeriesTouch> &touched);
  /// Takes all series of these contents away.
  void forget(const Column &contents, const std::set<std::string> &owners);
  /// Makes all series anew, while writers of content_metrics are locked out; returns their number.
  int64 rebuild_all();
  /// Gives an author's series another zone; the same is true.
  int64 change_zone(const std::string &user, const std::string &zone);
  /// Gives a content's series to another owner.
  void change_owner(int32 content_id, const std::string &before, const std::string &after);

 private:
  struct Author {
    std::string user, platform;
    auto operator<=>(const Author &) const = default;
  };
  /// What one author gained or lost on one platform.
  struct AuthorCells {
    std::map<int32, metrics::Cell> days;
    std::map<int32, metrics::Cell> hours;  // dow * 24 + hour
  };

  struct DayColumns {
    Column series{INT4OID}, days{DATEOID}, states{BYTEAOID}, resets{BOOLOID}, authors{INT4OID};
  };

  metrics::LocalDays &days_of(const std::string &zone);
  bool lock(uint32 number, bool wait);
  bool lock_author(const std::string &user, bool wait);
  void lock_authors(const std::set<std::string> &users);
  void lock_everybody();
  std::vector<SeriesHead> lock_series(std::set<std::string> users, const std::string &condition,
                                      std::span<const Oid> types, const Datum *parameters);
  /// Of series whose heads are written. Rows that another transaction holds are not waited for, but put off.
  void measure(const std::vector<const SeriesTouch *> &done, std::vector<SeriesTouch> &later);
  void measure_accounts(const Datum *posts_and_times);
  std::unordered_map<int32, std::string> owners_of(const Column &contents);
  std::vector<SeriesTouch> keep_last_measured(const std::vector<SampleChange> &changes, const Names &names);
  void append(SeriesHead &head, std::span<const SampleChange> samples, const metrics::DayState *stored);
  void patch(SeriesHead &head, std::vector<metrics::DaySpan> spans);
  void rebuild(SeriesHead &head, const std::string &user, const std::string &zone, bool counted);
  /// `gained` is the state's cell().
  void count(const SeriesHead &head, int32 day, const metrics::DayState &state, const metrics::Cell &gained, int sign);
  void put_day(const SeriesHead &head, int32 day, const metrics::DayState &state, const metrics::Cell &gained,
               bool is_new);
  void change_day(const SeriesHead &head, const metrics::DayChange &change);
  void flush();
  void write_days();
  void write_heads();
  void write_cells();
  void write_cells(TableWriter &table, const std::set<const Author *> &known, bool hours);

  Store store_;
  MemoryContext scratch_;
  std::unordered_map<std::string, metrics::LocalDays> zones_;
  std::unordered_map<uint32, bool> locked_;  // locks asked for, and whether they are ours
  std::map<Author, AuthorCells> authors_;
  AuthorCells *author_ = nullptr;  // of the head last counted for
  const SeriesHead *author_of_ = nullptr;
  std::vector<SeriesHead> changed_heads_;
  std::vector<int32> removed_series_;
  DayColumns new_days_, changed_days_;
  std::vector<std::pair<int32, int32>> removed_days_;
};

}  // namespace nexus::pg
