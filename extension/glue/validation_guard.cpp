// The guards of content, social_posts and platform_posts: one trigger function for each, called before a write to
// refuse or warn, and after it to record. One more for all other tables looks at single values only.
#include "core/validation/limits.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "glue/datum.hpp"
#include "glue/metadata_schemas.hpp"
#include "glue/settings.hpp"
#include "glue/table_cache.hpp"
#include "glue/validation_judge.hpp"
#include "glue/validation_row.hpp"
#include "glue/validation_rules.hpp"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/syscache.h"
}

namespace nexus::pg {

namespace {

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

/// Metadata that is to go out, or changes while it is, must fit the installation's schemas.
bool metadata_due(const GuardedRow &row, const Occasion &occasion) {
  if (row.number_of("metadata") == 0 || !is_due(row.text("status"))) return false;
  bool typed = row.number_of("content_type") != 0;
  return occasion.becomes || row.changed("metadata") || (typed && row.changed("content_type"));
}

void judge_metadata(const GuardedRow &row, const char *table, std::vector<Finding> &findings) {
  auto metadata = row.datum("metadata");
  if (!metadata) return;
  auto content_type = row.number_of("content_type") != 0 ? row.text("content_type") : std::nullopt;
  check_metadata_schemas(table, content_type.value_or(""), *metadata, findings);
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
  if (!row.before() && !row.relevant_changed()) return row.result();  // what was recorded still holds

  std::vector<Finding> findings;
  Occasion occasion = occasion_of(row);
  row.check_shape(findings, row.before());
  if (table.has_schedule) check_schedule(row, occasion, table.rolls_up, findings);
  if (!row.before()) {
    bool readable =
        std::none_of(findings.begin(), findings.end(), [](const Finding &f) { return f.field == "metadata"; });
    row.check_unseen(findings);
    if (readable) judge_metadata(row, table.name, findings);
    table.judge(row, findings);
    record(row, table.name, findings);
    return row.result();
  }
  // The platforms are not asked about a row that is refused for its size: its texts may be of any length.
  bool judges_metadata = metadata_due(row, occasion);
  if ((occasion.due || judges_metadata) && !any_error(findings)) {
    row.check_unseen(findings);
    if (occasion.due) table.judge(row, findings);
    if (judges_metadata) judge_metadata(row, table.name, findings);
    if (any_error(findings) && import_mode) return row.result();
  }
  if (any_error(findings)) report(row, findings, mode == Enforcement::error ? ERROR : WARNING);
  return row.result();
}

constexpr std::array kContentColumns = {
    GuardedColumn{"title", Shape::title, true},
    GuardedColumn{"description", Shape::text, true},
    GuardedColumn{"script", Shape::text, false},
    GuardedColumn{"tags", Shape::tags, true},
    GuardedColumn{"thumbnail_url", Shape::url, false},
    GuardedColumn{"video_url", Shape::url, false},
    GuardedColumn{"metadata", Shape::metadata, false},
    GuardedColumn{"scheduled_at", Shape::time, false},
    GuardedColumn{"published_at", Shape::time, false},
    GuardedColumn{"created_at", Shape::time, false},
    GuardedColumn{"updated_at", Shape::time, false},
    GuardedColumn{"platform", Shape::none, true},
    GuardedColumn{"content_type", Shape::none, true},
    GuardedColumn{"status", Shape::none, false},
    GuardedColumn{"user_id", Shape::none, false},
    GuardedColumn{"id", Shape::none, false},
    GuardedColumn{"last_measured_at", Shape::time, false},
};

constexpr std::array kSocialPostColumns = {
    GuardedColumn{"title", Shape::title, true},        GuardedColumn{"caption", Shape::text, true},
    GuardedColumn{"hashtags", Shape::tags, true},      GuardedColumn{"emojis", Shape::tags, false},
    GuardedColumn{"thumbnail_url", Shape::url, false}, GuardedColumn{"media_urls", Shape::urls, true},
    GuardedColumn{"metadata", Shape::metadata, false}, GuardedColumn{"scheduled_at", Shape::time, false},
    GuardedColumn{"published_at", Shape::time, false}, GuardedColumn{"created_at", Shape::time, false},
    GuardedColumn{"updated_at", Shape::time, false},   GuardedColumn{"content_type", Shape::none, true},
    GuardedColumn{"status", Shape::none, false},       GuardedColumn{"user_id", Shape::none, false},
    GuardedColumn{"id", Shape::none, false},           GuardedColumn{"reviewed_at", Shape::time, false},
    GuardedColumn{"paused_at", Shape::time, false},    GuardedColumn{"cancelled_at", Shape::time, false},
    GuardedColumn{"deleted_at", Shape::time, false},   GuardedColumn{"reviewed_by", Shape::line, false},
    GuardedColumn{"review_note", Shape::text, false},
};

constexpr std::array kPlatformPostColumns = {
    GuardedColumn{"caption", Shape::text, true},          GuardedColumn{"hashtags", Shape::tags, true},
    GuardedColumn{"emojis", Shape::tags, false},          GuardedColumn{"platform_url", Shape::url, false},
    GuardedColumn{"metadata", Shape::metadata, false},    GuardedColumn{"scheduled_at", Shape::time, false},
    GuardedColumn{"published_at", Shape::time, false},    GuardedColumn{"created_at", Shape::time, false},
    GuardedColumn{"updated_at", Shape::time, false},      GuardedColumn{"platform", Shape::none, true},
    GuardedColumn{"account_id", Shape::none, true},       GuardedColumn{"social_post_id", Shape::none, true},
    GuardedColumn{"status", Shape::none, false},          GuardedColumn{"id", Shape::none, false},
    GuardedColumn{"occurrence_at", Shape::time, false},   GuardedColumn{"send_started_at", Shape::time, false},
    GuardedColumn{"next_attempt_at", Shape::time, false}, GuardedColumn{"platform_post_id", Shape::line, false},
    GuardedColumn{"error_code", Shape::line, false},      GuardedColumn{"error_message", Shape::text, false},
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
  Enforcement mode = enforcement_of(row.table());
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
