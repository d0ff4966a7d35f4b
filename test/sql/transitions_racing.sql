-- State machines under race: two sessions move one row from the same state, for every two transitions of every machine. The second
-- waits for the first, and is judged by the state that the first has left: it passes only where a transition leads on from there.
\set QUIET on
SET client_min_messages = warning;
CREATE EXTENSION dblink;
CREATE SCHEMA race;
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('race', 'race@example.org',
  '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'R', 'R');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (930000, 'race', 'bluesky', 'a', 'A');
INSERT INTO social_posts (id, user_id, title, content_type) VALUES (930000, 'race', 'post', 'post');
-- A row in state %1$L with the id %2$s, and how it is brought to state %1$L. A platform post gets the live lease that lets it be
-- published.
CREATE TABLE race.machine (tbl text, make text, change text, clear text);
INSERT INTO race.machine VALUES
  ('projects.status', 'INSERT INTO projects (id, user_id, name, type, status) VALUES (%2$s, ''race'', ''p'', ''video'', %1$L)',
   'UPDATE projects SET status = %1$L WHERE id = %2$s', 'projects'),
  ('content.status', 'INSERT INTO content (id, user_id, title, platform, content_type, status, scheduled_at, published_at)
     VALUES (%2$s, ''race'', ''c'', ''bluesky'', ''text'', %1$L, now() + interval ''1 day'', now())',
   'UPDATE content SET status = %1$L WHERE id = %2$s', 'content'),
  ('social_posts.status', 'INSERT INTO social_posts (id, user_id, title, caption, content_type, status, scheduled_at, published_at)
     VALUES (%2$s, ''race'', ''s'', ''text'', ''post'', %1$L, now() + interval ''1 day'', now())',
   'UPDATE social_posts SET status = %1$L WHERE id = %2$s', 'social_posts'),
  ('social_posts.review_state', 'INSERT INTO social_posts (id, user_id, title, content_type, review_state, reviewed_at)
     VALUES (%2$s, ''race'', ''s'', ''post'', %1$L, CASE WHEN %1$L IN (''approved'', ''rejected'') THEN now() END)',
   'UPDATE social_posts SET review_state = %1$L WHERE id = %2$s', 'social_posts'),
  ('platform_posts.status', 'INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at, published_at,
       platform_post_id) VALUES (%2$s, 930000, 930000, ''bluesky'', %1$L, now(), now(), ''r'');
   DELETE FROM nexus.publish_attempts WHERE platform_post_id = %2$s;
   DELETE FROM nexus.jobs WHERE ref_id = %2$s;
   INSERT INTO nexus.jobs (kind, ref_id, unique_key) VALUES (''publish'', %2$s, ''platform_post:%2$s'');
   UPDATE nexus.jobs SET state = ''leased'', lease_token = 7, lease_until = clock_timestamp() + interval ''1 hour'' WHERE ref_id = %2$s;
   INSERT INTO nexus.publish_attempts (platform_post_id, attempt, lease_token, idempotency_key) VALUES (%2$s, 1, 7, gen_random_uuid())',
   'UPDATE platform_posts SET status = %1$L WHERE id = %2$s', 'platform_posts'),
  ('post_schedules.status', 'INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, status)
     VALUES (%2$s, 930000, ''bluesky'', now() + interval ''1 day'', %1$L)',
   'UPDATE post_schedules SET status = %1$L WHERE id = %2$s', 'post_schedules'),
  ('post_media.status', 'INSERT INTO post_media (id, social_post_id, media_type, media_url, file_name, status)
     VALUES (%2$s, 930000, ''image'', ''https://example.org/i.png'', ''i.png'', %1$L)',
   'UPDATE post_media SET status = %1$L WHERE id = %2$s', 'post_media'),
  ('ai_generation_tasks.status', 'INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt, result, status, completed_at)
     VALUES (%2$s, ''race'', ''caption'', ''p'', ''r'', %1$L, CASE WHEN %1$L IN (''completed'', ''failed'', ''cancelled'') THEN now() END)',
   'UPDATE ai_generation_tasks SET status = %1$L,
      completed_at = CASE WHEN %1$L IN (''completed'', ''failed'', ''cancelled'') THEN now() END WHERE id = %2$s', 'ai_generation_tasks'),
  ('ai_content_suggestions.status', 'INSERT INTO ai_content_suggestions (id, user_id, suggestion_type, platform, content, status)
     VALUES (%2$s, ''race'', ''caption'', ''bluesky'', ''c'', %1$L)',
   'UPDATE ai_content_suggestions SET status = %1$L WHERE id = %2$s', 'ai_content_suggestions'),
  ('social_accounts.status', 'INSERT INTO social_accounts (id, user_id, platform, account_id, account_name, status)
     VALUES (%2$s, ''race'', ''bluesky'', ''b'', ''B'', %1$L)',
   'UPDATE social_accounts SET status = %1$L WHERE id = %2$s', 'social_accounts'),
  ('nexus.jobs.state', 'INSERT INTO nexus.jobs (id, kind, state, lease_token, lease_until) OVERRIDING SYSTEM VALUE
     SELECT %2$s, ''verify'', %1$L, t, CASE WHEN t = 1 THEN now() END FROM (SELECT CASE WHEN %1$L = ''leased'' THEN 1 END) AS l(t)',
   'UPDATE nexus.jobs SET state = %1$L, lease_token = CASE WHEN %1$L = ''leased'' THEN 1 END,
      lease_until = CASE WHEN %1$L = ''leased'' THEN now() END WHERE id = %2$s', 'nexus.jobs');
-- Runs one race over three other connections; the answer is that of the second session.
CREATE PROCEDURE race.run(tbl text, from_state text, first_state text, second_state text, INOUT outcome text, INOUT waited boolean)
LANGUAGE plpgsql AS $$
DECLARE
  m race.machine;
  second_pid integer;
BEGIN
  SELECT * INTO m FROM race.machine x WHERE x.tbl = run.tbl;
  PERFORM dblink_exec('author', 'SET nexus.import_mode = on'),
    dblink_exec('author', format('DELETE FROM %s WHERE id = 930001', m.clear)),
    dblink_exec('author', format(m.make, from_state, 930001)),
    dblink_exec('author', 'SET nexus.import_mode = off');
  PERFORM dblink_exec('first', 'BEGIN'), dblink_exec('first', format(m.change, first_state, 930001));
  SELECT pid INTO second_pid FROM dblink('second', 'SELECT pg_backend_pid()') AS p(pid integer);
  PERFORM dblink_send_query('second', format(m.change, second_state, 930001));
  waited := false;
  FOR i IN 1 .. 5000 LOOP
    waited := cardinality(pg_blocking_pids(second_pid)) > 0;
    EXIT WHEN waited OR dblink_is_busy('second') = 0;
    PERFORM pg_sleep(0.001);
  END LOOP;
  PERFORM dblink_exec('first', 'COMMIT');
  BEGIN
    SELECT status INTO outcome FROM dblink_get_result('second') AS r(status text);
  EXCEPTION WHEN OTHERS THEN
    outcome := SQLSTATE || ' ' || SQLERRM;
  END;
  PERFORM FROM dblink_get_result('second') AS r(status text);
END $$;
CREATE TABLE race.tried (tbl text, from_state text, first_state text, second_state text, outcome text, waited boolean);
SELECT dblink_connect(name, format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1),
  current_setting('port'), current_database(), current_user)) FROM unnest(ARRAY['author', 'first', 'second']) AS name \g /dev/null
DO $$
DECLARE
  r record;
  outcome text;
  waited boolean;
BEGIN
  FOR r IN SELECT a.tbl, a.from_state, a.to_state AS first_state, b.to_state AS second_state
    FROM nexus.transitions a JOIN nexus.transitions b USING (tbl, from_state) ORDER BY 1, 2, 3, 4
  LOOP
    CALL race.run(r.tbl, r.from_state, r.first_state, r.second_state, outcome, waited);
    INSERT INTO race.tried VALUES (r.tbl, r.from_state, r.first_state, r.second_state, outcome, waited);
  END LOOP;
END $$;
\set QUIET off

-- Whoever goes for the same state finds it there; from another one it takes a transition.
SELECT tbl, count(*) AS races, count(*) FILTER (WHERE waited) AS waited, count(*) FILTER (WHERE outcome = 'UPDATE 1') AS passed,
  count(*) FILTER (WHERE outcome LIKE 'NX002 illegal transition of ' || tbl || ' from ' || first_state || ' to ' || second_state || '%') AS refused
FROM race.tried GROUP BY ROLLUP (tbl) ORDER BY tbl COLLATE "C";
SELECT t.tbl, from_state, first_state, second_state, outcome FROM race.tried t
WHERE (outcome = 'UPDATE 1') <> (first_state = second_state OR EXISTS (
  SELECT FROM nexus.transitions x WHERE (x.tbl, x.from_state, x.to_state) = (t.tbl, t.first_state, t.second_state)))
ORDER BY 1, 2, 3, 4;

\set QUIET on
SELECT dblink_disconnect(name) FROM unnest(ARRAY['author', 'first', 'second']) AS name \g /dev/null
SET nexus.import_mode = on;
DELETE FROM nexus.publish_attempts WHERE platform_post_id = 930001;
DELETE FROM nexus.jobs WHERE id = 930001 OR ref_id = 930001;
DELETE FROM users WHERE id = 'race';
RESET nexus.import_mode;
DROP SCHEMA race CASCADE;
DROP EXTENSION dblink;
