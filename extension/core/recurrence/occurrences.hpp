// The recurrence set: (RRULE + RDATE) minus (EXDATE + EXRULE), as instants in order.
#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
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

/// The instants of one rule in a zone, ascending, each once. A time moved out of a gap can land among later wall times,
/// so a few instants are held back until nothing can come before them.
class RuleInstants {
 public:
  RuleInstants(const Rule &rule, LocalTime dtstart, const WallClock &clock, Instant last, Interrupt interrupt);

  void seek(Instant from);
  std::optional<Instant> next();
  /// Some instant of the rule at or before `to`, such that none between lies in wall time after it; nullopt: no more.
  std::optional<Instant> before(Instant to);

 private:
  struct Candidate {
    LocalTime local;
    WallClock::Resolved resolved;
  };
  bool look_ahead();

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

  std::optional<Instant> next();
  /// The last one at or before `to`, which must not lie after the constructor's `to`; next() must not follow.
  std::optional<Instant> last(Instant to);

 private:
  void seek(Instant from);
  bool excluded(Instant at);

  struct Exclusion {
    RuleInstants instants;
    std::optional<Instant> current;
  };
  WallClock clock_;
  Instant from_, to_;
  bool positioned_ = false;
  std::int64_t excluded_limit_;
  RuleInstants rule_;
  std::optional<Instant> rule_next_;
  std::vector<Instant> rdates_, exdates_;
  std::size_t rdate_ = 0;
  std::vector<std::unique_ptr<Exclusion>> exclusions_;
};

/// Instants of wall times in years 1 to 9999 lie between these, whatever the zone.
inline constexpr Instant kMinInstant = kMinLocal - 2 * kDay;
inline constexpr Instant kMaxInstant = kMaxLocal + 2 * kDay;

}  // namespace nexus::recurrence
