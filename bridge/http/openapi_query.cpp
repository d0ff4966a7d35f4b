#include "bridge/http/openapi_query.hpp"

namespace nexus::bridge {

// The types are those of the arguments and answers and all that these are made of: elements of arrays, bases of
// domains, columns of composites.
const char *const kOpenApiQuery = R"(
WITH RECURSIVE chosen AS (
  SELECT p.* FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname = $1 AND p.prokind = 'f'
     AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
     AND 'internal'::regtype <> ALL (p.proargtypes::oid[])
     AND ($2 <> 'true' OR pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))
), arguments AS (
  SELECT p.oid AS function, a.type, coalesce(a.mode, 'i') AS mode, coalesce(a.name, '') AS name, a.place
    FROM chosen p, ROWS FROM (pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])),
                              pg_catalog.unnest(p.proargmodes), pg_catalog.unnest(p.proargnames))
                   WITH ORDINALITY AS a(type, mode, name, place)
), visible AS (
  SELECT p.* FROM chosen p
   WHERE NOT EXISTS (SELECT FROM arguments a WHERE a.function = p.oid AND a.name = '' AND a.mode IN ('i', 'b', 'v'))
      OR (p.pronargs = 1 AND pg_catalog.format_type(p.proargtypes[0], NULL) IN ('json', 'jsonb', 'text', 'xml', 'bytea'))
), reached(oid) AS (
  SELECT a.type FROM arguments a
  UNION SELECT p.prorettype FROM visible p
  UNION SELECT part.oid FROM reached r JOIN pg_catalog.pg_type t ON t.oid = r.oid
    CROSS JOIN LATERAL (
      SELECT t.typelem AS oid WHERE t.typcategory = 'A' AND t.typelem <> 0
      UNION ALL SELECT t.typbasetype WHERE t.typtype = 'd'
      UNION ALL SELECT c.atttypid FROM pg_catalog.pg_attribute c
       WHERE t.typtype = 'c' AND c.attrelid = t.typrelid AND c.attnum > 0 AND NOT c.attisdropped) part
)
SELECT pg_catalog.json_build_object(
  'comment', (SELECT pg_catalog.obj_description(n.oid, 'pg_namespace') FROM pg_catalog.pg_namespace n WHERE n.nspname = $1),
  'functions', (
    SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
        'name', p.proname, 'comment', pg_catalog.obj_description(p.oid, 'pg_proc'), 'volatile', p.provolatile = 'v',
        'set', p.proretset, 'returns', p.prorettype::int8,
        'arguments', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('name', a.name, 'type', a.type::int8,
                        'required', a.input_place <= p.pronargs - p.pronargdefaults AND a.mode <> 'v',
                        'variadic', a.mode = 'v') ORDER BY a.place), '[]')
                        FROM (SELECT i.*, pg_catalog.row_number() OVER (ORDER BY i.place) AS input_place FROM arguments i
                               WHERE i.function = p.oid AND i.mode IN ('i', 'b', 'v')) a),
        'columns', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', coalesce(nullif(a.name, ''),
                        CASE WHEN a.outs = 1 THEN p.proname::text ELSE 'column' || a.out_place END), 'type', a.type::int8)
                        ORDER BY a.place)
                      FROM (SELECT o.*, pg_catalog.row_number() OVER (ORDER BY o.place) AS out_place,
                                   pg_catalog.count(*) OVER () AS outs FROM arguments o
                             WHERE o.function = p.oid AND o.mode IN ('o', 'b', 't')) a))
      ORDER BY p.proname, p.pronargs, p.oid), '[]') FROM visible p),
  'types', (
    SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
        'oid', t.oid::int8, 'schema', n.nspname, 'name', t.typname, 'kind', t.typtype, 'array', t.typcategory = 'A',
        'element', t.typelem::int8, 'base', t.typbasetype::int8, 'display', pg_catalog.format_type(t.oid, NULL),
        'comment', coalesce(pg_catalog.obj_description(t.oid, 'pg_type'),
                            pg_catalog.obj_description(nullif(t.typrelid, 0), 'pg_class')),
        'labels', (SELECT pg_catalog.json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e
                    WHERE e.enumtypid = t.oid),
        'columns', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', c.attname, 'type', c.atttypid::int8,
                        'required', c.attnotnull, 'comment', pg_catalog.col_description(c.attrelid, c.attnum))
                        ORDER BY c.attnum)
                      FROM pg_catalog.pg_attribute c
                     WHERE t.typtype = 'c' AND c.attrelid = t.typrelid AND c.attnum > 0 AND NOT c.attisdropped))
      ORDER BY n.nspname, t.typname), '[]')
      FROM reached r JOIN pg_catalog.pg_type t ON t.oid = r.oid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace))
)";

}  // namespace nexus::bridge
