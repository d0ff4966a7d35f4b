-- Scheduling: from a time or rule to platform posts, once each; change, cancel, one occurrence, many at once.
BEGIN;
\set QUIET on
SET LOCAL client_min_messages = warning;
SELECT FROM nexus.attach('public');
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; answer text;
BEGIN
  EXECUTE statement INTO answer;
  RETURN COALESCE(answer, 'done');
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
  RETURN concat_ws(' | ', state, regexp_replace(regexp_replace(message, '(platform post|schedule) \d+', '\1 N'), ' at \w{3} .*20\d\d [A-Z]+', ' at ...'));
END $$;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT u, u || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L' FROM unnest(ARRAY['ann', 'bob', 'eve']) u;
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name)
VALUES (900001, 'ann', 'bluesky', 'a', 'A'), (900002, 'ann', 'mastodon', 'a', 'M'), (900003, 'ann', 'mastodon', 'b', 'N'), (900004, 'bob', 'bluesky', 'b', 'B');
INSERT INTO social_posts (id, user_id, title, caption, content_type) SELECT 900000 + i, 'ann', 'post ' || i, 'text ' || i, 'post' FROM generate_series(1, 20) i;
INSERT INTO social_posts (id, user_id, title, caption, content_type) VALUES (900030, 'bob', 'b', 'text', 'post'), (900031, 'eve', 'e', 'text', 'post'), (900032, 'ann', 'long', repeat('word ', 200), 'post');
CREATE FUNCTION pg_temp.posts(post integer) RETURNS TABLE (account integer, status text, at interval, occurrence interval, "position" smallint, caption text, job text) LANGUAGE sql AS $$
  SELECT p.account_id, p.status, date_trunc('minute', p.scheduled_at - date_trunc('day', nexus.utcnow())), date_trunc('minute', p.occurrence_at - date_trunc('day', nexus.utcnow())), p.thread_position, p.caption,
    (SELECT j.state FROM nexus.jobs j WHERE j.ref_id = p.id ORDER BY j.id DESC LIMIT 1)
  FROM platform_posts p WHERE p.social_post_id = post ORDER BY p.scheduled_at, p.account_id, p.thread_position, p.status
$$;
-- Days from today, at an hour: nothing here depends on the time of day.
CREATE FUNCTION pg_temp.day(n integer, hour integer DEFAULT 12) RETURNS timestamptz LANGUAGE sql AS $$ SELECT (date_trunc('day', nexus.utcnow()) + make_interval(days => n, hours => hour)) AT TIME ZONE 'UTC' $$;
\set QUIET off

-- What is refused.
SELECT pg_temp.try(s) FROM unnest(ARRAY[
  'SELECT nexus.schedule_post(999999, now())',
  'SELECT nexus.schedule_post(900001, NULL)',
  'SELECT nexus.schedule_post(900001, ''infinity'')',
  'SELECT nexus.schedule_post(900001, pg_temp.day(-3))',
  'SELECT nexus.schedule_post(900001, pg_temp.day(3), ''Mars/Base'')',
  'SELECT nexus.schedule_post(900001, pg_temp.day(3), rrule => ''FREQ=HOURLY;BYMONTHDAY=40'')',
  'SELECT nexus.schedule_post(900001, pg_temp.day(3), account_ids => ''{900004}'')',
  'SELECT nexus.schedule_post(900001, pg_temp.day(3), account_ids => ''{900001,999999}'')',
  'SELECT nexus.schedule_post(900001, pg_temp.day(3), account_ids => ''{}'')',
  'SELECT nexus.schedule_post(900031, pg_temp.day(3))',
  'SELECT nexus.schedule_post(900032, pg_temp.day(3), account_ids => ''{900001}'')',
  'SELECT nexus.schedule_post(900001, pg_temp.day(3), rrule => ''daily'', series_end => pg_temp.day(2))',
  'SELECT nexus.reschedule_post(999999, now())', 'SELECT nexus.cancel_post(999999)', 'SELECT nexus.retry_post(900001)',
  'SELECT nexus.edit_occurrence(999999, now())', 'SELECT nexus.schedule_posts(''{}'')'
]) WITH ORDINALITY AS t(s, n) ORDER BY n;
SELECT count(*) AS left_behind FROM post_schedules;

-- Once, far ahead: scheduled at once, one platform post for each active account of the owner.
SELECT nexus.schedule_post(900001, pg_temp.day(90)) AS id \gset
SELECT platform, account_id, status, next_run_at, metadata -> 'group' = to_jsonb(:id) AS same_group FROM post_schedules WHERE social_post_id = 900001 ORDER BY id;
SELECT * FROM pg_temp.posts(900001);
SELECT status, scheduled_at - date_trunc('day', nexus.utcnow()) AS at FROM social_posts WHERE id = 900001;
SELECT inserted FROM nexus.materialise_schedules(until => pg_temp.day(120));
SELECT nexus.reschedule_post(:id, pg_temp.day(91));
SELECT * FROM pg_temp.posts(900001);
SELECT status, scheduled_at - date_trunc('day', nexus.utcnow()) AS at FROM social_posts WHERE id = 900001;
SELECT nexus.cancel_post(900001);
SELECT status, job, count(*) FROM pg_temp.posts(900001) GROUP BY 1, 2;
SELECT status, cancelled_at IS NOT NULL AS cancelled FROM social_posts WHERE id = 900001;
SELECT status, count(*) FROM post_schedules WHERE social_post_id = 900001 GROUP BY 1;
SELECT nexus.schedule_post(900001, pg_temp.day(92), account_ids => '{900001}') > :id AS again;
SELECT status, cancelled_at FROM social_posts WHERE id = 900001;

-- Drafts for accounts say where a post goes and what it says there; a thread stays a thread.
INSERT INTO platform_posts (id, social_post_id, account_id, platform, caption, thread_position) VALUES (900001, 900002, 900002, 'mastodon', 'for mastodon', 0), (900002, 900002, 900002, 'mastodon', 'second part', 1);
UPDATE platform_posts SET thread_parent_id = 900001 WHERE id = 900002;
SELECT nexus.schedule_post(900002, pg_temp.day(5)) AS id \gset
SELECT * FROM pg_temp.posts(900002);
SELECT ref_id, parked FROM nexus.jobs WHERE ref_id IN (900001, 900002) AND state = 'ready' ORDER BY 1;

-- A series: the posts of the next day, more as time goes on, each once.
INSERT INTO platform_posts (social_post_id, account_id, platform, caption, thread_position) VALUES (900003, 900001, 'bluesky', 'daily', 0), (900003, 900001, 'bluesky', 'daily, part two', 1);
SELECT nexus.schedule_post(900003, pg_temp.day(1), 'Asia/Kolkata', 'FREQ=DAILY') AS id \gset
SELECT * FROM pg_temp.posts(900003) WHERE status <> 'draft';
SELECT inserted FROM nexus.materialise_schedules(until => pg_temp.day(4, 0));
SELECT inserted FROM nexus.materialise_schedules(until => pg_temp.day(4, 0));
SELECT * FROM pg_temp.posts(900003) WHERE status <> 'draft';
SELECT count(*) AS linked FROM platform_posts c JOIN platform_posts p ON p.id = c.thread_parent_id WHERE c.social_post_id = 900003
  AND p.occurrence_at = c.occurrence_at AND p.thread_position = c.thread_position - 1;
-- one occurrence, and no other
SELECT nexus.edit_occurrence(:id, pg_temp.day(2), at => pg_temp.day(2, 15), caption => 'special');
SELECT nexus.edit_occurrence(:id, pg_temp.day(3), skip => true);
SELECT pg_temp.try(format('SELECT nexus.edit_occurrence(%s, %L)', :id, pg_temp.day(2, 13))), pg_temp.try(format('SELECT nexus.edit_occurrence(%s, %L)', :id, pg_temp.day(3)));
SELECT * FROM pg_temp.posts(900003) WHERE status <> 'draft' AND "position" = 0;
SELECT inserted FROM nexus.materialise_schedules(until => pg_temp.day(4, 0));
-- another rule: what was not sent is cancelled, and made anew
SELECT nexus.reschedule_post(:id, rrule => 'FREQ=WEEKLY');
SELECT FROM nexus.materialise_schedules(until => pg_temp.day(17, 0));
SELECT status, count(*) FROM pg_temp.posts(900003) WHERE "position" = 0 GROUP BY 1 ORDER BY 1;
SELECT at FROM pg_temp.posts(900003) WHERE "position" = 0 AND status = 'scheduled';
-- paused: nothing is made, and nothing goes out
UPDATE post_schedules SET status = 'paused' WHERE id = :id;
SELECT DISTINCT parked FROM nexus.jobs j JOIN platform_posts p ON p.id = j.ref_id WHERE p.schedule_id = :id AND j.state = 'ready' AND p.thread_position = 0;
SELECT inserted FROM nexus.materialise_schedules(until => pg_temp.day(30, 0));
UPDATE post_schedules SET status = 'pending' WHERE id = :id;
SELECT inserted FROM nexus.materialise_schedules(until => pg_temp.day(30, 0));
-- the end of a series
SELECT nexus.schedule_post(900004, pg_temp.day(1), rrule => 'daily', account_ids => '{900001}', max_occurrences => 3) AS id \gset
SELECT inserted FROM nexus.materialise_schedules(until => pg_temp.day(60));
SELECT status, next_run_at FROM post_schedules WHERE id = :id;

-- The same text to the same account on one day.
UPDATE social_posts SET caption = 'twin', title = 'twin' WHERE id IN (900005, 900006, 900007);
SELECT nexus.schedule_post(900005, pg_temp.day(40), account_ids => '{900001}') > 0 AS ok;
SELECT pg_temp.try('SELECT nexus.schedule_post(900006, pg_temp.day(40, 20), account_ids => ''{900001}'')');
SELECT nexus.schedule_post(900006, pg_temp.day(40), account_ids => '{900002}') > 0 AS other_account, nexus.schedule_post(900007, pg_temp.day(42), account_ids => '{900001}') > 0 AS other_day;
UPDATE social_posts SET metadata = '{"allow_duplicate": true}' WHERE id = 900006;
SELECT nexus.schedule_post(900006, pg_temp.day(40, 20), account_ids => '{900001}') > 0 AS allowed;

-- Now.
SELECT nexus.schedule_post(900008, pg_temp.day(50), account_ids => '{900001}') AS id \gset
SELECT nexus.publish_now(900008) = :id AS moved;
SELECT run_at <= clock_timestamp() AS due FROM nexus.jobs j JOIN platform_posts p ON p.id = j.ref_id WHERE p.social_post_id = 900008 AND j.state = 'ready';
SELECT nexus.publish_now(900009, '{900002}') > 0 AS made, (SELECT count(*) FROM pg_temp.posts(900009)) AS before;
SELECT count(*) FROM platform_posts WHERE social_post_id = 900009 AND scheduled_at <= clock_timestamp() AT TIME ZONE 'UTC';

-- Missed, because nothing ran for two days: by policy; the grace of six hours has passed for all but the last.
SET LOCAL nexus.import_mode = on;
INSERT INTO post_schedules (id, social_post_id, account_id, platform, scheduled_at, recurrence, missed_policy, next_run_at)
SELECT 900100 + n, 900009 + n, 900001, 'bluesky', nexus.utcnow() - at, 'none', policy, nexus.utcnow() - at FROM (VALUES
  (1, interval '2 days', 'publish_late'), (2, '1 hour', 'publish_late'), (3, '1 hour', 'skip'), (4, '2 days', 'ask')) v(n, at, policy);
SET LOCAL nexus.import_mode = off;
SELECT inserted, missed FROM nexus.materialise_schedules();
SELECT s.id, s.missed_policy, s.status, p.status AS post FROM post_schedules s LEFT JOIN platform_posts p ON p.schedule_id = s.id WHERE s.id > 900100 ORDER BY 1;
SELECT type, entity_id, message FROM notifications WHERE type = 'schedule_missed' ORDER BY entity_id;
SELECT inserted, missed FROM nexus.materialise_schedules();
-- materialised in time, but nobody published
UPDATE platform_posts SET scheduled_at = nexus.utcnow() - interval '7 hours' WHERE schedule_id = 900102;
SELECT nexus.expire_missed(), nexus.expire_missed() AS again;
SELECT status, error_message FROM platform_posts WHERE schedule_id = 900102;

-- Many at once.
SELECT row_number, social_post_id IS NOT NULL AS post, schedule_id IS NOT NULL AS schedule, error ->> 'code' AS code, regexp_replace(error ->> 'message', 'post \d+', 'post N') AS message FROM nexus.schedule_posts(jsonb_build_array(
  jsonb_build_object('social_post_id', 900016, 'at', pg_temp.day(70)),
  jsonb_build_object('user_id', 'ann', 'caption', 'made by bulk', 'hashtags', '["a", "b"]'::jsonb, 'at', pg_temp.day(70), 'tz', 'Europe/Berlin', 'rrule', 'weekly', 'account_ids', '[900001]'::jsonb),
  jsonb_build_object('user_id', 'ann', 'caption', repeat('too long ', 100), 'at', pg_temp.day(70), 'account_ids', '[900001]'::jsonb),
  jsonb_build_object('social_post_id', 'x'), jsonb_build_object('social_post_id', 900017), 7,
  jsonb_build_object('social_post_id', 900018, 'at', 'tomorrow-ish')));
SELECT row_number, social_post_id IS NOT NULL AS post, schedule_id IS NOT NULL AS schedule, error ->> 'code' AS code, error ->> 'message' AS message FROM nexus.schedule_posts_csv(
  format(E'at,user_id,caption,hashtags,account_ids\n%1$s,ann,"made by bulk\nin CSV","#c d, #e",900001\n%1$s,ann,one field more,,900001,\nsoon,ann,x,,900001\n%1$s,ann,made by bulk again,,"900001,900002"\n', pg_temp.day(71)));
SELECT pg_temp.try(s) FROM unnest(ARRAY['SELECT nexus.schedule_posts_csv(''caption'')', 'SELECT nexus.schedule_posts_csv(''at,mood'')', 'SELECT nexus.schedule_posts_csv(E''at\n"'')']) s;
SELECT left(caption, 20) AS caption, hashtags, status FROM social_posts WHERE caption LIKE 'made by bulk%' OR caption LIKE 'too long%';

-- Row security: another user's posts are not there.
INSERT INTO nexus.login_users VALUES ('nexus_test_bob', 'bob');
CREATE ROLE nexus_test_bob LOGIN IN ROLE nexus_app;
SET SESSION AUTHORIZATION nexus_test_bob;
SELECT pg_temp.try(s) FROM unnest(ARRAY['SELECT nexus.schedule_post(900010, now() + interval ''1 day'')', 'SELECT nexus.cancel_post(900002)', 'SELECT nexus.retry_post(900002)', 'SELECT nexus.approve_post(900002)',
  'SELECT nexus.pause_account(900001)', 'SELECT nexus.claim_jobs()', 'SELECT nexus.tick()', 'SELECT nexus.begin_publish(900001, 1, 1)']) s;
SELECT nexus.schedule_post(900030, now() + interval '3 days') > 0 AS own;
RESET SESSION AUTHORIZATION;
SELECT account, status, job FROM pg_temp.posts(900030);
SELECT nexus.sweep_publishing();
SELECT count(*) AS due_without_job FROM nexus.due_without_job();
ROLLBACK;
