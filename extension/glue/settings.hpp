// The settings of module.cpp, for the glue that reads them.
#pragma once

namespace nexus::pg {

extern int max_occurrences;  // nexus.max_occurrences: more in one expansion are NX011
extern bool rrule_strict;    // nexus.rrule_strict: also refuse what RFC 5545 forbids and practice takes

}  // namespace nexus::pg
