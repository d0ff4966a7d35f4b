#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
// The recurrence set: (RRULE + RDATE) minus (EXDATE + EXRULE), as instants in order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/recurrence/rule_iterator.hpp"
#include "core/recurrence/zone.hpp"

namespace nexus::recurrence {

/// What a schedule says, in wall time of its zone.
struct Schedule {
  Rule rule;
  LocalTime dtstart;
  std::vector<LocalTime> rdates, exdates;
  std::vector<Rule> exrules;
};

/// The last instant that UNTIL allows, `last` at the most. A date means the whole local day, a local time is wall time,
/// and UTC an instant; on a clock without zone all are wall time.
Instant last_instant(const Rule &rule, WallClock &clock, Instant last);

/// The instants of one rule in a zone, ascending, each once. A time moved out of a gap can land among later wall times,
/// so a few instants are held back until nothing can come before them.
class RuleInstants {
 public:
  RuleInstants(const Rule &rule, LocalTime dtstart, const WallClock &clock, Instant last, Interrupt interrupt);

  void seek(Instant from);
  std::optional<Instant> next() {
    if (held_.empty() && !ahead_) {
      std::optional<LocalTime> local = iterator_.next();
      if (!local) return std::nullopt;
      WallClock::Resolved resolved = clock_.resolve(*local);
      if (resolved.wall == *local && resolved.instant >= from_ && resolved.instant <= last_) {
        from_ = resolved.instant + 1;
        return resolved.instant;
      }
      ahead_ = Candidate{*local, resolved};
    }
    return next_in_order();
  }
  /// Some instant of the rule at or before `to`, such that none between lies in wall time after it; nullopt: no more.
  std::optional<Instant> before(Instant to);

 private:
  struct Candidate {
    LocalTime local;
    WallClock::Resolved resolved;
  };
  bool look_ahead();
  std::optional<Instant> next_in_order();

  WallClock clock_;
  Instant last_;
  RuleIterator iterator_;
  std::optional<Candidate> ahead_;
  std::vector<WallClock::Resolved> held_;  // a heap, the earliest in front
  Instant from_;                           // what lies before is dropped; moves on, so that each instant comes once
};

/// The set of a schedule between two instants (both included), in order. Schedule and zone must outlive it.
///
///     Occurrences set(schedule, &zone, from, kMaxInstant, 100000, interrupt);
///     while (std::optional<Instant> at = set.next()) ...
class Occurrences {
 public:
  /// `excluded_limit`: more instants taken out in a row by EXDATE and EXRULE are NX011 instead of an endless loop.
  Occurrences(const Schedule &schedule, const Zone *zone, Instant from, Instant to, std::int64_t excluded_limit,
              Interrupt interrupt);
  Occurrences(const Occurrences &) = delete;
  Occurrences &operator=(const Occurrences &) = delete;

  std::optional<Instant> next() {
    if (!rule_only_) return next_of_set();
    std::optional<Instant> at = rule_.next();
    if (at && *at > to_) at.reset();
    return at;
  }
  /// The last one at or before `to`, which must not lie after the constructor's `to`; next() must not follow.
  std::optional<Instant> last(Instant to);

 private:
  void seek(Instant from);
  std::optional<Instant> next_of_set();
  bool excluded(Instant at);

  struct Exclusion {
    RuleInstants instants;
    std::optional<Instant> current;
  };
  WallClock clock_;
  Instant from_, to_;
  bool positioned_ = false;
  bool rule_only_ = false;  // positioned, and there is nothing to merge with or to take out
  std::int64_t excluded_limit_;
  RuleInstants rule_;
  std::optional<Instant> rule_next_;
  bool rule_read_ = false;  // rule_next_ is what the rule yields next; it is read when it is needed
  std::vector<Instant> rdates_, exdates_;
  std::size_t rdate_ = 0;
  std::vector<std::unique_ptr<Exclusion>> exclusions_;
};

/// Instants of wall times in years 1 to 9999 lie between these, whatever the zone.
inline constexpr Instant kMinInstant = kMinLocal - 2 * kDay;
inline constexpr Instant kMaxInstant = kMaxLocal + 2 * kDay;

}  // namespace nexus::recurrence
