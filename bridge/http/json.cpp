#include "bridge/http/json.hpp"

#include <algorithm>
#include <map>
#include <unordered_set>

namespace nexus::bridge {
namespace {

std::string_view without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Almost every header is plain ASCII, which stands for itself.
void append_string(std::string &out, std::string_view text) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (plain) {
    out.append(1, '"').append(text).append(1, '"');
  } else {
    out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
}

// nlohmann's SAX parser keeps its own stack; a DOM of unknown depth would overflow the thread's in dump().
class Outliner : public nlohmann::json::json_sax_t {
 public:
  JsonOutline outline;
  bool too_deep = false;

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t &) override { return value(); }
  bool string(string_t &) override { return value(); }
  bool binary(binary_t &) override { return value(); }

  bool start_object(std::size_t) override {
    if (depth_ == 0) outline.kind = JsonKind::kObject;
    if (depth_ == 1 && in_array_) first_object_ = elements_++ == 0;
    return deeper();
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0) {
      in_array_ = true;
      outline.kind = JsonKind::kArrayOfObjects;
    } else {
      value();
    }
    return deeper();
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(string_t &name) override {
    const bool counts = in_array_ ? depth_ == 2 && first_object_ : depth_ == 1;
    if (counts && seen_.insert(name).second) outline.keys.push_back(name);
    return true;
  }
  bool parse_error(std::size_t, const std::string &, const nlohmann::detail::exception &) override { return false; }

 private:
  // Something that is no object, at the top or as an element of the array at the top.
  bool value() {
    if (depth_ == 0 || (depth_ == 1 && in_array_)) outline.kind = JsonKind::kOther;
    return true;
  }
  bool deeper() {
    too_deep = ++depth_ > kMaxJsonDepth;
    return !too_deep;
  }

  std::unordered_set<std::string> seen_;
  int depth_ = 0;
  std::size_t elements_ = 0;
  bool in_array_ = false, first_object_ = false;
};

}  // namespace

JsonOutline outline_json(std::string_view text) {
  // For the parser a NUL is the end of the text and a byte order mark is nothing; those who split the text would see
  // both.
  if (text.find('\0') != std::string_view::npos || text.substr(0, 3) == "\xEF\xBB\xBF") return {};
  Outliner outliner;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &outliner)) {
    return {outliner.too_deep ? JsonKind::kTooDeep : JsonKind::kInvalid, {}};
  }
  return std::move(outliner.outline);
}

std::optional<nlohmann::json> parse_json(std::string_view text) {
  const JsonKind kind = outline_json(text).kind;
  if (kind == JsonKind::kInvalid || kind == JsonKind::kTooDeep) return std::nullopt;
  return nlohmann::json::parse(text.begin(), text.end());
}

std::vector<std::string_view> json_elements(std::string_view array) {
  std::vector<std::string_view> elements;
  const std::string_view inner = without_blanks(without_blanks(array).substr(1, without_blanks(array).size() - 2));
  std::size_t start = 0;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < inner.size(); ++i) {
    const char c = inner[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',' && depth == 0) {
      elements.push_back(without_blanks(inner.substr(start, i - start)));
      start = i + 1;
    }
  }
  if (!inner.empty()) elements.push_back(without_blanks(inner.substr(start)));
  return elements;
}

std::vector<std::pair<std::string, std::string_view>> json_members(std::string_view object) {
  std::vector<std::pair<std::string, std::string_view>> members;
  for (const std::string_view member : json_elements(object)) {
    std::size_t end = 1;
    while (member[end] != '"') end += member[end] == '\\' ? 2 : 1;
    const std::size_t colon = member.find(':', end);
    members.emplace_back(nlohmann::json::parse(member.substr(0, end + 1)).get<std::string>(),
                         without_blanks(member.substr(colon + 1)));
  }
  return members;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : 4;
    if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || i + length > text.size()) return false;
    for (std::size_t j = 1; j < length; ++j) {
      const auto byte = static_cast<unsigned char>(text[i + j]);
      unsigned low = 0x80, high = 0xBF;
      if (j == 1 && lead == 0xE0) low = 0xA0;
      if (j == 1 && lead == 0xED) high = 0x9F;
      if (j == 1 && lead == 0xF0) low = 0x90;
      if (j == 1 && lead == 0xF4) high = 0x8F;
      if (byte < low || byte > high) return false;
    }
    i += length;
  }
  return true;
}

bool header_is_clean(std::string_view name, std::string_view value) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  const bool token = !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
  return token && std::all_of(value.begin(), value.end(),
                              [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F); });
}

std::string json_object(const std::vector<std::pair<std::string, std::string>> &members) {
  std::map<std::string_view, std::string_view> last;
  for (const auto &[name, value] : members) last[name] = value;
  std::string text = "{";
  for (const auto &[name, value] : last) {
    if (text.size() > 1) text += ',';
    append_string(text, name);
    text += ':';
    append_string(text, value);
  }
  return text + '}';
}

}  // namespace nexus::bridge
