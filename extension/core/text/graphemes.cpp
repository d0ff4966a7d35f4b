#include "core/text/graphemes.hpp"

#include "core/text/ascii.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

std::vector<std::int32_t> grapheme_breaks(std::string_view utf8, Interrupt interrupt) {
  std::vector<std::int32_t> breaks;
  GraphemeBreaker breaker;
  std::int32_t position = 0;
  for (std::size_t at = 0; at < utf8.size(); ++position) {
    interrupt.poll();
    Decoded character = decode_at(utf8, at);
    if (breaker.starts_cluster(properties(character.code))) breaks.push_back(position);
    at += character.size;
  }
  breaks.push_back(position);
  return breaks;
}

std::int64_t grapheme_count(std::string_view utf8) {
  GraphemeBreaker breaker;
  std::int64_t count = 0;
  char32_t last = 0;
  for (std::size_t at = 0; at < utf8.size();) {
    if (breaker.is_settled() && last != '\r' && starts_ascii_run(utf8, at)) {
      std::size_t run = ascii_run(utf8, at).size;
      count += static_cast<std::int64_t>(run);
      at += run;
      last = static_cast<unsigned char>(utf8[at - 1]);
      breaker.restart(properties(last));
      continue;
    }
    Decoded character = decode_at(utf8, at);
    count += breaker.starts_cluster(properties(character.code)) ? 1 : 0;
    last = character.code;
    at += character.size;
  }
  return count;
}

}  // namespace nexus::text
