#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
// What is legal in a rule and yet rarely meant.
#pragma once

#include <vector>

#include "core/interrupt.hpp"
#include "core/recurrence/rule.hpp"

namespace nexus::recurrence {

/// Appends advice about a valid rule that starts at `dtstart`: it yields nothing, its DTSTART is not one of its own
/// instances (RFC 5545 3.8.5.3 leaves that undefined; here it is not part of the set), or it leaves out months.
///
///     advise(parse_rule("FREQ=MONTHLY"), local(2026, 1, 31), interrupt, findings);   // months without day 31
void advise(const Rule &rule, LocalTime dtstart, Interrupt interrupt, std::vector<Finding> &findings);

}  // namespace nexus::recurrence
