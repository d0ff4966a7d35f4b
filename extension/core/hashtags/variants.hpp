#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/hashtags/tokens.hpp"

namespace nexus::hashtags {

/// The words that a tag is written of, folded: where '_' stands between them, a capital follows a small letter or a
/// digit, or the last of several capitals begins a word. Words of one character are left out; nothing where fewer than
/// two are left.
///
///     tag_words("ClimateAction") -> climate, action
///     tag_words("NASAMission_2024Launch") -> nasa, mission, 2024, launch
///     tag_words("climateaction"), tag_words("iPhone") -> nothing
std::vector<std::string> tag_words(std::string_view spelling);

/// Adds words to a text that does not have them: once each.
void add_words(Terms &terms, std::vector<std::string> words);
/// Likewise the words of a tag.
void add_tag_words(Terms &terms, std::string_view spelling);

/// The places where a tag may be cut into two words: behind each character, with kLeastCut or more on both sides;
/// nothing for a tag that is not all a to z, or is longer than kMaxCut.
///
///     cuts("climateaction") -> climate + action and all others of four letters or more
std::vector<std::pair<std::string, std::string>> cuts(std::string_view canonical);
constexpr std::size_t kLeastCut = 4, kMaxCut = 40;

/// The same English word in the other number, where its spelling tells it: a plural's singular, or else its plural.
/// Both have four letters or more, all of them a to z. Words in -us, -is, -as and -ics are neither.
///
///     other_number("floods") == "flood", other_number("flood") == "floods"
///     other_number("stories") == "story", other_number("wishes") == "wish"
///     other_number("physics") == nothing
std::optional<std::string> other_number(std::string_view canonical);

/// Of two forms the one so much rarer gives way to the other: they count as one tag in a list.
constexpr std::uint64_t kRarerForm = 4;

}  // namespace nexus::hashtags
