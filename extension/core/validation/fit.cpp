#include "core/validation/fit.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/text/graphemes.hpp"
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
  text::Analysis analysis(text, interrupt_);
  return left(analysis);
}

std::optional<std::int64_t> Fit::left(text::Analysis &text) const {
  if (limits_.empty()) return std::nullopt;
  const text::Stats &stats = text.stats();
  std::optional<std::int64_t> least;
  for (const PlaceLimit &limit : limits_) {
    std::int64_t length = length_in(stats, limit.unit);
    if (!least || limit.max - length < *least) least = limit.max - length;
  }
  return least;
}

bool Fit::fits(std::string_view text) const {
  return remaining(text).value_or(0) >= 0;
}

/// What X links, and on other platforms what they link; in order of their starts. X's notion of a link is the widest.
std::vector<text::Span> Fit::links(text::Analysis &text) const {
  const std::vector<text::Span> &spans = text.links(text::Dialect::x);
  return dialect_ == text::Dialect::x ? spans : text::merged(spans, text.links(dialect_));
}

/// True if a text's links stay what they are when `suffix` follows it, on any platform: a URL at the end might not.
bool Fit::links_end_before(std::string_view text, std::string_view suffix) const {
  std::string longer = std::string(text).append(suffix);
  text::Analysis as_is(text, interrupt_), with_suffix(longer, interrupt_);
  auto before = links(as_is), after = links(with_suffix);
  for (const auto &link : before)
    if (link.kind == text::EntityKind::url && link.end == text.size()) return false;
  return std::equal(before.begin(), before.end(), after.begin(), after.end(), [](const auto &a, const auto &b) {
    return a.kind == b.kind && a.start == b.start && a.end == b.end;
  });
}

/// Where the text may be cut; if not the `whole` text, up to a place at which it is longer than any limit allows.
Places Fit::places(text::Analysis &text, bool whole) const {
  return {text.text(), links(text), limits_, whole, interrupt_};
}

bool Fit::fits_whole(text::Analysis &text, const Places &places) const {
  std::size_t last = places.count() - 1;
  if (places.has_links(0, last) || only_space(text.text())) return left(text).value_or(0) >= 0;
  for (std::size_t i = 0; i < limits_.size(); ++i)
    if (places.last_within(i, 0, limits_[i].max) != last) return false;
  return true;
}

/// The number of the last place up to which the text from place `first` fits; `first` if not even the next one.
std::size_t Fit::last_fitting(std::string_view text, const Places &places, std::size_t first,
                              std::string_view suffix) const {
  text::Stats added = text::text_stats(suffix, interrupt_);
  std::size_t last = places.count() - 1;
  for (std::size_t i = 0; i < limits_.size(); ++i)
    last = std::min(last, places.last_within(i, first, limits_[i].max - length_in(added, limits_[i].unit)));
  // A numbered part loses the white space at its end.
  auto kept = [&](std::size_t to) {
    std::string_view part = text.substr(places[first], places[to] - places[first]);
    return suffix.empty() ? part : without_space_at_end(part);
  };
  if (!suffix.empty())
    while (last + 1 < places.count() && only_space(text.substr(places[last], places[last + 1] - places[last]))) ++last;
  // Apart from the rest of the text a link may be something else: then the lengths are a guess, to be tried.
  auto fits_to = [&](std::size_t to) { return fits(std::string(kept(to)).append(suffix)); };
  if (last == first) {
    bool longer = first + 1 < places.count() && places.has_links(first, first + 1) && fits_to(first + 1);
    return longer ? first + 1 : first;
  }
  if (!places.has_links(first, last)) return last;
  if (fits_to(last)) return last;
  std::size_t good = first, bad = last;
  for (std::size_t step = 1; bad > first + step; step *= 2) {
    if (fits_to(bad - step)) {
      good = bad - step;
      break;
    }
    bad -= step;
  }
  while (bad - good > 1) {
    std::size_t middle = good + (bad - good) / 2;
    (fits_to(middle) ? good : bad) = middle;
  }
  return good;
}

std::string Fit::truncated(std::string_view text) const {
  if (limits_.empty()) return std::string(text);
  text::Analysis analysis(text, interrupt_);
  Places places = this->places(analysis, false);
  if (fits_whole(analysis, places)) return std::string(text);
  std::string_view suffix = kEllipsis;
  if (!fits(suffix)) return "";
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
    if (fits(std::string(kept).append(apart))) return std::string(kept).append(apart);
    text::Analysis kept_analysis(kept, interrupt_);
    std::size_t start =
        links(kept_analysis).back().start;  // inside a cluster where a mark that joins stands before the link
    kept = without_space_at_end(text.substr(0, places[places.last_before(start)]));
  }
  return std::string(kept).append(suffix);
}

std::vector<std::string_view> Fit::parts(std::string_view text, const Places &places,
                                         std::size_t reserved_digits) const {
  std::string number(reserved_digits, '9');
  std::string suffix = reserved_digits == 0 ? "" : " (" + number + "/" + number + ")";
  std::vector<std::string_view> parts;
  for (std::size_t first = 0; first + 1 < places.count();) {
    std::size_t last = last_fitting(text, places, first, suffix);
    if (last == first)
      throw invalid_argument("a link, tag or character of the text is longer than a part may be")
          .hint("Shorten what starts at byte " + std::to_string(places[first]) + ".");
    if (last + 1 < places.count())
      for (std::size_t i = last; i > first + (last - first) / 2; --i) {
        if (!is_space_before(text, places[i])) continue;
        last = i;
        break;
      }
    std::string_view part = text.substr(places[first], places[last] - places[first]);
    if (!only_space(part) || (parts.empty() && last + 1 == places.count())) parts.push_back(part);
    first = last;
  }
  return parts;
}

std::vector<std::string> Fit::split(std::string_view text, bool numbered) const {
  if (text.size() > kMaxBytes) throw Error("54000", "the text has more than 1 MiB");
  if (limits_.empty()) return {std::string(text)};
  text::Analysis analysis(text, interrupt_);
  Places places = this->places(analysis, true);
  if (fits_whole(analysis, places)) return {std::string(text)};
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
