#include "core/metrics/series_patch.hpp"

#include <utility>

namespace nexus::metrics {

std::vector<DayRow> days_of_samples(SeriesSource &source, LocalDays &days, DaySpan span) {
  std::vector<DayRow> rows;
  Instants instants;
  auto append = [&](Instant at, std::uint32_t count, const Values &values) {
    LocalDays::When when = days.at(at);
    if (rows.empty() || rows.back().day != when.day) rows.push_back({when.day, {}});
    rows.back().state.append(when.hour, count, values);
  };
  source.samples(days.start(span.first), days.start(span.last + 1),
                 [&](Instant at, const Values &values) { instants.add(at, values, append); });
  instants.finish(append);
  return rows;
}

namespace {

/// What counters stand at after the day last looked at, where that differs from what the next days were told.
class Carry {
 public:
  explicit Carry(SeriesSource &source) : source_(&source) {}

  bool pending() const { return pending_ != 0; }
  std::uint8_t mask() const { return pending_; }
  const Values &values() const { return values_; }

  /// Bases of a day that was read anew, from its stored form and from what changed before it.
  void rebase(std::int32_t day, const DayState &before, DayState &after) {
    std::uint8_t wanted = 0;
    for (std::size_t i = 0; i < kMetrics; ++i) {
      if (!after.knows(i)) continue;
      if (has(i))
        after.rebase(i, values_.knows(i), values_.value[i]);
      else if (before.knows(i))
        after.rebase(i, before.base().knows(i), before.base().value[i]);
      else
        wanted |= bit(i);
    }
    for (std::int32_t at = day; wanted != 0;) {
      std::vector<DayRow> rows = source_->days_before(at);
      if (rows.empty()) break;
      for (const DayRow &row : rows)
        for (std::size_t i = 0; i < kMetrics; ++i)
          if ((wanted & bit(i)) != 0 && row.state.knows(i)) {
            after.rebase(i, true, row.state.last().value[i]);
            wanted &= static_cast<std::uint8_t>(~bit(i));
          }
      at = rows.back().day;
    }
  }

  /// What the next days must be told after this one.
  void pass(const DayState &before, const DayState &after) {
    for (std::size_t i = 0; i < kMetrics; ++i) {
      if (after.knows(i)) {
        if (before.knows(i) && before.last().value[i] == after.last().value[i])
          pending_ &= static_cast<std::uint8_t>(~bit(i));
        else
          put(i, true, after.last().value[i]);
      } else if (before.knows(i) && !has(i)) {
        put(i, before.base().knows(i), before.base().value[i]);
      }
    }
  }

  /// A stored day that stays as it is but for its bases.
  void rebase_stored(DayRow &row, std::vector<DayChange> &changes) {
    DayState state = row.state;
    for (std::size_t i = 0; i < kMetrics; ++i) {
      if (!has(i) || !state.knows(i)) continue;
      state.rebase(i, values_.knows(i), values_.value[i]);
      pending_ &= static_cast<std::uint8_t>(~bit(i));
    }
    if (!(state == row.state)) changes.push_back({row.day, std::move(row.state), std::move(state)});
  }

 private:
  static std::uint8_t bit(std::size_t i) { return static_cast<std::uint8_t>(1U << i); }
  bool has(std::size_t i) const { return pending_ >> i & 1; }
  void put(std::size_t i, bool known, std::int64_t value) {
    pending_ |= bit(i);
    if (known)
      values_.set(i, value);
    else
      values_.forget(i);
  }

  SeriesSource *source_;
  std::uint8_t pending_ = 0;
  Values values_;
};

}  // namespace

std::vector<DayChange> patch_series(SeriesSource &source, LocalDays &days, const std::vector<DaySpan> &spans,
                                    Values &latest) {
  std::vector<DayChange> changes;
  Carry carry(source);
  for (std::size_t s = 0; s < spans.size(); ++s) {
    std::vector<DayRow> stored = source.days(spans[s]);
    std::vector<DayRow> fresh = days_of_samples(source, days, spans[s]);
    for (std::size_t i = 0, j = 0; i < stored.size() || j < fresh.size();) {
      std::int32_t day =
          j == fresh.size() || (i < stored.size() && stored[i].day < fresh[j].day) ? stored[i].day : fresh[j].day;
      DayChange change{day, {}, {}};
      if (i < stored.size() && stored[i].day == day) change.before = std::move(stored[i++].state);
      if (j < fresh.size() && fresh[j].day == day) change.after = std::move(fresh[j++].state);
      carry.rebase(day, change.before, change.after);
      carry.pass(change.before, change.after);
      if (!(change.before == change.after)) changes.push_back(std::move(change));
    }
    // Days up to the next span are only told what they start from.
    bool last = s + 1 == spans.size();
    for (std::int32_t at = spans[s].last; carry.pending();) {
      std::vector<DayRow> rows = source.days_after(at);
      bool reached = rows.empty();
      for (DayRow &row : rows) {
        if (!last && row.day >= spans[s + 1].first) {
          reached = true;
          break;
        }
        carry.rebase_stored(row, changes);
        at = row.day;
      }
      if (reached) break;
    }
  }
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if ((carry.mask() >> i & 1) == 0) continue;
    if (carry.values().knows(i))
      latest.set(i, carry.values().value[i]);
    else
      latest.forget(i);
  }
  return changes;
}

}  // namespace nexus::metrics
