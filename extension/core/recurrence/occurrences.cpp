#include "core/recurrence/occurrences.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace nexus::recurrence {

namespace {

bool later(const WallClock::Resolved &a, const WallClock::Resolved &b) {
  return a.instant > b.instant;
}

/// The last wall time worth looking at.
LocalTime last_local(const Rule &rule, WallClock &clock, Instant last) {
  LocalTime end = last >= kMaxInstant ? kMaxLocal : clock.latest(std::max(last, kMinInstant));
  if (rule.until && rule.until->form != Until::Form::kUtc)
    end = std::min(end, rule.until->at + (rule.until->form == Until::Form::kDate ? kDay : kSecond) - 1);
  return end;
}

std::vector<Instant> resolve_all(const std::vector<LocalTime> &locals, WallClock &clock) {
  std::vector<Instant> instants;
  instants.reserve(locals.size());
  for (LocalTime local : locals) instants.push_back(clock.resolve(local).instant);
  std::sort(instants.begin(), instants.end());
  instants.erase(std::unique(instants.begin(), instants.end()), instants.end());
  return instants;
}

}  // namespace

Instant last_instant(const Rule &rule, WallClock &clock, Instant last) {
  if (!rule.until) return last;
  const Until &until = *rule.until;
  if (until.form == Until::Form::kUtc) return std::min(last, until.at + kSecond - 1);
  LocalTime wall = until.at + (until.form == Until::Form::kDate ? kDay : kSecond) - 1;
  return std::min(last, clock.resolve(wall).instant);
}

RuleInstants::RuleInstants(const Rule &rule, LocalTime dtstart, const WallClock &clock, Instant last,
                           Interrupt interrupt)
    : clock_(clock),
      last_(last_instant(rule, clock_, last)),
      iterator_(rule, dtstart, last_local(rule, clock_, last_), interrupt),
      from_(kMinInstant) {}

void RuleInstants::seek(Instant from) {
  ahead_.reset();
  held_.clear();
  from_ = std::clamp(from, kMinInstant, kMaxInstant);
  iterator_.seek(clock_.earliest(from_));
}

bool RuleInstants::look_ahead() {
  if (ahead_) return true;
  std::optional<LocalTime> local = iterator_.next();
  if (!local) return false;
  ahead_ = Candidate{*local, clock_.resolve(*local)};
  return true;
}

std::optional<Instant> RuleInstants::next_in_order() {
  while (true) {
    std::optional<Instant> found;
    bool more = look_ahead();
    if (!held_.empty() && (!more || ahead_->local >= held_.front().wall)) {
      found = held_.front().instant;
      std::pop_heap(held_.begin(), held_.end(), later);
      held_.pop_back();
    } else if (!more) {
      return std::nullopt;
    } else if (held_.empty() && ahead_->resolved.wall == ahead_->local) {
      found = ahead_->resolved.instant;
      ahead_.reset();
    } else {
      held_.push_back(ahead_->resolved);
      std::push_heap(held_.begin(), held_.end(), later);
      ahead_.reset();
    }
    if (found && *found >= from_ && *found <= last_) {
      from_ = *found + 1;
      return found;
    }
  }
}

std::optional<Instant> RuleInstants::before(Instant to) {
  to = std::min(to, last_);
  if (to < kMinInstant) return std::nullopt;
  LocalTime bound = clock_.latest(to);
  while (std::optional<LocalTime> local = iterator_.last(bound)) {
    Instant instant = clock_.resolve(*local).instant;
    if (instant <= to) return instant;
    bound = *local - 1;
  }
  return std::nullopt;
}

Occurrences::Occurrences(const Schedule &schedule, const Zone *zone, Instant from, Instant to,
                         std::int64_t excluded_limit, Interrupt interrupt)
    : clock_(zone),
      from_(from),
      to_(to),
      excluded_limit_(excluded_limit),
      rule_(schedule.rule, schedule.dtstart, clock_, to, interrupt),
      rdates_(resolve_all(schedule.rdates, clock_)),
      exdates_(resolve_all(schedule.exdates, clock_)) {
  for (const Rule &rule : schedule.exrules)
    exclusions_.push_back(std::make_unique<Exclusion>(
        Exclusion{RuleInstants(rule, schedule.dtstart, clock_, to, interrupt), std::nullopt}));
}

void Occurrences::seek(Instant from) {
  positioned_ = true;
  rule_only_ = rdates_.empty() && exdates_.empty() && exclusions_.empty();
  rule_.seek(from);
  rule_read_ = false;
  rdate_ = static_cast<std::size_t>(std::lower_bound(rdates_.begin(), rdates_.end(), from) - rdates_.begin());
  for (auto &exclusion : exclusions_) {
    exclusion->instants.seek(from);
    exclusion->current = exclusion->instants.next();
  }
}

bool Occurrences::excluded(Instant at) {
  if (std::binary_search(exdates_.begin(), exdates_.end(), at)) return true;
  for (auto &exclusion : exclusions_) {
    while (exclusion->current && *exclusion->current < at) exclusion->current = exclusion->instants.next();
    if (exclusion->current == at) return true;
  }
  return false;
}

std::optional<Instant> Occurrences::next_of_set() {
  if (!positioned_) seek(from_);
  std::int64_t dropped = 0;
  while (true) {
    if (!rule_read_) rule_next_ = rule_.next();
    rule_read_ = true;
    std::optional<Instant> at = rule_next_;
    if (rdate_ < rdates_.size() && (!at || rdates_[rdate_] < *at)) at = rdates_[rdate_];
    if (!at || *at > to_) return std::nullopt;
    if (rule_next_ == at) rule_read_ = false;
    if (rdate_ < rdates_.size() && rdates_[rdate_] == *at) ++rdate_;
    if (!excluded(*at)) return at;
    if (++dropped > excluded_limit_)
      throw Error("NX011", "more than " + std::to_string(excluded_limit_) + " occurrences in a row are excluded")
          .hint("Check whether exrule takes out all that rrule yields.");
  }
}

std::optional<Instant> Occurrences::last(Instant to) {
  std::int64_t tried = 0;
  while (true) {
    std::optional<Instant> low = rule_.before(to);
    auto rdate = std::upper_bound(rdates_.begin(), rdates_.end(), to);
    if (rdate != rdates_.begin() && (!low || *std::prev(rdate) > *low)) low = *std::prev(rdate);
    if (!low) return std::nullopt;
    // Between `low` and `to` lies little: what was moved out of a gap, if anything.
    seek(*low);
    std::optional<Instant> found;
    to_ = to;
    while (std::optional<Instant> at = next()) found = at;
    if (found) return found;
    if (++tried > excluded_limit_)
      throw Error("NX011", "more than " + std::to_string(excluded_limit_) + " occurrences in a row are excluded")
          .hint("Check whether exrule takes out all that rrule yields.");
    to = *low - 1;
  }
}

}  // namespace nexus::recurrence
