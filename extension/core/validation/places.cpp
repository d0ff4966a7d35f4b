#include "core/validation/places.hpp"

#include <algorithm>
#include <optional>

#include "core/text/graphemes.hpp"
#include "core/text/stats.hpp"
#include "core/text/url_characters.hpp"
#include "core/text/utf8.hpp"
#include "core/text/x_weight.hpp"
#include "core/validation/measure.hpp"

namespace nexus::validation {

namespace {

constexpr std::int64_t kPointsPerUnit = 32;  // more than those of the longest emoji, or of what composes to one

bool may_be_linked(char32_t code, text::Properties p) {
  return code == '.' || code == '@' || p.grapheme_break() == text::GraphemeBreak::regional_indicator;
}

/// "@user" of "@user@host", the whole of any other link.
std::int64_t local_size(std::string_view mention) {
  return static_cast<std::int64_t>(std::min(mention.find('@', 1), mention.size()));
}

}  // namespace

class Places::Walk {
 public:
  Walk(Places &places, std::string_view text, const std::vector<text::Span> &links,
       const std::vector<PlaceLimit> &limits, Interrupt &interrupt)
      : places_(places),
        text_(text),
        limits_(limits),
        interrupt_(interrupt),
        link_(links.begin()),
        links_end_(links.end()) {}

  void run(bool whole) {
    add(0);
    while (start_ < text_.size() && (whole || !exceeded_)) {
      interrupt_.poll();
      std::size_t end = is_single(start_) ? single() : several();
      count_cluster(end);
      for (; link_ != links_end_ && link_->start < end; ++link_) enter(*link_);
      leave(end);
      start_ = end;
      if (end >= inside_) add(end);
    }
    if (places_.places_.back().byte != start_) add(start_);
  }

 private:
  /// True if an ASCII character is surely a cluster of its own.
  bool is_single(std::size_t at) const {
    return static_cast<unsigned char>(text_[at]) < 0x80 && text_[at] != '\r' &&
           (at + 1 == text_.size() || static_cast<unsigned char>(text_[at + 1]) < 0x80);
  }

  std::size_t single() {
    auto code = static_cast<unsigned char>(text_[start_]);
    first_ = text::properties(code);
    points_ = 1;
    pairs_ = 0;
    open_ = false;
    doubtful_ += may_be_linked(code, first_) ? 1 : 0;
    return start_ + 1;
  }

  /// Nothing before a border matters to what is behind it: each cluster has its own breaker.
  std::size_t several() {
    text::GraphemeBreaker breaker;
    points_ = pairs_ = 0;
    open_ = false;
    std::size_t at = start_;
    while (at < text_.size()) {
      interrupt_.poll();
      text::Decoded character = text::decode_at(text_, at);
      text::Properties p = text::properties(character.code);
      if (breaker.starts_cluster(p) && at > start_) break;
      if (at == start_) first_ = p;
      ++points_;
      pairs_ += character.code >= 0x10000 ? 1 : 0;
      open_ = open_ || p.nfc_open() || p.combining();
      doubtful_ += may_be_linked(character.code, p) ? 1 : 0;
      at += character.size;
    }
    return at;
  }

  void count_cluster(std::size_t end) {
    sum_.bytes += static_cast<std::int64_t>(end - start_);
    sum_.codepoints += points_;
    sum_.utf16_units += points_ + pairs_;
    ++sum_.graphemes;
    ++sum_.mastodon_length;
    sum_.x_weight += weight(end);
  }

  /// On X. A cluster of very many marks is not normalised: it is known to be longer than any limit.
  std::int64_t weight(std::size_t end) const {
    if (points_ == 1 && !open_) return text::x_weight(first_);
    std::int64_t least = points_ / kPointsPerUnit;
    bool too_long = !limits_.empty();
    for (const PlaceLimit &limit : limits_) too_long = too_long && (limit.unit != Unit::weighted || least > limit.max);
    if (too_long) return least;
    return text::x_cluster_weight(text_.substr(start_, end - start_), open_, interrupt_);
  }

  void enter(const text::Span &link) {
    inside_ = std::max(inside_, link.end);
    if (link.start < counted_) return;  // another dialect's of the same
    std::string_view text = text_.substr(link.start, link.end - link.start);
    bool url = link.kind == text::EntityKind::url;
    counted_ = link.end;
    // The cluster in which it starts has been counted.
    weight_ = url ? std::optional(sum_.x_weight - 1 + text::kXUrlWeight) : std::nullopt;
    mastodon_ = std::nullopt;
    if (url && text::protocol_size(text.substr(0, 8)) != 0) mastodon_ = sum_.mastodon_length - 1 + text::kXUrlWeight;
    if (link.kind == text::EntityKind::mention && text[0] == '@')
      if (std::int64_t size = local_size(text); size < static_cast<std::int64_t>(text.size()))
        mastodon_ = sum_.mastodon_length - 1 + size;
  }

  void leave(std::size_t end) {
    if (end < counted_) return;
    if (weight_) sum_.x_weight = *weight_;
    if (mastodon_) sum_.mastodon_length = *mastodon_;
    weight_ = mastodon_ = std::nullopt;
  }

  void add(std::size_t byte) {
    places_.places_.push_back({byte, doubtful_});
    for (std::size_t i = 0; i < limits_.size(); ++i) {
      std::int64_t length = length_in(sum_, limits_[i].unit);
      places_.lengths_[i].push_back(length);
      exceeded_ = exceeded_ || length > limits_[i].max;
    }
  }

  Places &places_;
  std::string_view text_;
  const std::vector<PlaceLimit> &limits_;
  Interrupt &interrupt_;
  std::vector<text::Span>::const_iterator link_, links_end_;
  text::Stats sum_;
  std::size_t start_ = 0;
  std::size_t inside_ = 0;                         // the end of the links that began before
  std::size_t counted_ = 0;                        // the end of the link whose lengths are known,
  std::optional<std::int64_t> weight_, mastodon_;  // which are then these
  std::size_t doubtful_ = 0;
  bool exceeded_ = false;
  // the cluster
  text::Properties first_{0};
  std::int64_t points_ = 0, pairs_ = 0;
  bool open_ = false;
};

Places::Places(std::string_view text, const std::vector<text::Span> &links, const std::vector<PlaceLimit> &limits,
               bool whole, Interrupt &interrupt)
    : lengths_(limits.size()) {
  Walk(*this, text, links, limits, interrupt).run(whole);
}

std::size_t Places::last_within(std::size_t limit, std::size_t first, std::int64_t max) const {
  const std::vector<std::int64_t> &lengths = lengths_[limit];
  auto from = lengths.begin() + static_cast<std::ptrdiff_t>(first);
  auto behind = std::upper_bound(from, lengths.end(), *from + max);
  return behind == from ? first : static_cast<std::size_t>(behind - lengths.begin()) - 1;
}

std::size_t Places::last_before(std::size_t byte) const {
  auto behind = std::upper_bound(places_.begin(), places_.end(), byte,
                                 [](std::size_t wanted, const Place &place) { return wanted < place.byte; });
  return static_cast<std::size_t>(behind - places_.begin()) - 1;
}

}  // namespace nexus::validation
