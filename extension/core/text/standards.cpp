// Identifiers of general standards: language tags (RFC 5646), dates with time (RFC 3339), URLs as twitter-text has
// them.
#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "core/text/identifiers.hpp"
#include "core/text/url_characters.hpp"
#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_ascii_alnum(static_cast<unsigned char>(c));
}
bool letters(std::string_view text, std::size_t least, std::size_t most) {
  return text.size() >= least && text.size() <= most &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_ascii_letter(static_cast<unsigned char>(c)); });
}
bool alnums(std::string_view text, std::size_t least, std::size_t most) {
  return text.size() >= least && text.size() <= most && std::all_of(text.begin(), text.end(), is_alnum);
}
bool digits(std::string_view text, std::size_t size) {
  return text.size() == size && std::all_of(text.begin(), text.end(), is_digit);
}
int number(std::string_view text) {
  int result = 0;
  for (char c : text) result = result * 10 + (c - '0');
  return result;
}

/// Tags of RFC 3066 that the grammar of today would not take, in lower case (RFC 5646, section 2.2.8).
constexpr std::array<std::string_view, 26> kGrandfathered = {
    "en-gb-oed",   "i-ami",  "i-bnn",  "i-default", "i-enochian", "i-hak",     "i-klingon",  "i-lux",     "i-mingo",
    "i-navajo",    "i-pwn",  "i-tao",  "i-tay",     "i-tsu",      "sgn-be-fr", "sgn-be-nl",  "sgn-ch-de", "art-lojban",
    "cel-gaulish", "no-bok", "no-nyn", "zh-guoyu",  "zh-hakka",   "zh-min",    "zh-min-nan", "zh-xiang"};

/// The subtags of a language tag, taken one after the other.
class Subtags {
 public:
  explicit Subtags(std::string_view tag) : rest_(tag) { advance(); }

  bool done() const { return done_; }
  std::string_view peek() const { return done_ ? std::string_view() : current_; }
  void advance() {
    done_ = ended_;
    std::size_t end = std::min(rest_.find('-'), rest_.size());
    current_ = rest_.substr(0, end);
    ended_ = end == rest_.size();
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
  }
  template <class F>
  bool take_if(F &&fits) {
    if (done_ || !fits(current_)) return false;
    advance();
    return true;
  }

 private:
  std::string_view rest_, current_;
  bool ended_ = false, done_ = false;
};

bool take_private_use(Subtags &tags) {
  if (!tags.take_if([](std::string_view t) { return t == "x"; })) return true;
  bool any = false;
  while (tags.take_if([](std::string_view t) { return alnums(t, 1, 8); })) any = true;
  return any;
}

bool is_pchar_run(std::string_view text, std::string_view besides) {
  for (std::size_t at = 0; at < text.size();) {
    Decoded character = decode_at(text, at);
    char32_t c = character.code;
    constexpr std::string_view kSigns = "-._~!$&'()*+,;=:|@";
    auto is_hex = [&](std::size_t i) {
      return i < text.size() && (is_digit(text[i]) || ((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'f'));
    };
    bool fits = is_ascii_alnum(c) || (c >= 0x400 && c <= 0x4FF) || (c == '%' && is_hex(at + 1) && is_hex(at + 2));
    if (c < 0x80) {
      auto sign = static_cast<char>(c);
      fits = fits || kSigns.find(sign) != std::string_view::npos || besides.find(sign) != std::string_view::npos;
    }
    if (!fits) return false;
    at += character.size;
  }
  return true;
}

bool is_ip_v4(std::string_view host) {
  int parts = 0;
  while (true) {
    std::size_t end = std::min(host.find('.'), host.size());
    std::string_view part = host.substr(0, end);
    if (part.empty() || part.size() > 3 || !digits(part, part.size()) || (part.size() > 1 && part[0] == '0') ||
        number(part) > 255)
      return false;
    ++parts;
    if (end == host.size()) return parts == 4;
    host.remove_prefix(end + 1);
  }
}

bool is_ip_v6(std::string_view host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' &&
         std::all_of(host.begin() + 1, host.end() - 1, [](char c) {
           return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') || c == ':' || c == '.';
         });
}

/// Labels of letters and digits of any script; hyphens inside, and underscores but in the last two.
bool is_host(std::string_view host) {
  if (is_ip_v4(host) || is_ip_v6(host)) return true;
  auto is_inner = [](char c) { return is_alnum(c) || static_cast<unsigned char>(c) >= 0x80; };
  std::size_t from_end = static_cast<std::size_t>(std::count(host.begin(), host.end(), '.'));
  if (from_end == 0) return false;
  for (;; --from_end) {
    std::size_t end = std::min(host.find('.'), host.size());
    std::string_view label = host.substr(0, end);
    bool fits = !label.empty() && is_inner(label.front()) && is_inner(label.back()) &&
                std::all_of(label.begin(), label.end(),
                            [&](char c) { return is_inner(c) || c == '-' || (c == '_' && from_end > 1); });
    if (!fits) return false;
    if (from_end == 0) return !is_digit(label.front());
    host.remove_prefix(end + 1);
  }
}

bool is_authority(std::string_view authority) {
  std::size_t at_sign = authority.rfind('@');
  if (at_sign != std::string_view::npos) {
    std::string_view user = authority.substr(0, at_sign);
    if (user.find_first_of("|@") != std::string_view::npos || !is_pchar_run(user, "")) return false;
    authority.remove_prefix(at_sign + 1);
  }
  std::size_t bracket = authority.rfind(']');
  std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    std::string_view port = authority.substr(colon + 1);
    if (port.empty() || port.size() > 5 || !digits(port, port.size())) return false;
    authority = authority.substr(0, colon);
  }
  return is_host(authority);
}

}  // namespace

bool is_language(std::string_view value) {
  std::string lower(value);
  for (char &c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  if (std::find(kGrandfathered.begin(), kGrandfathered.end(), lower) != kGrandfathered.end()) return true;

  Subtags tags(lower);
  if (tags.peek() == "x") return take_private_use(tags) && tags.done();
  bool extended = letters(tags.peek(), 2, 3);
  if (!tags.take_if([](std::string_view t) { return letters(t, 2, 8); })) return false;
  for (int i = 0; extended && i < 3; ++i) tags.take_if([](std::string_view t) { return letters(t, 3, 3); });
  tags.take_if([](std::string_view t) { return letters(t, 4, 4); });                  // script
  tags.take_if([](std::string_view t) { return letters(t, 2, 2) || digits(t, 3); });  // region
  std::set<std::string_view> seen;
  auto is_variant = [](std::string_view t) { return alnums(t, 5, 8) || (alnums(t, 4, 4) && is_digit(t[0])); };
  while (!tags.done() && is_variant(tags.peek())) {
    if (!seen.insert(tags.peek()).second) return false;
    tags.advance();
  }
  while (!tags.done() && alnums(tags.peek(), 1, 1) && tags.peek() != "x") {  // extensions
    if (!seen.insert(tags.peek()).second) return false;
    tags.advance();
    bool any = false;
    while (tags.take_if([](std::string_view t) { return alnums(t, 2, 8); })) any = true;
    if (!any) return false;
  }
  return take_private_use(tags) && tags.done();
}

bool is_datetime(std::string_view value) {
  constexpr std::size_t kLongest = 64, kFixed = 19;  // the fixed part ends with the seconds
  if (value.size() > kLongest || value.size() <= kFixed) return false;
  auto part = [value](std::size_t at, std::size_t size) { return value.substr(at, size); };
  if (!digits(part(0, 4), 4) || value[4] != '-' || !digits(part(5, 2), 2) || value[7] != '-' ||
      !digits(part(8, 2), 2) || value[10] != 'T' || !digits(part(11, 2), 2) || value[13] != ':' ||
      !digits(part(14, 2), 2) || value[16] != ':' || !digits(part(17, 2), 2))
    return false;
  std::size_t at = kFixed;
  if (value[at] == '.') {
    std::size_t fraction = ++at;
    while (at < value.size() && is_digit(value[at])) ++at;
    if (at == fraction) return false;
  }
  std::string_view zone = value.substr(at);
  int offset = 0;  // minutes
  if (zone != "Z") {
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || !digits(zone.substr(1, 2), 2) || zone[3] != ':' ||
        !digits(zone.substr(4, 2), 2) || zone == "-00:00")
      return false;
    int hours = number(zone.substr(1, 2)), minutes = number(zone.substr(4, 2));
    if (hours > 23 || minutes > 59) return false;
    offset = (zone[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
  }
  namespace chrono = std::chrono;
  chrono::year_month_day day{chrono::year(number(part(0, 4))), chrono::month(static_cast<unsigned>(number(part(5, 2)))),
                             chrono::day(static_cast<unsigned>(number(part(8, 2))))};
  int hour = number(part(11, 2)), minute = number(part(14, 2)), second = number(part(17, 2));
  if (!day.ok() || hour > 23 || minute > 59 || second > 59) return false;
  auto utc = chrono::sys_days(day) + chrono::minutes(hour * 60 + minute - offset);
  int year = static_cast<int>(chrono::year_month_day(chrono::floor<chrono::days>(utc)).year());
  return year >= 0 && year <= 9999;
}

bool is_x_url(std::string_view value, bool protocol) {
  std::size_t size = protocol_size(value);
  if (protocol && size == 0) return false;
  if (size == 0) {
    std::size_t other = value.find("://");  // then any scheme may stand there
    if (other != std::string_view::npos && value.find_first_of(":/?#") == other) size = other == 0 ? 0 : other + 3;
  }
  value.remove_prefix(size);
  std::size_t hash = std::min(value.find('#'), value.size());
  if (hash < value.size() && !is_pchar_run(value.substr(hash + 1), "/?")) return false;
  value = value.substr(0, hash);
  std::size_t mark = std::min(value.find('?'), value.size());
  if (mark < value.size() && !is_pchar_run(value.substr(mark + 1), "/?")) return false;
  value = value.substr(0, mark);
  std::size_t slash = std::min(value.find('/'), value.size());
  return is_pchar_run(value.substr(slash), "/") && is_authority(value.substr(0, slash));
}

}  // namespace nexus::text
