// The guards of content, social_posts and platform_posts: one trigger function for each, called before a write to
// refuse or warn, and after it to record. One more for all other tables looks at single values only.
#include "core/validation/judge.hpp"
#include "core/validation/limits.hpp"
#include "core/validation/media.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "glue/datum.hpp"
#include "glue/settings.hpp"
#include "glue/table_cache.hpp"
#include "glue/validation_draft.hpp"
#include "glue/validation_row.hpp"
#include "glue/validation_rules.hpp"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
}

namespace nexus::pg {

namespace {

using validation::Draft;
using validation::Finding;
using validation::Severity;

/// What a write means for the platforms' rules.
struct Occasion {
  bool due = false;      // the row becomes scheduled or published, or changes while it is
  bool becomes = false;  // its status does
};

bool is_due(const std::optional<std::string_view> &status) {
  return status && (*status == "scheduled" || *status == "published" || *status == "publishing");
}

/// A post that was due stays judged when it merely moves on to be published: the platform has had its say by then. The
/// same goes for the late confirmation of a failed one.
Occasion occasion_of(const GuardedRow &row) {
  Occasion occasion;
  auto status = row.text("status");
  if (!is_due(status)) return occasion;
  auto before = row.old_text("status");
  bool moves_on = is_due(before) || (before && *before == "failed" && *status == "published");
  occasion.becomes = row.inserted() || !moves_on;
  occasion.due = occasion.becomes || row.judged_changed();
  return occasion;
}

/// A social post also becomes scheduled by its platform posts, and those may be late.
bool rolled_up() {
  return call([] { return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, Datum{0})); }) > 1;
}

/// A row that is to be sent at a time that is over. A failed one that is tried again keeps its time.
void check_schedule(const GuardedRow &row, const Occasion &occasion, bool rolls_up, std::vector<Finding> &findings) {
  auto status = row.text("status");
  auto at = row.timestamp("scheduled_at");
  if (!status || *status != "scheduled" || !at || TIMESTAMP_NOT_FINITE(*at)) return;
  auto before = row.old_text("status");
  bool retried = before && *before == "failed";
  if (!row.changed("scheduled_at") && (!occasion.becomes || retried)) return;
  if (*at >= GetCurrentTransactionStartTimestamp() - USECS_PER_MINUTE) return;
  if (import_mode || (rolls_up && rolled_up())) return;
  findings.push_back(validation::row_finding("scheduled_at.past", "scheduled_at", "scheduled_at is in the past",
                                             "Choose a time to come, or publish now."));
}

void judge(const Draft &draft, std::string_view platform, validation::Circumstances circumstances,
           std::vector<Finding> &findings) {
  const validation::RuleSet &rules = validation_rules();
  const validation::Platform *found = rules.find(platform);
  if (found == nullptr) return;  // nothing is known of it, so nothing can be wrong
  circumstances.today = today();
  validation::Judge(rules, draft, circumstances, interrupt()).platform(*found, findings);
}

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

/// The caption and hashtags of one account's version; what it takes over from the social post is judged there.
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

/// A social post is judged for the accounts it goes to, with its media: those stand in other tables, so this asks SQL.
/// A row that is only now inserted can have none of both.
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

bool any_error(const std::vector<Finding> &findings) {
  for (const Finding &finding : findings)
    if (finding.severity == Severity::error) return true;
  return false;
}

const char *server_text(const std::string &utf8) {
  if (GetDatabaseEncoding() == PG_UTF8) return utf8.c_str();
  return pg_any_to_server(utf8.c_str(), static_cast<int>(utf8.size()), PG_UTF8);
}

/// NX001, or a WARNING with the same fields.
void report(const GuardedRow &row, const std::vector<Finding> &findings, int level) {
  const Finding *first = nullptr;
  int errors = 0;
  for (const Finding &finding : findings) {
    if (finding.severity != Severity::error) continue;
    if (first == nullptr) first = &finding;
    ++errors;
  }
  std::string message = "the row is not valid: " + first->message;
  if (errors > 1) message += ", and " + std::to_string(errors - 1) + " more";
  std::string detail = validation::to_json(findings);
  std::string hint = first->hint;
  AttrNumber column = row.number_of(first->field.substr(0, first->field.find_first_of("[.")));
  Relation relation = row.relation();
  // The strings outlive the jump: call() catches it in this frame.
  call([&] {
    ereport(level, (errcode(MAKE_SQLSTATE('N', 'X', '0', '0', '1')), errmsg("%s", server_text(message)),
                    errdetail("%s", server_text(detail)), hint.empty() ? 0 : errhint("%s", server_text(hint)),
                    column > 0 ? errtablecol(relation, column) : errtable(relation)));
  });
}

/// Writes the findings as the owner of nexus.findings: the end user may not. An error on the way aborts the
/// transaction, which brings the user back.
void record(const GuardedRow &row, const char *table, const std::vector<Finding> &findings) {
  auto id = row.integer("id");
  if (!id) return;
  std::string json = validation::to_json(findings);
  Oid findings_table = own_table("findings");
  call([&] {
    Oid types[] = {TEXTOID, INT8OID, TEXTOID};
    Datum values[] = {CStringGetTextDatum(table), Int64GetDatum(*id), CStringGetTextDatum(server_text(json))};
    Oid user, owner;
    int context;
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(findings_table));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "nexus.findings is missing");
    owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    GetUserIdAndSecContext(&user, &context);
    SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE);
    SPI_connect();
    SPI_execute_with_args("SELECT nexus.record_findings($1, $2, $3::pg_catalog.jsonb)", 3, types, values, nullptr,
                          false, 0);
    SPI_finish();
    SetUserIdAndSecContext(user, context);
  });
}

struct GuardedTable {
  const char *name;
  std::span<const GuardedColumn> columns;
  void (*judge)(const GuardedRow &, std::vector<Finding> &);
  bool has_schedule;  // must not be scheduled in the past; a platform post may, it is then published late
  bool rolls_up;      // its status follows from other tables
};

/// Before a write only what changes is looked at, and platforms are asked only about rows that are to go out; after it,
/// in the modes that record, everything is.
Datum guard(FunctionCallInfo fcinfo, const GuardedTable &table) {
  GuardedRow row(fcinfo, table.columns);
  Enforcement mode = enforcement_of(table.name);
  bool keeps = mode == Enforcement::record || mode == Enforcement::warn;
  if (mode == Enforcement::off || (row.before() ? mode == Enforcement::record : !keeps)) return row.result();

  std::vector<Finding> findings;
  Occasion occasion = occasion_of(row);
  row.check_shape(findings, row.before());
  if (table.has_schedule) check_schedule(row, occasion, table.rolls_up, findings);
  if (!row.before()) {
    table.judge(row, findings);
    record(row, table.name, findings);
    return row.result();
  }
  // The platforms are not asked about a row that is refused for its size: its texts may be of any length.
  if (occasion.due && !any_error(findings)) {
    table.judge(row, findings);
    if (any_error(findings) && import_mode) return row.result();
  }
  if (any_error(findings)) report(row, findings, mode == Enforcement::error ? ERROR : WARNING);
  return row.result();
}

constexpr std::array kContentColumns = {
    GuardedColumn{"title", Shape::title, true},        GuardedColumn{"description", Shape::text, true},
    GuardedColumn{"script", Shape::text, false},       GuardedColumn{"tags", Shape::tags, true},
    GuardedColumn{"thumbnail_url", Shape::url, false}, GuardedColumn{"video_url", Shape::url, false},
    GuardedColumn{"metadata", Shape::metadata, false}, GuardedColumn{"scheduled_at", Shape::time, false},
    GuardedColumn{"published_at", Shape::time, false}, GuardedColumn{"created_at", Shape::time, false},
    GuardedColumn{"updated_at", Shape::time, false},   GuardedColumn{"platform", Shape::none, true},
    GuardedColumn{"content_type", Shape::none, true},  GuardedColumn{"status", Shape::none, false},
    GuardedColumn{"user_id", Shape::none, false},      GuardedColumn{"id", Shape::none, false},
};

constexpr std::array kSocialPostColumns = {
    GuardedColumn{"title", Shape::title, true},        GuardedColumn{"caption", Shape::text, true},
    GuardedColumn{"hashtags", Shape::tags, true},      GuardedColumn{"emojis", Shape::tags, false},
    GuardedColumn{"thumbnail_url", Shape::url, false}, GuardedColumn{"media_urls", Shape::urls, true},
    GuardedColumn{"metadata", Shape::metadata, false}, GuardedColumn{"scheduled_at", Shape::time, false},
    GuardedColumn{"published_at", Shape::time, false}, GuardedColumn{"created_at", Shape::time, false},
    GuardedColumn{"updated_at", Shape::time, false},   GuardedColumn{"content_type", Shape::none, true},
    GuardedColumn{"status", Shape::none, false},       GuardedColumn{"user_id", Shape::none, false},
    GuardedColumn{"id", Shape::none, false},
};

constexpr std::array kPlatformPostColumns = {
    GuardedColumn{"caption", Shape::text, true},       GuardedColumn{"hashtags", Shape::tags, true},
    GuardedColumn{"emojis", Shape::tags, false},       GuardedColumn{"platform_url", Shape::url, false},
    GuardedColumn{"metadata", Shape::metadata, false}, GuardedColumn{"scheduled_at", Shape::time, false},
    GuardedColumn{"published_at", Shape::time, false}, GuardedColumn{"created_at", Shape::time, false},
    GuardedColumn{"updated_at", Shape::time, false},   GuardedColumn{"platform", Shape::none, true},
    GuardedColumn{"account_id", Shape::none, true},    GuardedColumn{"social_post_id", Shape::none, true},
    GuardedColumn{"status", Shape::none, false},       GuardedColumn{"id", Shape::none, false},
};

}  // namespace

NEXUS_FUNCTION(nexus_validate_content_trigger) {
  return guard(fcinfo, {"content", kContentColumns, judge_content, true, false});
}

NEXUS_FUNCTION(nexus_validate_social_post_trigger) {
  return guard(fcinfo, {"social_posts", kSocialPostColumns, judge_social_post, true, true});
}

NEXUS_FUNCTION(nexus_validate_platform_post_trigger) {
  return guard(fcinfo, {"platform_posts", kPlatformPostColumns, judge_platform_post, false, false});
}

NEXUS_FUNCTION(nexus_validate_row_trigger) {
  GuardedRow row(fcinfo);
  Enforcement mode = enforcement_of(RelationGetRelationName(row.relation()));
  if (mode == Enforcement::off || mode == Enforcement::record || !row.before()) return row.result();
  std::vector<Finding> findings;
  row.check_shape(findings, true);
  if (!findings.empty()) report(row, findings, mode == Enforcement::error ? ERROR : WARNING);
  return row.result();
}

NEXUS_FUNCTION(nexus_records_findings) {
  Enforcement mode = enforcement_of(text_arg(fcinfo, 0));
  PG_RETURN_BOOL(mode == Enforcement::record || mode == Enforcement::warn);
}

}  // namespace nexus::pg
