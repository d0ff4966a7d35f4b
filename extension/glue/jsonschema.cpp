// JSON Schema over jsonb (sql/install/25-jsonschema.sql).
#include "core/jsonschema/validator.hpp"

#include <algorithm>
#include <vector>

#include "glue/datum.hpp"
#include "glue/jsonschema_compiled.hpp"

extern "C" {
#include "nodes/primnodes.h"
}

namespace nexus::pg {

namespace {

Jsonb *jsonb_arg(FunctionCallInfo fcinfo, int index) {
  auto *stored = reinterpret_cast<struct varlena *>(DatumGetPointer(PG_GETARG_DATUM(index)));
  if (VARATT_IS_4B_U(stored)) return reinterpret_cast<Jsonb *>(stored);
  return call([stored] { return reinterpret_cast<Jsonb *>(pg_detoast_datum(stored)); });
}

/// True for an argument that is written into the statement. A parameter is not: PL/pgSQL keeps the state of an
/// expression while its variables change.
bool is_constant(FunctionCallInfo fcinfo, int index) {
  Node *expression = fcinfo->flinfo->fn_expr;
  if (expression == nullptr || !IsA(expression, FuncExpr)) return false;
  List *arguments = castNode(FuncExpr, expression)->args;
  return index < list_length(arguments) && IsA(list_nth(arguments, index), Const);
}

constexpr std::size_t kKeptSchemas = 8;

/// What a call site keeps in fn_extra.
struct Site {
  std::vector<CompiledSchema *> compiled;  // those of the last calls, the newest first
  bool same = false;                       // schema and draft are the same in every call
};

/// The schema of this call, compiled when it was not among those of the last ones: (schema, document, draft).
CompiledSchema &compiled(FunctionCallInfo fcinfo) {
  auto *site = static_cast<Site *>(fcinfo->flinfo->fn_extra);
  if (site == nullptr) {
    site = make_in<Site>(fcinfo->flinfo->fn_mcxt);
    site->same = is_constant(fcinfo, 0) && is_constant(fcinfo, 2);
    fcinfo->flinfo->fn_extra = site;
  }
  auto &kept = site->compiled;
  if (site->same && !kept.empty()) return *kept.front();
  Jsonb *schema = jsonb_arg(fcinfo, 0);
  auto draft = optional_text_arg(fcinfo, 2);
  auto found =
      std::find_if(kept.begin(), kept.end(), [&](const CompiledSchema *one) { return one->is_for(schema, draft); });
  if (found == kept.end()) {
    if (kept.size() == kKeptSchemas) {
      CompiledSchema *oldest = kept.back();
      kept.pop_back();
      oldest->drop();
    }
    kept.reserve(kKeptSchemas);
    kept.push_back(CompiledSchema::make(fcinfo->flinfo->fn_mcxt, schema, draft));
    found = kept.end() - 1;
  }
  std::rotate(kept.begin(), found, found + 1);
  return *kept.front();
}

}  // namespace

NEXUS_FUNCTION(nexus_jsonschema_valid) {
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1)) PG_RETURN_NULL();
  PG_RETURN_BOOL(compiled(fcinfo).is_valid(jsonb_arg(fcinfo, 1)));
}

NEXUS_FUNCTION(nexus_jsonschema_errors) {
  Rows rows(fcinfo);
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1)) PG_RETURN_NULL();
  for (const jsonschema::Violation &one : compiled(fcinfo).violations(jsonb_arg(fcinfo, 1)))
    rows.add(
        {text_datum(one.instance_path), text_datum(one.schema_path), text_datum(one.keyword), text_datum(one.message)});
  PG_RETURN_NULL();
}

}  // namespace nexus::pg
