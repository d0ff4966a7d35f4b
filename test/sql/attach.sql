-- attach, detach and attach_report.
\set QUIET on
SET client_min_messages = warning;
\set SHOW_CONTEXT never
BEGIN;
SELECT FROM nexus.detach('public');
\set QUIET off

SAVEPOINT s;
SELECT nexus.attached_schema();
ROLLBACK TO s;
SELECT nexus.detach('public');
SELECT nexus.attach(NULL);
ROLLBACK TO s;
SELECT nexus.attach('no such schema');
ROLLBACK TO s;
CREATE SCHEMA half;
CREATE TABLE half.users (id varchar PRIMARY KEY);
SELECT nexus.attach('half');
ROLLBACK TO s;
ALTER TABLE content DROP COLUMN title;
ALTER TABLE users DROP COLUMN last_name;
\set VERBOSITY terse
SELECT nexus.attach('public');
\set VERBOSITY default
ROLLBACK TO s;
ALTER ROLE nexus_anon RENAME TO nexus_other;
SELECT nexus.attach('public');
ROLLBACK TO s;
ROLLBACK;

-- Attach, attach again, detach: the owner's own things stay, everything else is as before, and no table was rewritten.
\set QUIET on
BEGIN;
SELECT FROM nexus.detach('public');
CREATE FUNCTION pg_temp.state() RETURNS SETOF text LANGUAGE sql AS $$
  SELECT format('trigger %s on %s: %s', tgname, tgrelid::regclass, pg_get_triggerdef(t.oid)) FROM pg_trigger t
    JOIN pg_class c ON c.oid = tgrelid WHERE NOT tgisinternal AND c.relnamespace = 'public'::regnamespace
  UNION ALL SELECT format('policy %s on %s: %s %s %s %s', policyname, tablename, cmd, roles, qual, with_check) FROM pg_policies WHERE schemaname = 'public'
  UNION ALL SELECT format('table %s: %s %s %s', relname, relrowsecurity, relforcerowsecurity, relfilenode) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
  UNION ALL SELECT format('grant on %s: %s %s', relname, pg_get_userbyid(a.grantee), a.privilege_type)
    FROM pg_class c, aclexplode(COALESCE(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) a WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')
  UNION ALL SELECT format('grant on %s.%s: %s %s', attrelid::regclass, attname, pg_get_userbyid(a.grantee), a.privilege_type)
    FROM pg_attribute t JOIN pg_class c ON c.oid = attrelid, aclexplode(attacl) a WHERE relnamespace = 'public'::regnamespace
  UNION ALL SELECT format('grant on schema: %s %s', a.grantee, a.privilege_type) FROM pg_namespace, aclexplode(nspacl) a WHERE nspname = 'public'
  UNION ALL SELECT format('grant on %s: %s', p.oid::regprocedure, a.grantee::regrole) FROM pg_proc p, aclexplode(proacl) a WHERE pronamespace = 'nexus'::regnamespace AND grantee <> 0;
$$;
ALTER TABLE niches ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_policy ON niches FOR SELECT USING (true);
GRANT SELECT ON niches TO nexus_anon;
CREATE FUNCTION public.own_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER own_trigger BEFORE INSERT ON niches FOR EACH ROW EXECUTE FUNCTION public.own_trigger();
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.state() AS line;
\set QUIET off
SELECT nexus.attach('public');
\set QUIET on
CREATE TEMP TABLE attached AS SELECT * FROM pg_temp.state() AS line;
\set QUIET off
SELECT split_part(line, ' ', 1) AS kind, count(*) > 0 AS made FROM (SELECT * FROM attached EXCEPT SELECT * FROM before) d GROUP BY 1 ORDER BY 1;
SELECT count(*) AS registered, count(t.oid) AS made FROM nexus.attached_triggers a
  LEFT JOIN pg_trigger t ON t.tgname = a.trigger_name AND t.tgrelid = a.table_name::regclass AND t.tgenabled = 'O'
  HAVING count(*) <> count(t.oid);
SELECT nexus.attach('public');
SELECT * FROM (SELECT * FROM attached EXCEPT ALL SELECT * FROM pg_temp.state()) a UNION ALL (SELECT * FROM pg_temp.state() EXCEPT ALL SELECT * FROM attached);
SELECT nexus.attached_schema();
SAVEPOINT s;
CREATE SCHEMA second;
SELECT nexus.attach('second');
ROLLBACK TO s;
SELECT nexus.detach('second');
SELECT nexus.attached_schema();
SELECT nexus.detach('public');
SELECT * FROM (SELECT * FROM before EXCEPT ALL SELECT * FROM pg_temp.state()) a UNION ALL (SELECT * FROM pg_temp.state() EXCEPT ALL SELECT * FROM before);
SELECT count(*) FROM nexus.attachment_grants;
SELECT count(*) FROM nexus.attachment_tables;
ROLLBACK;

-- A schema that is gone can be detached, and another attached.
\set QUIET on
BEGIN;
SELECT FROM nexus.detach('public');
INSERT INTO nexus.attachment (schema_name) VALUES ('gone');
INSERT INTO nexus.attachment_tables VALUES ('content', false, false);
INSERT INTO nexus.attachment_grants VALUES ('TABLE', 'gone.content', 'SELECT', '', 'nexus_app'), ('SCHEMA', 'gone', 'USAGE', '', 'nexus_app');
\set QUIET off
SELECT nexus.detach('gone');
SELECT nexus.attach('public');
SELECT nexus.attached_schema();
ROLLBACK;

-- Rows from before are neither read nor changed by attach; what is wrong in them is refused when they are changed.
\set QUIET on
BEGIN;
SELECT FROM nexus.detach('public');
INSERT INTO projects (id, name, type, status, updated_at) SELECT i, 'old', 'video', NULL, '2020-01-01' FROM generate_series(900001, 900003) i;
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('old', 'old@example.org', 'clear text', 'O', 'O');
UPDATE projects SET user_id = 'old' WHERE id > 900001;
CREATE TEMP VIEW tuples AS SELECT ctid::text AS place, xmin::text AS writer, id FROM projects UNION ALL SELECT ctid::text, xmin::text, 0 FROM users;
CREATE TEMP TABLE before AS SELECT * FROM tuples;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT FROM nexus.attach('public');
\set QUIET off
SELECT count(*) AS rewritten FROM (SELECT * FROM before EXCEPT SELECT * FROM tuples) d;
UPDATE projects SET name = 'new' WHERE id = 900002 RETURNING status, updated_at > '2021-01-01' AS moved;
UPDATE projects SET status = 'archived' WHERE id = 900002 RETURNING status;
UPDATE users SET first_name = 'New' WHERE id = 'old' RETURNING first_name;
SAVEPOINT s;
UPDATE projects SET name = 'new' WHERE id = 900001;
ROLLBACK TO s;
UPDATE projects SET name = 'new', user_id = 'old' WHERE id = 900001 RETURNING user_id;
ROLLBACK;

-- The report: one row that says against each rule, on tables without their constraints.
\set QUIET on
BEGIN;
SELECT FROM nexus.detach('public');
DO $$ DECLARE c record; BEGIN
  FOR c IN SELECT conrelid::regclass AS tab, conname FROM pg_constraint WHERE contype IN ('c', 'f') AND connamespace = 'public'::regnamespace LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.tab, c.conname);
  END LOOP;
  FOR c IN SELECT indexrelid::regclass AS index FROM pg_index i JOIN pg_class t ON t.oid = indexrelid
    WHERE indisunique AND NOT indisprimary AND t.relnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid) LOOP
    EXECUTE format('DROP INDEX %s', c.index);
  END LOOP;
END $$;
\set QUIET off
SELECT * FROM nexus.attach_report('public');
\set QUIET on
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('ann', 'Ann@example.org', '$2b$10$' || repeat('a', 53), 'A', 'A'),
  ('bob', 'ann@example.org', 'clear text', 'B', 'B'), ('', 'no mail', '$2b$10$' || repeat('a', 53), 'C', 'C');
INSERT INTO projects (id, user_id, name, type, status) VALUES (900001, 'ann', 'p', 'podcast', 'frozen'), (900002, NULL, 'p', 'video', NULL);
INSERT INTO content (id, user_id, project_id, title, platform, content_type, status) VALUES
  (900001, 'bob', 900001, 't', 'Insta gram', 'gif', 'scheduled'), (900002, NULL, NULL, 't', 'x', 'reel', NULL),
  (900003, 'ann', NULL, 't', 'x', 'reel', 'published'), (900004, 'ann', NULL, 't', 'x', 'reel', 'lost');
INSERT INTO sessions (sid, sess, expire) VALUES ('secret', '1', now());
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name, access_token) VALUES (900001, 'ann', 'x', '1', 'n', 'clear token'),
  (900002, 'ann', 'x', '1', 'n', NULL), (900003, 'bob', 'Tik Tok', '1', 'n', NULL);
INSERT INTO social_posts (id, user_id, project_id, content_id, title, content_type, status) VALUES (900001, 'bob', 900001, 900003, 't', 'gif', 'sent'),
  (900002, 'bob', NULL, NULL, 't', 'post', 'scheduled'), (900003, 'bob', NULL, NULL, 't', 'post', 'published');
INSERT INTO platform_posts (id, social_post_id, platform, account_id, status, platform_post_id) VALUES (900001, 900001, 'x', 900001, 'sent', 'r'),
  (900002, 900001, 'tiktok', 900001, 'published', 'r'), (900003, 900001, 'Tik Tok', 900003, 'scheduled', NULL);
INSERT INTO post_schedules (id, social_post_id, account_id, platform, scheduled_at, timezone, recurrence, retry_count, series_end_date, status) VALUES
  (900001, 900001, 900001, 'x', now(), 'Mars/Base', 'hourly', -1, '2000-01-01', 'lost'), (900002, 900001, NULL, 'x', now(), 'utc', 'custom', 0, NULL, 'pending');
INSERT INTO post_media (id, social_post_id, media_type, media_url, file_name, dimensions, file_size) VALUES
  (900001, 1, 'exe', 'u', 'f', '{"width": "wide", "height": 1}', -1), (900002, 1, 'image', 'u', 'f', '{"width": 0.5, "height": 1}', 1),
  (900003, 1, 'image', 'u', 'f', '{"width": 0, "height": 1}', 1), (900004, 1, 'image', 'u', 'f', '{}', 1);
INSERT INTO notifications (id, user_id, type, title, message, is_read, read_at) VALUES (900001, 'ann', 'Bad Type', 't', 'm', true, NULL), (900002, 'ann', 'ok', 't', 'm', false, '2026-01-01');
INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt, status, project_id, content_id) VALUES (900001, 'bob', 'poem', 'p', 'completed', 900001, 900003), (900002, 'bob', 'image', 'p', 'lost', NULL, NULL);
INSERT INTO ai_content_suggestions (id, user_id, suggestion_type, platform, content, confidence, project_id, content_id) VALUES (900001, 'bob', 'poem', 'x', 'c', 2, 900001, 900003);
INSERT INTO content_metrics (id, content_id, platform, views, captured_at) VALUES (900001, 1, 'x', -4, '2026-01-01'), (900002, 1, 'x', 4, '2026-01-01');
INSERT INTO templates (id, title, description, category, type, rating, downloads) VALUES (900001, 't', 'd', 'other', 't', 9, -1);
INSERT INTO niches (id, name, category, difficulty, profitability, trend_score) VALUES (900001, 'n', 'c', 'brutal', 'none', 101);
INSERT INTO hashtag_suggestions (id, platform, category, hashtag, trend_score) VALUES (900001, 'x', 'c', '#a', 101), (900002, 'x', 'c', 'Tag', 1), (900003, 'x', 'c', 'tag', 1);
\set QUIET off
SELECT * FROM nexus.attach_report('public');
-- each rule was met by a row
SELECT table_name, rule FROM nexus.attach_rules EXCEPT SELECT table_name, rule FROM nexus.attach_report('public');
-- a rule about a column that is still to come has nothing to say
ALTER TABLE post_schedules DROP COLUMN rrule, DROP COLUMN timezone, DROP COLUMN account_id;
SELECT rule FROM nexus.attach_report('public') WHERE table_name = 'post_schedules' ORDER BY 1;
SAVEPOINT s;
SELECT * FROM nexus.attach_report('no such schema');
ROLLBACK;
RESET client_min_messages;

-- Without row security: no policies, nothing for the roles that need them, and back again.
\set QUIET on
BEGIN;
SELECT FROM nexus.detach('public');
CREATE TEMP VIEW reach AS SELECT r AS role,
  (SELECT count(*) FROM nexus.attached_tables WHERE has_any_column_privilege(r, table_name::text, 'SELECT')) AS tables,
  (SELECT count(*) FROM pg_policies WHERE schemaname = 'public' AND r = ANY (roles)) AS policies
FROM unnest(ARRAY['nexus_anon', 'nexus_app', 'nexus_worker']) r;
CREATE TEMP VIEW secured AS SELECT count(*) AS forced FROM nexus.attached_tables a JOIN pg_class c ON c.oid = format('public.%I', a.table_name)::regclass
  WHERE c.relrowsecurity OR c.relforcerowsecurity;
\set QUIET off
SELECT FROM nexus.attach('public', row_security => false);
SELECT * FROM reach ORDER BY 1;
SELECT forced, (SELECT count(*) > 20 FROM pg_trigger t WHERE NOT tgisinternal AND tgfoid::regproc::text LIKE 'nexus.%') AS triggers FROM secured;
SELECT FROM nexus.attach('public');
SELECT * FROM reach ORDER BY 1;
SELECT forced FROM secured;
SELECT FROM nexus.attach('public', row_security => false);
SELECT * FROM reach ORDER BY 1;
SELECT forced FROM secured;
SELECT nexus.attach('public', NULL);
ROLLBACK;
