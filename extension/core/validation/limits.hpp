#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/validation/draft.hpp"

namespace nexus::validation {

// What any row must keep, whatever its status and platform. Each check appends at most a few findings of severity
// error; `field` is the column's name. All are linear, and look at the size before at the content.

inline constexpr std::int64_t kMaxTitleGraphemes = 500;
inline constexpr std::size_t kMaxTitleBytes = 16000;  // 500 graphemes of 32 bytes: beyond that nothing is counted
inline constexpr std::size_t kMaxTextBytes = 1 << 20;
inline constexpr std::size_t kMaxTags = 60;
inline constexpr std::int64_t kMaxTagCodepoints = 100;
inline constexpr std::size_t kMaxUrls = 60;
inline constexpr std::size_t kMaxUrlBytes = 2048;
inline constexpr std::size_t kMaxTimes = 1000;
inline constexpr std::size_t kMaxMetadataBytes = 65536;
inline constexpr int kMaxMetadataDepth = 64;
inline constexpr int kMaxMetadataKeys = 1000;

/// A title has something visible in it and at most 500 graphemes.
void check_title(std::string_view field, std::string_view title, std::vector<Finding> &findings);

/// A short text that may be empty: at most 500 graphemes.
void check_line(std::string_view field, std::string_view line, std::vector<Finding> &findings);

/// What a reader cannot see but is fooled by: a warning for characters that turn the direction of the text
/// (U+202A-202E, U+2066-2069), an info for those without width (U+200B, U+2060, U+FEFF); each names the first.
void check_unseen(std::string_view field, std::string_view text, std::vector<Finding> &findings);

/// A text has at most 1 MiB. `bytes` is enough: a text that is too long need not be read.
void check_text_size(std::string_view field, std::size_t bytes, std::vector<Finding> &findings);

/// At most 60 tags. To be called before the tags are looked at.
bool check_tag_count(std::string_view field, std::size_t count, std::vector<Finding> &findings);

/// Each tag has 1 to 100 characters, something visible and no control characters.
void check_tags(std::string_view field, const std::vector<std::string_view> &tags, std::vector<Finding> &findings);

/// An address that a browser can be given: http or https, a host, no white space, control characters, quotes or angle
/// brackets, at most 2048 bytes.
///
///     is_web_url("https://example.com/a")  // true
///     is_web_url("javascript:alert(1)")    // false
bool is_web_url(std::string_view url);
void check_url(std::string_view field, std::string_view url, std::vector<Finding> &findings);

/// Where a file is: a web address, or the path of a stored file, which has no colon (and so no scheme), no "..", none
/// of the characters that an address may not have, and does not name another host by a leading "//".
///
///     is_file_reference("uploads/2026/a b.png")  // false: white space
///     is_file_reference("/uploads/2026/a.png")   // true
bool is_file_reference(std::string_view reference);
void check_file_reference(std::string_view field, std::string_view reference, std::vector<Finding> &findings);

/// Metadata is a JSON object of at most 64 kB, 64 levels and 1000 keys.
struct JsonShape {
  bool object = false;
  std::size_t bytes = 0;
  int depth = 0;  ///< 1 for an object without nested ones
  int keys = 0;
};
void check_metadata(std::string_view field, const JsonShape &shape, std::vector<Finding> &findings);

/// A finding of severity error about a row, for the checks that need more than the value (times, NULL).
Finding row_finding(std::string code, std::string_view field, std::string message, std::string hint);

}  // namespace nexus::validation
