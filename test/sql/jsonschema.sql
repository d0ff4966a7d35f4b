-- JSON Schema: verdicts, reasons, errors, and what holds for the metadata of rows.
\set VERBOSITY terse
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
  EXECUTE statement;
  RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
  RETURN SQLSTATE || ': ' || SQLERRM || coalesce(' HINT: ' || nullif(hint, ''), '');
END $$;

-- numbers are decimals, of any size
SELECT nexus.jsonschema_valid(s::jsonb, d::jsonb) AS valid, s, d
FROM (VALUES
  ('{"type": "integer"}', '1.0'), ('{"type": "integer"}', '1e30'), ('{"type": "integer"}', '1.5'),
  ('{"const": 1}', '1.00'), ('{"multipleOf": 0.1}', '0.3'), ('{"multipleOf": 0.1}', '0.35'),
  ('{"multipleOf": 7}', '700000000000000000000000000000000000000000007'),
  ('{"multipleOf": 7}', '700000000000000000000000000000000000000000008'),
  ('{"maximum": 9007199254740993}', '9007199254740994'), ('{"maximum": 9007199254740993}', '9007199254740993'),
  ('{"minimum": 123456789012345678901234567890.5}', '123456789012345678901234567890.4'),
  ('{"exclusiveMinimum": -2}', '-2'), ('{"uniqueItems": true}', '[1, 1.0]'),
  ('{"uniqueItems": true}', '[{"a": 1, "b": [2]}, {"b": [2.0], "a": 1.0}]'), ('{"uniqueItems": true}', '[1, "1", [1], true]'),
  ('{"maxLength": 2}', '"👍👍"'), ('{"enum": [[1, {"a": null}]]}', '[1, {"a": null}]')) AS cases(s, d);

-- expressions mean what ECMA-262 says
SELECT nexus.jsonschema_valid(jsonb_build_object('pattern', p), to_jsonb(t)) AS matches, p, t
FROM (VALUES
  ('^\d+$', '42'), ('^\d+$', '४२'), ('^\w+$', 'é'), ('^.$', E'\u2028'), ('^\s$', E'\u00a0'), ('^\S+$', E'a\u3000'),
  ('\bword\b', 'a word'), ('^[\d\-x]+$', '4-x'), ('^a{2}$', 'aa'), ('^a{$', 'a{'), ('^(?=.*\d).{3,}$', 'ab1'),
  ('^\u0041\x42\cJ$', E'AB\n'), ('^\uD83D\uDC4D$', '👍'), ('^[^\W]+$', 'a_1'), ('^(a+)\1$', 'aaaa'), ('x*?$', 'y'),
  ('^[[:alpha:]]$', ':]'), ('^a\/b$', 'a/b'), ('^(?<one>[ab])-\k<one>$', 'a-a'), ('^(?<one>[ab])-\k<one>$', 'a-b'),
  ('^(?<x>1)\k<x>0$', '110'), ('^(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\10$', 'abcdefghijj'), ('^(?:(a)|(b)x)$', 'bx'),
  ('^a[^]b$', E'a\nb'), ('a[]', 'a'), ('a|[]', 'a')) AS cases(p, t);
-- a reference to a group that may have taken no part matches nothing in one engine and all in the other: it is refused
SELECT pg_temp.try(format('SELECT nexus.jsonschema_valid(jsonb_build_object(''pattern'', %L), ''"b"'')', p)) AS refused, p
FROM unnest(ARRAY['^(?=(a))a(b)\1$', '(?=(a)\1)a', '^(?:(a)|b)\1$', '^(a)?\1b$', '^(?:x(a)){0,2}\1$', '^(?:(a)|b)*\1$', '\1(a)', '(a\1)',
  '(a)\2', '\k<n>(?<n>a)', '\k<n>', '(?<n>a)(?<n>b)', '(?<1>a)', '(?<>a)', '(?<n']) AS p;
SELECT pg_temp.try(format('SELECT nexus.jsonschema_valid(jsonb_build_object(''pattern'', %L), ''"x"'')', p)), p
FROM unnest(ARRAY['***:a', '(a', 'a)', '[a', '\a', '(?i)a', '+', '[b-a]', '\p{L}', 'a{1,256}', 'a**']) AS p;

-- reasons
SELECT * FROM nexus.jsonschema_errors(
  '{"type": "object", "required": ["a", "b"], "additionalProperties": false,
    "properties": {"a": {"$ref": "#/$defs/short"}, "n/m": {"items": {"minimum": 3}}, "c": {"anyOf": [{"type": "null"}, {"const": 1}]}},
    "propertyNames": {"maxLength": 5}, "$defs": {"short": {"maxLength": 3}}}',
  '{"a": "longer", "n/m": [3, 2.5], "c": 2, "surplus": true}');
SELECT count(*), count(*) FILTER (WHERE keyword = '') AS says_more
FROM nexus.jsonschema_errors('{"items": false}', (SELECT jsonb_agg(n) FROM generate_series(1, 5000) n));
SELECT message FROM nexus.jsonschema_errors('{"required": ["zoo", "b", "a", "b"], "dependentRequired": {"c": ["zoo", "d", "a"]}}', '{"c": 1, "d": 2}');
SELECT * FROM nexus.jsonschema_errors('{"unevaluatedProperties": false, "allOf": [{"properties": {"a": true}}]}', '{"a": 1, "b": 2}');
SELECT * FROM nexus.jsonschema_errors('false', '1');
SELECT nexus.jsonschema_valid(NULL, '1'), nexus.jsonschema_valid('true', NULL), (SELECT count(*) FROM nexus.jsonschema_errors(NULL, '1'));

-- far from the start: the place of each is known without counting from there
SELECT min(instance_path), max(instance_path) FROM nexus.jsonschema_errors('{"items": {"properties": {"a": {"type": "number"}}}}',
  (SELECT jsonb_agg(jsonb_build_object('a', CASE WHEN n < 20000 THEN to_jsonb(1) ELSE '""' END)) FROM generate_series(0, 20010) n));

-- the draft decides what a keyword means
SELECT draft, nexus.jsonschema_valid('{"items": [{"type": "string"}], "additionalItems": false}', '["a"]', draft)
FROM unnest(ARRAY['draft7']) AS draft;
SELECT nexus.jsonschema_valid('{"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/t", "type": "null", "definitions": {"t": {"type": "string"}}}', '"x"') AS draft7,
       nexus.jsonschema_valid('{"$ref": "#/definitions/t", "type": "null", "definitions": {"t": {"type": "string"}}}', '"x"') AS draft2020_12;

-- errors
SELECT pg_temp.try(format('SELECT nexus.jsonschema_valid(%L, %L, %L)', s, d, draft))
FROM (VALUES ('1', '1', NULL), ('{"type": "text"}', '1', NULL), ('{"minLength": -1}', '1', NULL), ('{"multipleOf": 0}', '1', NULL),
  ('{"properties": {"a": 3}}', '1', NULL), ('{"$ref": "#/$defs/none"}', '1', NULL), ('{"$ref": "http://example.com/s.json"}', '1', NULL),
  ('{"$schema": "http://json-schema.org/draft-04/schema#"}', '1', NULL), ('{"$schema": 7}', '1', NULL), ('true', '1', 'draft3'), ('{"$ref": "#"}', '1', NULL),
  ('{"required": [1]}', '1', NULL), ('{"allOf": []}', '1', NULL), ('{"multipleOf": 0.1234567890123456789}', '1', NULL)) AS cases(s, d, draft);

-- a schema that would take for ever can be stopped, and so can an expression
SET statement_timeout = '200ms';
SELECT pg_temp.try($$SELECT nexus.jsonschema_valid((SELECT jsonb_build_object('$ref', '#/$defs/0', '$defs', jsonb_object_agg(n::text,
  CASE WHEN n = 60 THEN 'true'::jsonb ELSE format('{"type": "integer", "allOf": [{"$ref": "#/$defs/%s"}, {"$ref": "#/$defs/%s"}]}', n + 1, n + 1)::jsonb END))
  FROM generate_series(0, 60) n), '1')$$);
RESET statement_timeout;

-- deep and large documents
SELECT nexus.jsonschema_valid('{"$ref": "#/$defs/list", "$defs": {"list": {"items": {"$ref": "#/$defs/list"}}}}',
                              (repeat('[', 500) || repeat(']', 500))::jsonb);
SELECT pg_temp.try($$SELECT nexus.jsonschema_valid('{"items": {"$ref": "#"}}', (repeat('[', 3000) || repeat(']', 3000))::jsonb)$$);
SELECT nexus.jsonschema_valid('{"uniqueItems": true}', (SELECT jsonb_agg(repeat('a', 40) || n) FROM generate_series(1, 20000) n));

-- one call site, several schemas
SELECT n, nexus.jsonschema_valid(jsonb_build_object('maximum', n), '2') FROM generate_series(1, 3) n;
DO $$
DECLARE
  schema jsonb;
  valid boolean;
BEGIN
  FOR n IN 1..3 LOOP
    schema := jsonb_build_object('maximum', n);
    valid := nexus.jsonschema_valid(schema, '2');
    RAISE NOTICE 'maximum %: %', n, valid;
  END LOOP;
END $$;

-- numbers are read as they are stored: each must equal its own text
SELECT count(*) AS numbers, count(*) FILTER (WHERE NOT nexus.jsonschema_valid(
  jsonb_build_object('const', n, 'enum', jsonb_build_array(n::text::jsonb), 'minimum', n, 'maximum', n), to_jsonb(n))) AS differ
FROM (SELECT (sign || digits || 'e' || exponent)::numeric AS n
  FROM unnest(ARRAY['', '-']) sign, generate_series(-30, 30) exponent,
    unnest(ARRAY['0', '1', '9', '10', '12.50', '9999', '10000', '10001', '99999999', '123456789012', '9999999999999999',
      '10000000000000001', '123456789012345678', '1234567890123456789', '99999999999999999999.9999']) digits
  UNION ALL SELECT n FROM unnest(ARRAY[1e1000, -1e1000, 1e-1000, 123e-900, 5e600]) n) numbers;
SELECT count(*) FILTER (WHERE nexus.jsonschema_valid(jsonb_build_object('exclusiveMaximum', b), to_jsonb(a)) <> (a < b)) AS wrong_order,
  count(*) FILTER (WHERE nexus.jsonschema_valid(jsonb_build_object('minimum', b), to_jsonb(a)) <> (a >= b)) AS wrong_bound, count(*)
FROM (SELECT (sign || digits || 'e' || exponent)::numeric FROM unnest(ARRAY['', '-']) sign, generate_series(-9, 9, 3) exponent,
    unnest(ARRAY['0', '1', '10', '12.5', '9999', '10001', '9999999999999999', '10000000000000001', '1234567890123456789']) digits) AS l(a),
  (SELECT (sign || digits || 'e' || exponent)::numeric FROM unnest(ARRAY['', '-']) sign, generate_series(-8, 8, 4) exponent,
    unnest(ARRAY['0', '1', '100', '12.5', '999900', '1000099', '999999999999999999', '1234567890123456788']) digits) AS r(b);

-- containers of any size, nested and not: what is read is what jsonb prints
SELECT count(*) AS documents, count(*) FILTER (WHERE NOT nexus.jsonschema_valid(jsonb_build_object('const', d), d::text::jsonb)
  OR nexus.jsonschema_valid(jsonb_build_object('const', d), jsonb_set(d, ARRAY['k' || n / 2, '0'], '"other"'))) AS differ
FROM (SELECT n, (SELECT jsonb_object_agg('k' || i, jsonb_build_array(i, repeat('x', i % 7), i % 2 = 0, NULL, i / 8.0,
    jsonb_build_object('a', '{}'::jsonb, 'bb', '[]'::jsonb, 'ccc', jsonb_build_array(jsonb_build_array(i))))) FROM generate_series(0, n) i) AS d
  FROM unnest(ARRAY[1, 2, 30, 31, 32, 33, 63, 64, 65, 100, 1000]) n) documents;

-- metadata of rows
BEGIN;
SELECT pg_temp.try($$INSERT INTO nexus.metadata_schemas (table_name, schema) VALUES ('content', '{"type": "none"}')$$);
INSERT INTO nexus.metadata_schemas (table_name, content_type, schema) VALUES
  ('content', '', '{"properties": {"campaign": {"type": "string", "maxLength": 10}}}'),
  ('content', 'video', '{"required": ["cover"], "properties": {"cover": {"items": {"properties": {"url": {"pattern": "^https:"}}}}}}');
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('schema-user', 'schema@example.com',
  '$argon2id$v=19$m=19456,t=2,p=1$' || repeat('A', 22) || '$' || repeat('A', 43), 'A', 'B');
INSERT INTO content (id, user_id, title, platform, content_type, status, metadata)
VALUES (910001, 'schema-user', 'A draft may be unfinished', 'youtube', 'video', 'draft', '{"campaign": 1}');
SAVEPOINT before;
UPDATE content SET status = 'scheduled', scheduled_at = nexus.utcnow() + interval '1 day' WHERE id = 910001;
ROLLBACK TO before;
UPDATE content SET metadata = '{"campaign": "autumn", "cover": [{"url": "http://example.com"}]}' WHERE id = 910001;
SAVEPOINT before;
DO $$
DECLARE detail text; said text; hint text; column_of text;
BEGIN
  UPDATE content SET status = 'scheduled', scheduled_at = nexus.utcnow() + interval '1 day' WHERE id = 910001;
EXCEPTION WHEN SQLSTATE 'NX001' THEN
  GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, column_of = COLUMN_NAME;
  RAISE NOTICE '% | % | % | %', said, column_of, hint, (SELECT string_agg((f ->> 'code') || ' ' || (f ->> 'field'), ', ')
    FROM jsonb_array_elements(detail::jsonb) f WHERE f ->> 'severity' = 'error');
END $$;
UPDATE content SET metadata = '{"campaign": "autumn", "cover": [{"url": "https://example.com"}]}' WHERE id = 910001;
UPDATE content SET status = 'scheduled', scheduled_at = nexus.utcnow() + interval '1 day' WHERE id = 910001;
-- a name is said as it is written, one of digits in brackets as an index
SAVEPOINT before;
UPDATE nexus.metadata_schemas SET schema = '{"properties": {"a/b~c": {"items": {"properties": {"0": false}}}}}' WHERE content_type = '';
DO $$
DECLARE detail text;
BEGIN
  UPDATE content SET metadata = '{"campaign": "autumn", "cover": [], "a/b~c": [{}, {"0": 1}]}' WHERE id = 910001;
EXCEPTION WHEN SQLSTATE 'NX001' THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
  RAISE NOTICE '%', detail::jsonb #>> '{0,field}';
END $$;
ROLLBACK TO before;
-- what is scheduled stays as it must be
UPDATE content SET metadata = '{"campaign": "autumn", "cover": 1}' WHERE id = 910001;
UPDATE content SET metadata = '{"campaign": "autumn and winter", "cover": []}' WHERE id = 910001;
ROLLBACK;
