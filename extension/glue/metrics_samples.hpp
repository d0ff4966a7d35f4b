// Samples of content_metrics, read with the caller's rights.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/metrics/series.hpp"

#include "glue/guard.hpp"

extern "C" {
#include "executor/spi.h"
}

namespace nexus::pg {

/// A statement planned once per backend; PostgreSQL plans it anew when tables or the caller's rights change.
SPIPlanPtr kept_plan(const std::string &statement, std::span<const Oid> parameters);

/// The schema of the 16 tables, quoted for use in a statement; 55000 when none is attached.
std::string attached_schema();

/// `, views::bigint, likes::bigint, ...` of the table of that name, with its dot.
std::string counters_of(const std::string &table_dot);

/// `, (...), (...)`: for each counter its last known value before $2, for the content_id and platform of `series`.
std::string last_counters(const std::string &table, const std::string &series);

/// A row of: platform text, captured_at or NULL, id, content_id, the eight counters.
struct Snapshot {
  std::string_view platform;
  Timestamp at;
  bool before_window;  // no time: what the counters last were before the window
  int32 content_id;
  int64 values[metrics::kMetrics];
  bool nulls[metrics::kMetrics];

  metrics::Counters counters() const {
    metrics::Counters known;
    for (int i = 0; i < metrics::kMetrics; ++i)
      if (!nulls[i]) known[static_cast<size_t>(i)] = values[i];
    return known;
  }
};
Snapshot read_snapshot(HeapTuple row, TupleDesc descriptor);

/// Gives each row of the plan to `on_snapshot`: a thousand at a time, so that a long history needs no more memory than
/// a short one.
template <class OnSnapshot>
void read_snapshots(SPIPlanPtr plan, Datum *parameters, OnSnapshot &&on_snapshot) {
  constexpr long kFetch = 1000;
  Portal portal = call([=] { return SPI_cursor_open(nullptr, plan, parameters, nullptr, true); });
  for (bool more = true; more;) {
    call([portal] { SPI_cursor_fetch(portal, true, kFetch); });
    SPITupleTable *rows = SPI_tuptable;
    for (uint64 i = 0; i < rows->numvals; ++i) on_snapshot(read_snapshot(rows->vals[i], rows->tupdesc));
    more = rows->numvals > 0;
    call([rows] { SPI_freetuptable(rows); });
  }
  call([portal] { SPI_cursor_close(portal); });
}

}  // namespace nexus::pg
