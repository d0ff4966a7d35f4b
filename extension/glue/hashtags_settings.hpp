// Settings of the hashtag model.
#pragma once

#include <cstdint>

namespace nexus::pg {

extern int hashtag_min_authors, hashtag_max_postings, hashtag_max_unfolded, hashtag_cache_size;

extern double hashtag_diversity;

/// Makes them known to the server; called once, at module load.
void define_hashtag_settings();

/// nexus.as_of, or the start of the transaction; in microseconds as a timestamptz.
std::int64_t hashtag_as_of();

}  // namespace nexus::pg
