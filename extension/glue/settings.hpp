// The settings that module.cpp defines.
#pragma once

namespace nexus::pg {

extern int max_occurrences;  // nexus.max_occurrences
extern bool import_mode;     // nexus.import_mode: rows may come in any state and with their own updated_at

}  // namespace nexus::pg
