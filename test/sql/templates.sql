-- Templates: declared variables, what is missing, values that are never templates, the result judged.
BEGIN;
\set QUIET on
SET LOCAL client_min_messages = warning;
SELECT FROM nexus.attach('public');
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; answer text; col text;
BEGIN
  EXECUTE statement INTO answer;
  RETURN COALESCE(answer, 'done');
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, col = COLUMN_NAME;
  RETURN concat_ws(' | ', state, message, NULLIF(col, ''));
END $$;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT u, u || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L' FROM unnest(ARRAY['ann', 'bob']) u;
\set QUIET off
INSERT INTO templates (id, title, description, category, type, user_id, is_public, content, variables) VALUES
  (900001, 't', 'd', 'social', 'caption', 'ann', false, '{{name}} opens on {{ day }}{{suffix}} for {{price}} EUR. {{name}}! {{ not one }} {{{x}}}',
   '[{"name": "name"}, {"name": "day", "default": "Monday"}, {"name": "suffix", "required": false}, {"name": "price", "schema": {"type": "number", "minimum": 1}}]');
SELECT * FROM nexus.render_template(900001);
SELECT * FROM nexus.render_template(900001, '{"name": "{{day}} \\1 $& Café", "price": 12.5, "x": true, "colour": "red"}', 'bluesky');
SELECT * FROM nexus.render_template(900001, '{"name": ["a"], "price": 0, "x": 1, "day": null}');
SELECT rendered, findings -> 0 ->> 'code' AS code, findings -> 0 ->> 'actual' AS actual FROM nexus.render_template(900001, jsonb_build_object('name', repeat('long ', 40), 'price', 3, 'x', ''), 'x');
SELECT pg_temp.try(s) FROM unnest(ARRAY['SELECT nexus.render_template(999999)', 'SELECT nexus.render_template(900001, ''[]'')', 'SELECT nexus.render_template(900001, NULL)',
  'SELECT nexus.render_template(900001, ''{"name": "a", "price": 2, "x": 1}'', ''myspace'')']) WITH ORDINALITY AS t(s, n) ORDER BY n;
-- Edges: no text, no variables, only one, values in a row.
SELECT f.* FROM (VALUES (1, '', '[]', '{}'), (2, 'plain', '[]', '{"a": 1}'), (3, '{{a}}', '[]', '{"a": "x"}'), (4, '{{a}}{{b}}{{a}}', '[]', '{"a": "x", "b": null}'),
  (5, '{{a}}{{b}}', '[{"name": "b", "required": false}, {"name": "c", "required": true}]', '{"a": "x"}'), (6, '{{a', '[]', '{}')) AS t(n, content, variables, "values"),
  nexus.fill_template(t.content, t.variables::jsonb, t."values"::jsonb) f ORDER BY t.n;
SELECT left(rendered, 20), length(rendered) FROM nexus.fill_template(repeat('{{a}} ', 100000), '[]', '{"a": "xyz"}');
SELECT pg_temp.try('SELECT nexus.fill_template(repeat(''x'', 1000001), ''[]'', ''{}'')');
-- Declarations have one shape.
SELECT v, pg_temp.try(format('INSERT INTO templates (title, description, category, type, variables) VALUES (''t'', ''d'', ''social'', ''x'', %L) RETURNING version', v)) FROM unnest(ARRAY['{}', '[1]', '[{}]', '[{"name": "a b"}]',
  '[{"name": "a"}, {"name": "a"}]', '[{"name": "a", "required": "yes"}]', '[{"name": "a", "schema": 1}]', '[{"name": "a", "colour": 1}]', '[{"name": "a", "default": 1}]']) WITH ORDINALITY AS t(v, n) ORDER BY n;
UPDATE templates SET content = 'new {{name}}' WHERE id = 900001;
UPDATE templates SET title = 'other' WHERE id = 900001;
SELECT version FROM templates WHERE id = 900001;
-- Another user's private template is not there; a system template is everybody's.
INSERT INTO templates (id, title, description, category, type, content) VALUES (900002, 't', 'd', 'social', 'caption', 'Hello {{who}}');
INSERT INTO nexus.login_users VALUES ('nexus_test_bob', 'bob');
CREATE ROLE nexus_test_bob LOGIN IN ROLE nexus_app;
SET SESSION AUTHORIZATION nexus_test_bob;
SELECT pg_temp.try('SELECT nexus.render_template(900001)'), pg_temp.try('SELECT rendered FROM nexus.render_template(900002, ''{"who": "Bob"}'')');
RESET SESSION AUTHORIZATION;
ROLLBACK;
