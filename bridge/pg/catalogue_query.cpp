#include "bridge/pg/catalogue_query.hpp"

#include <nlohmann/json.hpp>

namespace nexus::bridge::pg {
namespace {

// Types with domains resolved to what they are made of (at most 16 domains deep).
constexpr const char *kTypes = R"(
WITH RECURSIVE chain(oid, base, depth) AS (
  SELECT t.oid, t.oid, 0 FROM pg_catalog.pg_type t
  UNION ALL
  SELECT c.oid, t.typbasetype, c.depth + 1
    FROM chain c JOIN pg_catalog.pg_type t ON t.oid = c.base AND t.typtype = 'd'
   WHERE c.depth < 16
), types AS (
  SELECT DISTINCT ON (c.oid) c.oid, b.oid AS base, b.typtype AS base_kind, b.typrelid, t.typtype AS kind, t.typname,
         pg_catalog.format_type(b.oid, NULL) AS base_display,
         pg_catalog.quote_ident(bn.nspname) || '.' || pg_catalog.quote_ident(b.typname) AS base_sql,
         pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.typname) AS sql
    FROM chain c
    JOIN pg_catalog.pg_type t ON t.oid = c.oid
    JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
    JOIN pg_catalog.pg_type b ON b.oid = c.base
    JOIN pg_catalog.pg_namespace bn ON bn.oid = b.typnamespace
   ORDER BY c.oid, c.depth DESC
))";

constexpr const char *kFunctions = R"(
SELECT pg_catalog.json_build_object(
    'schema', n.nspname, 'name', p.proname, 'volatile', p.provolatile = 'v', 'set', p.proretset,
    'returns', CASE WHEN p.prorettype = 'void'::regtype THEN 'void'
                    WHEN r.base_kind = 'c' OR p.proargmodes && ARRAY['o', 'b', 't']::"char"[] THEN 'row'
                    WHEN p.prorettype = 'record'::regtype THEN 'record'
                    ELSE 'scalar' END,
    'row_type', CASE WHEN r.base_kind = 'c' THEN r.base::int8 ELSE 0 END,
    'media_type', CASE WHEN r.kind = 'd' AND r.base_kind <> 'c' AND r.typname LIKE '%/%' THEN r.typname ELSE '' END,
    'media_base', r.base_display, 'media_sql', r.base_sql,
    'arguments', coalesce((
      SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                 'name', coalesce(a.name, ''), 'oid', a.type::int8, 'sql', t.sql,
                 'display', pg_catalog.format_type(a.type, NULL), 'pseudo', t.kind = 'p',
                 'required', a.place <= p.pronargs - p.pronargdefaults AND a.mode <> 'v',
                 'variadic', a.mode = 'v') ORDER BY a.place)
        FROM (SELECT u.name, u.type, coalesce(u.mode, 'i') AS mode, row_number() OVER (ORDER BY u.place) AS place
                FROM ROWS FROM (unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])), unnest(p.proargmodes),
                                unnest(p.proargnames)) WITH ORDINALITY AS u(type, mode, name, place)
               WHERE coalesce(u.mode, 'i') IN ('i', 'b', 'v')) a
        JOIN types t ON t.oid = a.type), '[]'),
    'columns', CASE
      WHEN r.base_kind = 'c' THEN (
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', c.attname, 'oid', t.base::int8) ORDER BY c.attnum)
          FROM pg_catalog.pg_attribute c JOIN types t ON t.oid = c.atttypid
         WHERE c.attrelid = r.typrelid AND c.attnum > 0 AND NOT c.attisdropped)
      WHEN p.proargmodes && ARRAY['o', 'b', 't']::"char"[] THEN (
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', coalesce(nullif(u.name, ''),
                   CASE WHEN o.outs = 1 THEN p.proname::text ELSE 'column' || u.out_place END), 'oid', t.base::int8) ORDER BY u.place)
          FROM (SELECT v.*, row_number() OVER (ORDER BY v.place) AS out_place
                  FROM ROWS FROM (unnest(p.proallargtypes), unnest(p.proargmodes), unnest(p.proargnames))
                       WITH ORDINALITY AS v(type, mode, name, place)
                 WHERE v.mode IN ('o', 'b', 't')) u
          JOIN types t ON t.oid = u.type
         CROSS JOIN (SELECT count(*) AS outs FROM unnest(p.proargmodes) m WHERE m IN ('o', 'b', 't')) o)
      END)::text
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN types r ON r.oid = p.prorettype
 WHERE p.prokind = 'f' AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
   AND 'internal'::regtype <> ALL (p.proargtypes::oid[])
   AND n.nspname = ANY (pg_catalog.string_to_array(pg_catalog.current_setting('nexus_bridge.schemas'), E'\n'))
 ORDER BY n.nspname, p.proname, p.oid)";

constexpr const char *kComputed = R"(
SELECT p.proargtypes[0]::text, n.nspname::text, p.proname::text
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_type t ON t.oid = p.proargtypes[0] AND t.typtype = 'c'
 WHERE p.prokind = 'f' AND p.pronargs = 1 AND NOT p.proretset
   AND n.nspname = ANY (pg_catalog.string_to_array(pg_catalog.current_setting('nexus_bridge.schemas'), E'\n')))";

// What ALTER ROLE ... SET gave to the roles; only settings that a role may set for itself.
constexpr const char *kRoleSettings = R"(
SELECT r.rolname::text, s.name, pg_catalog.substr(c.entry, pg_catalog.strpos(c.entry, '=') + 1)
  FROM pg_catalog.pg_roles r
 CROSS JOIN pg_catalog.unnest(r.rolconfig) AS c(entry)
  JOIN pg_catalog.pg_settings s ON s.name = pg_catalog.split_part(c.entry, '=', 1) AND s.context = 'user'
 WHERE pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER'))";

Function read_function(const nlohmann::json &row) {
  Function function;
  function.schema = row.at("schema");
  function.name = row.at("name");
  function.is_volatile = row.at("volatile");
  function.set = row.at("set");
  const std::string returns = row.at("returns");
  function.returns = returns == "void"     ? Returns::kVoid
                     : returns == "row"    ? Returns::kRow
                     : returns == "record" ? Returns::kRecord
                                           : Returns::kScalar;
  function.row_type = row.at("row_type");
  function.media_type = row.at("media_type");
  function.media_base.display = row.at("media_base");
  function.media_base.sql = row.at("media_sql");
  for (const auto &entry : row.at("arguments")) {
    Argument argument;
    argument.name = entry.at("name");
    argument.type.oid = entry.at("oid");
    argument.type.sql = entry.at("sql");
    argument.type.display = entry.at("display");
    argument.type.pseudo = entry.at("pseudo");
    argument.required = entry.at("required");
    argument.variadic = entry.at("variadic");
    function.arguments.push_back(std::move(argument));
  }
  if (row.at("columns").is_array()) {
    for (const auto &entry : row.at("columns")) {
      Column column;
      column.name = entry.at("name");
      column.base.oid = entry.at("oid");
      function.columns.push_back(std::move(column));
    }
  }
  return function;
}

// All arguments have names, or the only one is of a type that a whole body can be.
bool is_visible(const Function &function) {
  if (function.has_unnamed_argument()) {
    const std::string &type = function.arguments[0].type.display;
    return type == "json" || type == "jsonb" || type == "text" || type == "xml" || type == "bytea";
  }
  for (const auto &argument : function.arguments) {
    if (argument.name.empty()) return false;
  }
  return true;
}

}  // namespace

CataloguePtr load_catalogue(Connection &connection, const std::vector<std::string> &schemas,
                            Clock::time_point deadline) {
  auto catalogue = std::make_shared<Catalogue>();
  std::string names;
  for (const auto &schema : schemas) names += (names.empty() ? "" : "\n") + schema;
  Statement begin{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", {}};
  Statement scope;
  scope.sql = "SELECT pg_catalog.set_config('nexus_bridge.schemas', " + scope.bind(names, 25) + ", true)";
  Statement functions{std::string(kTypes) + kFunctions, {}};
  connection.pipeline({{&begin, Step::kBegin}, {&scope, Step::kContext}}, deadline);
  try {
    for (const auto &row : connection.pipeline({{&functions, Step::kCall}}, deadline)) {
      Function function = read_function(nlohmann::json::parse(row[0].value()));
      if (!is_visible(function)) continue;
      auto &overloads = catalogue->schemas[function.schema][function.name];
      overloads.push_back(std::move(function));
    }
    for (const auto &row : connection.query(kComputed, deadline)) {
      const auto type = static_cast<std::uint32_t>(std::stoul(row[0].value()));
      catalogue->computed[{type, row[2].value()}] = {row[1].value(), row[2].value()};
    }
    for (const auto &row : connection.query(kRoleSettings, deadline)) {
      catalogue->role_settings[row[0].value()].emplace_back(row[1].value(), row[2].value());
    }
  } catch (const DatabaseError &) {
    connection.query("ROLLBACK", deadline);
    throw;
  }
  connection.query("COMMIT", deadline);
  return catalogue;
}

}  // namespace nexus::bridge::pg
