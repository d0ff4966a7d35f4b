#include "core/jsonschema/pattern.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace nexus::jsonschema {

namespace {

constexpr int kMaxRepeats = 255;  // of PostgreSQL's engine
constexpr int kMaxGroups = 100000;
constexpr std::string_view kNewlines = "\\u000a\\u000d\\u2028\\u2029";
constexpr std::string_view kSpaces =
    "\\u0009-\\u000d \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff";
constexpr std::string_view kNoSpaces =
    "\\u0001-\\u0008\\u000e-\\u001f!-\\u009f\\u00a1-\\u167f\\u1681-\\u1fff\\u200b-\\u2027\\u202a-\\u202e"
    "\\u2030-\\u205e\\u2060-\\u2fff\\u3001-\\ufefe\\uff00-\\U0010ffff";
constexpr std::string_view kNoDigits = "\\u0001-/:-\\U0010ffff";
constexpr std::string_view kNoWords = "\\u0001-/:-@[-\\^`{-\\U0010ffff";

Error malformed(const std::string &why) {
  return {"2201B", "the regular expression is not valid: " + why};
}
Error unsupported(const std::string &what) {
  return {"0A000", what + " in a regular expression is not supported yet"};
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class Translator {
 public:
  explicit Translator(std::string_view text) : text_(text) {}

  std::string run() {
    while (at_ < text_.size()) step();
    if (open_.size() > 1) throw malformed("a ( is not closed");
    if (!late_name_.empty() && captures_named(late_name_) == 0) throw malformed("there is no group " + late_name_);
    if (late_ > captures()) throw malformed("there is no group " + std::to_string(late_));
    if (late_ > 0 || !late_name_.empty()) throw unsupported("a reference to a group that is not closed before it");
    if (has_references_ && captures_looking_around_)
      throw unsupported("a reference beside a group in a look-around");  // there PostgreSQL does not count groups
    return std::move(out_);
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool starts(std::string_view what) const { return text_.substr(at_, what.size()) == what; }

  void put(std::string_view expression, bool repeatable) {
    out_ += expression;
    repeatable_ = repeatable;
    item_captures_before_ = captures();
  }

  int captures() const { return static_cast<int>(settled_.size()); }

  /// Groups above `from` may have taken no part in the match so far.
  void unsettle(int from) { std::fill(settled_.begin() + from, settled_.end(), false); }

  int captures_named(const std::string &name) const {
    auto found = std::find_if(names_.begin(), names_.end(), [&](const auto &one) { return one.first == name; });
    return found == names_.end() ? 0 : found->second;
  }

  void put_code(char32_t code) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "\\U%08lx", static_cast<unsigned long>(code));
    out_ += buffer;
  }

  void step() {
    char c = text_[at_];
    switch (c) {
      case '\\':
        return escape();
      case '[':
        return brackets();
      case '(':
        return open();
      case ')':
        return close();
      case '*':
      case '+':
      case '?':
        return quantifier(1);
      case '{':
        if (std::size_t size = bounds()) return quantifier(size);
        ++at_;
        return put("\\{", true);
      case '}':
      case ']':
        ++at_;
        return put(c == '}' ? "\\}" : "\\]", true);
      case '.':
        ++at_;
        return put(std::string("[^").append(kNewlines).append("]"), true);
      case '|':
        open_.back().has_alternatives = true;
        unsettle(open_.back().captures_before + (open_.back().capture > 0 ? 1 : 0));
        [[fallthrough]];
      case '^':
      case '$':
        ++at_;
        return put(std::string_view(&c, 1), false);
      default:
        ++at_;
        return put(std::string_view(&c, 1), true);
    }
  }

  void open() {
    Group group{captures(), 0, false, false};
    for (std::string_view start : {"(?:", "(?=", "(?!", "(?<=", "(?<!"})
      if (starts(start)) {
        at_ += start.size();
        group.looks_around = start != "(?:";
        open_.push_back(group);
        return put(start, false);
      }
    std::string name;
    if (starts("(?<")) {
      at_ += 2;
      name = group_name();
      if (captures_named(name) != 0) throw malformed("two groups are named " + name);
    } else if (starts("(?")) {
      throw malformed("what follows (? is not known");
    } else {
      ++at_;
    }
    settled_.push_back(false);
    if (!name.empty()) names_.emplace_back(std::move(name), captures());
    group.capture = captures();
    open_.push_back(group);
    put("(", false);
  }

  void close() {
    if (open_.size() == 1) throw malformed("a ) is not opened");
    Group group = open_.back();
    open_.pop_back();
    ++at_;
    if (group.has_alternatives || group.looks_around) unsettle(group.captures_before);
    if (group.looks_around && captures() > group.captures_before) captures_looking_around_ = true;
    if (group.capture > 0) settled_[static_cast<std::size_t>(group.capture) - 1] = true;
    put(")", true);
    item_captures_before_ = group.captures_before;
  }

  /// <name>
  std::string group_name() {
    std::size_t end = text_.find('>', at_);
    if (peek() != '<' || end == std::string_view::npos) throw malformed("the name of a group is not closed");
    std::string name(text_.substr(at_ + 1, end - at_ - 1));
    auto fits = [](char c) {
      return is_letter(c) || is_digit(c) || c == '_' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
    };
    if (name.empty() || is_digit(name[0]) || !std::all_of(name.begin(), name.end(), fits))
      throw malformed("the name of a group is not one");
    at_ = end + 1;
    return name;
  }

  /// What a group matched, by its number. A group that took no part is matched by nothing here, by the empty text in
  /// ECMA-262: so only groups that must have taken part can be meant.
  void reference(int capture) {
    for (const Group &group : open_)
      if (group.looks_around) throw unsupported("a reference in a look-around");
    if (!settled_[static_cast<std::size_t>(capture) - 1])
      throw unsupported("a reference to a group that may take no part");
    has_references_ = true;
    put("(?:\\" + std::to_string(capture) + ")", true);
  }

  bool is_closed(int capture) const {
    return capture <= captures() &&
           std::none_of(open_.begin(), open_.end(), [&](const Group &group) { return group.capture == capture; });
  }

  /// The size of {n}, {n,} or {n,m} here, 0 if there is none.
  std::size_t bounds() const {
    std::size_t i = at_ + 1, start = i;
    long most = 0;
    auto count = [&] {
      long value = 0;
      for (; i < text_.size() && is_digit(text_[i]); ++i)
        if (value <= kMaxRepeats) value = value * 10 + (text_[i] - '0');
      if (value > most) most = value;
    };
    count();
    if (i == start) return 0;
    if (i < text_.size() && text_[i] == ',') {
      ++i;
      count();
    }
    if (i >= text_.size() || text_[i] != '}') return 0;
    if (most > kMaxRepeats) throw unsupported("a count of more than 255");
    return i + 1 - at_;
  }

  static int least_of(std::string_view bounds) {
    int least = 0;
    for (std::size_t i = 1; is_digit(bounds[i]); ++i) least = least * 10 + (bounds[i] - '0');
    return least;
  }

  void quantifier(std::size_t size) {
    if (!repeatable_) throw malformed("there is nothing to repeat");
    std::string_view sign = text_.substr(at_, size);
    at_ += size;
    bool may_be_none = sign[0] == '*' || sign[0] == '?' || (sign[0] == '{' && least_of(sign) == 0);
    if (may_be_none) unsettle(item_captures_before_);
    if (peek() == '?') ++at_;  // lazy or not: it matches or it does not
    put(sign, false);
  }

  /// The code point of a \x, \u or \c escape, with at_ behind the letter.
  char32_t code_escape(char letter) {
    if (letter == 'c') {
      char c = peek();
      if (!is_letter(c)) throw malformed("\\c needs a letter");
      ++at_;
      return static_cast<char32_t>(c % 32);
    }
    if (letter == 'u' && peek() == '{') {
      char32_t code = 0;
      std::size_t start = ++at_;
      for (; hex(peek()) >= 0; ++at_) {
        code = code * 16 + static_cast<char32_t>(hex(peek()));
        if (code > 0x10FFFF) throw malformed("\\u{...} is above 10ffff");
      }
      if (at_ == start || peek() != '}') throw malformed("\\u{ is not closed");
      ++at_;
      return code;
    }
    char32_t code = digits(letter == 'x' ? 2 : 4);
    if (code >= 0xD800 && code < 0xDC00 && starts("\\u")) {
      std::size_t back = at_;
      at_ += 2;
      char32_t low = digits(4);
      if (low >= 0xDC00 && low < 0xE000) return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      at_ = back;
    }
    return code;
  }

  char32_t digits(int count) {
    char32_t code = 0;
    for (int i = 0; i < count; ++i, ++at_) {
      if (hex(peek()) < 0) throw malformed("a hexadecimal digit is missing");
      code = code * 16 + static_cast<char32_t>(hex(peek()));
    }
    return code;
  }

  /// The code point of an escape that means one character everywhere, with at_ behind the letter.
  std::optional<char32_t> character(char letter) {
    switch (letter) {
      case 't':
        return U'\t';
      case 'n':
        return U'\n';
      case 'v':
        return U'\v';
      case 'f':
        return U'\f';
      case 'r':
        return U'\r';
      case '0':
        if (is_digit(peek())) throw malformed("an octal escape");
        throw unsupported("the character 0");
      case 'c':
      case 'x':
      case 'u': {
        char32_t code = code_escape(letter);
        if (code == 0) throw unsupported("the character 0");
        if (code >= 0xD800 && code < 0xE000) throw unsupported("half of a surrogate pair");
        return code;
      }
      default:
        break;
    }
    if (is_letter(letter) || is_digit(letter) || static_cast<unsigned char>(letter) >= 0x80 || letter == '\0')
      return std::nullopt;
    return static_cast<char32_t>(letter);
  }

  static std::string_view class_of(char letter) {
    switch (letter) {
      case 'd':
        return "0-9";
      case 'D':
        return kNoDigits;
      case 'w':
        return "0-9A-Za-z_";
      case 'W':
        return kNoWords;
      case 's':
        return kSpaces;
      case 'S':
        return kNoSpaces;
      default:
        return {};
    }
  }

  void escape() {
    char letter = peek(1);
    at_ += 2;
    if (std::string_view members = class_of(letter); !members.empty())
      return put(std::string("[").append(members).append("]"), true);
    if (letter == 'b' || letter == 'B') return put(letter == 'b' ? "\\y" : "\\Y", false);
    if (letter == 'p' || letter == 'P') throw unsupported("\\p");
    if (letter == 'k') {
      std::string name = group_name();
      int capture = captures_named(name);
      if (capture != 0 && is_closed(capture)) return reference(capture);
      late_name_ = name;
      return put("", true);
    }
    if (letter >= '1' && letter <= '9') {
      int capture = letter - '0';
      for (; is_digit(peek()); ++at_) capture = std::min(capture * 10 + (peek() - '0'), kMaxGroups);
      if (is_closed(capture)) return reference(capture);
      late_ = std::max(late_, capture);
      return put("", true);
    }
    auto code = character(letter);
    if (!code) throw malformed(std::string("\\") + letter + " is not an escape");
    put_code(*code);
    repeatable_ = true;
  }

  /// One member of a bracket expression; nothing if it was a class.
  std::optional<char32_t> member() {
    char c = text_[at_++];
    if (c == '\\') {
      char letter = peek();
      ++at_;
      if (std::string_view members = class_of(letter); !members.empty()) {
        out_ += members;
        return std::nullopt;
      }
      if (letter == 'p' || letter == 'P') throw unsupported("\\p");
      if (letter == 'b') return U'\b';
      auto code = character(letter);
      if (!code) throw malformed(std::string("\\") + letter + " is not an escape");
      return code;
    }
    auto first = static_cast<unsigned char>(c);
    if (first < 0x80) return first;
    int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    char32_t code = first & (0x3FU >> more);
    for (; more > 0 && at_ < text_.size(); --more) code = code << 6 | (static_cast<unsigned char>(text_[at_++]) & 0x3F);
    return code;
  }

  void brackets() {
    ++at_;
    out_ += '[';
    bool negated = peek() == '^';
    if (negated) ++at_;
    if (peek() == ']') {  // nothing, or anything: what PostgreSQL says by all characters
      ++at_;
      return put(negated ? "\\u0001-\\U0010ffff]" : "^\\u0001-\\U0010ffff]", true);
    }
    if (negated) out_ += '^';
    while (peek() != ']') {
      if (at_ >= text_.size()) throw malformed("a [ is not closed");
      auto low = member();
      bool range = peek() == '-' && peek(1) != ']' && at_ + 1 < text_.size();
      if (range && !low) throw malformed("a class cannot start a range");
      if (!low) continue;
      put_code(*low);
      if (!range) continue;
      ++at_;
      out_ += '-';
      auto high = member();
      if (!high) throw malformed("a class cannot end a range");
      if (*high < *low) throw malformed("a range is out of order");
      put_code(*high);
    }
    ++at_;
    put("]", true);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string out_;
  bool repeatable_ = false;

  struct Group {
    int captures_before;  // how many groups that capture are opened before it
    int capture;          // its number, 0 if it captures nothing
    bool looks_around;
    bool has_alternatives;
  };
  std::vector<Group> open_{{0, 0, false, false}};  // first the whole expression
  std::vector<bool> settled_;                      // of each group that captures: it must have taken part in a match
  std::vector<std::pair<std::string, int>> names_;
  int item_captures_before_ = 0;  // before what a quantifier would repeat
  bool has_references_ = false, captures_looking_around_ = false;
  int late_ = 0;           // referred to before it is closed
  std::string late_name_;  // the same, by name
};

}  // namespace

std::string to_postgres(std::string_view ecma) {
  return Translator(ecma).run();
}

}  // namespace nexus::jsonschema
