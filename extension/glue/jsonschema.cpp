// JSON Schema over jsonb (sql/install/25-jsonschema.sql).
#include "core/jsonschema/validator.hpp"

#include "glue/datum.hpp"
#include "glue/jsonschema_compiled.hpp"

namespace nexus::pg {

namespace {

/// The schema of this call site, compiled when it was not that of the last call: (schema, document, draft).
CompiledSchema &compiled(FunctionCallInfo fcinfo, Jsonb *schema) {
  auto draft = optional_text_arg(fcinfo, 2);
  auto *&kept = reinterpret_cast<CompiledSchema *&>(fcinfo->flinfo->fn_extra);
  if (kept != nullptr && kept->is_for(schema, draft)) return *kept;
  if (kept != nullptr) {
    CompiledSchema *old = kept;
    kept = nullptr;
    old->drop();
  }
  kept = CompiledSchema::make(fcinfo->flinfo->fn_mcxt, schema, draft);
  return *kept;
}

Jsonb *jsonb_arg(FunctionCallInfo fcinfo, int index) {
  return call([fcinfo, index] { return PG_GETARG_JSONB_P(index); });
}

}  // namespace

NEXUS_FUNCTION(nexus_jsonschema_valid) {
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1)) PG_RETURN_NULL();
  Jsonb *schema = jsonb_arg(fcinfo, 0);
  PG_RETURN_BOOL(compiled(fcinfo, schema).is_valid(jsonb_arg(fcinfo, 1)));
}

NEXUS_FUNCTION(nexus_jsonschema_errors) {
  Rows rows(fcinfo);
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1)) PG_RETURN_NULL();
  Jsonb *schema = jsonb_arg(fcinfo, 0);
  for (const jsonschema::Violation &one : compiled(fcinfo, schema).violations(jsonb_arg(fcinfo, 1)))
    rows.add(
        {text_datum(one.instance_path), text_datum(one.schema_path), text_datum(one.keyword), text_datum(one.message)});
  PG_RETURN_NULL();
}

}  // namespace nexus::pg
