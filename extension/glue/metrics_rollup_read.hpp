// Reading the rollups of content_metrics: what is stored, with what hot mode has not folded yet on top of it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/metrics/series_patch.hpp"

#include "glue/index_scan.hpp"
#include "glue/metrics_rollup_store.hpp"

namespace nexus::pg {

/// A window of samples: after <= captured_at < before. The ends may be infinite.
struct Window {
  Timestamp after, before;
};

/// The series of a content or an account, as they stand in the snapshot of the asking statement. Runs with the owner's
/// rights (AsOwner): whoever makes one has asked what the caller may see.
class RollupReader {
 public:
  struct Series {
    SeriesHead head;
    size_t first_stored = 0, stored = 0;         // its days of the window, as they are stored
    std::vector<metrics::DayRow> days;           // the same with what is not folded, where there is such
    std::vector<metrics::DayChange> not_folded;  // of all days; `days` has them already
  };

  RollupReader() : store_(true) {}

  /// Reads all series for which `condition` on metric_series s holds, of these contents only, with their days in the
  /// window. `zone`: of a series that hot mode has not folded for the first time yet.
  void read(const std::string &condition, std::span<const Oid> types, const Datum *parameters,
            const std::vector<int32> &contents, const std::string &zone, Window window, bool with_days = true);
  /// The same for all series of a user, which come in no order.
  void read_user(Datum user, const std::vector<int32> &contents, const std::string &zone, Window window,
                 bool with_days = true);
  /// True if hot mode has not folded everything.
  bool waits_for_fold();

  /// Reads the days of a series that was read without them. `scan`: metric_days by metric_days_pkey, three keys.
  void read_days(Series &series, Window window, IndexScan &scan);

  const Store &store() const { return store_; }
  std::vector<Series> &series() { return series_; }
  metrics::LocalDays &days_of(const std::string &zone);
  /// The days of a series that lie in the window, ascending.
  std::vector<metrics::DayRow> days(const Series &series) const;

  /// Gives each day of a series that lies in the window, with what was gained there. A day that the window cuts is
  /// counted from its samples. 55000 where those are gone.
  void gains(const Series &series, Window window,
             const std::function<void(std::int32_t, const metrics::Cell &)> &on_day);
  /// The days of a series that gains() takes as they are stored; nothing if the window cuts one of its days.
  std::optional<metrics::DaySpan> whole_days(const Series &series, Window window);
  /// True if the window cuts no day of series in that zone whose last sample is of `last_at`.
  bool whole_days(const std::string &zone, Timestamp last_at, Window window);

 private:
  /// A row of metric_days; its state stands in states_.
  struct StoredDay {
    std::int32_t day;
    std::uint32_t size;
    size_t from;
  };
  /// The days that lie in a window at least partly, and those of them that it does not cut.
  struct Cut {
    metrics::DaySpan touched, whole;
  };

  /// Reads the days of the series, and what is not folded.
  void complete(const std::vector<int32> &visible, const std::string &zone, Window window, bool with_days);
  void read_days(const std::string &zone, Window window);
  void read_days(Series &series, metrics::DaySpan wanted, IndexScan &scan);
  /// Puts what is not folded on top of the days that are stored.
  void merge(Series &series);
  std::string_view state(const StoredDay &day) const { return std::string_view(states_).substr(day.from, day.size); }
  Cut cut(metrics::LocalDays &days, Window window);
  void add_not_folded(const std::vector<int32> &contents, const std::string &zone);
  metrics::DaySpan span(metrics::LocalDays &days, Window window);

  Store store_;
  std::vector<Series> series_;
  std::vector<StoredDay> stored_;
  std::string states_;
  std::unordered_map<std::string, metrics::LocalDays> zones_;
  // The last answer of cut(), and what it was asked.
  const metrics::LocalDays *cut_days_ = nullptr;
  Window cut_window_{0, 0};
  Cut cut_{};
};

/// The zone in which the days of a user are counted.
std::string author_zone(const Store &store, const std::string &user);

}  // namespace nexus::pg
