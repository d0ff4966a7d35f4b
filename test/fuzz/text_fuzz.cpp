// The text core on any valid UTF-8: no crash, and the answers must agree with each other.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/text/entities.hpp"
#include "core/text/graphemes.hpp"
#include "core/text/identifiers.hpp"
#include "core/text/normalize.hpp"
#include "core/text/stats.hpp"
#include "core/text/utf8.hpp"
#include "core/text/x_length.hpp"

using namespace nexus::text;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// Turns any bytes into valid UTF-8: what is ASCII stays, other bytes choose among characters that matter, or the code
/// point that they and the two bytes behind them give.
std::string valid_text(const std::uint8_t *data, std::size_t size) {
  static constexpr char32_t kChosen[] = {0xFF03, 0xFF20, 0x200D, 0xFE0F, 0x20E3,  0x0301,  0x3002,  0x3053,
                                         0x915,  0x94D,  0x937,  0xE9,   0x1F468, 0x1F3FD, 0x1F1E6, 0x2028};
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] < 0x80) {
      text.push_back(static_cast<char>(data[i]));
    } else if (data[i] < 0xC0 || i + 2 >= size) {
      append(text, kChosen[data[i] % std::size(kChosen)]);
    } else {
      char32_t code = (static_cast<char32_t>(data[i]) << 16 | data[i + 1] << 8 | data[i + 2]) % 0x110000;
      if (code >= 0xD800 && code < 0xE000) code -= 0x800;
      append(text, code);
      i += 2;
    }
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::string text = valid_text(data, size);
  Stats stats = text_stats(text);
  XLength length = x_length(text, XConfig::v3);
  require(length.weight == stats.x_weight);
  Analysis analysis(text);
  Position within = x_within(analysis, 280);
  require(length.fits.byte <= within.byte && within.byte <= stats.bytes);
  require(!length.valid || length.fits.byte == stats.bytes);
  auto breaks = grapheme_breaks(text);
  require(stats.graphemes == static_cast<std::int64_t>(breaks.size()) - 1);
  require(stats.codepoints == breaks.back());
  require(stats.utf16_units >= stats.codepoints && stats.bytes >= stats.codepoints);

  for (Dialect dialect : {Dialect::x, Dialect::bluesky}) {
    Position last;
    for (const Entity &entity : entities(text, dialect)) {
      require(entity.start.byte >= last.byte && entity.end.byte > entity.start.byte);
      require(entity.end.codepoint > entity.start.codepoint && entity.end.utf16 > entity.start.utf16);
      require(static_cast<std::size_t>(entity.end.byte) <= text.size());
      std::string_view part = std::string_view(text).substr(0, static_cast<std::size_t>(entity.end.byte));
      require(part.size() >= entity.value.size() && part.substr(part.size() - entity.value.size()) == entity.value);
      last = entity.end;
    }
  }
  for (const char *kind : {"hashtag", "username", "list", "url", "url_without_protocol", "handle", "did",
                           "atidentifier", "aturi", "nsid", "tid", "recordkey", "language", "datetime"})
    (void)is_valid(kind, text);

  std::string folded = fold(text);
  require(fold(folded) == folded);
  require(nfc(nfc(text)) == nfc(text));
  return 0;
}
