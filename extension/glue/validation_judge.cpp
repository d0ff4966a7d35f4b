// What the platforms mind about rows: a row is made a draft, and judged with the rules of its platform or platforms.
#include "core/validation/judge.hpp"
#include "core/validation/media.hpp"

#include "glue/validation_judge.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include "glue/datum.hpp"
#include "glue/table_cache.hpp"
#include "glue/validation_draft.hpp"
#include "glue/validation_rules.hpp"

extern "C" {
#include "utils/lsyscache.h"
#include "utils/rel.h"
}

namespace nexus::pg {

namespace {

using validation::Draft;
using validation::Finding;

void judge(const Draft &draft, std::string_view platform, validation::Circumstances circumstances,
           std::vector<Finding> &findings) {
  const validation::RuleSet &rules = validation_rules();
  const validation::Platform *found = rules.find(platform);
  if (found == nullptr) return;  // nothing is known of it, so nothing can be wrong
  circumstances.today = today();
  validation::Judge(rules, draft, circumstances, interrupt()).platform(*found, findings);
}

/// The author of a social post in the same schema.
std::optional<std::string> author_of(const GuardedRow &row, std::int32_t social_post_id) {
  Relation relation = row.relation();
  MemoryContext caller = CurrentMemoryContext;
  char *author = call([&]() -> char * {
    SPI_connect();
    Oid types[] = {INT4OID};
    Datum values[] = {Int32GetDatum(social_post_id)};
    const char *schema = quote_identifier(get_namespace_name(RelationGetNamespace(relation)));
    char *query = psprintf("SELECT user_id::pg_catalog.text FROM %s.social_posts WHERE id = $1", schema);
    if (SPI_execute_with_args(query, 1, types, values, nullptr, true, 1) != SPI_OK_SELECT)
      elog(ERROR, "looking for the author of a post failed");
    char *found = SPI_processed == 1 ? SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1) : nullptr;
    if (found != nullptr) found = MemoryContextStrdup(caller, found);
    SPI_finish();
    return found;
  });
  if (author == nullptr) return std::nullopt;
  return author;
}

/// The kept plans of nexus.post_accounts_query and nexus.post_media_query: to plan them anew takes ten times as long as
/// to run them.
struct PostPlans {
  SPIPlanPtr accounts, media;
};

SPIPlanPtr keep_plan(const char *query_function, const char *schema, std::initializer_list<Oid> types) {
  return call([&]() -> SPIPlanPtr {
    Oid name_type[] = {TEXTOID};
    Datum name[] = {CStringGetTextDatum(schema)};
    char *query = psprintf("SELECT nexus.%s($1)", query_function);
    if (SPI_execute_with_args(query, 1, name_type, name, nullptr, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
      elog(ERROR, "nexus.%s gave no query", query_function);
    SPIPlanPtr plan =
        SPI_prepare_cursor(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1),
                           static_cast<int>(types.size()), const_cast<Oid *>(types.begin()), CURSOR_OPT_GENERIC_PLAN);
    if (plan == nullptr || SPI_keepplan(plan) != 0)
      elog(ERROR, "planning nexus.%s failed: %s", query_function, SPI_result_code_string(SPI_result));
    return plan;
  });
}

const PostPlans &post_plans(const char *schema) {
  static std::map<std::string, PostPlans, std::less<>> known;
  auto found = known.find(std::string_view(schema));
  if (found != known.end()) return found->second;
  PostPlans plans{keep_plan("post_accounts_query", schema, {INT4OID}),
                  keep_plan("post_media_query", schema, {INT4OID, TEXTARRAYOID})};
  return known.emplace(schema, plans).first->second;
}

/// The rows are seen as they are now, the changes of the statement that fires the trigger included.
SPITupleTable *run_plan(SPIPlanPtr plan, Datum *values, const char *nulls) {
  return call([&]() -> SPITupleTable * {
    int done = SPI_execute_plan(plan, values, nulls, false, 0);
    if (done != SPI_OK_SELECT) elog(ERROR, "looking for a post's accounts failed: %s", SPI_result_code_string(done));
    return SPI_tuptable;
  });
}

/// By platform, the worst first.
bool before(const Finding &a, const Finding &b) {
  return std::tie(a.platform, b.severity, a.code, a.field, a.start_char, a.message) <
         std::tie(b.platform, a.severity, b.code, b.field, b.start_char, b.message);
}

bool same(const Finding &a, const Finding &b) {
  return !before(a, b) && !before(b, a);
}

}  // namespace

void judge_content(const GuardedRow &row, std::vector<Finding> &findings) {
  Draft draft;
  draft.title = row.text("title");
  draft.description = row.text("description");
  draft.content_type = row.text("content_type");
  draft.hashtags = row.texts("tags");
  draft.media = validation::implied_media(draft.content_type.value_or(""));
  draft.complete = false;
  validation::Circumstances circumstances;
  circumstances.user_id = row.text("user_id");
  if (auto platform = row.text("platform")) judge(draft, *platform, circumstances, findings);
}

void judge_platform_post(const GuardedRow &row, std::vector<Finding> &findings) {
  Draft draft;
  draft.caption = row.text("caption");
  draft.hashtags = row.texts("hashtags");
  draft.complete = false;
  if (!draft.caption && draft.hashtags.empty()) return;
  validation::Circumstances circumstances;
  std::string account;
  std::optional<std::string> author;
  if (validation_rules().has_overrides()) {
    if (auto id = row.integer("account_id")) circumstances.account_id = account = std::to_string(*id);
    if (auto id = row.integer("social_post_id")) author = author_of(row, *id);
    if (author) circumstances.user_id = *author;
  }
  if (auto platform = row.text("platform")) judge(draft, *platform, circumstances, findings);
}

void judge_social_post(const GuardedRow &row, std::vector<Finding> &findings) {
  auto id = row.integer("id");
  if (row.inserted() || !id) return;
  MemoryContext caller = CurrentMemoryContext;
  const char *schema = call([&]() -> const char * {
    SPI_connect();
    return get_namespace_name(RelationGetNamespace(row.relation()));
  });
  const PostPlans &plans = post_plans(schema);
  auto urls = row.datum("media_urls"), user = row.datum("user_id");
  Datum values[] = {Int32GetDatum(*id), urls.value_or(0)};
  const char nulls[] = {' ', urls ? ' ' : 'n', '\0'};
  std::vector<Finding> found;
  SPITupleTable *accounts = run_plan(plans.accounts, values, nulls);
  if (accounts->numvals > 0) {
    SPITupleTable *media = run_plan(plans.media, values, nulls);
    bool null = false;
    Datum document = SPI_getbinval(media->vals[0], media->tupdesc, 1, &null);
    DecodedDraft decoded = decode_draft(call([document] { return DatumGetJsonbP(document); }), false);
    Draft &draft = decoded.draft;
    draft.title = row.text("title");
    draft.content_type = row.text("content_type");
    const auto caption = row.text("caption");
    const auto hashtags = row.texts("hashtags");
    TableRows rows{accounts->tupdesc, accounts->vals, static_cast<int>(accounts->numvals)};
    for (int i = 0; i < rows.count; ++i) {
      auto platform = rows.value(i, 1), account = rows.value(i, 2), own_caption = rows.value(i, 3),
           own_hashtags = rows.value(i, 4);
      if (!platform) continue;
      draft.caption = own_caption ? text_view(*own_caption) : caption;
      draft.hashtags = own_hashtags ? texts_of(*own_hashtags) : hashtags;
      validation::Circumstances circumstances;
      if (user) circumstances.user_id = text_view(*user);
      std::string number;
      if (account) circumstances.account_id = number = std::to_string(DatumGetInt32(*account));
      judge(draft, text_view(*platform), circumstances, found);
    }
  }
  call([caller] {
    SPI_finish();
    MemoryContextSwitchTo(caller);
  });
  std::sort(found.begin(), found.end(), before);
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  findings.insert(findings.end(), found.begin(), found.end());
}

}  // namespace nexus::pg
