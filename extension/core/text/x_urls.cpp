// URLs as twitter-text 3 finds them: with a protocol or bare, always with a known top-level domain.
//
// Every URL has a dot in front of a top-level domain, so the scanner wakes at dots only, looks left for where the
// domain may start and right for where it ends. No byte is looked at more than a few times: what was matched is
// consumed, what led nowhere is fenced off (`fence_`), and how far a chain of labels goes is remembered (`chain_`).
#include "core/text/x_urls.hpp"

#include <algorithm>

#include "core/text/punycode.hpp"
#include "core/text/tlds.hpp"
#include "core/text/url_characters.hpp"

namespace nexus::text {

namespace {

constexpr std::int64_t kMaxUrl = 4096;  // UTF-16 units, the protocol counted once more
constexpr std::size_t kMaxSlug = 40;    // of a t.co URL
constexpr int kMaxLabel = 63;

/// Starts a character that is a surrogate pair in UTF-16.
bool is_pair(char first) {
  return static_cast<unsigned char>(first) >= 0xF0;
}

/// Directly in front of a bare domain it makes it none.
bool spoils_bare(char c) {
  return c == '-' || c == '_' || c == '.' || c == '/';
}

// Nearly all of a URL is ASCII: these leave the rest to decode_at, which is not worth a call for each byte.
Decoded character_at(std::string_view text, std::size_t where) {
  auto first = static_cast<unsigned char>(text[where]);
  return first < 0x80 ? Decoded{first, 1} : decode_at(text, where);
}
char32_t at(std::string_view text, std::size_t where) {
  return character_at(text, where).code;
}
/// Behind the path characters from `from` on.
std::size_t skip_path(std::string_view text, std::size_t from) {
  while (from < text.size()) {
    Decoded character = character_at(text, from);
    if (!is_path_character(character.code)) break;
    from += character.size;
  }
  return from;
}

/// Behind the group that opens at `open`, with at most one group inside it; 0 if it does not close.
std::size_t skip_parentheses(std::string_view text, std::size_t open) {
  std::size_t next = skip_path(text, open + 1);
  bool empty = next == open + 1;
  if (next < text.size() && text[next] == '(') {
    std::size_t inner = skip_path(text, next + 1);
    if (inner == next + 1 || inner == text.size() || text[inner] != ')') return 0;
    next = skip_path(text, inner + 1);
    empty = false;
  }
  return !empty && next < text.size() && text[next] == ')' ? next + 1 : 0;
}

/// Where the path ends that starts with the slash at `slash`: behind the last character or group that may end one.
std::size_t path_end(std::string_view text, std::size_t slash) {
  std::size_t end = slash + 1;
  for (std::size_t next = end; next < text.size();) {
    Decoded character = character_at(text, next);
    if (character.code == '(') {
      bool joined = next == end;  // a group ends a path only if what is before it could
      next = skip_parentheses(text, next);
      if (next == 0) break;
      if (joined) end = next;
    } else if (is_path_character(character.code)) {
      next += character.size;
      if (is_path_end(character.code)) end = next;
    } else {
      break;
    }
  }
  return end;
}

/// Where the query ends that starts with the question mark at `mark`; `mark` if there is none.
std::size_t query_end(std::string_view text, std::size_t mark) {
  std::size_t end = mark;
  for (std::size_t next = mark + 1; next < text.size() && is_query_character(static_cast<unsigned char>(text[next]));
       ++next)
    if (is_query_end(static_cast<unsigned char>(text[next]))) end = next + 1;
  return end;
}

bool labels_fit(std::string_view domain) {
  // A short one of ASCII has no label too long, and none is empty.
  if (domain.size() <= std::size_t{kMaxLabel} && is_ascii(domain)) return true;
  while (true) {
    std::size_t dot = std::min(domain.find('.'), domain.size());
    int size = punycode_label_size(domain.substr(0, dot), kMaxLabel);
    if (size < 1 || size > kMaxLabel) return false;
    if (dot == domain.size()) return true;
    domain.remove_prefix(dot + 1);
  }
}

/// The text without the first half of the surrogate pair it starts with.
std::string second_half(std::string_view text) {
  Decoded pair = character_at(text, 0);
  std::string result;
  append(result, 0xDC00 | (pair.code & 0x3FF));
  return result.append(text.substr(pair.size));
}

std::int64_t utf16_length(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }) +
         std::count_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xF0; });
}

}  // namespace

bool XUrls::may_start(std::size_t where) const {
  if (where == 0) return true;
  std::size_t before = previous(text_, where);
  return before >= consumed_ && may_precede(at(text_, before));
}

XUrls::Start XUrls::first_start(std::size_t from, std::size_t to) const {
  // A domain prefers to have something in front of it, even where it could start with the text.
  if (from == 0 && may_precede(at(text_, 0))) {
    std::size_t second = character_at(text_, 0).size;
    if (is_pair(text_[0])) return {kNone, 0, true};
    if (second < to && is_domain_character(at(text_, second))) return {kNone, second};
  }
  for (; from < to; from += character_at(text_, from).size) {
    if (!is_domain_character(at(text_, from))) continue;
    if (may_start(from)) return {kNone, from};
    if (is_pair(text_[from])) return {kNone, from, true};
  }
  return {};
}

std::size_t XUrls::protocol_before(std::size_t domain) const {
  if (domain < 7 || text_[domain - 1] != '/') return kNone;
  for (std::size_t size : {std::size_t{7}, std::size_t{8}}) {
    if (domain < consumed_ + size) continue;
    std::size_t start = domain - size;
    if (protocol_size(text_.substr(start, size)) == size && may_start(start)) return start;
  }
  return kNone;
}

XUrls::Start XUrls::find_start(std::size_t dot) const {
  Start start;
  std::size_t bound = std::max(consumed_, fence_);
  for (std::size_t end = dot;;) {
    std::size_t label = end;
    while (label > bound) {
      std::size_t before = previous(text_, label);
      if (before < bound || !is_label_character(at(text_, before))) break;
      label = before;
    }
    if (label == end || !is_domain_character(at(text_, previous(text_, end)))) break;
    Start here = first_start(label, end);
    if (here.domain != kNone) start = here;
    if (!is_domain_character(at(text_, label))) break;
    if (label > bound && text_[label - 1] == '.') {
      end = label - 1;
      continue;
    }
    std::size_t protocol = protocol_before(label);
    if (protocol != kNone) start = {protocol, label, false};
    break;
  }
  return start;
}

std::size_t XUrls::last_dot(std::size_t dot, std::size_t &tld, Interrupt &interrupt) {
  std::size_t last = kNone;
  if (dot >= chain_.from && dot < chain_.to) return last;  // nothing good before the chain ends: seen earlier
  std::size_t next = dot;
  while (true) {
    std::size_t label = next + 1, end = label;
    bool underscore = false;
    while (end < text_.size()) {
      Decoded character = character_at(text_, end);
      if (!is_label_character(character.code)) break;
      underscore = underscore || character.code == '_';
      end += character.size;
    }
    interrupt.poll(static_cast<std::uint32_t>(end - next));
    if (end == text_.size() || text_[end] != '.' || end == label || !is_domain_character(at(text_, label)) ||
        !is_domain_character(at(text_, previous(text_, end))))
      break;
    next = end;
    std::size_t ends = underscore ? 0 : tld_end(text_, next + 1);
    if (ends == 0) continue;
    last = next;
    tld = ends;
  }
  chain_ = {last == kNone ? dot : last + 1, next + 1};
  return last;
}

void XUrls::at_dot(std::size_t dot, std::vector<Span> &found, Interrupt &interrupt) {
  if (dot < consumed_) return;
  std::size_t tld = tld_end(text_, dot + 1);
  if (tld == 0) return;
  Start start = find_start(dot);
  if (start.domain == kNone) {
    fence_ = dot + 1;
    return;
  }
  std::size_t last = last_dot(dot, tld, interrupt);
  if (last == kNone) {
    last = dot;
    // The label in front of the top-level domain must be free of underscores: start behind the last of them.
    std::size_t free = dot;
    while (free > start.domain && text_[free - 1] != '.' && text_[free - 1] != '_') --free;
    if (free > start.domain && text_[free - 1] == '_') {
      start = first_start(free, dot);
      if (start.domain == kNone) {
        fence_ = dot + 1;
        return;
      }
    }
  }
  take(start, {last, tld}, found);
}

void XUrls::take(Start start, Tld tld, std::vector<Span> &found) {
  std::size_t domain_end = tld.end;
  std::size_t begin = start.protocol == kNone ? start.domain : start.protocol;
  std::size_t end = domain_end;
  if (end + 1 < text_.size() && text_[end] == ':' && is_ascii_digit(static_cast<unsigned char>(text_[end + 1]))) {
    ++end;
    while (end < text_.size() && is_ascii_digit(static_cast<unsigned char>(text_[end]))) ++end;
  }
  bool path = end < text_.size() && text_[end] == '/';
  if (path) end = path_end(text_, end);
  if (end < text_.size() && text_[end] == '?') end = query_end(text_, end);

  consumed_ = end;
  std::string_view domain = text_.substr(start.domain, domain_end - start.domain);
  std::int64_t protocol_size = start.protocol == kNone ? 8 : static_cast<std::int64_t>(start.domain - start.protocol);
  if (!(start.inside ? labels_fit(second_half(domain)) : labels_fit(domain)) ||
      (static_cast<std::int64_t>(end - begin) > kMaxUrl - 8 &&  // no character has more units than bytes
       protocol_size + utf16_length(text_.substr(begin, end - begin)) > kMaxUrl))
    return;
  if (start.protocol != kNone) {
    if (domain.substr(0, 4) == "xn--") {  // then the rest of the domain has to be Latin too
      std::vector<Span> latin;
      take_bare(start.domain, tld, 0, latin);
      if (latin.empty()) return;
    }
    std::string_view rest = text_.substr(start.domain, end - start.domain);
    if (starts_with_ignoring_case(rest, "t.co/")) {
      std::size_t slug = 5;
      while (slug < rest.size() && is_ascii_alnum(static_cast<unsigned char>(rest[slug]))) ++slug;
      if (slug - 5 > kMaxSlug) return;
      if (slug > 5) {
        end = start.domain + slug;
        if (end < consumed_ && text_[end] == '?') end = query_end(text_.substr(0, consumed_), end);
      }
    }
    found.push_back({EntityKind::url, begin, end});
  } else if (start.inside || begin == 0 || !spoils_bare(text_[begin - 1])) {
    take_bare(start.domain, tld, path ? end : 0, found);
  }
}

void XUrls::take_bare(std::size_t domain, Tld last, std::size_t path_end, std::vector<Span> &found) {
  std::size_t domain_end = last.end;
  std::string_view text = text_.substr(0, domain_end);
  std::size_t before = found.size();
  for (std::size_t next = domain; next < domain_end;) {
    Decoded first = character_at(text, next);
    if (!is_bare_character(first.code)) {
      next += first.size;
      continue;
    }
    std::size_t start = next, end = 0;
    for (std::size_t label = start; next < domain_end; label = ++next) {
      while (next < domain_end && is_bare_character(at(text, next))) next += character_at(text, next).size;
      if (next == label || next >= domain_end || text[next] != '.') break;
      std::size_t tld = next == last.dot ? last.end : tld_end(text, next + 1);
      if (tld != 0) end = tld;
    }
    if (end == 0) continue;
    found.push_back({EntityKind::url, start, end});
    next = end;
  }
  if (path_end != 0 && found.size() > before) found.back().end = path_end;
}

std::vector<Span> x_url_spans(std::string_view utf8, Interrupt &interrupt) {
  std::vector<Span> found;
  XUrls urls(utf8);
  for (std::size_t dot = utf8.find('.'); dot != std::string_view::npos; dot = utf8.find('.', dot + 1)) {
    interrupt.poll();
    urls.at_dot(dot, found, interrupt);
  }
  return found;
}

}  // namespace nexus::text
