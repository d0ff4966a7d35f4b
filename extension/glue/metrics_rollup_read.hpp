// Reading the rollups of content_metrics: what is stored, with what hot mode has not folded yet on top of it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/metrics/series_patch.hpp"

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
    std::vector<metrics::DayRow> days;           // those of the window, ascending
    std::vector<metrics::DayChange> not_folded;  // of all days; `days` has them already
  };

  RollupReader() : store_(true) {}

  /// Reads all series for which `condition` on metric_series s holds, of these contents only, with their days in the
  /// window. `zone`: of a series that hot mode has not folded for the first time yet.
  void read(const std::string &condition, std::span<const Oid> types, const Datum *parameters,
            const std::vector<int32> &contents, const std::string &zone, Window window, bool with_days = true);

  const Store &store() const { return store_; }
  std::vector<Series> &series() { return series_; }
  metrics::LocalDays &days_of(const std::string &zone);

  /// Gives each day of a series that lies in the window, with what was gained there. A day that the window cuts is
  /// counted from its samples. 55000 where those are gone.
  void gains(const Series &series, Window window,
             const std::function<void(std::int32_t, const metrics::Cell &)> &on_day);
  /// True if the window cuts no day of a series.
  bool whole_days(const Series &series, Window window);

 private:
  void add_not_folded(const std::vector<int32> &contents, const std::string &zone);
  metrics::DaySpan span(metrics::LocalDays &days, Window window);

  Store store_;
  std::vector<Series> series_;
  std::unordered_map<std::string, metrics::LocalDays> zones_;
};

/// The zone in which the days of a user are counted.
std::string author_zone(const Store &store, const std::string &user);

}  // namespace nexus::pg
