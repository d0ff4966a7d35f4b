// What one counter of all series of an account gained in a window, from a few of their days.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "glue/index_scan.hpp"
#include "glue/metrics_rollup_read.hpp"

namespace nexus::pg {

/// Counters only grow but for resets: what a counter gained in a window is what it stood at after its last day less
/// what it stood at before its first one, and for each day with a reset what that difference is wrong by. So a series
/// costs a row or two, however long the window is; which ones, the index of the account's days tells for all series at
/// once. The same as RollupReader::gains() adds up to.
///
///     reader.read_user(user, contents, zone, window, false);
///     WindowGain gain(reader, window, Metric::views);
///     gain.find_ends(user);
///     for (RollupReader::Series &series : reader.series()) ... gain.of(series) ...
///     gain.close();
class WindowGain {
 public:
  WindowGain(RollupReader &reader, Window window, metrics::Metric metric);

  /// Where the first and last days of all series are. Series that show up on few days are left out: of() finds theirs.
  void find_ends(std::string_view user);
  /// Nothing where no increment is known.
  std::optional<metrics::Wide> of(RollupReader::Series &series);
  /// All counters, from all days.
  metrics::Cell all_of(RollupReader::Series &series);
  /// As IndexScan::close().
  void close();

 private:
  struct Ends {
    metrics::DaySpan span;
    std::optional<ItemPointerData> first, last;
    metrics::Wide beyond_difference = 0;  // what days with resets gained beyond the difference of their ends
  };

  bool may_gain(const SeriesHead &head) const;
  void find_ends(std::int32_t author, metrics::DaySpan span, bool last, size_t missing);
  void find_resets(std::int32_t author, metrics::DaySpan span);
  std::optional<metrics::DayState::Ends> read(const ItemPointerData &place, bool *known = nullptr);

  RollupReader *reader_;
  Window window_;
  metrics::Metric metric_;
  IndexScan days_, author_days_, resets_;
  std::unordered_map<std::int32_t, Ends> ends_;  // by series
};

}  // namespace nexus::pg
