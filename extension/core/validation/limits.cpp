#include "core/validation/limits.hpp"

#include <algorithm>
#include <optional>

#include "core/text/stats.hpp"
#include "core/text/utf8.hpp"
#include "core/validation/measure.hpp"

namespace nexus::validation {

namespace {

/// White space, control and zero-width characters: what leaves a title empty to the eye.
bool invisible(char32_t c) {
  return c <= 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD || c == 0x1680 || c == 0x180E ||
         (c >= 0x2000 && c <= 0x200F) || (c >= 0x2028 && c <= 0x202F) || (c >= 0x205F && c <= 0x206F) || c == 0x3000 ||
         c == 0x3164 || c == 0xFEFF;
}

bool has_visible(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    text::Decoded character = text::decode_at(text, at);
    if (!invisible(character.code)) return true;
    at += character.size;
  }
  return false;
}

/// White space, control characters and those that end an address in HTML.
bool has_unsafe(std::string_view url) {
  for (char c : url) {
    auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F || c == '"' || c == '<' || c == '>' || c == '\\') return true;
  }
  return false;
}

bool has_control(std::string_view text) {
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
  return false;
}

}  // namespace

Finding row_finding(std::string code, std::string_view field, std::string message, std::string hint) {
  Finding finding;
  finding.code = std::move(code);
  finding.field = field;
  finding.message = std::move(message);
  finding.hint = std::move(hint);
  return finding;
}

void check_line(std::string_view field, std::string_view line, std::vector<Finding> &findings) {
  if (line.size() <= static_cast<std::size_t>(kMaxTitleGraphemes)) return;
  std::string name(field);
  bool countable = line.size() <= kMaxTitleBytes;
  std::int64_t graphemes = countable ? text::text_stats(line).graphemes : 0;
  if (countable && graphemes <= kMaxTitleGraphemes) return;
  Finding finding = row_finding(name + ".too_long", field,
                                name + " is longer than " + std::to_string(kMaxTitleGraphemes) + " graphemes",
                                "Shorten " + name + ".");
  if (countable) {
    finding.actual = static_cast<double>(graphemes);
    finding.start_char = Text(line, Interrupt()).overflow_at(Unit::graphemes, kMaxTitleGraphemes);
    finding.end_char = static_cast<std::int32_t>(text::text_stats(line).codepoints);
  }
  finding.allowed = static_cast<double>(kMaxTitleGraphemes);
  findings.push_back(std::move(finding));
}

void check_title(std::string_view field, std::string_view title, std::vector<Finding> &findings) {
  std::size_t before = findings.size();
  check_line(field, title, findings);
  std::string name(field);
  if (findings.size() == before && !has_visible(title))
    findings.push_back(row_finding(name + ".empty", field, name + " is empty", "Write a " + name + "."));
}

void check_unseen(std::string_view field, std::string_view text, std::vector<Finding> &findings) {
  auto holds = [text](std::string_view lead) { return text.find(lead) != std::string_view::npos; };
  if (!holds("\xE2\x80") && !holds("\xE2\x81") && !holds("\xEF\xBB")) return;  // how each of them begins
  std::optional<std::int32_t> turning, unseen;
  std::int32_t place = 0;
  for (std::size_t at = 0; at < text.size() && !(turning && unseen); ++place) {
    auto [c, size] = text::decode_at(text, at);
    at += size;
    if (!turning && ((c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069))) turning = place;
    if (!unseen && (c == 0x200B || c == 0x2060 || c == 0xFEFF)) unseen = place;
  }
  std::string name(field.substr(field.rfind('.') + 1)), path(field);
  auto add = [&](std::int32_t start, Severity severity, const char *code, const char *what, const char *hint) {
    Finding finding = row_finding(name + code, field, path + what, hint);
    finding.severity = severity;
    finding.start_char = start;
    finding.end_char = start + 1;
    findings.push_back(std::move(finding));
  };
  if (turning)
    add(*turning, Severity::warning, ".bidi_controls", " holds characters that turn the direction of the text",
        "Leave out U+202A to U+202E and U+2066 to U+2069.");
  if (unseen)
    add(*unseen, Severity::info, ".invisible", " holds characters that nobody sees",
        "Leave out U+200B, U+2060 and U+FEFF, unless they show where a line may break.");
}

void check_text_size(std::string_view field, std::size_t bytes, std::vector<Finding> &findings) {
  if (bytes <= kMaxTextBytes) return;
  std::string name(field);
  Finding finding =
      row_finding(name + ".too_long", field, name + " has more than " + std::to_string(kMaxTextBytes) + " bytes",
                  "Shorten " + name + ".");
  finding.actual = static_cast<double>(bytes);
  finding.allowed = static_cast<double>(kMaxTextBytes);
  findings.push_back(std::move(finding));
}

bool check_tag_count(std::string_view field, std::size_t count, std::vector<Finding> &findings) {
  if (count <= kMaxTags) return true;
  std::string name(field);
  Finding finding =
      row_finding(name + ".too_many", field, name + " has more than " + std::to_string(kMaxTags) + " tags",
                  "Leave out " + std::to_string(count - kMaxTags) + " of them.");
  finding.actual = static_cast<double>(count);
  finding.allowed = static_cast<double>(kMaxTags);
  findings.push_back(std::move(finding));
  return false;
}

void check_tags(std::string_view field, const std::vector<std::string_view> &tags, std::vector<Finding> &findings) {
  for (std::size_t i = 0; i < tags.size(); ++i) {
    auto path = [&] { return std::string(field) + "[" + std::to_string(i) + "]"; };
    std::string_view tag = tags[i];
    if (tag.size() > static_cast<std::size_t>(kMaxTagCodepoints) &&
        Text(tag, Interrupt()).length(Unit::codepoint) > kMaxTagCodepoints) {
      Finding finding = row_finding(std::string(field) + ".too_long", path(),
                                    path() + " is longer than " + std::to_string(kMaxTagCodepoints) + " characters",
                                    "Use a shorter tag.");
      finding.allowed = static_cast<double>(kMaxTagCodepoints);
      findings.push_back(std::move(finding));
    } else if (!has_visible(tag) || tag == "#") {
      findings.push_back(row_finding(std::string(field) + ".empty", path(), path() + " is empty", "Leave it out."));
    } else if (has_control(tag)) {
      findings.push_back(row_finding(std::string(field) + ".characters", path(), path() + " holds a control character",
                                     "Leave out line breaks and other control characters."));
    }
  }
}

bool is_web_url(std::string_view url) {
  if (url.size() > kMaxUrlBytes) return false;
  auto scheme = [&](std::string_view wanted) {
    if (url.size() <= wanted.size()) return false;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      char c = url[i];
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      if (c != wanted[i]) return false;
    }
    return true;
  };
  std::size_t host = scheme("https://") ? 8 : scheme("http://") ? 7 : 0;
  if (host == 0) return false;
  if (has_unsafe(url)) return false;
  std::string_view rest = url.substr(host);
  std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  return !authority.empty() && authority.front() != ':' && authority.front() != '.';
}

void check_url(std::string_view field, std::string_view url, std::vector<Finding> &findings) {
  if (is_web_url(url)) return;
  std::string path(field);
  std::string column = path.substr(0, path.find('['));
  findings.push_back(row_finding(column + ".invalid", field, path + " is not a web address",
                                 "Use an address that begins with https:// or http://, of at most " +
                                     std::to_string(kMaxUrlBytes) + " bytes and without white space."));
}

bool is_file_reference(std::string_view reference) {
  if (is_web_url(reference)) return true;
  if (reference.empty() || reference.size() > kMaxUrlBytes || has_unsafe(reference)) return false;
  if (reference.find(':') != std::string_view::npos || reference.substr(0, 2) == "//") return false;
  for (std::size_t at = 0; at <= reference.size();) {
    std::size_t end = std::min(reference.find_first_of("/?#", at), reference.size());
    if (reference.substr(at, end - at) == "..") return false;
    at = end + 1;
  }
  return true;
}

void check_file_reference(std::string_view field, std::string_view reference, std::vector<Finding> &findings) {
  if (is_file_reference(reference)) return;
  std::string name(field);
  findings.push_back(row_finding(name + ".invalid", field,
                                 name + " is neither a web address nor the path of a stored file",
                                 "Use an address that begins with https:// or http://, or a path without colon and "
                                 "white space, of at most " +
                                     std::to_string(kMaxUrlBytes) + " bytes."));
}

void check_metadata(std::string_view field, const JsonShape &shape, std::vector<Finding> &findings) {
  std::string name(field);
  auto add = [&](const char *code, std::string message, const char *hint, double actual, double allowed) {
    Finding finding = row_finding(name + code, field, std::move(message), hint);
    finding.actual = actual;
    finding.allowed = allowed;
    findings.push_back(std::move(finding));
  };
  if (shape.bytes > kMaxMetadataBytes)
    add(".too_large", name + " has more than " + std::to_string(kMaxMetadataBytes) + " bytes", "Keep less in it.",
        static_cast<double>(shape.bytes), static_cast<double>(kMaxMetadataBytes));
  else if (!shape.object)
    findings.push_back(
        row_finding(name + ".not_object", field, name + " is not a JSON object", "Wrap the value: {\"value\": ...}."));
  if (shape.depth > kMaxMetadataDepth)
    add(".too_deep", name + " is nested deeper than " + std::to_string(kMaxMetadataDepth) + " levels",
        "Nest objects and arrays less.", shape.depth, kMaxMetadataDepth);
  if (shape.keys > kMaxMetadataKeys)
    add(".too_many_keys", name + " has more than " + std::to_string(kMaxMetadataKeys) + " keys",
        "Use arrays, or fewer keys.", shape.keys, kMaxMetadataKeys);
}

}  // namespace nexus::validation
