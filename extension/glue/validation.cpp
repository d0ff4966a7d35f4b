// validate() and its kin: a draft in, findings out.
#include "core/validation/judge.hpp"
#include "core/validation/media.hpp"

#include <string>
#include <vector>

#include "glue/datum.hpp"
#include "glue/table_cache.hpp"
#include "glue/types_identity.hpp"
#include "glue/validation_draft.hpp"
#include "glue/validation_rules.hpp"

extern "C" {
#include "utils/acl.h"
}

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

/// True for a caller who may not know what others' overrides are.
bool is_confined() {
  Oid overrides = own_table("rule_overrides");
  return call([overrides]() -> bool {
    Oid role = GetUserId();
    if (pg_class_aclcheck(overrides, role, ACL_SELECT) == ACLCHECK_OK) return false;
    for (const char *name : {"nexus_owner", "nexus_worker"}) {
      Oid privileged = get_role_oid(name, true);
      if (OidIsValid(privileged) && has_privs_of_role(role, privileged)) return false;
    }
    return true;
  });
}

/// True if the caller may read the row of an account, by privileges and row security.
bool sees_account(std::int32_t id) {
  return call([id]() -> bool {
    Oid types[] = {INT4OID};
    Datum values[] = {Int32GetDatum(id)};
    SPI_connect();
    if (SPI_execute("SELECT nexus.attached_schema()", true, 1) != SPI_OK_SELECT || SPI_processed != 1)
      elog(ERROR, "asking for the attached schema failed");
    const char *schema = quote_identifier(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
    char *query = psprintf("SELECT id FROM %s.social_accounts WHERE id OPERATOR(pg_catalog.=) $1", schema);
    if (SPI_execute_with_args(query, 1, types, values, nullptr, true, 1) != SPI_OK_SELECT)
      elog(ERROR, "looking for an account failed");
    bool found = SPI_processed == 1;
    SPI_finish();
    return found;
  });
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
  if ((circumstances.user_id || circumstances.account_id) && is_confined()) {
    if (circumstances.user_id && circumstances.user_id != current_user_id())
      throw Error("42501", "user_id is not the current user")
          .hint("Give your own or NULL; for others it takes the right to read nexus.rule_overrides.");
    if (circumstances.account_id && !sees_account(PG_GETARG_INT32(3)))
      throw Error("42501", "account_id is not an account of the current user")
          .hint("Give your own or NULL; for others it takes the right to read nexus.rule_overrides.");
  }
  judge_all(fcinfo, true, circumstances);
  PG_RETURN_NULL();
}

}  // namespace nexus::pg
