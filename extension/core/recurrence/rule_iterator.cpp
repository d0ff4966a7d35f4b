#include "core/recurrence/rule_iterator.hpp"

#include <algorithm>

namespace nexus::recurrence {

RuleIterator::RuleIterator(const Rule &rule, LocalTime dtstart, LocalTime end, Interrupt interrupt)
    : rule_(rule),
      periods_(rule, dtstart),
      interrupt_(interrupt),
      dtstart_(dtstart),
      end_(std::min(end, kMaxLocal)),
      count_applied_(!rule.count),
      remaining_(rule.count.value_or(0)),
      previous_(dtstart - 1) {
  last_period_ = periods_.index_of(end_);
}

void RuleIterator::seek(LocalTime from) {
  finished_ = false;
  started_ = false;
  if (from <= dtstart_) {
    from = dtstart_;
    remaining_ = rule_.count.value_or(0);
  } else {
    apply_count();
  }
  previous_ = from - 1;
  if (from > end_) {
    finished_ = true;
    return;
  }
  period_ = periods_.index_of(from);
  // A day that SKIP=FORWARD moved out of a month lies in the next one.
  if (rule_.skip == Skip::kForward) --period_;
  period_ = std::max<std::int64_t>(period_, 0);
  if (!periods_.fill(period_)) {
    finished_ = true;
    return;
  }
  started_ = true;
  position_ = periods_.lower_bound(from);
}

bool RuleIterator::load_next_period() {
  // periods_ holds period_, read to its end.
  for (std::int64_t empty = 0; empty <= periods_.cycle(); ++empty) {
    interrupt_.poll(4);
    if (periods_.size() == 0) {
      std::optional<std::int64_t> following = periods_.after_empty(period_, interrupt_);
      if (!following) return false;
      period_ = *following;
    } else {
      ++period_;
      empty = 0;
    }
    if (period_ > last_period_ || !periods_.fill(period_)) return false;
    position_ = 0;
    if (periods_.size() > 0) return true;
  }
  return false;
}

std::optional<LocalTime> RuleIterator::next() {
  if (!started_ && !finished_) seek(dtstart_);
  while (!finished_) {
    if (position_ >= periods_.size()) {
      if (!load_next_period()) break;
      continue;
    }
    LocalTime time = periods_.at(position_++);
    if (time <= previous_) continue;
    if (time > end_) break;
    if (!count_applied_ && remaining_-- == 0) break;
    previous_ = time;
    return time;
  }
  finished_ = true;
  return std::nullopt;
}

std::optional<LocalTime> RuleIterator::last(LocalTime to) {
  apply_count();
  finished_ = true;
  to = std::min(to, end_);
  if (to < dtstart_) return std::nullopt;
  std::int64_t empty = 0;
  for (std::int64_t period = periods_.index_of(to); period >= 0 && empty <= periods_.cycle();) {
    interrupt_.poll(4);
    if (!periods_.fill(period)) return std::nullopt;
    std::size_t after = periods_.lower_bound(to + 1);
    if (after > 0) {
      LocalTime time = periods_.at(after - 1);
      if (time < dtstart_) return std::nullopt;
      return time;
    }
    if (periods_.size() > 0) {
      --period;  // its values lie after `to`
      empty = 0;
      continue;
    }
    ++empty;
    std::optional<std::int64_t> preceding = periods_.before_empty(period, interrupt_);
    if (!preceding) return std::nullopt;
    period = *preceding;
  }
  return std::nullopt;
}

/// COUNT ends the rule at its last counted instance. Once that is known, every search can ignore COUNT.
void RuleIterator::apply_count() {
  if (count_applied_) return;
  LocalTime last = last_counted();
  count_applied_ = true;
  end_ = std::min(end_, last);
  last_period_ = periods_.index_of(end_);
}

LocalTime RuleIterator::last_counted() {
  std::int64_t left = *rule_.count;
  std::optional<std::size_t> size = periods_.constant_size();
  if (size && *size == 0) return dtstart_ - 1;
  if (!periods_.fill(0)) return dtstart_ - 1;
  std::size_t skipped = periods_.lower_bound(dtstart_);
  std::int64_t in_first = static_cast<std::int64_t>(periods_.size() - skipped);
  if (left <= in_first) return periods_.at(skipped + static_cast<std::size_t>(left) - 1);
  left -= in_first;
  period_ = 0;
  if (size) {
    auto each = static_cast<std::int64_t>(*size);
    std::int64_t period = 1 + (left - 1) / each;
    if (period > last_period_ || !periods_.fill(period)) return end_;
    return periods_.at(static_cast<std::size_t>((left - 1) % each));
  }
  LocalTime counted = in_first > 0 ? periods_.at(periods_.size() - 1) : dtstart_ - 1;
  while (load_next_period()) {
    std::size_t first = rule_.skip == Skip::kForward ? periods_.lower_bound(counted + 1) : 0;
    auto count = static_cast<std::int64_t>(periods_.size() - first);
    if (left <= count) return periods_.at(first + static_cast<std::size_t>(left) - 1);
    left -= count;
    counted = periods_.at(periods_.size() - 1);
  }
  return end_;
}

}  // namespace nexus::recurrence
