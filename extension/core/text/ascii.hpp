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
  bool dot = false, at_sign = false;
};

/// The ASCII characters from `at` on, up to CR or a byte above 0x7F; at most 64 kB, so that callers can poll. Each of
/// them counts one in every unit. An empty run means: one of the two stands at `at`.
AsciiRun ascii_run(std::string_view text, std::size_t at);

}  // namespace nexus::text
