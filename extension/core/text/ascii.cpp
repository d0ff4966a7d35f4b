#include "core/text/ascii.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>

namespace nexus::text {

namespace {
constexpr std::size_t kLongest = 65536;
}

AsciiRun ascii_run(std::string_view text, std::size_t at) {
  AsciiRun run;
  std::size_t limit = std::min(text.size() - at, kLongest);
  const char *data = text.data() + at;
#if defined(__SSE2__)
  const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');
  auto mask = [](__m128i bytes) { return static_cast<unsigned>(_mm_movemask_epi8(bytes)); };
  while (limit - run.size >= 16) {
    __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i *>(data + run.size));
    unsigned stop = mask(_mm_or_si128(block, _mm_cmpeq_epi8(block, cr)));
    unsigned size = stop == 0 ? 16 : static_cast<unsigned>(std::countr_zero(stop));
    unsigned line_feeds = mask(_mm_cmpeq_epi8(block, lf)) & ((1U << size) - 1);
    if (line_feeds != 0) run.line_feeds += std::popcount(line_feeds);
    run.size += size;
    if (stop != 0) return run;
  }
#endif
  for (; run.size < limit; ++run.size) {
    char c = data[run.size];
    if (static_cast<unsigned char>(c) >= 0x80 || c == '\r') break;
    run.line_feeds += c == '\n' ? 1 : 0;
  }
  return run;
}

}  // namespace nexus::text
