// The settings of module.cpp, for the glue that reads them.
#pragma once

namespace nexus::pg {

extern int max_occurrences;          // nexus.max_occurrences: more in one expansion are NX011
extern bool rrule_strict;            // nexus.rrule_strict: also refuse what RFC 5545 forbids and practice takes
extern bool import_mode;             // nexus.import_mode: rows may come in any state and with their own updated_at
extern int metrics_clock_tolerance;  // nexus.metrics_clock_tolerance: seconds a sample may lie ahead of our clock

}  // namespace nexus::pg
