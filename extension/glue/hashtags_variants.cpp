#include "glue/hashtags_variants.hpp"

#include <algorithm>

namespace nexus::pg {

namespace {

constexpr std::size_t kMostCut = 8;  // tags of one draft that are cut into words

bool gives_way(const HashtagStore &store, std::uint32_t tag, std::uint32_t other) {
  return store.tag_posts(tag) * hashtags::kRarerForm <= store.tag_posts(other);
}

}  // namespace

std::map<std::uint32_t, std::uint32_t> shown_forms(HashtagStore &store, const std::vector<std::uint32_t> &tags) {
  std::map<std::uint32_t, std::uint32_t> shown = store.other_numbers(tags);
  for (auto entry = shown.begin(); entry != shown.end();)
    entry = gives_way(store, entry->first, entry->second) ? std::next(entry) : shown.erase(entry);
  return shown;
}

std::set<std::string> with_other_forms(HashtagStore &store, std::set<std::string> tags) {
  if (tags.empty()) return tags;
  std::vector<std::uint32_t> known = store.known_tags({tags.begin(), tags.end()});
  store.load_tags(known);
  for (const auto &[tag, other] : store.other_numbers(known))
    if (gives_way(store, tag, other) || gives_way(store, other, tag)) tags.insert(store.canonical(other));
  return tags;
}

void add_known_words(HashtagStore &store, hashtags::Terms &draft) {
  std::size_t cut = 0;
  for (const std::string &tag : draft.tags) {
    auto pairs = hashtags::cuts(tag);
    if (pairs.empty() || cut++ == kMostCut) continue;
    std::vector<std::string> keys{hashtags::feature_key(hashtags::kWord, tag)};
    for (const auto &[left, right] : pairs) {
      keys.push_back(hashtags::feature_key(hashtags::kWord, left));
      keys.push_back(hashtags::feature_key(hashtags::kWord, right));
    }
    std::vector<hashtags::Feature> known = store.features(keys);
    double chance = static_cast<double>(known.front().posts()) * static_cast<double>(store.corpus().posts);
    std::uint64_t best = 1;
    std::size_t found = pairs.size();
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      std::uint64_t left = known[2 * i + 1].posts(), right = known[2 * i + 2].posts();
      if (std::min(left, right) <= best || static_cast<double>(left) * static_cast<double>(right) <= chance) continue;
      best = std::min(left, right);
      found = i;
    }
    if (found < pairs.size()) hashtags::add_words(draft, {pairs[found].first, pairs[found].second});
  }
}

}  // namespace nexus::pg
