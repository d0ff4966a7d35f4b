#include "core/text/normalize.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "core/error.hpp"
#include "core/text/unicode.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

constexpr int kCompose = UTF8PROC_STABLE | UTF8PROC_COMPOSE;

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string map(std::string_view utf8, int options) {
  utf8proc_uint8_t *raw = nullptr;
  auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t *>(utf8.data()),
                           static_cast<utf8proc_ssize_t>(utf8.size()), &raw, static_cast<utf8proc_option_t>(options));
  std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(raw, &std::free);
  if (size == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
  if (size < 0) throw Error("22021", std::string("text cannot be normalised: ") + utf8proc_errmsg(size));
  return {reinterpret_cast<const char *>(raw), static_cast<size_t>(size)};
}

}  // namespace

std::string nfc(std::string_view utf8) {
  // Only stretches around characters that may compose or be out of order are mapped; a stretch starts at a character
  // that neither combines nor composes with what is before it.
  std::string result;
  std::size_t copied = 0, stretch = 0;
  bool open = false, after_combining = false;
  auto close = [&](std::size_t end) {
    if (!open) return;
    result.append(utf8, copied, stretch - copied).append(map(utf8.substr(stretch, end - stretch), kCompose));
    copied = end;
    open = false;
  };
  for (std::size_t at = 0; at < utf8.size();) {
    Decoded character = decode_at(utf8, at);
    Properties p = properties(character.code);
    if (!p.nfc_open() && !p.combining()) {
      close(at);
      stretch = at;
    }
    open = open || p.nfc_open() || (p.combining() && after_combining);
    after_combining = p.combining();
    at += character.size;
  }
  close(utf8.size());
  return result.append(utf8, copied, utf8.size() - copied);
}

std::string fold(std::string_view utf8) {
  if (is_ascii(utf8)) {
    std::string lower(utf8);
    for (char &c : lower)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
  }
  // Folding can undo composition and the other way round; a second pass makes the result stable.
  std::string once = map(utf8, kCompose | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD);
  return map(once, kCompose | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD);
}

std::string canonical_hashtag(std::string_view tag) {
  std::string folded = fold(tag);  // NFKC turns the full-width sign into '#'
  if (!folded.empty() && folded.front() == '#') folded.erase(0, 1);
  return folded;
}

}  // namespace nexus::text
