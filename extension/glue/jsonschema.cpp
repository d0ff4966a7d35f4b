// JSON Schema over jsonb (sql/install/25-jsonschema.sql).
#include "core/jsonschema/validator.hpp"

#include <utility>

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

/// What a call site keeps in fn_extra.
struct Site {
  CompiledSchema *compiled = nullptr;  // that of the last call
  bool same = false;                   // schema and draft are the same in every call
};

/// The schema of this call, compiled when it was not that of the last one: (schema, document, draft).
CompiledSchema &compiled(FunctionCallInfo fcinfo) {
  auto *site = static_cast<Site *>(fcinfo->flinfo->fn_extra);
  if (site == nullptr) {
    site = make_in<Site>(fcinfo->flinfo->fn_mcxt);
    site->same = is_constant(fcinfo, 0) && is_constant(fcinfo, 2);
    fcinfo->flinfo->fn_extra = site;
  }
  if (site->compiled != nullptr && site->same) return *site->compiled;
  Jsonb *schema = jsonb_arg(fcinfo, 0);
  auto draft = optional_text_arg(fcinfo, 2);
  if (site->compiled != nullptr) {
    if (site->compiled->is_for(schema, draft)) return *site->compiled;
    std::exchange(site->compiled, nullptr)->drop();
  }
  site->compiled = CompiledSchema::make(fcinfo->flinfo->fn_mcxt, schema, draft);
  return *site->compiled;
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
