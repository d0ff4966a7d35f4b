#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nexus::bridge {

/// Bytes of an unpadded base64url text (RFC 7515, section 2); nothing when a character, the length or a bit left over
/// is wrong, so that no two texts mean the same bytes.
///
///     base64url_decoded("AQ") == "\x01"
std::optional<std::string> base64url_decoded(std::string_view text);

/// Bytes of a base64 text with or without padding, in either alphabet.
std::optional<std::string> base64_decoded(std::string_view text);

/// The unpadded base64url text of some bytes.
std::string base64url_encoded(std::string_view bytes);

}  // namespace nexus::bridge
