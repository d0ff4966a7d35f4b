#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"

namespace nexus::text {

/// True if NFC might change a text at `code`, where `before` is the character before it (0 at the start): a text where
/// it never does is in NFC.
///
///     nfc_may_change('e', 0x301)    // true: one character is made of them
///     nfc_may_change(0x915, 0x93C)  // false: a nukta that composes with other letters only
bool nfc_may_change(char32_t before, char32_t code);

/// The one character that NFC makes of a text of two, or of the three letters of a Hangul syllable; 0 for any other.
///
///     composite_of("e\u0301") == 0xE9
char32_t composite_of(std::string_view utf8);

/// A stretch of a text that NFC has changed: its bytes in the text as given, and in the result.
struct NfcChange {
  std::size_t given_start, given_end, start, end;
};

/// NFC of valid UTF-8. Source: UAX #15. Appends what it has changed to `changes`, in order, if those are asked for.
std::string nfc(std::string_view utf8, Interrupt interrupt = Interrupt(), std::vector<NfcChange> *changes = nullptr);

/// NFKC, then Unicode case folding, then NFKC again: equal for texts that mean the same word. ASCII takes a fast path.
/// What is not valid UTF-8 is refused with 22021.
///
///     fold("Straße") == "strasse"
std::string fold(std::string_view utf8, Interrupt interrupt = Interrupt());

/// The canonical form of a hashtag: no leading '#' (or its full-width form), folded.
///
///     canonical_hashtag("#CaféLife") == "cafélife"
std::string canonical_hashtag(std::string_view tag, Interrupt interrupt = Interrupt());

}  // namespace nexus::text
