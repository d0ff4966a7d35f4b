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

// The headers and the status of a call of a batch are not those of the next one.
constexpr const char *kForget =
    "SELECT pg_catalog.set_config('response.headers', '', true), pg_catalog.set_config('response.status', '', true)";

CallResult one_result(std::vector<Row> rows) {
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

}  // namespace

Script script_of(Plan &plan) {
  Script script;
  script.read_only = plan.read_only;
  script.timeout = plan.timeout * static_cast<int>(1 + plan.more.size());
  script.lane = plan.more.empty() ? plan.function->schema + "." + plan.function->name : "a batch";
  auto add = [&](Statement statement, Step step, bool wanted = false) {
    script.stages.push_back({std::move(statement), step, wanted});
  };
  script.implicit_transaction = plan.implicit_transaction;
  const char *begin = plan.read_only ? "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
                                     : "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
  script.stages.reserve(7 + 3 * plan.more.size());
  if (!plan.implicit_transaction) add({begin, {}}, Step::kBegin);
  add(std::move(plan.context), Step::kContext);
  if (plan.timezone) add(std::move(*plan.timezone), Step::kTimezone);
  if (!plan.pre_request.empty()) add({plan.pre_request, {}}, Step::kPreRequest);
  const bool checked = !plan.rollback && !plan.read_only;
  add(std::move(plan.call), Step::kCall, true);
  script.streamed = script.stages.back().streamed = plan.streamed;
  if (checked) add({kCheck, {}}, Step::kCheck);
  for (auto &next : plan.more) {
    add({kForget, {}}, Step::kCall);
    add(std::move(next.call), Step::kCall, true);
    if (checked) add({kCheck, {}}, Step::kCheck);
  }
  if (plan.rollback) {
    add({"SET CONSTRAINTS ALL IMMEDIATE", {}}, Step::kEnd);
    add({"ROLLBACK", {}}, Step::kEnd);
  } else if (!plan.implicit_transaction) {
    add({"COMMIT", {}}, Step::kEnd);
  }
  return script;
}

CallResult result_of(std::vector<std::vector<Row>> answers) {
  if (answers.empty()) throw HttpError(500, "XX000", "the call gave no answer");
  CallResult result = one_result(std::move(answers[0]));
  for (std::size_t i = 1; i < answers.size(); ++i) result.more.push_back(one_result(std::move(answers[i])));
  return result;
}

}  // namespace nexus::bridge
