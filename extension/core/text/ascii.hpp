#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nexus::text {

/// What a run of ASCII holds.
struct AsciiRun {
  std::size_t size = 0;
  std::int64_t line_feeds = 0;
};

/// The ASCII characters from `at` on, up to CR or a byte above 0x7F; at most 64 kB, so that callers can poll. Each of
/// them counts one in every unit. An empty run means: one of the two stands at `at`.
AsciiRun ascii_run(std::string_view text, std::size_t at);

/// True if a run of ASCII at `at` is not empty and may be long: in a text of another script, where a space or a digit
/// stands alone, to ask for the run costs more than it saves.
inline bool starts_ascii_run(std::string_view text, std::size_t at) {
  constexpr std::size_t kLong = 8;
  auto is_ascii = [text](std::size_t i) { return static_cast<unsigned char>(text[i]) < 0x80; };
  return is_ascii(at) && text[at] != '\r' && (text.size() - at <= kLong || is_ascii(at + kLong));
}

}  // namespace nexus::text
