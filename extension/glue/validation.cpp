// validate() and its kin: a draft in, findings out.
#include "core/validation/judge.hpp"
#include "core/validation/media.hpp"

#include <string>
#include <vector>

#include "glue/datum.hpp"
#include "glue/types_identity.hpp"
#include "glue/validation_draft.hpp"
#include "glue/validation_rules.hpp"

namespace nexus::pg {

namespace {

using validation::Finding;
using validation::Platform;
using validation::RuleSet;

constexpr std::size_t kMaxPlatforms = 100;

Error unknown_platform(std::string_view name, const RuleSet &rules) {
  return invalid_argument("platform \"" + std::string(name.substr(0, 64)) + "\" is not known")
      .hint("Platforms: " + rules.slugs());
}

void emit(FunctionCallInfo fcinfo, const std::vector<Finding> &findings) {
  call([&] { InitMaterializedSRF(fcinfo, 0); });
  auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
  Datum values[kFindingColumns];
  bool nulls[kFindingColumns];
  for (const Finding &finding : findings) {
    finding_datums(finding, values, nulls);
    call([&] { tuplestore_putvalues(result->setResult, result->setDesc, values, nulls); });
  }
}

/// The platforms asked for, each once. A stored row may name one that has no rules: that is a finding there.
std::vector<const Platform *> chosen_platforms(FunctionCallInfo fcinfo, const RuleSet &rules, DecodedDraft &decoded,
                                               bool stored) {
  std::vector<const Platform *> chosen;
  auto choose = [&](std::string_view name) {
    const Platform *platform = rules.find(name);
    if (platform == nullptr && !stored) throw unknown_platform(name, rules);
    if (platform == nullptr) {
      Finding finding;
      finding.code = "platform.unknown";
      finding.severity = validation::Severity::warning;
      finding.field = "platform";
      finding.message = "no rules are known for this platform";
      finding.hint = "Platforms: " + rules.slugs();
      decoded.findings.push_back(std::move(finding));
      return;
    }
    for (const Platform *other : chosen)
      if (other == platform) return;
    chosen.push_back(platform);
  };
  if (!fcinfo->args[1].isnull) {
    auto names = text_array_arg(fcinfo, 1, "platforms");
    if (names.size() > kMaxPlatforms)
      throw Error("54000", "platforms has more than " + std::to_string(kMaxPlatforms) + " elements");
    for (auto name : names) choose(name);
  } else if (decoded.platform) {
    choose(*decoded.platform);
  } else {
    for (const Platform &platform : rules.platforms()) chosen.push_back(&platform);
  }
  return chosen;
}

void judge_all(FunctionCallInfo fcinfo, bool stored, validation::Circumstances circumstances) {
  require_arg(fcinfo, 0, "draft");
  DecodedDraft decoded = decode_draft(call([&] { return PG_GETARG_JSONB_P(0); }), !stored);
  if (stored && !decoded.media_given) {
    decoded.draft.media = validation::implied_media(decoded.draft.content_type.value_or(""));
    decoded.draft.complete = false;
  }
  const RuleSet &rules = validation_rules();
  auto platforms = chosen_platforms(fcinfo, rules, decoded, stored);
  circumstances.today = today();
  validation::Judge judge(rules, decoded.draft, circumstances, interrupt());
  for (const Platform *platform : platforms) judge.platform(*platform, decoded.findings);
  emit(fcinfo, decoded.findings);
}

}  // namespace

NEXUS_FUNCTION(nexus_validate) {
  validation::Circumstances circumstances;
  if (validation_rules().has_overrides())
    if (const auto &user = current_user_id()) circumstances.user_id = *user;
  judge_all(fcinfo, false, circumstances);
  PG_RETURN_NULL();
}

NEXUS_FUNCTION(nexus_judge_draft) {
  validation::Circumstances circumstances;
  circumstances.user_id = optional_text_arg(fcinfo, 2);
  std::string account;
  if (!fcinfo->args[3].isnull) {
    account = std::to_string(PG_GETARG_INT32(3));
    circumstances.account_id = account;
  }
  judge_all(fcinfo, true, circumstances);
  PG_RETURN_NULL();
}

}  // namespace nexus::pg
