// What the platforms mind about rows of content, social_posts and platform_posts. Each appends its findings.
#pragma once

#include <vector>

#include "core/validation/draft.hpp"
#include "glue/validation_row.hpp"

namespace nexus::pg {

/// The row of content for its platform. What its file is like stands elsewhere, so nothing counts as missing.
void judge_content(const GuardedRow &row, std::vector<validation::Finding> &findings);

/// A social post for all the accounts it goes to, with its media: those stand in other tables, so this asks SQL. A row
/// that is only now inserted can have none of both.
void judge_social_post(const GuardedRow &row, std::vector<validation::Finding> &findings);

/// The caption and hashtags of one account's version; what it takes over from the social post is judged there.
void judge_platform_post(const GuardedRow &row, std::vector<validation::Finding> &findings);

}  // namespace nexus::pg
