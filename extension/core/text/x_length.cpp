#include "core/text/x_length.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/text/normalize.hpp"
#include "core/text/spans.hpp"
#include "core/text/unicode.hpp"
#include "core/text/utf8.hpp"
#include "core/text/x_weight.hpp"

namespace nexus::text {

namespace {

bool is_invalid(char32_t c) {
  return c == 0xFEFF || c == 0xFFFE || c == 0xFFFF;
}

/// The byte of the given text that a byte of its NFC stands for; the start of a stretch for what is inside of it.
std::size_t given_byte(const std::vector<NfcChange> &changes, std::size_t at) {
  auto next = std::upper_bound(changes.begin(), changes.end(), at,
                               [](std::size_t byte, const auto &change) { return byte < change.start; });
  if (next == changes.begin()) return at;
  const auto &last = *std::prev(next);
  return at < last.end ? last.given_start : last.given_end + (at - last.end);
}

std::int64_t utf16_units(std::string_view utf8) {
  std::int64_t units = 0;
  for (char byte : utf8) {
    if (is_continuation(byte)) continue;
    units += static_cast<unsigned char>(byte) >= 0xF0 ? 2 : 1;
  }
  return units;
}

Position position_of(std::string_view utf8, std::size_t byte) {
  Position position;
  for (std::size_t at = 0; at < byte;) {
    Decoded character = decode_at(utf8, at);
    ++position.codepoint;
    position.utf16 += utf16_size(character.code);
    at += character.size;
  }
  position.byte = static_cast<std::int32_t>(byte);
  return position;
}

}  // namespace

XLength x_length(std::string_view utf8, XConfig config, Interrupt interrupt, std::int64_t limit) {
  XLength result;
  std::vector<NfcChange> changes;
  std::string composed = nfc(utf8, interrupt, &changes);
  std::string_view text = composed;
  std::vector<Span> urls = x_url_spans(text, interrupt);
  std::size_t within = 0, fits = 0;
  bool characters_valid = true;
  auto url = urls.begin();
  for (std::size_t at = 0; at < text.size();) {
    interrupt.poll();
    while (url != urls.end() && url->start < at) ++url;  // one that began inside an emoji
    if (url != urls.end() && url->start == at) {
      result.weight += kXUrlWeight;
      at = url->end;
    } else {
      Decoded character = decode_at(text, at);
      Properties p = properties(character.code);
      bool may_be_emoji = config == XConfig::v3 && p.emoji_start();
      std::size_t emoji = may_be_emoji ? emoji_size(text, at) : 0;
      result.weight += emoji != 0 ? kXEmojiWeight : x_weight(p);
      at += emoji != 0 ? emoji : character.size;
      characters_valid = characters_valid && !is_invalid(character.code);
    }
    if (result.weight <= limit) within = at;
    if (characters_valid) fits = within;
  }
  result.permillage = limit == 0 ? 0 : result.weight * 1000 / limit;
  result.valid = characters_valid && result.weight > 0 && result.weight <= limit;
  result.within = position_of(utf8, given_byte(changes, within));
  result.fits = position_of(utf8, given_byte(changes, fits));
  std::int64_t shortened = utf16_units(utf8) - utf16_units(text);
  result.valid_range_end = std::max<std::int64_t>(utf16_units(text.substr(0, fits)) - 1, 0) + shortened;
  return result;
}

XConfig parse_x_config(std::string_view name) {
  if (name == "v2") return XConfig::v2;
  if (name == "v3") return XConfig::v3;
  throw Error("22023", "configuration \"" + std::string(name.substr(0, 64)) + "\" is not known")
      .hint("Configurations of twitter-text: v2, v3");
}

}  // namespace nexus::text
