// A draft given as jsonb, and findings as rows.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/validation/draft.hpp"
#include "glue/jsonb_view.hpp"

namespace nexus::pg {

/// A decoded draft. Its texts live in the jsonb value, or in the current memory context.
struct DecodedDraft {
  validation::Draft draft;
  std::optional<std::string_view> platform;
  bool media_given = false;
  std::vector<validation::Finding> findings;  ///< what is wrong with it on every platform
};

/// Decodes a draft; `compare_time` also judges status and scheduled_at against now.
/// Throws 22023 naming the member that is of the wrong type, 54000 for more than a draft may hold.
DecodedDraft decode_draft(Jsonb *document, bool compare_time);

/// The columns of nexus.finding.
constexpr int kFindingColumns = 12;
void finding_datums(const validation::Finding &finding, Datum *values, bool *nulls);

}  // namespace nexus::pg
