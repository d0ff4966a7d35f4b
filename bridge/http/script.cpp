#include "bridge/http/script.hpp"

namespace nexus::bridge {
namespace {

// Division by zero when the answer will be refused: by what write_call() found, or by response.status and
// response.headers. The rules are those of write_answer().
constexpr const char *kCheck = R"(SELECT 1 / (CASE WHEN pg_catalog.current_setting('nexus_bridge.sound') = 'true'
 AND coalesce(nullif(pg_catalog.current_setting('response.status', true), ''), '200') ~ '^0*[2-5][0-9][0-9]$'
 AND CASE WHEN nullif(pg_catalog.current_setting('response.headers', true), '') IS NULL THEN true ELSE (
  SELECT coalesce(pg_catalog.bool_and(pg_catalog.jsonb_typeof(entry) = 'object' AND (
    SELECT pg_catalog.count(*) = 1 AND pg_catalog.bool_and(pg_catalog.jsonb_typeof(value) = 'string'
       AND name ~ '^[!#$%&''*+.^_`|~0-9A-Za-z-]+$' AND (value #>> '{}') !~ '[\x01-\x08\x0a-\x1f\x7f]')
      FROM pg_catalog.jsonb_each(CASE WHEN pg_catalog.jsonb_typeof(entry) = 'object' THEN entry ELSE '{}' END)
        AS member(name, value))), true)
    FROM pg_catalog.jsonb_array_elements(pg_catalog.current_setting('response.headers', true)::pg_catalog.jsonb)
      AS list(entry)) END
 THEN 1 ELSE 0 END))";

}  // namespace

Script script_of(Plan &plan) {
  Script script;
  script.read_only = plan.read_only;
  script.timeout = plan.timeout;
  script.lane = plan.function->schema + "." + plan.function->name;
  auto add = [&](Statement statement, Step step, bool wanted = false) {
    script.stages.push_back({std::move(statement), step, wanted});
  };
  const char *begin = plan.read_only ? "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
                                     : "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
  script.stages.reserve(7);
  add({begin, {}}, Step::kBegin);
  add(std::move(plan.context), Step::kContext);
  if (plan.timezone) add(std::move(*plan.timezone), Step::kTimezone);
  if (!plan.pre_request.empty()) add({plan.pre_request, {}}, Step::kPreRequest);
  add(std::move(plan.call), Step::kCall, true);
  if (plan.rollback) {
    add({"SET CONSTRAINTS ALL IMMEDIATE", {}}, Step::kEnd);
    add({"ROLLBACK", {}}, Step::kEnd);
  } else {
    if (!plan.read_only) add({kCheck, {}}, Step::kCheck);
    add({"COMMIT", {}}, Step::kEnd);
  }
  return script;
}

CallResult result_of(std::vector<Row> rows) {
  if (rows.size() != 1 || rows[0].size() < 6) throw HttpError(500, "XX000", "the call gave no answer");
  Row &row = rows[0];
  if (row[5] == "false") throw answer_too_large();
  CallResult result;
  if (row[0]) result.total = std::stoll(*row[0]);
  result.rows = std::stoll(row[1].value());
  result.body = std::move(row[2]).value_or("");
  result.headers = std::move(row[3]);
  result.status = std::move(row[4]);
  return result;
}

}  // namespace nexus::bridge
