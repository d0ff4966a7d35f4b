// What a fold writes: the counts of a batch of posts into the tables of the model, or back out of them. The caller
// holds the model's lock, so nobody else changes these tables.
#pragma once

#include <cstdint>

#include "core/hashtags/batch.hpp"
#include "glue/hashtags_spi.hpp"

namespace nexus::pg {

/// Words, niches, platforms and tags among other tags: hashtag_features, hashtag_postings.
void add_feature_counts(const hashtags::Batch &batch, std::int64_t generation);
/// The same taken back; a feature without posts goes.
void remove_feature_counts(const hashtags::Batch &batch, std::int64_t generation);

/// The tags themselves, added (sign 1) or taken back (sign -1): hashtag_tags, hashtag_spellings, hashtag_authors,
/// hashtag_hours.
void write_tag_counts(const hashtags::Batch &batch, std::int64_t sign);

}  // namespace nexus::pg
