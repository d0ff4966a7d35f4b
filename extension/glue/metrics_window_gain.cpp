#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include "glue/datum.hpp"
#include "glue/metrics_window_gain.hpp"

extern "C" {
#include "access/stratnum.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
}

namespace nexus::pg {

using metrics::Cell;
using metrics::DaySpan;
using metrics::DayState;
using metrics::Wide;

namespace {

void find(IndexScan &scan, std::int32_t series, DaySpan span) {
  ScanKeyData keys[3];
  ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(series));
  ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_DATE_GE, DateADTGetDatum(span.first));
  ScanKeyInit(&keys[2], 2, BTLessEqualStrategyNumber, F_DATE_LE, DateADTGetDatum(span.last));
  scan.find(keys);
}

}  // namespace

WindowGain::WindowGain(RollupReader &reader, Window window, metrics::Metric metric)
    : reader_(&reader),
      window_(window),
      metric_(metric),
      days_("metric_days", "metric_days_pkey", 3),
      resets_("metric_days", "metric_days_resets_idx", 3) {}

void WindowGain::close() {
  days_.close();
  resets_.close();
}

Cell WindowGain::all_of(RollupReader::Series &series) {
  reader_->read_days(series, window_, days_);
  Cell sum;
  reader_->gains(series, window_, [&sum](std::int32_t, const Cell &cell) { sum.add(cell); });
  return sum;
}

std::optional<Wide> WindowGain::of(RollupReader::Series &series) {
  // Where all samples of a series are gone, raw_from stands for its last one, and days may be there still.
  if (series.head.last_at < window_.after && series.head.last_at != reader_->store().raw_from()) return std::nullopt;
  std::optional<DaySpan> span = reader_->whole_days(series, window_);
  if (!span || !series.not_folded.empty()) return all_of(series).total(metric_);
  return from_ends(series, *span);
}

std::optional<Wide> WindowGain::from_ends(const RollupReader::Series &series, DaySpan span) {
  auto index = static_cast<std::size_t>(metric_);
  if (!series.head.latest.knows(index) || span.first > span.last) return std::nullopt;
  std::optional<DayState::Ends> first, last;
  bool known = false;
  find(days_, series.head.series, span);
  places_.clear();
  while (std::optional<ItemPointerData> place = days_.next_place()) places_.push_back(*place);
  for (auto place = places_.begin(); place != places_.end() && !known; ++place) {
    TupleTableSlot *row = days_.at(*place);
    if (row == nullptr) continue;
    std::string_view state = stored_bytes(row->tts_values[2]);
    last = DayState::decode_ends(state, metric_);
    if (!last) continue;
    if (!first) first = last;
    known = last->based || DayState::decode_cell(state).knows(metric_);
  }
  if (!known) return std::nullopt;
  if (span.last < kAllDays.last) {
    last.reset();
    for (auto place = places_.rbegin(); place != places_.rend() && !last; ++place)
      if (TupleTableSlot *row = days_.at(*place))
        last = DayState::decode_ends(stored_bytes(row->tts_values[2]), metric_);
  } else {
    last->last = series.head.latest.value[index];
  }
  first->last = last->last;
  return metrics::add(first->difference(), beyond_difference(series.head.series, span));
}

Wide WindowGain::beyond_difference(std::int32_t series, DaySpan span) {
  Wide beyond = 0;
  find(resets_, series, span);
  while (TupleTableSlot *row = resets_.next()) {
    std::string_view state = stored_bytes(row->tts_values[2]);
    if (auto ends = DayState::decode_ends(state, metric_))
      beyond = metrics::add(
          beyond, metrics::subtract(DayState::decode_cell(state).total(metric_).value_or(0), ends->difference()));
  }
  return beyond;
}

}  // namespace nexus::pg
