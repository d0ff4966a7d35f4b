#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::bridge {

/// ASCII letters in lower case.
std::string lower_case(std::string_view text);

/// The text without blanks and tabs at its ends.
std::string_view trimmed(std::string_view text);

/// The trimmed parts between separators; empty parts are left out.
std::vector<std::string> split_trimmed(std::string_view text, char separator);

/// The parts with a separator between them.
std::string joined(const std::vector<std::string> &parts, std::string_view separator);

/// A whole decimal number with an optional minus sign; nothing for anything else or when it does not fit.
std::optional<long long> whole_number(std::string_view text);

/// A time as PostgreSQL writes it in settings: a number with us, ms (the default), s, min, h or d. Zero, which stands
/// for "no limit" there, is a year; nothing for any other text.
///
///     duration_of("2s") == 2000ms
std::optional<std::chrono::milliseconds> duration_of(std::string_view text);

}  // namespace nexus::bridge
