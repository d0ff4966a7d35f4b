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
      from_(dtstart),
      previous_(dtstart - 1) {
  last_period_ = periods_.index_of(end_);
}

void RuleIterator::seek(LocalTime from) {
  from = std::max(from, dtstart_);
  from_ = from;
  previous_ = dtstart_ - 1;
  started_ = true;
  finished_ = true;
  run_ = 1;
  read_ = buffered_ = 0;
  if (from > end_) return;
  std::int64_t target = periods_.index_of(from);
  // A day that SKIP=FORWARD moved out of a month lies in the next one.
  if (rule_.skip == Skip::kForward) target = std::max<std::int64_t>(target - 1, 0);
  std::size_t first = 0;
  if (!count_applied_) first = count_before(target);
  if (count_applied_) {
    if (from > end_ || !periods_.fill(target)) return;
    period_ = target;
  }
  finished_ = false;
  position_ = periods_.lower_bound(from);
  if (count_applied_) return;
  // Two periods may lie before `from` here and share a day: next() counts them off one by one.
  if (rule_.skip == Skip::kForward) position_ = first;
  remaining_ -= static_cast<std::int64_t>(position_ - first);
}

bool RuleIterator::load_next_period(std::int64_t run) {
  // periods_ holds period_ (or a run from there), read to its end.
  for (std::int64_t empty = 0; empty <= periods_.cycle(); ++empty) {
    interrupt_.poll(4);
    if (periods_.size() == 0) {
      std::optional<std::int64_t> following = periods_.after_empty(period_, interrupt_);
      if (!following) return false;
      period_ = *following;
    } else {
      period_ += periods_.span();
      empty = 0;
    }
    if (period_ > last_period_ || !periods_.fill_run(period_, run)) return false;
    position_ = 0;
    if (periods_.size() > 0) return true;
  }
  return false;
}

/// Called when the buffer has been read: fills it from the periods at hand.
std::optional<LocalTime> RuleIterator::refill() {
  if (!started_) seek(dtstart_);
  read_ = buffered_ = 0;
  while (!finished_ && buffered_ < run_) {
    if (position_ >= periods_.size()) {
      if (buffered_ > 0) break;
      finished_ = !load_next_period(static_cast<std::int64_t>(run_));
      continue;
    }
    // As a rule all that is at hand is wanted; near the ends each value is looked at.
    const std::size_t count = std::min(run_ - buffered_, periods_.size() - position_);
    if (LocalTime first = periods_.at(position_); first > previous_ && first >= from_ &&
                                                  periods_.at(position_ + count - 1) <= end_ &&
                                                  (count_applied_ || remaining_ >= static_cast<std::int64_t>(count))) {
      periods_.copy(position_, count, buffer_.data() + buffered_);
      position_ += count;
      buffered_ += count;
      if (!count_applied_) remaining_ -= static_cast<std::int64_t>(count);
      previous_ = buffer_[buffered_ - 1];
      interrupt_.poll(static_cast<std::uint32_t>(count));
      continue;
    }
    interrupt_.poll();
    LocalTime time = periods_.at(position_++);
    if (time <= previous_) continue;
    finished_ = time > end_ || (!count_applied_ && remaining_-- == 0);
    if (finished_) break;
    previous_ = time;
    if (time >= from_) buffer_[buffered_++] = time;
  }
  run_ = std::min(2 * run_, kLongestRun);
  if (buffered_ == 0) return std::nullopt;
  return buffer_[read_++];
}

std::optional<LocalTime> RuleIterator::last(LocalTime to) {
  started_ = true;
  finished_ = true;
  read_ = buffered_ = 0;
  to = std::min(to, end_);
  if (to < dtstart_) return std::nullopt;
  if (!count_applied_ && periods_.index_of(to) > counted_through_) {
    std::int64_t target = periods_.index_of(to);
    count_before(target);
    counted_through_ = target;
    to = std::min(to, end_);
  }
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

/// Counts the instances before period `target` off COUNT, into remaining_, and loads that period (or, if it is empty,
/// the next that is not); returns where its uncounted instances begin. If COUNT or the rule ends by then, end_ becomes
/// the last instance, count_applied_ is set and COUNT need not be thought of again.
std::size_t RuleIterator::count_before(std::int64_t target) {
  remaining_ = *rule_.count;
  std::optional<std::size_t> size = periods_.constant_size();
  period_ = 0;
  if (!periods_.fill(0)) {
    count_applied_ = true;
    return 0;
  }
  std::size_t first = periods_.lower_bound(dtstart_);
  LocalTime counted = dtstart_ - 1;
  std::int64_t cycle_begin = 0, cycle_left = 0;
  while (true) {
    auto count = static_cast<std::int64_t>(periods_.size() - first);
    if (remaining_ <= count) {
      end_ = std::min(end_, periods_.at(first + static_cast<std::size_t>(remaining_) - 1));
      last_period_ = periods_.index_of(end_);
      count_applied_ = true;
      return 0;
    }
    if (period_ >= target) return first;
    remaining_ -= count;
    if (periods_.size() > 0) counted = periods_.at(periods_.size() - 1);
    if (size && *size > 0) {
      auto each = static_cast<std::int64_t>(*size);
      std::int64_t whole = std::min(target - period_ - 1, (remaining_ - 1) / each);
      remaining_ -= whole * each;
      period_ += whole;
    }
    if (periods_.has_kinds()) {
      std::optional<std::size_t> known;
      while ((known = periods_.size_of(++period_)) && period_ < target &&
             static_cast<std::int64_t>(*known) < remaining_) {
        interrupt_.poll();
        remaining_ -= static_cast<std::int64_t>(*known);
      }
      first = 0;
      if (known && periods_.fill(period_)) continue;
      count_applied_ = true;
      return 0;
    }
    // Other periods repeat after a cycle of 400 years: what one holds, the next ones hold.
    if (period_ > 0 && cycle_begin == 0) {
      cycle_begin = period_;
      cycle_left = remaining_;
    } else if (period_ == cycle_begin + periods_.cycle() && cycle_left > remaining_) {
      const std::int64_t each = cycle_left - remaining_;
      const std::int64_t cycles = std::min((target - period_ - 1) / periods_.cycle(), (remaining_ - 1) / each);
      if (cycles > 0) {
        remaining_ -= cycles * each;
        period_ += cycles * periods_.cycle();
        if (!periods_.fill(period_)) {
          count_applied_ = true;
          return 0;
        }
      }
    }
    const std::int64_t from = period_;
    bool more = load_next_period();
    if (more) {
      std::int64_t period = periods_.skip_days(from, period_, target, remaining_, interrupt_);
      if (period != period_) more = periods_.fill(period_ = period);
    }
    if (!more) {
      count_applied_ = true;
      return 0;
    }
    // SKIP=FORWARD can give the first of a month twice; it counts once.
    first = rule_.skip == Skip::kForward ? periods_.lower_bound(counted + 1) : 0;
  }
}

}  // namespace nexus::recurrence
