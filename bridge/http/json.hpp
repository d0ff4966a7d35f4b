#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::bridge {

/// The deepest nesting of arrays and objects that is taken from a client.
constexpr int kMaxJsonDepth = 64;

enum class JsonKind { kInvalid, kTooDeep, kObject, kArrayOfObjects, kOther };

/// What a JSON text is at its top, found in one pass that builds nothing: the keys of the object (or of the first
/// object of an array), each once, in the order of first appearance.
struct JsonOutline {
  JsonKind kind = JsonKind::kInvalid;
  std::vector<std::string> keys;
};

/// Scans a text; never recurses, stops at the depth limit. Text that is not UTF-8 is kInvalid.
///
///     outline_json(R"({"a": 1, "b": [2]})").keys == {"a", "b"}
JsonOutline outline_json(std::string_view text);

/// A value, or nothing when the text is no JSON or nests deeper than the limit: safe to dump again.
std::optional<nlohmann::json> parse_json(std::string_view text);

/// The elements of an array as they stand in the text, digits of numbers and all. The text must be valid
/// (outline_json).
///
///     json_elements("[1.50, {\"a\": 2}]") == {"1.50", "{\"a\": 2}"}
std::vector<std::string_view> json_elements(std::string_view array);

/// The members of an object in the same way; the names are decoded.
std::vector<std::pair<std::string, std::string_view>> json_members(std::string_view object);

/// True when the bytes are well-formed UTF-8 (no surrogates, nothing overlong).
bool is_utf8(std::string_view text);

/// True when the name is a token and the value has no control character, so that no header can be smuggled in.
bool header_is_clean(std::string_view name, std::string_view value);

/// A JSON object text from pairs of strings; bytes that are no UTF-8 are replaced.
std::string json_object(const std::vector<std::pair<std::string, std::string>> &members);

}  // namespace nexus::bridge
