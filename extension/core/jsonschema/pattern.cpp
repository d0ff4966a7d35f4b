#include "core/jsonschema/pattern.hpp"

#include <cstdio>
#include <optional>

#include "core/error.hpp"

namespace nexus::jsonschema {

namespace {

constexpr int kMaxRepeats = 255;  // of PostgreSQL's engine
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
    if (depth_ > 0) throw malformed("a ( is not closed");
    return std::move(out_);
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool starts(std::string_view what) const { return text_.substr(at_, what.size()) == what; }

  void put(std::string_view expression, bool repeatable) {
    out_ += expression;
    repeatable_ = repeatable;
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
        if (depth_-- == 0) throw malformed("a ) is not opened");
        ++at_;
        return put(")", true);
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
      case '^':
      case '$':
      case '|':
        ++at_;
        return put(std::string_view(&c, 1), false);
      default:
        ++at_;
        return put(std::string_view(&c, 1), true);
    }
  }

  void open() {
    for (std::string_view group : {"(?:", "(?=", "(?!", "(?<=", "(?<!"})
      if (starts(group)) {
        at_ += group.size();
        ++depth_;
        return put(group, false);
      }
    if (starts("(?<")) throw unsupported("a named group");
    if (starts("(?")) throw malformed("what follows (? is not known");
    ++at_;
    ++depth_;
    put("(", false);
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

  void quantifier(std::size_t size) {
    if (!repeatable_) throw malformed("there is nothing to repeat");
    std::string_view sign = text_.substr(at_, size);
    at_ += size;
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
    if (letter == 'k') throw unsupported("a named group");
    if (letter >= '1' && letter <= '9') {
      if (is_digit(peek())) throw unsupported("a reference to group 10 or above");
      return put(std::string("\\") + letter, true);
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
    if (peek() == '^') {
      out_ += '^';
      ++at_;
    }
    if (peek() == ']') throw unsupported("an empty [ ]");
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
  int depth_ = 0;
  bool repeatable_ = false;
};

}  // namespace

std::string to_postgres(std::string_view ecma) {
  return Translator(ecma).run();
}

}  // namespace nexus::jsonschema
