// What fits into a platform's text fields (sql/install/33-validation-fit.sql).
#include "core/validation/fit.hpp"

#include <string>

#include "glue/datum.hpp"
#include "glue/types_identity.hpp"
#include "glue/validation_rules.hpp"

namespace nexus::pg {

namespace {

validation::Fit fit_of(std::string_view platform, std::string_view field) {
  const validation::RuleSet &rules = validation_rules();
  const validation::Platform *found = rules.find(platform);
  if (found == nullptr)
    throw invalid_argument("platform \"" + std::string(platform.substr(0, 64)) + "\" is not known")
        .hint("Platforms: " + rules.slugs());
  validation::Field which = validation::parse_field(field);
  if (field != "title" && field != "caption" && field != "description" && field != "alt_text")
    throw invalid_argument("field \"" + std::string(field.substr(0, 64)) + "\" has no length")
        .hint("Fields: title, caption, description, alt_text");
  validation::Circumstances circumstances;
  circumstances.today = today();
  if (rules.has_overrides())
    if (const auto &user = current_user_id()) circumstances.user_id = *user;
  return {rules, *found, which, circumstances, interrupt()};
}

}  // namespace

NEXUS_FUNCTION(nexus_remaining) {
  auto left = fit_of(text_arg(fcinfo, 1), text_arg(fcinfo, 2)).remaining(text_arg(fcinfo, 0));
  if (!left) PG_RETURN_NULL();
  PG_RETURN_INT32(static_cast<int32>(*left));
}

NEXUS_FUNCTION(nexus_truncate_text) {
  PG_RETURN_DATUM(text_datum(fit_of(text_arg(fcinfo, 1), text_arg(fcinfo, 2)).truncated(text_arg(fcinfo, 0))));
}

NEXUS_FUNCTION(nexus_split_thread) {
  auto parts = fit_of(text_arg(fcinfo, 1), "caption").split(text_arg(fcinfo, 0), PG_GETARG_BOOL(2));
  Rows rows(fcinfo, true);
  for (const std::string &part : parts) rows.add({text_datum(part)});
  PG_RETURN_NULL();
}

}  // namespace nexus::pg
