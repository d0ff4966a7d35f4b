// What one counter gained in a window, from a few of a series' days.
#pragma once

#include <optional>

#include "glue/index_scan.hpp"
#include "glue/metrics_rollup_read.hpp"

namespace nexus::pg {

/// Counters only grow but for resets: what a counter gained in a window is what it stood at after its last day less
/// what it stood at before its first one, and for each day with a reset what that difference is wrong by. So a series
/// costs two or three rows, however long the window is. The same as RollupReader::gains() adds up to.
///
///     reader.read_user(user, contents, zone, window, false);
///     WindowGain gain(reader, window, Metric::views);
///     for (RollupReader::Series &series : reader.series()) ... gain.of(series) ...
///     gain.close();
class WindowGain {
 public:
  WindowGain(RollupReader &reader, Window window, metrics::Metric metric);

  /// Nothing where no increment is known.
  std::optional<metrics::Wide> of(RollupReader::Series &series);
  /// All counters, from all days.
  metrics::Cell all_of(RollupReader::Series &series);
  /// As IndexScan::close().
  void close();

 private:
  std::optional<metrics::Wide> from_ends(const RollupReader::Series &series, metrics::DaySpan span);
  /// What the days of a span with resets gained beyond the difference of their ends.
  metrics::Wide beyond_difference(std::int32_t series, metrics::DaySpan span);

  RollupReader *reader_;
  Window window_;
  metrics::Metric metric_;
  IndexScan days_, resets_;
  std::vector<ItemPointerData> places_;  // of the days of the series last asked for
};

}  // namespace nexus::pg
