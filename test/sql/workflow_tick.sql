-- tick(): its tasks, their turns, a task that fails, tasks that engines register.
BEGIN;
\set QUIET on
SET LOCAL client_min_messages = warning;
SELECT FROM nexus.attach('public');
DELETE FROM nexus.tick_runs;
INSERT INTO users (id, email, password, first_name, last_name)
VALUES ('ann', 'ann@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (900001, 'ann', 'bluesky', 'a', 'A');
INSERT INTO social_posts (id, user_id, title, caption, content_type) VALUES (900001, 'ann', 'a', 'text', 'post');
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, recurrence) VALUES (900001, 900001, 'bluesky', nexus.utcnow() + interval '1 hour', 'daily');
\set QUIET off
SELECT name, function_name, every, needs_attachment FROM nexus.tick_tasks ORDER BY position, name;
-- Each task whose function is there runs, and says what it did.
SELECT key, CASE WHEN key IN ('materialise', 'sweep') THEN value END AS value FROM jsonb_each(nexus.tick()) ORDER BY key;
SELECT status, scheduled_at - nexus.utcnow() AS at FROM platform_posts WHERE social_post_id = 900001;
-- Straight after only what is always due.
SELECT nexus.tick();
SELECT nexus.next_tick_at() - clock_timestamp() <= interval '1 s' AS soon;
-- A task of an engine, and one that fails: the others go on, and what it wrote is undone.
CREATE FUNCTION nexus.test_good() RETURNS text LANGUAGE sql AS $$ SELECT 'did it' $$;
CREATE FUNCTION nexus.test_bad() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DELETE FROM nexus.tick_tasks WHERE name = 'sweep'; RAISE EXCEPTION 'broken'; END $$;
INSERT INTO nexus.tick_tasks VALUES ('a bad one', 'test_bad', '1 s', true, 1), ('good', 'test_good', '1 hour', true, 2), ('missing', 'test_missing', '1 s', true, 3);
SELECT nexus.tick();
SELECT name, result, error FROM nexus.tick_runs WHERE name IN ('a bad one', 'good', 'missing') ORDER BY 1;
SELECT count(*) AS undone FROM nexus.tick_tasks WHERE name = 'sweep';
-- Without an attachment only the extension's own tasks run.
DELETE FROM nexus.attachment;
DELETE FROM nexus.tick_runs;
SELECT string_agg(key, ' ' ORDER BY key) FROM jsonb_each(nexus.tick());
ROLLBACK;
