-- Row security: what each role sees and may write, and who the end user is.
\set QUIET on
SET client_min_messages = warning;
BEGIN;
SELECT FROM nexus.attach('public');
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; touched bigint;
BEGIN
  EXECUTE statement;
  GET DIAGNOSTICS touched = ROW_COUNT;
  RETURN touched || ' rows';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
  RETURN concat_ws(' | ', state, message);
END $$;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT u, u || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L'
FROM unnest(ARRAY['ann', 'bob']) u;
INSERT INTO projects (id, user_id, name, type, is_public) VALUES (900001, 'ann', 'a', 'video', false), (900002, 'bob', 'b', 'video', false), (900003, 'bob', 'open', 'video', true);
INSERT INTO content (id, user_id, title, platform, content_type) VALUES (900001, 'ann', 'a', 'bluesky', 'text'), (900002, 'bob', 'b', 'bluesky', 'text');
INSERT INTO content_metrics (id, content_id, platform) VALUES (900001, 900001, 'bluesky'), (900002, 900002, 'bluesky');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (900001, 'ann', 'bluesky', 'a', 'A'), (900002, 'bob', 'bluesky', 'b', 'B');
INSERT INTO social_posts (id, user_id, title, content_type) VALUES (900001, 'ann', 'a', 'post'), (900002, 'bob', 'b', 'post');
INSERT INTO platform_posts (id, social_post_id, account_id, platform) VALUES (900001, 900001, 900001, 'bluesky'), (900002, 900002, 900002, 'bluesky');
INSERT INTO post_media (id, social_post_id, media_type, media_url, file_name) SELECT i, i, 'image', 'https://example.org/i.png', 'i' FROM generate_series(900001, 900002) i;
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at) SELECT i, i, 'bluesky', now() + interval '1 day' FROM generate_series(900001, 900002) i;
INSERT INTO notifications (id, user_id, type, title, message) VALUES (900001, 'ann', 'ok', 't', 'm'), (900002, 'bob', 'ok', 't', 'm');
INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt) VALUES (900001, 'ann', 'caption', 'p'), (900002, 'bob', 'caption', 'p');
INSERT INTO ai_content_suggestions (id, user_id, suggestion_type, platform, content) VALUES (900001, 'ann', 'caption', 'x', 'c'), (900002, 'bob', 'caption', 'x', 'c');
INSERT INTO templates (id, title, description, category, type, user_id, is_public) VALUES (900001, 't', 'd', 'video', 't', 'ann', false), (900002, 't', 'd', 'video', 't', 'bob', false),
  (900003, 't', 'd', 'video', 't', 'bob', true), (900004, 't', 'd', 'video', 't', NULL, true);
INSERT INTO niches (id, name, category, difficulty, profitability) VALUES (900001, 'n', 'c', 'easy', 'low');
INSERT INTO hashtag_suggestions (id, platform, category, hashtag) VALUES (900001, 'x', 'c', 'tag');
INSERT INTO sessions (sid, sess, expire) VALUES ('s', '{"userId": "ann"}', now());
-- The rows of this test that the current role sees, table by table; "refused" where it may not ask.
CREATE FUNCTION pg_temp.seen() RETURNS TABLE (table_name name, ids text) LANGUAGE plpgsql AS $$
BEGIN
  FOR table_name IN SELECT a.table_name FROM nexus.attached_tables a ORDER BY 1 LOOP
    BEGIN
      EXECUTE CASE table_name WHEN 'users' THEN 'SELECT string_agg(id, '' '' ORDER BY id) FROM users'
        WHEN 'sessions' THEN 'SELECT string_agg(sid, '' '') FROM sessions'
        ELSE format('SELECT string_agg((id - 900000)::text, '' '' ORDER BY id) FROM %I WHERE id > 900000', table_name) END INTO ids;
    EXCEPTION WHEN insufficient_privilege THEN
      ids := 'refused';
    END;
    RETURN NEXT;
  END LOOP;
END $$;
\set QUIET off

SET SESSION AUTHORIZATION nexus_bridge;
SET ROLE nexus_app;
SELECT set_config('request.jwt.claims', '{"sub": "ann", "role": "authenticated"}', true);
SELECT nexus.current_user_id();
SELECT * FROM pg_temp.seen();
SELECT s AS statement, pg_temp.try(s) FROM unnest(ARRAY[
  'UPDATE content SET title = ''x''',
  'UPDATE platform_posts SET caption = ''x''',
  'UPDATE notifications SET is_read = true',
  'DELETE FROM ai_content_suggestions',
  'UPDATE templates SET title = ''x''',
  'UPDATE projects SET name = ''x''',
  'INSERT INTO projects (user_id, name, type) VALUES (''bob'', ''p'', ''video'')',
  'INSERT INTO projects (user_id, name, type) VALUES (''nobody'', ''p'', ''video'')',
  'INSERT INTO projects (user_id, name, type) VALUES (''ann'', ''p'', ''video'')',
  'INSERT INTO post_media (social_post_id, media_type, media_url, file_name) VALUES (900002, ''image'', ''https://example.org/x.png'', ''x'')',
  'INSERT INTO content_metrics (content_id, platform) VALUES (900002, ''x'')',
  'UPDATE post_media SET social_post_id = 900002',
  'INSERT INTO templates (title, description, category, type) VALUES (''t'', ''d'', ''video'', ''t'')',
  'SELECT password FROM users',
  'SELECT access_token FROM social_accounts',
  'UPDATE users SET password = ''x''',
  'UPDATE users SET id = ''root''',
  'UPDATE users SET first_name = ''Ann''',
  'UPDATE niches SET name = ''x''',
  'TRUNCATE content',
  'DROP TRIGGER owner_agreement ON content',
  'ALTER TABLE content DISABLE ROW LEVEL SECURITY',
  'ALTER TABLE content DISABLE TRIGGER ALL',
  'SET nexus.import_mode = on',
  'SET session_replication_role = replica',
  'SELECT nexus.detach(''public'')',
  'SELECT nexus.attach(''public'')',
  'SELECT * FROM nexus.attach_report(''public'')',
  'UPDATE nexus.attachment SET bridge_role = ''nexus_app''',
  'INSERT INTO nexus.login_users VALUES (''nexus_app'', ''bob'')',
  'DELETE FROM nexus.transitions',
  'SELECT * FROM nexus.jobs',
  'SELECT * FROM nexus.publish_attempts',
  'SELECT nextval(''nexus.lease_token'')'
]) WITH ORDINALITY AS t(s, n) ORDER BY n;

SAVEPOINT off;
SET LOCAL row_security = off;
SELECT pg_temp.try('SELECT count(*) FROM projects');
ROLLBACK TO off;
-- One's own history may shape suggestions, another's may not.
SELECT count(*) >= 0 AS answered FROM nexus.suggest_hashtags('bread', user_id => 'ann');
SELECT nexus.suggest_hashtags('bread', user_id => 'bob');
ROLLBACK TO off;

-- Limits that the operator granted to one are not told to another; findings are for those who may read the row.
RESET SESSION AUTHORIZATION;
SELECT nexus.set_enforcement('content', 'record');
INSERT INTO nexus.rule_overrides (scope, scope_id, rule_id, max) VALUES
  ('user', 'ann', 'mastodon.caption.length', 1000), ('user', 'bob', 'mastodon.caption.length', 2000), ('account', '900002', 'mastodon.caption.length', 3000);
UPDATE content SET description = repeat('x', 6000), platform = 'mastodon', status = 'scheduled', scheduled_at = nexus.utcnow() + interval '1 day'
  WHERE id IN (900001, 900002);
CREATE FUNCTION pg_temp.allowed(user_id text, account_id integer) RETURNS numeric LANGUAGE sql AS $$
  SELECT f.allowed FROM nexus.judge_draft(jsonb_build_object('caption', repeat('x', 6000)), '{mastodon}', user_id, account_id) AS f WHERE f.code = 'caption.too_long' $$;
SELECT row_id, (finding).code, (finding).allowed FROM nexus.findings WHERE row_id > 900000 ORDER BY 1, 2;
SELECT pg_temp.allowed('bob', NULL) AS of_bob, pg_temp.allowed('bob', 900002) AS of_account;
SET SESSION AUTHORIZATION nexus_bridge;
SET ROLE nexus_worker;
SELECT pg_temp.allowed('bob', NULL) AS of_bob, pg_temp.allowed('bob', 900002) AS of_account;
SELECT row_id, (finding).code FROM nexus.findings WHERE row_id > 900000 ORDER BY 1, 2;
SET ROLE nexus_app;
SELECT set_config('request.jwt.claims', '{"sub": "ann", "role": "authenticated"}', true);
SELECT row_id, (finding).code, (finding).allowed FROM nexus.findings WHERE row_id > 900000 ORDER BY 1, 2;
SELECT (f).allowed FROM (SELECT nexus.validate_content(900001) f) f WHERE (f).code = 'caption.too_long';
SELECT pg_temp.allowed('ann', NULL) AS own, pg_temp.allowed('ann', 900001) AS own_account, pg_temp.allowed(NULL, NULL) AS of_nobody;
SELECT s AS statement, pg_temp.try(s) FROM unnest(ARRAY['SELECT pg_temp.allowed(''bob'', NULL)', 'SELECT pg_temp.allowed(''nobody'', NULL)',
  'SELECT pg_temp.allowed(''ann'', 900002)', 'SELECT pg_temp.allowed(NULL, 900002)', 'SELECT pg_temp.allowed(NULL, 1)',
  'SELECT * FROM nexus.validate_content(900002)', 'SELECT * FROM nexus.rule_overrides', 'DELETE FROM nexus.findings',
  'UPDATE nexus.findings SET number = 1']) WITH ORDINALITY AS t(s, n) ORDER BY n;
SET ROLE nexus_anon;
SELECT count(*) FROM nexus.findings;
SET ROLE nexus_app;

-- No claims, an empty one, another user, broken claims.
SELECT set_config('request.jwt.claims', '', true), nexus.current_user_id(), (SELECT count(*) FROM content);
SELECT pg_temp.try('INSERT INTO projects (user_id, name, type) VALUES (''ann'', ''p'', ''video'')');
SELECT pg_temp.try('INSERT INTO post_media (social_post_id, media_type, media_url, file_name) VALUES (900001, ''image'', ''https://example.org/x.png'', ''x'')');
SELECT set_config('request.jwt.claims', '{"sub": ""}', true), nexus.current_user_id();
SELECT set_config('request.jwt.claims', '{"sub": "bob"}', true), nexus.current_user_id(), (SELECT string_agg(id::text, ' ' ORDER BY id) FROM content);
SELECT set_config('request.jwt.claims', '{"sub": "bob"', true);
SELECT pg_temp.try('SELECT nexus.current_user_id()');
SELECT set_config('request.jwt.claims', '{"sub": "ann"}', true);

-- The other roles.
SET ROLE nexus_anon;
SELECT table_name, ids FROM pg_temp.seen() WHERE ids <> 'refused';
SELECT pg_temp.try('INSERT INTO notifications (user_id, type, title, message) VALUES (''ann'', ''ok'', ''t'', ''m'')');
SET ROLE nexus_worker;
SELECT string_agg(DISTINCT ids, ' / ' ORDER BY ids) FROM pg_temp.seen();
SET ROLE NONE;
SELECT current_user, string_agg(DISTINCT ids, ' / ') FROM pg_temp.seen();
RESET SESSION AUTHORIZATION;

-- Claims count in the bridge's sessions only: a direct login is the user of its row, or nobody.
SELECT nexus.current_user_id();
CREATE ROLE rls_direct LOGIN IN ROLE nexus_app;
SET SESSION AUTHORIZATION rls_direct;
SELECT nexus.current_user_id(), (SELECT count(*) FROM content);
RESET SESSION AUTHORIZATION;
INSERT INTO nexus.login_users VALUES ('rls_direct', 'bob');
SET SESSION AUTHORIZATION rls_direct;
SELECT nexus.current_user_id(), (SELECT string_agg(id::text, ' ') FROM content);
RESET SESSION AUTHORIZATION;

-- The tables' owner stays outside row security, though it is forced.
SET CONSTRAINTS ALL IMMEDIATE;
CREATE ROLE rls_owner LOGIN;
ALTER TABLE content OWNER TO rls_owner;
ALTER TABLE projects OWNER TO rls_owner;
SELECT FROM nexus.attach('public');
SET SESSION AUTHORIZATION rls_owner;
SELECT count(*) FROM content WHERE id IN (900001, 900002);
INSERT INTO content (user_id, title, platform, content_type) VALUES ('bob', 't', 'x', 'text') RETURNING user_id;
RESET SESSION AUTHORIZATION;

-- One evaluation of the user for each query, and an index for the own rows.
SET LOCAL enable_seqscan = off;
SET SESSION AUTHORIZATION nexus_bridge;
SET ROLE nexus_app;
EXPLAIN (COSTS OFF) SELECT id FROM content ORDER BY created_at DESC, id DESC LIMIT 50;
RESET SESSION AUTHORIZATION;

-- Lints: all tables forced, no two permissive policies for one role and action, secrets of nobody.
SELECT a.table_name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced FROM pg_class c
JOIN nexus.attached_tables a ON a.table_name = c.relname AND c.relnamespace = 'public'::regnamespace ORDER BY 1;
SELECT tablename, role, action, count(*) FROM pg_policies, unnest(roles) AS role,
  unnest(CASE cmd WHEN 'ALL' THEN ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] ELSE ARRAY[cmd] END) AS action
WHERE schemaname = 'public' GROUP BY 1, 2, 3 HAVING count(*) > 1;
SELECT r, t, c FROM (VALUES ('nexus_app'), ('nexus_anon')) AS v(r), (VALUES ('users', 'password'), ('social_accounts', 'access_token'),
  ('social_accounts', 'refresh_token'), ('sessions', 'sid')) AS s(t, c) WHERE has_column_privilege(r, t, c, 'SELECT');
SELECT p.oid::regprocedure AS open_to_all FROM pg_proc p WHERE p.pronamespace = 'nexus'::regnamespace AND p.prosecdef AND p.provolatile = 'v' AND p.prorettype <> 'trigger'::regtype
  AND has_function_privilege('nexus_anon', p.oid, 'EXECUTE') ORDER BY 1;
SELECT c.oid::regclass AS writable FROM pg_class c WHERE c.relnamespace = 'nexus'::regnamespace AND c.relkind IN ('r', 'p', 'S')
  AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege('nexus_app', c.oid, 'USAGE, UPDATE') ELSE has_table_privilege('nexus_app', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') END;
ROLLBACK;
RESET client_min_messages;
