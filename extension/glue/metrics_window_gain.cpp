#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <algorithm>

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

/// So many days in a row are looked at for series that had none yet; those left are better read one by one.
constexpr size_t kMostDays = 4;

void find(IndexScan &scan, std::int32_t author, DaySpan span, bool places) {
  ScanKeyData keys[3];
  ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(author));
  ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_DATE_GE, DateADTGetDatum(span.first));
  ScanKeyInit(&keys[2], 2, BTLessEqualStrategyNumber, F_DATE_LE, DateADTGetDatum(span.last));
  scan.find(keys, places);
}

}  // namespace

WindowGain::WindowGain(RollupReader &reader, Window window, metrics::Metric metric)
    : reader_(&reader),
      window_(window),
      metric_(metric),
      days_("metric_days", "metric_days_pkey", 3),
      author_days_("metric_days", "metric_days_author_idx", 3),
      resets_("metric_days", "metric_days_resets_idx", 3) {}

void WindowGain::close() {
  days_.close();
  author_days_.close();
  resets_.close();
}

bool WindowGain::may_gain(const SeriesHead &head) const {
  if (!head.latest.knows(static_cast<size_t>(metric_))) return false;
  // Where all samples of a series are gone, raw_from stands for its last one, and days may be there still.
  return head.last_at >= window_.after || head.last_at == reader_->store().raw_from();
}

void WindowGain::find_ends(std::string_view user) {
  std::optional<std::int32_t> first, last;  // of those that go on after the window the last day is in it
  for (const RollupReader::Series &series : reader_->series()) {
    if (!series.not_folded.empty() || !may_gain(series.head)) continue;
    std::optional<DaySpan> span = reader_->whole_days(series, window_);
    if (!span || span->first > span->last) continue;
    bool goes_on = span->last < kAllDays.last;
    if (first.value_or(span->first) != span->first || (goes_on && last.value_or(span->last) != span->last))
      continue;  // days of another zone
    first = span->first;
    if (goes_on) last = span->last;
    ends_[series.head.series].span = *span;
  }
  if (!first) return;
  std::int32_t author = author_number(user);
  // No series that ends in the window has a day after the last one of those that go on.
  DaySpan span{*first, last.value_or(kAllDays.last)};
  find_ends(author, span, false, ends_.size());
  find_ends(author, span, true, ends_.size());
  find_resets(author, span);
}

void WindowGain::find_ends(std::int32_t author, DaySpan span, bool last, size_t missing) {
  find(author_days_, author, span, true);
  size_t most = kMostDays * ends_.size() + 1000;
  for (size_t n = 0; n < most && missing > 0; ++n) {
    constexpr int kSeries = 3;
    auto place = author_days_.next_place(kSeries, last ? BackwardScanDirection : ForwardScanDirection);
    if (!place) break;
    auto found = ends_.find(place->number);
    if (found == ends_.end()) continue;
    Ends &ends = found->second;
    std::optional<ItemPointerData> &end = last ? ends.last : ends.first;
    if (end) continue;
    end = place->tid;
    --missing;
  }
}

void WindowGain::find_resets(std::int32_t author, DaySpan span) {
  find(resets_, author, span, false);
  while (TupleTableSlot *row = resets_.next()) {
    check_interrupts();
    auto found = ends_.find(DatumGetInt32(row->tts_values[0]));
    std::int32_t day = DatumGetDateADT(row->tts_values[1]);
    if (found == ends_.end() || day < found->second.span.first || day > found->second.span.last) continue;
    std::string_view state = stored_bytes(row->tts_values[2]);
    auto ends = DayState::decode_ends(state, metric_);
    if (!ends) continue;
    Wide gained = DayState::decode_cell(state).total(metric_).value_or(0);
    Wide &beyond = found->second.beyond_difference;
    beyond = metrics::add(beyond, metrics::subtract(gained, ends->difference()));
  }
}

Cell WindowGain::all_of(RollupReader::Series &series) {
  reader_->read_days(series, window_, days_);
  Cell sum;
  reader_->gains(series, window_, [&sum](std::int32_t, const Cell &cell) { sum.add(cell); });
  return sum;
}

std::optional<DayState::Ends> WindowGain::read(const ItemPointerData &place, bool *known) {
  TupleTableSlot *row = author_days_.at(place);
  if (row == nullptr) return std::nullopt;
  std::string_view state = stored_bytes(row->tts_values[2]);
  std::optional<DayState::Ends> ends = DayState::decode_ends(state, metric_);
  if (ends && known != nullptr) *known = ends->based || DayState::decode_cell(state).knows(metric_);
  return ends;
}

std::optional<Wide> WindowGain::of(RollupReader::Series &series) {
  check_interrupts();
  if (series.not_folded.empty() && !may_gain(series.head)) return std::nullopt;
  // What is not where it was looked for (a row that another transaction wrote, a counter that is not known on each day)
  // is found among all days.
  auto all = [&] { return all_of(series).total(metric_); };
  auto found = ends_.find(series.head.series);
  if (found == ends_.end() || !found->second.first) return all();
  bool known = false;
  std::optional<DayState::Ends> first = read(*found->second.first, &known);
  if (!first) return all();
  // The only value of its first day is no increment, but a later day has one.
  if (!known || found->second.span.last < kAllDays.last) {
    if (!found->second.last) return all();
    if (!known && ItemPointerEquals(&*found->second.first, &*found->second.last)) return all();
    std::optional<DayState::Ends> last = read(*found->second.last);
    if (!last) return all();
    first->last = last->last;
  }
  if (found->second.span.last == kAllDays.last) first->last = series.head.latest.value[static_cast<size_t>(metric_)];
  return metrics::add(first->difference(), found->second.beyond_difference);
}

}  // namespace nexus::pg
