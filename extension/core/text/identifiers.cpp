// Identifiers of the AT Protocol (atproto.com/specs), and the choice of a kind by name.
#include "core/text/identifiers.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/text/entities.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

constexpr std::size_t kMaxHandle = 253, kMaxLabel = 63, kMaxDid = 2048, kMaxUri = 8192, kMaxNsid = 317,
                      kMaxRecordKey = 512, kTid = 13;

bool is_letter(char c) {
  return is_ascii_letter(static_cast<unsigned char>(c));
}
bool is_alnum(char c) {
  return is_ascii_alnum(static_cast<unsigned char>(c));
}

template <class F>
bool all(std::string_view text, F &&allowed) {
  return std::all_of(text.begin(), text.end(), allowed);
}
bool only(std::string_view text, std::string_view signs) {
  return all(text, [signs](char c) { return is_alnum(c) || signs.find(c) != std::string_view::npos; });
}

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  while (true) {
    std::size_t end = std::min(text.find(by), text.size());
    parts.push_back(text.substr(0, end));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

/// A label of a domain: letters and digits, hyphens inside.
bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabel && only(label, "-") && label.front() != '-' && label.back() != '-';
}

bool is_fragment(std::string_view pointer) {
  if (pointer.empty() || pointer.front() != '/' || !only(pointer, "._~:@!$&')(*+,;=%[]/-")) return false;
  auto is_hex = [](char c) {
    return is_ascii_digit(static_cast<unsigned char>(c)) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
  };
  for (std::size_t at = pointer.find('%'); at != std::string_view::npos; at = pointer.find('%', at + 1))
    if (at + 2 >= pointer.size() || !is_hex(pointer[at + 1]) || !is_hex(pointer[at + 2])) return false;
  return true;
}

/// The text is one entity of X and nothing else.
bool is_x_entity(EntityKind kind, std::string_view text) {
  constexpr std::size_t kLongest = 4096;  // far more than X accepts
  if (text.size() > kLongest) return false;
  std::vector<Entity> found = entities(text, Dialect::x);
  return found.size() == 1 && found[0].kind == kind && found[0].start.byte == 0 &&
         static_cast<std::size_t>(found[0].end.byte) == text.size();
}

struct Kind {
  std::string_view name;
  bool (*holds)(std::string_view);
};

constexpr Kind kKinds[] = {
    {"hashtag", [](std::string_view v) { return is_x_entity(EntityKind::hashtag, v); }},
    {"username", [](std::string_view v) { return is_x_entity(EntityKind::mention, v); }},
    {"list", [](std::string_view v) { return is_x_entity(EntityKind::list, v); }},
    {"url", [](std::string_view v) { return is_x_url(v, true); }},
    {"url_without_protocol", [](std::string_view v) { return is_x_url(v, false); }},
    {"handle", is_handle},
    {"did", is_did},
    {"atidentifier", [](std::string_view v) { return is_handle(v) || is_did(v); }},
    {"aturi", is_at_uri},
    {"nsid", is_nsid},
    {"tid", is_tid},
    {"recordkey", is_record_key},
    {"language", is_language},
    {"datetime", is_datetime},
};

}  // namespace

bool is_valid(std::string_view kind, std::string_view value) {
  std::string names;
  for (const Kind &candidate : kKinds) {
    if (candidate.name == kind) return candidate.holds(value);
    names.append(names.empty() ? "" : ", ").append(candidate.name);
  }
  throw invalid_argument("kind \"" + std::string(kind) + "\" is not known").hint("Use one of " + names + ".");
}

bool is_handle(std::string_view value) {
  if (value.size() > kMaxHandle) return false;
  std::vector<std::string_view> labels = split(value, '.');
  return labels.size() > 1 && std::all_of(labels.begin(), labels.end(), is_label) && is_letter(labels.back().front());
}

bool is_did(std::string_view value) {
  constexpr std::string_view kPrefix = "did:";
  if (value.size() > kMaxDid || value.substr(0, kPrefix.size()) != kPrefix) return false;
  value.remove_prefix(kPrefix.size());
  std::size_t colon = value.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  std::string_view method = value.substr(0, colon), name = value.substr(colon + 1);
  return all(method, [](char c) { return c >= 'a' && c <= 'z'; }) && !name.empty() && only(name, "._:%-") &&
         name.back() != ':' && name.back() != '%';
}

bool is_at_uri(std::string_view value) {
  constexpr std::string_view kPrefix = "at://";
  if (value.size() > kMaxUri || value.substr(0, kPrefix.size()) != kPrefix) return false;
  value.remove_prefix(kPrefix.size());
  std::size_t hash = value.find('#');
  if (hash != std::string_view::npos && !is_fragment(value.substr(hash + 1))) return false;
  std::vector<std::string_view> parts = split(value.substr(0, hash), '/');
  if (!is_handle(parts[0]) && !is_did(parts[0])) return false;
  return parts.size() == 1 ||
         (is_nsid(parts[1]) && (parts.size() == 2 || (parts.size() == 3 && is_record_key(parts[2]))));
}

bool is_nsid(std::string_view value) {
  if (value.size() > kMaxNsid) return false;
  std::vector<std::string_view> parts = split(value, '.');
  return parts.size() > 2 && std::all_of(parts.begin(), parts.end(), is_label) && is_letter(parts.front().front()) &&
         is_letter(parts.back().front()) && only(parts.back(), "");
}

bool is_tid(std::string_view value) {
  constexpr std::string_view kDigits = "234567abcdefghijklmnopqrstuvwxyz";  // base 32, sortable
  return value.size() == kTid && kDigits.find(value[0]) < 16 &&             // the highest bit is 0
         all(value, [kDigits](char c) { return kDigits.find(c) != std::string_view::npos; });
}

bool is_record_key(std::string_view value) {
  return !value.empty() && value.size() <= kMaxRecordKey && value != "." && value != ".." && only(value, "_~.:-");
}

}  // namespace nexus::text
