// The tables behind the rollups of content_metrics, through SPI.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/metrics/series_patch.hpp"

#include "glue/metrics_samples.hpp"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "utils/date.h"
#include "utils/snapmgr.h"
}

namespace nexus::pg {

/// Content and platform of a series. Texts of this part stay in the server's encoding: they only come from tables and
/// go back to tables.
struct SeriesKey {
  int32 content_id;
  std::string platform;
  auto operator<=>(const SeriesKey &) const = default;
};

/// A row of metric_series.
struct SeriesHead {
  int32 series = 0;  // 0: has no row
  SeriesKey key;
  std::string user, zone;
  Timestamp last_at = DT_NOBEGIN;
  metrics::Values latest;
};

/// Numbers for the few platforms a statement speaks of.
class Names {
 public:
  uint16 number(std::string_view name);
  const std::string &name(uint16 number) const { return names_[number]; }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, uint16> known_;
  uint16 last_ = 0;
};

/// A parameter that is an array, for unnest(). Its values live in the memory context that is current at add().
class Column {
 public:
  explicit Column(Oid type) : type_(type) {}
  void add(Datum value) { values_.push_back(value); }
  void add_text(std::string_view text);  ///< also for bytea: both are bytes after a length
  bool empty() const { return values_.empty(); }
  size_t size() const { return values_.size(); }
  Datum operator[](size_t row) const { return values_[row]; }
  const Datum *data() const { return values_.data(); }
  Datum array() const;

 private:
  Oid type_;
  std::vector<Datum> values_;
};

/// metric_days.author of a user's series. Part of what is stored, so it never changes.
int32 author_number(std::string_view user);

std::string_view stored_bytes(Datum value);
Datum text_of(const std::string &text);

/// call() for SPI's functions, which leave SPI's memory current: that lives until SPI_finish, and a rebuilding of many
/// series must not fill it. What was current stays so.
template <class F>
void spi_call(F &&body) {
  MemoryContext current = CurrentMemoryContext;
  call(body);
  MemoryContextSwitchTo(current);
}

/// Runs a kept plan; `on_row(row, descriptor)` gets each row. A thousand rows at a time if `many`.
template <class OnRow>
void for_rows(SPIPlanPtr plan, const Datum *parameters, bool read_only, bool many, OnRow &&on_row) {
  auto *given = const_cast<Datum *>(parameters);  // only read
  if (!many) {
    spi_call([=] {
      if (SPI_execute_plan(plan, given, nullptr, read_only, 0) < 0) elog(ERROR, "a statement over rollups failed");
    });
    SPITupleTable *rows = SPI_tuptable;
    if (rows == nullptr) return;
    for (uint64 i = 0; i < rows->numvals; ++i) on_row(rows->vals[i], rows->tupdesc);
    call([rows] { SPI_freetuptable(rows); });
    return;
  }
  Portal portal;
  spi_call([&] { portal = SPI_cursor_open(nullptr, plan, given, nullptr, read_only); });
  for (bool more = true; more;) {
    spi_call([portal] { SPI_cursor_fetch(portal, true, 1000); });
    SPITupleTable *rows = SPI_tuptable;
    for (uint64 i = 0; i < rows->numvals; ++i) on_row(rows->vals[i], rows->tupdesc);
    more = rows->numvals > 0;
    call([rows] { SPI_freetuptable(rows); });
  }
  spi_call([portal] { SPI_cursor_close(portal); });
}

inline Datum column(HeapTuple row, TupleDesc descriptor, int number, bool *null = nullptr) {
  bool unused;
  return heap_getattr(row, number, descriptor, null != nullptr ? null : &unused);
}

/// What all statements over rollups need to know. This backend's copy, as committed when the statement locked its
/// tables.
struct RollupSettings {
  std::string schema;  // of the 16 tables, quoted; empty if none is attached
  bool hot = false;
  Timestamp raw_from = DT_NOBEGIN;
};
const RollupSettings &rollup_settings();

/// SPI for as long as it lives, where nobody has connected; every exception ends in an error of the transaction, which
/// closes SPI too.
class Store {
 public:
  /// `read_only`: with the snapshot of the statement that asks; otherwise each statement sees what is committed.
  explicit Store(bool read_only);

  const std::string &schema() const { return schema_; }
  bool read_only() const { return read_only_; }
  Timestamp raw_from() const { return raw_from_; }  ///< DT_NOBEGIN: nothing is frozen
  bool hot() const { return hot_; }
  /// The first day whose samples are all there.
  std::int32_t first_open_day(metrics::LocalDays &days) const;

  SPIPlanPtr plan(const std::string &statement, std::span<const Oid> parameters) const {
    MemoryContext current = CurrentMemoryContext;
    SPIPlanPtr kept = kept_plan(statement, parameters);
    MemoryContextSwitchTo(current);  // as spi_call()
    return kept;
  }
  /// Runs a statement for its effect; returns the number of rows.
  uint64 run(const std::string &statement, std::span<const Oid> types, const Datum *parameters) const;

  /// The heads of these series, made where they are missing and `owners` (one for each key) still own the content;
  /// ordered by key. The owners must be locked: a head that is made otherwise could miss a change of owner or zone.
  std::vector<SeriesHead> make_heads(const std::vector<SeriesKey> &keys, const std::vector<std::string> &owners) const;
  /// The heads for which `condition` holds, over `s`, ordered by key.
  std::vector<SeriesHead> heads(const std::string &condition, std::span<const Oid> types,
                                const Datum *parameters) const;
  /// Gives the heads of a user's series, in no order, with the active snapshot.
  static void heads_of_user(Datum user, const std::function<void(SeriesHead &&)> &on_head);

 private:
  std::string schema_;
  bool read_only_, hot_ = false;
  Timestamp raw_from_ = DT_NOBEGIN;
};

/// Runs `body`, whose statements all read with one snapshot. In a read committed transaction it is new, so whoever held
/// a lock before has committed in it. What a rollup is told of samples, last instants and days must be true at one
/// moment: a sample that a writer commits between two statements would be counted, and counted again when its entry in
/// metric_delta is folded.
template <class Body>
void with_one_snapshot(Body &&body) {
  call([] {
    CommandCounterIncrement();  // what this transaction has written is seen too
    PushActiveSnapshot(GetTransactionSnapshot());
  });
  body();
  call([] { PopActiveSnapshot(); });  // after an error the transaction takes it away
}

/// One series in the tables.
class TableSource final : public metrics::SeriesSource {
 public:
  /// `one_snapshot`: reads with the active snapshot; otherwise as the store does.
  TableSource(const Store &store, const SeriesHead &head, bool one_snapshot = false);

  std::vector<metrics::DayRow> days(metrics::DaySpan span) override;
  std::vector<metrics::DayRow> days_after(std::int32_t day) override;
  std::vector<metrics::DayRow> days_before(std::int32_t day) override;
  void samples(metrics::Instant from, metrics::Instant to,
               const std::function<void(metrics::Instant, const metrics::Values &)> &on_sample) override;
  /// The instant of the latest sample; DT_NOBEGIN without one.
  Timestamp last_at() const;

 private:
  std::vector<metrics::DayRow> read_days(const char *condition, int32 a, int32 b) const;

  const Store *store_;
  const SeriesHead *head_;
  bool read_only_;
};

/// More than any sample may fall on.
constexpr metrics::DaySpan kAllDays = {-2451545, 100000000};

/// The counters of a row, from that column on.
metrics::Values values_of(HeapTuple row, TupleDesc descriptor, int first);

/// The spans of days that ranges of instants fall into, ascending, near ones joined.
std::vector<metrics::DaySpan> spans_of(const std::vector<std::pair<Timestamp, Timestamp>> &ranges,
                                       metrics::LocalDays &days);

}  // namespace nexus::pg
