// metric_delta: which days of which series were touched and wait for the next fold.
#pragma once

#include <utility>
#include <vector>

#include "glue/metrics_rollup_store.hpp"

namespace nexus::pg {

/// A sample that a statement added or took away.
struct SampleChange {
  int32 content_id;
  uint16 platform;  // of the statement's Names
  bool added;
  int32 id;
  int32 post_id;  // platform_posts.id, 0 without one
  Timestamp at;
  metrics::Values values;  // of an added one
};

/// What must be read again of one series.
struct SeriesTouch {
  SeriesKey key;
  std::vector<std::pair<int32, Timestamp>> posts;       // platform posts that were measured, and when
  std::vector<std::pair<Timestamp, Timestamp>> ranges;  // from first to last instant
};

/// Appends an entry for each range of instants, without SPI: this is all that hot mode lets a writer wait for.
void append_delta(const std::vector<SeriesTouch> &touched);

/// Remembers what was touched and nothing more. 22008 for samples added to days that began before `raw_from`.
void append_touched(std::vector<SampleChange> &changes, const Names &names, Timestamp raw_from);

}  // namespace nexus::pg
