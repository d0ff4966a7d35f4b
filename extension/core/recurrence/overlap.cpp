#include "core/recurrence/overlap.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace nexus::recurrence {

Overlaps::Overlaps(TimedSchedule first, TimedSchedule second, Instant from, Instant to, std::int64_t limit,
                   Interrupt interrupt)
    : from_(std::max(from, kMinInstant)), to_(std::min(to, kMaxInstant)), limit_(limit), interrupt_(interrupt) {
  sides_[0].timed = first;
  sides_[1].timed = second;
  for (Side &side : sides_) open(side, std::max(from_ - side.timed.duration, kMinInstant));
}

void Overlaps::open(Side &side, Instant from) {
  side.set = std::make_unique<Occurrences>(*side.timed.schedule, side.timed.zone, from, to_, limit_, interrupt_);
  side.ahead = side.set->next();
}

/// Takes the next start of either side, the first schedule's where both start together; false: nothing can meet any
/// more.
bool Overlaps::start_next() {
  constexpr int kPatience = 16;
  interrupt_.poll();
  for (int i = 0; i < 2; ++i) {
    Side &side = sides_[i], &other = sides_[1 - i];
    if (side.ahead || !other.running.empty() || !other.ahead) continue;
    // Nothing more starts here: what still runs decides whether the other side can meet anything.
    bool runs = std::any_of(side.running.begin(), side.running.end(),
                            [&](Instant at) { return at + side.timed.duration > *other.ahead || at == *other.ahead; });
    if (!runs) return false;
  }
  if (!sides_[0].ahead && !sides_[1].ahead) return false;
  started_ = sides_[0].ahead && (!sides_[1].ahead || *sides_[0].ahead <= *sides_[1].ahead) ? 0 : 1;
  Side &side = sides_[started_], &other = sides_[1 - started_];
  start_ = *side.ahead;
  auto over = [this](Instant at, std::int64_t duration) { return at < start_ && at + duration <= start_; };
  while (!other.running.empty() && over(other.running.front(), other.timed.duration)) other.running.pop_front();
  while (!side.running.empty() && over(side.running.front(), side.timed.duration)) side.running.pop_front();
  side.running.push_back(start_);
  if (static_cast<std::int64_t>(side.running.size()) > limit_)
    throw Error("NX011", "more than " + std::to_string(limit_) + " occurrences are under way at once")
        .hint("Give shorter durations.");
  side.ahead = side.set->next();
  paired_ = 0;
  partners_ = other.running.size();
  idle_ = partners_ > 0 ? 0 : idle_ + 1;
  if (idle_ >= kPatience && other.ahead && side.ahead && *side.ahead + side.timed.duration < *other.ahead) {
    open(side, *other.ahead - side.timed.duration);
    idle_ = 0;
  }
  return true;
}

std::optional<Overlap> Overlaps::next() {
  while (true) {
    while (paired_ < partners_) {
      Side &other = sides_[1 - started_];
      Instant partner = other.running[paired_++];
      if (start_ < from_) continue;
      Instant end = std::min(start_ + sides_[started_].timed.duration, partner + other.timed.duration);
      return started_ == 0 ? Overlap{start_, partner, start_, end} : Overlap{partner, start_, start_, end};
    }
    if (!start_next()) return std::nullopt;
  }
}

}  // namespace nexus::recurrence
