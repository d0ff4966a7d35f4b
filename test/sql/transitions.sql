-- State machines: each ordered pair of states of each machine is tried on a real row, 234 in all.
BEGIN;
\set QUIET on
SET LOCAL client_min_messages = warning;
SELECT FROM nexus.attach('public');
\set QUIET off
-- One statement, and what came of it; the statement is undone.
CREATE FUNCTION pg_temp.outcome(make text, change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE made bigint; state text; message text; hint text;
BEGIN
  BEGIN
    SET LOCAL nexus.import_mode = on;
    EXECUTE make INTO made;
    SET LOCAL nexus.import_mode = off;
    EXECUTE change USING made;
    RAISE EXCEPTION USING ERRCODE = 'ZZ000', MESSAGE = 'passed';
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
  END;
  RETURN CASE state WHEN 'ZZ000' THEN 'passed' ELSE concat_ws(' | ', state, message, NULLIF(hint, '')) END;
END $$;
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('t', 't@example.org',
  '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'T', 'T');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (900001, 't', 'bluesky', 'a', 'A');
INSERT INTO social_posts (id, user_id, title, content_type) VALUES (900001, 't', 'post', 'post');

-- the live lease that lets platform post 900100 become publishing
INSERT INTO nexus.jobs (kind, ref_id, unique_key) VALUES ('publish', 900100, 'platform_post:900100');
UPDATE nexus.jobs SET state = 'leased', lease_token = 7, lease_until = clock_timestamp() + interval '1 hour' WHERE ref_id = 900100;
INSERT INTO nexus.publish_attempts (platform_post_id, attempt, lease_token, idempotency_key) VALUES (900100, 1, 7, gen_random_uuid());

-- How a row in state %1$L is made, and how it is brought to state %2$L; $1 is its id.
CREATE TEMP TABLE machine (tbl text, make text, change text);
INSERT INTO machine VALUES
  ('projects.status', 'INSERT INTO projects (user_id, name, type, status) VALUES (''t'', ''p'', ''video'', %1$L) RETURNING id',
   'UPDATE projects SET status = %2$L WHERE id = $1'),
  ('content.status', 'INSERT INTO content (user_id, title, platform, content_type, status, scheduled_at, published_at)
     VALUES (''t'', ''c'', ''bluesky'', ''text'', %1$L, now() + interval ''1 day'', now()) RETURNING id',
   'UPDATE content SET status = %2$L WHERE id = $1'),
  ('social_posts.status', 'INSERT INTO social_posts (user_id, title, caption, content_type, status, scheduled_at, published_at)
     VALUES (''t'', ''s'', ''text'', ''post'', %1$L, now() + interval ''1 day'', now()) RETURNING id',
   'UPDATE social_posts SET status = %2$L WHERE id = $1'),
  ('social_posts.review_state', 'INSERT INTO social_posts (user_id, title, content_type, review_state, reviewed_at)
     VALUES (''t'', ''s'', ''post'', %1$L, CASE WHEN %1$L IN (''approved'', ''rejected'') THEN now() END) RETURNING id',
   'UPDATE social_posts SET review_state = %2$L WHERE id = $1'),
  ('platform_posts.status', 'INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at, published_at,
       platform_post_id) VALUES (900100, 900001, 900001, ''bluesky'', %1$L, now(), now(), ''r'') RETURNING id',
   'UPDATE platform_posts SET status = %2$L WHERE id = $1'),
  ('post_schedules.status', 'INSERT INTO post_schedules (social_post_id, platform, scheduled_at, status)
     VALUES (900001, ''bluesky'', now() + interval ''1 day'', %1$L) RETURNING id',
   'UPDATE post_schedules SET status = %2$L WHERE id = $1'),
  ('post_media.status', 'INSERT INTO post_media (social_post_id, media_type, media_url, file_name, status)
     VALUES (900001, ''image'', ''https://example.org/i.png'', ''i.png'', %1$L) RETURNING id',
   'UPDATE post_media SET status = %2$L WHERE id = $1'),
  ('ai_generation_tasks.status', 'INSERT INTO ai_generation_tasks (user_id, task_type, prompt, result, status, completed_at)
     VALUES (''t'', ''caption'', ''p'', ''r'', %1$L, CASE WHEN %1$L IN (''completed'', ''failed'', ''cancelled'') THEN now() END) RETURNING id',
   'UPDATE ai_generation_tasks SET status = %2$L,
      completed_at = CASE WHEN %2$L IN (''completed'', ''failed'', ''cancelled'') THEN now() END WHERE id = $1'),
  ('ai_content_suggestions.status', 'INSERT INTO ai_content_suggestions (user_id, suggestion_type, platform, content, status)
     VALUES (''t'', ''caption'', ''bluesky'', ''c'', %1$L) RETURNING id',
   'UPDATE ai_content_suggestions SET status = %2$L WHERE id = $1'),
  ('social_accounts.status', 'INSERT INTO social_accounts (user_id, platform, account_id, account_name, status)
     VALUES (''t'', ''bluesky'', ''b'', ''B'', %1$L) RETURNING id',
   'UPDATE social_accounts SET status = %2$L WHERE id = $1'),
  ('nexus.jobs.state', 'INSERT INTO nexus.jobs (kind, state, lease_token, lease_until)
     SELECT ''verify'', %1$L, t, CASE WHEN t = 1 THEN now() END FROM (SELECT CASE WHEN %1$L = ''leased'' THEN 1 END) AS l(t) RETURNING id',
   'UPDATE nexus.jobs SET state = %2$L, lease_token = CASE WHEN %2$L = ''leased'' THEN 1 END,
      lease_until = CASE WHEN %2$L = ''leased'' THEN now() END WHERE id = $1');

CREATE TEMP TABLE tried AS
WITH states AS (
  SELECT tbl, from_state AS state FROM nexus.transitions UNION SELECT tbl, to_state FROM nexus.transitions
  UNION SELECT tbl, state FROM nexus.initial_states)
SELECT m.tbl, f.state AS from_state, t.state AS to_state,
  EXISTS (SELECT FROM nexus.transitions x WHERE (x.tbl, x.from_state, x.to_state) = (m.tbl, f.state, t.state)) AS listed,
  pg_temp.outcome(format(m.make, f.state, t.state), format(m.change, f.state, t.state)) AS outcome
FROM machine m JOIN states f USING (tbl) JOIN states t USING (tbl) WHERE f.state <> t.state;

SELECT tbl, count(*) AS pairs, count(*) FILTER (WHERE outcome = 'passed') AS passed,
  count(*) FILTER (WHERE outcome LIKE 'NX002 | illegal transition of ' || tbl || ' from ' || from_state || ' to ' || to_state || ' | %') AS refused
FROM tried GROUP BY ROLLUP (tbl) ORDER BY tbl COLLATE "C";
SELECT * FROM tried WHERE listed <> (outcome = 'passed') ORDER BY 1, 2, 3;
SELECT outcome FROM tried WHERE tbl = 'content.status' AND outcome <> 'passed' ORDER BY from_state COLLATE "C", to_state COLLATE "C" LIMIT 4;

-- Every state of every machine as the first one.
WITH states AS (
  SELECT tbl, from_state AS state FROM nexus.transitions UNION SELECT tbl, to_state FROM nexus.transitions),
tried AS (
  SELECT tbl, state, EXISTS (SELECT FROM nexus.initial_states i WHERE (i.tbl, i.state) = (s.tbl, s.state)) AS listed,
    pg_temp.outcome('SELECT 1', format(make, state, state)) AS outcome
  FROM machine m JOIN states s USING (tbl))
SELECT tbl, count(*) AS states, string_agg(state, ' ' ORDER BY state COLLATE "C") FILTER (WHERE outcome = 'passed') AS first,
  count(*) FILTER (WHERE NOT listed AND outcome LIKE 'NX002 | illegal first state of ' || tbl || ': ' || state || ' | %') AS refused
FROM tried GROUP BY tbl ORDER BY tbl COLLATE "C";

-- A value that is no state, NULL, a state that stays, and the setting.
SELECT pg_temp.outcome('SELECT 900001', 'UPDATE social_posts SET status = ''Draft'' WHERE id = $1');
SELECT pg_temp.outcome('INSERT INTO content (user_id, title, platform, content_type) VALUES (''t'', ''c'', ''x'', ''text'') RETURNING id',
  'UPDATE content SET status = NULL WHERE id = $1');
SELECT pg_temp.outcome('SELECT 900001', 'UPDATE social_accounts SET status = status WHERE id = $1');
INSERT INTO projects (user_id, name, type, status) VALUES ('t', 'p', 'video', NULL) RETURNING status;
INSERT INTO content (user_id, title, platform, content_type, status) VALUES ('t', 'c', 'x', 'text', NULL) RETURNING status;
SELECT pg_temp.outcome('SELECT 900001', 'UPDATE platform_posts SET status = ''publishing'' WHERE $1 = 0');

-- publishing needs the live lease of an open attempt
INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at) VALUES (900001, 900001, 900001, 'bluesky', 'scheduled', now());
SELECT pg_temp.outcome('SELECT 900001', 'UPDATE platform_posts SET status = ''publishing'' WHERE id = $1');
UPDATE nexus.jobs SET state = 'leased', lease_token = 9, lease_until = clock_timestamp() + interval '1 hour' WHERE ref_id = 900001;
SELECT left(pg_temp.outcome('SELECT 900001', 'UPDATE platform_posts SET status = ''publishing'' WHERE id = $1'), 5) AS no_attempt;
INSERT INTO nexus.publish_attempts (platform_post_id, attempt, lease_token, idempotency_key) VALUES (900001, 1, 8, gen_random_uuid());
SELECT left(pg_temp.outcome('SELECT 900001', 'UPDATE platform_posts SET status = ''publishing'' WHERE id = $1'), 5) AS other_lease;
UPDATE nexus.publish_attempts SET lease_token = 9 WHERE platform_post_id = 900001;
SELECT pg_temp.outcome('SELECT 900001', 'UPDATE platform_posts SET status = ''publishing'' WHERE id = $1') AS with_lease;
UPDATE nexus.jobs SET lease_until = clock_timestamp() - interval '1 s' WHERE ref_id = 900001;
SELECT left(pg_temp.outcome('SELECT 900001', 'UPDATE platform_posts SET status = ''publishing'' WHERE id = $1'), 5) AS expired_lease;

-- A changed table of transitions holds from the next statement on, and a rollback takes it back.
SAVEPOINT changed;
INSERT INTO nexus.transitions VALUES ('projects.status', 'archived', 'completed');
SELECT pg_temp.outcome('INSERT INTO projects (user_id, name, type, status) VALUES (''t'', ''p'', ''video'', ''archived'') RETURNING id',
  'UPDATE projects SET status = ''completed'' WHERE id = $1');
ROLLBACK TO changed;
SELECT pg_temp.outcome('INSERT INTO projects (user_id, name, type, status) VALUES (''t'', ''p'', ''video'', ''archived'') RETURNING id',
  'UPDATE projects SET status = ''completed'' WHERE id = $1');
ROLLBACK;

-- import_mode is for superusers and those who were granted it
SET ROLE nexus_app;
SET nexus.import_mode = on;
RESET ROLE;
SELECT has_parameter_privilege('nexus_owner', 'nexus.import_mode', 'SET') AS owner, has_parameter_privilege('nexus_worker', 'nexus.import_mode', 'SET') AS worker;
