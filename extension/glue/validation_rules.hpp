// The rules and the modes of the guards, compiled once in each backend and again after each change of their tables.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/validation/rules.hpp"

namespace nexus::pg {

enum class Enforcement { off, record, warn, error };

/// nexus.platforms, platform_rules and rule_overrides as committed now.
const validation::RuleSet &validation_rules();

/// The mode of a guarded table; error where nothing was set.
Enforcement enforcement_of(std::string_view table);

/// Today in UTC, as days in PostgreSQL's count.
std::int32_t today();

}  // namespace nexus::pg
