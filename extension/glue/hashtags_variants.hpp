// Which hashtags are one with others, and which words a tag of the draft is made of, as far as the model tells.
#pragma once

#include "glue/hashtags_store.hpp"

namespace nexus::pg {

/// The tags that are shown as another: of two forms that differ in number alone (flood, floods), the one that is used a
/// quarter as often as the other, or less. The tags are loaded.
std::map<std::uint32_t, std::uint32_t> shown_forms(HashtagStore &store, const std::vector<std::uint32_t> &tags);

/// Tags in canonical form, and beside each the other form where the two are shown as one.
std::set<std::string> with_other_forms(HashtagStore &store, std::set<std::string> tags);

/// Adds to a draft the two words that a tag in it is made of (climateaction: climate, action), where both are known
/// from two posts or more and stand together more often by chance than the whole is known. Of several cuts the one
/// whose rarer word is in most posts.
void add_known_words(HashtagStore &store, hashtags::Terms &draft);

}  // namespace nexus::pg
