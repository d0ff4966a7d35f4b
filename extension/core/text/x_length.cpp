#include "core/text/x_length.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/text/analysis.hpp"
#include "core/text/unicode.hpp"
#include "core/text/utf8.hpp"
#include "core/text/x_weight.hpp"

namespace nexus::text {

namespace {

bool is_invalid(char32_t c) {
  return c == 0xFEFF || c == 0xFFFE || c == 0xFFFF;
}

/// The byte of the given text that a byte of its NFC stands for; the start of a stretch for what is inside of it.
std::size_t given_byte(const std::vector<NfcChange> &changes, std::size_t at) {
  auto next = std::upper_bound(changes.begin(), changes.end(), at,
                               [](std::size_t byte, const auto &change) { return byte < change.start; });
  if (next == changes.begin()) return at;
  const auto &last = *std::prev(next);
  return at < last.end ? last.given_start : last.given_end + (at - last.end);
}

std::int64_t utf16_units(std::string_view utf8) {
  std::int64_t units = 0;
  for (char byte : utf8) {
    if (is_continuation(byte)) continue;
    units += static_cast<unsigned char>(byte) >= 0xF0 ? 2 : 1;
  }
  return units;
}

Position position_of(std::string_view utf8, std::size_t byte) {
  Position position;
  for (std::size_t at = 0; at < byte;) {
    Decoded character = decode_at(utf8, at);
    ++position.codepoint;
    position.utf16 += utf16_size(character.code);
    at += character.size;
  }
  position.byte = static_cast<std::int32_t>(byte);
  return position;
}

/// Goes along a text in NFC and weighs it, a URL or emoji in one step.
class Walk {
 public:
  Walk(std::string_view text, const std::vector<Span> &urls, XConfig config)
      : text_(text), config_(config), url_(urls.begin()), urls_end_(urls.end()) {}

  std::size_t at() const { return at_; }
  std::int64_t weight() const { return weight_; }  ///< of what is before at()
  bool valid() const { return valid_; }            ///< no character so far that X refuses

  /// False at the end of the text.
  bool step() {
    if (at_ >= text_.size()) return false;
    while (url_ != urls_end_ && url_->start < at_) ++url_;  // one that began inside an emoji
    if (url_ != urls_end_ && url_->start == at_) {
      weight_ += kXUrlWeight;
      at_ = url_->end;
      return true;
    }
    Decoded character = decode_at(text_, at_);
    Properties p = properties(character.code);
    bool may_be_emoji = config_ == XConfig::v3 && p.emoji_start();
    std::size_t emoji = may_be_emoji ? emoji_size(text_, at_) : 0;
    weight_ += emoji != 0 ? kXEmojiWeight : x_weight(p);
    at_ += emoji != 0 ? emoji : character.size;
    valid_ = valid_ && !is_invalid(character.code);
    return true;
  }

 private:
  std::string_view text_;
  XConfig config_;
  std::vector<Span>::const_iterator url_, urls_end_;
  std::size_t at_ = 0;
  std::int64_t weight_ = 0;
  bool valid_ = true;
};

}  // namespace

XLength x_length(std::string_view utf8, XConfig config, Interrupt interrupt, std::int64_t limit) {
  Analysis analysis(utf8, interrupt);
  XLength result;
  std::string_view text = analysis.composed();
  Walk walk(text, analysis.composed_urls(), config);
  std::size_t within = 0, fits = 0;
  while (walk.step()) {
    interrupt.poll();
    if (walk.weight() <= limit) within = walk.at();
    if (walk.valid()) fits = within;
  }
  const std::vector<NfcChange> &changes = analysis.changes();
  result.weight = walk.weight();
  result.permillage = limit == 0 ? 0 : result.weight * 1000 / limit;
  result.valid = walk.valid() && result.weight > 0 && result.weight <= limit;
  result.fits = position_of(utf8, given_byte(changes, fits));
  std::int64_t shortened = utf16_units(utf8) - utf16_units(text);
  result.valid_range_end = std::max<std::int64_t>(utf16_units(text.substr(0, fits)) - 1, 0) + shortened;
  return result;
}

Position x_within(Analysis &analysis, std::int64_t limit) {
  Walk walk(analysis.composed(), analysis.composed_urls(), XConfig::v3);
  std::size_t within = 0;
  while (walk.step() && walk.weight() <= limit) {
    analysis.interrupt().poll();
    within = walk.at();
  }
  return position_of(analysis.text(), given_byte(analysis.changes(), within));
}

XConfig parse_x_config(std::string_view name) {
  if (name == "v2") return XConfig::v2;
  if (name == "v3") return XConfig::v3;
  throw Error("22023", "configuration \"" + std::string(name.substr(0, 64)) + "\" is not known")
      .hint("Configurations of twitter-text: v2, v3");
}

}  // namespace nexus::text
