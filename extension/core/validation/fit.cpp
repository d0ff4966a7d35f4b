#include "core/validation/fit.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/text/graphemes.hpp"
#include "core/text/spans.hpp"
#include "core/text/stats.hpp"
#include "core/text/url_characters.hpp"
#include "core/text/utf8.hpp"
#include "core/validation/measure.hpp"
#include "core/validation/media.hpp"

namespace nexus::validation {

namespace {

constexpr std::string_view kEllipsis = "…";
constexpr std::size_t kMaxBytes = 1 << 20;
constexpr std::size_t kMaxDigits = 6;

bool is_space_before(std::string_view text, std::size_t at) {
  return at > 0 && text::is_x_space(text::decode_at(text, text::previous(text, at)).code);
}

/// True if the white space at `at` is part of a cluster that begins before it, with a mark that joins what follows.
bool is_joined(std::string_view text, std::size_t at) {
  auto grapheme_break = [&](std::size_t where) {
    return text::properties(text::decode_at(text, where).code).grapheme_break();
  };
  return at > 0 && grapheme_break(at) == text::GraphemeBreak::other &&
         grapheme_break(text::previous(text, at)) == text::GraphemeBreak::prepend;
}

std::string_view without_space_at_end(std::string_view text) {
  while (is_space_before(text, text.size())) {
    std::size_t before = text::previous(text, text.size());
    if (is_joined(text, before)) break;
    text = text.substr(0, before);
  }
  return text;
}

bool only_space(std::string_view text) {
  return without_space_at_end(text).empty();
}

}  // namespace

Fit::Fit(const RuleSet &rules, const Platform &platform, Field field, Circumstances circumstances, Interrupt interrupt)
    : dialect_(platform.slug == "bluesky"    ? text::Dialect::bluesky
               : platform.slug == "mastodon" ? text::Dialect::mastodon
                                             : text::Dialect::x),
      interrupt_(interrupt) {
  std::vector<const std::vector<Override> *> overrides;
  auto take = [&](OverrideScope scope, std::string_view id) {
    if (const auto *found = rules.overrides(scope, id)) overrides.push_back(found);
  };
  take(OverrideScope::all, "");
  if (circumstances.user_id) take(OverrideScope::user, *circumstances.user_id);
  if (circumstances.account_id) take(OverrideScope::account, *circumstances.account_id);
  auto collect = [&](Field wanted) {
    for (const Rule &rule : platform.rules) {
      if (rule.kind != RuleKind::text_length || rule.field != wanted || !condition_holds(rule.when_media, {})) continue;
      if (!rule.content_type.empty() && rule.content_type != "text") continue;
      if (circumstances.today < rule.valid_from || circumstances.today > rule.valid_to) continue;
      auto max = rule.max;
      bool off = false;
      for (const auto *list : overrides) {
        for (const Override &entry : *list) {
          if (entry.rule_id != rule.rule_id) continue;
          if (entry.max) max = entry.max;
          off = entry.off;
        }
      }
      if (max && !off) limits_.push_back({rule.unit, static_cast<std::int64_t>(*max)});
    }
  };
  collect(field);
  // As a draft is judged: a platform that knows no caption takes the description for it, and the other way round.
  if (limits_.empty() && field == Field::caption) collect(Field::description);
  if (limits_.empty() && field == Field::description) collect(Field::caption);
}

std::optional<std::int64_t> Fit::remaining(std::string_view text) const {
  if (limits_.empty()) return std::nullopt;
  text::Stats stats = text::text_stats(text, interrupt_);
  std::optional<std::int64_t> least;
  for (const Limit &limit : limits_) {
    std::int64_t length =
        limit.unit == Unit::utf8_bytes ? static_cast<std::int64_t>(text.size()) : length_in(stats, limit.unit);
    if (!least || limit.max - length < *least) least = limit.max - length;
  }
  return least;
}

bool Fit::fits(std::string_view text, std::string_view suffix) const {
  if (suffix.empty()) return remaining(text).value_or(0) >= 0;
  return remaining(std::string(text).append(suffix)).value_or(0) >= 0;
}

/// What X links, and on other platforms what they link; in order of their starts. X's notion of a link is the widest.
std::vector<text::Span> Fit::links(std::string_view text) const {
  std::vector<text::Span> spans = text::x_spans(text, interrupt_);
  if (dialect_ == text::Dialect::x) return spans;
  auto more = dialect_ == text::Dialect::bluesky ? text::bluesky_spans(text, interrupt_)
                                                 : text::mastodon_spans(text, interrupt_);
  spans.insert(spans.end(), more.begin(), more.end());
  std::sort(spans.begin(), spans.end(), [](const auto &a, const auto &b) { return a.start < b.start; });
  return spans;
}

/// True if a text's links stay what they are when `suffix` follows it, on any platform: a URL at the end might not.
bool Fit::links_end_before(std::string_view text, std::string_view suffix) const {
  auto before = links(text), after = links(std::string(text).append(suffix));
  for (const auto &link : before)
    if (link.kind == text::EntityKind::url && link.end == text.size()) return false;
  return std::equal(before.begin(), before.end(), after.begin(), after.end(), [](const auto &a, const auto &b) {
    return a.kind == b.kind && a.start == b.start && a.end == b.end;
  });
}

/// The bytes at which the text may be cut: between grapheme clusters, outside of links, tags and mentions.
std::vector<std::size_t> Fit::borders(std::string_view text) const {
  std::vector<text::Span> spans = links(text);
  std::vector<std::size_t> borders;
  text::GraphemeBreaker breaker;
  auto span = spans.begin();
  std::size_t inside = 0;  // end of the links that began before
  for (std::size_t at = 0; at < text.size();) {
    interrupt_.poll();
    text::Decoded character = text::decode_at(text, at);
    for (; span != spans.end() && span->start < at; ++span) inside = std::max(inside, span->end);
    if (breaker.starts_cluster(text::properties(character.code)) && at >= inside) borders.push_back(at);
    at += character.size;
  }
  borders.push_back(text.size());
  return borders;
}

/// The number of the last border up to which the text from border `first` fits; `first` if not even the next one.
std::size_t Fit::last_fitting(std::string_view text, const std::vector<std::size_t> &borders, std::size_t first,
                              std::string_view suffix) const {
  auto fits_to = [&](std::size_t border) {
    std::string_view part = text.substr(borders[first], borders[border] - borders[first]);
    return fits(suffix.empty() ? part : without_space_at_end(part), suffix);
  };
  // Gallop, so that the cost depends on the limit and not on the text; then halve.
  std::size_t good = first, last = borders.size() - 1, step = 64;
  std::size_t bad = std::min(first + step, last);
  while (fits_to(bad)) {
    good = bad;
    if (good == last) return good;
    step *= 2;
    bad = std::min(good + step, last);
  }
  while (bad - good > 1) {
    std::size_t middle = good + (bad - good) / 2;
    (fits_to(middle) ? good : bad) = middle;
  }
  return good;
}

std::string Fit::truncated(std::string_view text) const {
  if (fits(text, "")) return std::string(text);
  auto places = borders(text);
  std::string_view suffix = kEllipsis;
  if (!fits("", suffix)) return "";
  std::size_t last = last_fitting(text, places, 0, suffix);
  for (std::size_t i = last; i > last / 2; --i) {
    if (!is_space_before(text, places[i])) continue;
    last = i;
    break;
  }
  // A link must not grow by the ellipsis: it then stands apart, or the link goes.
  std::string_view kept = without_space_at_end(text.substr(0, places[last]));
  std::string apart = " " + std::string(kEllipsis);
  while (!links_end_before(kept, suffix)) {
    if (fits(kept, apart)) return std::string(kept).append(apart);
    std::size_t start = links(kept).back().start;  // inside a cluster where a mark that joins stands before the link
    kept = without_space_at_end(text.substr(0, *std::prev(std::upper_bound(places.begin(), places.end(), start))));
  }
  return std::string(kept).append(suffix);
}

std::vector<std::string_view> Fit::parts(std::string_view text, const std::vector<std::size_t> &borders,
                                         std::size_t reserved_digits) const {
  std::string number(reserved_digits, '9');
  std::string suffix = reserved_digits == 0 ? "" : " (" + number + "/" + number + ")";
  std::vector<std::string_view> parts;
  for (std::size_t first = 0; first + 1 < borders.size();) {
    std::size_t last = last_fitting(text, borders, first, suffix);
    if (last == first)
      throw invalid_argument("a link, tag or character of the text is longer than a part may be")
          .hint("Shorten what starts at byte " + std::to_string(borders[first]) + ".");
    if (last + 1 < borders.size())
      for (std::size_t i = last; i > first + (last - first) / 2; --i) {
        if (!is_space_before(text, borders[i])) continue;
        last = i;
        break;
      }
    std::string_view part = text.substr(borders[first], borders[last] - borders[first]);
    if (!only_space(part) || (parts.empty() && last + 1 == borders.size())) parts.push_back(part);
    first = last;
  }
  return parts;
}

std::vector<std::string> Fit::split(std::string_view text, bool numbered) const {
  if (text.size() > kMaxBytes) throw Error("54000", "the text has more than 1 MiB");
  if (fits(text, "")) return {std::string(text)};
  auto places = borders(text);
  if (!numbered) {
    auto found = parts(text, places, 0);
    return {found.begin(), found.end()};
  }
  for (std::size_t digits = 1; digits <= kMaxDigits; ++digits) {
    auto found = parts(text, places, digits);
    std::string total = std::to_string(found.size());
    if (total.size() > digits) continue;
    std::vector<std::string> result;
    result.reserve(found.size());
    for (std::string_view part : found)
      result.push_back(std::string(without_space_at_end(part)) + " (" + std::to_string(result.size() + 1) + "/" +
                       total + ")");
    return result;
  }
  throw Error("54000", "the text has too many parts");
}

}  // namespace nexus::validation
