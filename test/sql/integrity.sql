-- The invariants that the triggers of 60-workflow.sql keep. Each statement is tried on its own; what came of it is shown.
BEGIN;
\set QUIET on
SET LOCAL client_min_messages = warning;
SELECT FROM nexus.attach('public');
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; at text;
BEGIN
  EXECUTE statement;
  RETURN 'done';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, at = COLUMN_NAME;
  RETURN concat_ws(' | ', state, message, NULLIF(at, ''));
END $$;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT u, u || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L'
FROM unnest(ARRAY['ann', 'bob']) u;
INSERT INTO projects (id, user_id, name, type) VALUES (900001, 'ann', 'a', 'video'), (900002, 'bob', 'b', 'video');
INSERT INTO content (id, user_id, project_id, title, platform, content_type)
VALUES (900001, 'ann', 900001, 'a', 'bluesky', 'text'), (900002, 'bob', 900002, 'b', 'bluesky', 'text');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name)
VALUES (900001, 'ann', 'bluesky', 'a', 'A'), (900002, 'bob', 'bluesky', 'b', 'B'), (900003, 'ann', 'mastodon', 'a', 'A'),
  (900004, 'ann', 'x', 'a', 'A');
INSERT INTO social_posts (id, user_id, title, caption, content_type) VALUES (900001, 'ann', 'a', 'text', 'post'), (900002, 'bob', 'b', 'text', 'post');
INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt) VALUES (900001, 'ann', 'caption', 'p'), (900002, 'bob', 'caption', 'p');
\set QUIET off

-- Owner agreement: the other user's row and one that is not there give the same words.
SELECT pg_temp.try(s) FROM unnest(ARRAY[
  'UPDATE content SET project_id = 900002 WHERE id = 900001',
  'UPDATE content SET project_id = 999999 WHERE id = 900001',
  'UPDATE content SET project_id = NULL WHERE id = 900001',
  'INSERT INTO social_posts (user_id, project_id, title, content_type) VALUES (''ann'', 900002, ''t'', ''post'')',
  'INSERT INTO social_posts (user_id, content_id, title, content_type) VALUES (''ann'', 900002, ''t'', ''post'')',
  'INSERT INTO social_posts (user_id, project_id, content_id, title, content_type) VALUES (''ann'', 900001, 900001, ''t'', ''post'')',
  'INSERT INTO ai_generation_tasks (user_id, task_type, prompt, project_id) VALUES (''ann'', ''caption'', ''p'', 900002)',
  'INSERT INTO ai_content_suggestions (user_id, suggestion_type, platform, content, task_id) VALUES (''ann'', ''caption'', ''x'', ''c'', 900002)',
  'INSERT INTO ai_content_suggestions (user_id, suggestion_type, platform, content, task_id) VALUES (''ann'', ''caption'', ''x'', ''c'', 900001)',
  'INSERT INTO platform_posts (social_post_id, account_id, platform) VALUES (900001, 900002, ''bluesky'')',
  'INSERT INTO platform_posts (social_post_id, account_id, platform) VALUES (900001, 999999, ''bluesky'')',
  'INSERT INTO platform_posts (social_post_id, account_id, platform) VALUES (900001, 900003, ''bluesky'')',
  'INSERT INTO platform_posts (social_post_id, account_id, platform) VALUES (900001, 900004, ''twitter'')',
  'INSERT INTO post_schedules (social_post_id, account_id, platform, scheduled_at) VALUES (900001, 900002, ''bluesky'', now() + interval ''1 day'')',
  'INSERT INTO post_schedules (id, social_post_id, account_id, platform, scheduled_at) VALUES (900001, 900001, 900001, ''bluesky'', now() + interval ''1 day'')',
  'INSERT INTO platform_posts (social_post_id, account_id, platform, schedule_id) VALUES (900002, 900002, ''bluesky'', 900001)',
  'INSERT INTO platform_posts (id, social_post_id, account_id, platform, schedule_id) VALUES (900001, 900001, 900001, ''bluesky'', 900001)',
  'INSERT INTO platform_posts (id, social_post_id, account_id, platform, thread_parent_id) VALUES (900002, 900002, 900002, ''bluesky'', 900001)',
  'INSERT INTO content_metrics (content_id, platform, platform_post_row_id) VALUES (900002, ''bluesky'', 900001)',
  'INSERT INTO content_metrics (content_id, platform, platform_post_row_id) VALUES (900001, ''bluesky'', 900001)',
  'UPDATE projects SET user_id = ''bob'' WHERE id = 900001',
  'UPDATE social_accounts SET user_id = ''bob'' WHERE id = 900001',
  'INSERT INTO projects (user_id, name, type) VALUES (NULL, ''p'', ''video'')',
  'UPDATE content SET user_id = NULL WHERE id = 900001',
  'INSERT INTO projects (user_id, name, type) VALUES (''nobody'', ''p'', ''video'')',
  'WITH p AS (INSERT INTO projects (user_id, name, type) VALUES (''ann'', ''same command'', ''video'') RETURNING id)
     INSERT INTO content (user_id, project_id, title, platform, content_type) SELECT ''ann'', id, ''t'', ''x'', ''text'' FROM p'
]) WITH ORDINALITY AS t(s, n) ORDER BY n;

-- updated_at moves with a change and only then, and is nobody's to set.
UPDATE content SET updated_at = '2001-01-01' WHERE id = 900001 RETURNING updated_at > '2020-01-01' AS kept;
SELECT updated_at AS before FROM content WHERE id = 900001 \gset
UPDATE content SET title = title, updated_at = now() + interval '1 year' WHERE id = 900001 RETURNING updated_at = :'before' AS unchanged;
UPDATE content SET title = 'other', updated_at = '2001-01-01' WHERE id = 900001 RETURNING updated_at > :'before' AS moved;
SELECT updated_at AS before FROM content WHERE id = 900001 \gset
UPDATE content SET description = repeat('long ', 100000) WHERE id = 900001 RETURNING updated_at > :'before' AS moved;
SELECT updated_at AS before FROM content WHERE id = 900001 \gset
UPDATE content SET description = repeat('long ', 100000) WHERE id = 900001 RETURNING updated_at = :'before' AS unchanged;
UPDATE content SET tags = '{}' WHERE id = 900001 RETURNING updated_at > :'before' AS moved;
-- Marks that background work leaves are no edit.
SELECT updated_at AS before FROM content WHERE id = 900001 \gset
UPDATE content SET last_measured_at = '2026-01-01' WHERE id = 900001 RETURNING last_measured_at, updated_at = :'before' AS unchanged;
UPDATE content SET last_measured_at = '2026-01-02', tags = '{b}' WHERE id = 900001 RETURNING updated_at > :'before' AS moved;
SELECT updated_at AS before FROM social_accounts WHERE id = 900001 \gset
UPDATE social_accounts SET last_measured_at = '2026-01-01', last_refreshed_at = '2026-01-01', last_published_at = '2026-01-01'
  WHERE id = 900001 RETURNING updated_at = :'before' AS unchanged;
UPDATE social_accounts SET last_refreshed_at = '2026-01-02', token_version = token_version + 1 WHERE id = 900001
  RETURNING updated_at > :'before' AS moved;
INSERT INTO niches (name, category, difficulty, profitability, updated_at) VALUES ('n', 'c', 'easy', 'low', '2001-01-01')
  RETURNING updated_at = nexus.utcnow() AS set_by_us;
SET LOCAL nexus.import_mode = on;
INSERT INTO niches (name, category, difficulty, profitability, updated_at) VALUES ('m', 'c', 'easy', 'low', '2001-01-01') RETURNING updated_at;
SET LOCAL nexus.import_mode = off;

-- Reading a notification.
INSERT INTO notifications (id, user_id, type, title, message, is_read, read_at) VALUES
  (900001, 'ann', 'ok', 't', 'm', NULL, NULL), (900002, 'ann', 'ok', 't', 'm', true, NULL), (900003, 'ann', 'ok', 't', 'm', false, '2026-01-01')
  RETURNING id, is_read, read_at IS NOT NULL AS has_time;
UPDATE notifications SET is_read = true WHERE id = 900001 RETURNING is_read, read_at = nexus.utcnow() AS now;
UPDATE notifications SET is_read = false WHERE id = 900001 RETURNING is_read, read_at;
UPDATE notifications SET read_at = '2026-01-01' WHERE id = 900001 RETURNING is_read, read_at;
UPDATE notifications SET read_at = NULL WHERE id = 900001 RETURNING is_read, read_at;

-- Secrets: what is not sealed is refused, and no message shows it.
SELECT pg_temp.try(s) FROM unnest(ARRAY[
  'UPDATE social_accounts SET refresh_token = ''ya29.secret'' WHERE id = 900001',
  'UPDATE social_accounts SET access_token = ''cn1.k1.short'' WHERE id = 900001',
  'INSERT INTO social_accounts (user_id, platform, account_id, account_name, access_token) VALUES (''ann'', ''x'', ''z'', ''n'', ''secret'')',
  'UPDATE social_accounts SET refresh_token = ''cn1.k1.'' || repeat(''A'', 54) WHERE id = 900001',
  'UPDATE social_accounts SET platform = ''x'' WHERE id = 900001',
  'UPDATE social_accounts SET account_id = ''other'' WHERE id = 900001',
  'UPDATE users SET password = ''correct horse'' WHERE id = ''ann''',
  'UPDATE users SET password = ''$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'' WHERE id = ''ann''',
  'UPDATE users SET password = ''$argon2id$v=19$m=47104,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'' WHERE id = ''ann''',
  'UPDATE users SET password = ''$2b$09$'' || repeat(''a'', 53) WHERE id = ''ann''',
  'UPDATE users SET password = ''$2b$12$'' || repeat(''a'', 53) WHERE id = ''ann'''
]) WITH ORDINALITY AS t(s, n) ORDER BY n;
UPDATE social_accounts SET refresh_token = '' WHERE id = 900001 RETURNING refresh_token IS NOT NULL AS kept;
UPDATE social_accounts SET refresh_token = NULL, access_token = 'cn1.k1.' || repeat('B', 60) WHERE id = 900001 RETURNING refresh_token IS NOT NULL AS kept;
UPDATE social_accounts SET is_active = false, refresh_token = NULL, access_token = NULL WHERE id = 900001 RETURNING refresh_token;

-- Schedules: zone and recurrence.
SELECT pg_temp.try(s) FROM unnest(ARRAY[
  'UPDATE post_schedules SET timezone = ''Mars/Base'' WHERE id = 900001',
  'UPDATE post_schedules SET timezone = ''America/New_York'' WHERE id = 900001',
  'UPDATE post_schedules SET scheduled_at = ''infinity'' WHERE id = 900001',
  'UPDATE post_schedules SET series_end_date = ''infinity'' WHERE id = 900001',
  'UPDATE post_schedules SET recurrence = ''FREQ=DAILY'' WHERE id = 900001',
  'UPDATE post_schedules SET recurrence = ''weekdays'' WHERE id = 900001',
  'UPDATE post_schedules SET recurrence = ''custom'' WHERE id = 900001',
  'UPDATE post_schedules SET rrule = ''FREQ=DAILY'' WHERE id = 900001',
  'UPDATE post_schedules SET recurrence = ''custom'', rrule = ''FREQ=DAILYISH'' WHERE id = 900001',
  'UPDATE post_schedules SET recurrence = ''custom'', rrule = ''FREQ=MONTHLY;BYMONTHDAY=32'' WHERE id = 900001',
  'UPDATE post_schedules SET recurrence = ''custom'', rrule = ''FREQ=MONTHLY;BYMONTHDAY=-1'' WHERE id = 900001'
]) WITH ORDINALITY AS t(s, n) ORDER BY n;

-- An edit makes the next revision and sends an approved post back.
UPDATE social_posts SET review_state = 'pending' WHERE id = 900001 RETURNING revision, review_state, reviewed_at;
UPDATE social_posts SET review_state = 'approved', reviewed_by = 'bob' WHERE id = 900001 RETURNING revision, review_state, reviewed_at = nexus.utcnow() AS reviewed;
UPDATE social_posts SET metadata = '{"note": 1}', revision = revision WHERE id = 900001 RETURNING revision, review_state;
UPDATE social_posts SET caption = 'edited' WHERE id = 900001 RETURNING revision, review_state, reviewed_by, reviewed_at;
UPDATE social_posts SET revision = 999 WHERE id = 900001 RETURNING revision;
INSERT INTO post_media (id, social_post_id, media_type, media_url, file_name) VALUES (900001, 900001, 'image', 'https://example.org/i.png', 'i.png');
SELECT revision FROM social_posts WHERE id = 900001;
UPDATE post_media SET status = 'failed', remote_refs = '{"1": {}}' WHERE id = 900001;
SELECT revision FROM social_posts WHERE id = 900001;
UPDATE post_media SET alt_text = 'a picture' WHERE id = 900001;
SELECT revision FROM social_posts WHERE id = 900001;

-- Frozen once sending has begun.
SET LOCAL nexus.import_mode = on;
INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at, published_at, platform_post_id)
VALUES (900003, 900001, 900001, 'bluesky', 'published', now(), now(), 'r1');
SET LOCAL nexus.import_mode = off;
SELECT pg_temp.try(s) FROM unnest(ARRAY[
  'UPDATE platform_posts SET caption = ''x'' WHERE id = 900003',
  'UPDATE platform_posts SET hashtags = ''{x}'' WHERE id = 900003',
  'UPDATE platform_posts SET account_id = 900003, platform = ''mastodon'' WHERE id = 900003',
  'UPDATE platform_posts SET caption = NULL, platform_url = ''https://example.org/p'' WHERE id = 900003',
  'UPDATE platform_posts SET idempotency_key = gen_random_uuid() WHERE id = 900001',
  'UPDATE platform_posts SET caption = ''x'' WHERE id = 900001',
  'UPDATE social_posts SET caption = ''x'' WHERE id = 900001',
  'UPDATE social_posts SET caption = caption, title = ''x'' WHERE id = 900001',
  'UPDATE post_media SET alt_text = ''x'' WHERE id = 900001',
  'UPDATE post_media SET remote_refs = ''{}'' WHERE id = 900001',
  'DELETE FROM post_media WHERE id = 900001',
  'INSERT INTO post_media (social_post_id, media_type, media_url, file_name) VALUES (900001, ''image'', ''https://example.org/j.png'', ''j'')'
]) WITH ORDINALITY AS t(s, n) ORDER BY n;

-- The post's status follows its platform posts.
INSERT INTO social_posts (id, user_id, title, content_type) VALUES (900010, 'ann', 'r', 'post');
INSERT INTO platform_posts (id, social_post_id, account_id, platform) VALUES (900010, 900010, 900001, 'bluesky'), (900011, 900010, 900003, 'mastodon');
SELECT status FROM social_posts WHERE id = 900010;
UPDATE platform_posts SET status = 'scheduled', scheduled_at = '2027-01-01' WHERE id IN (900010, 900011);
SELECT status, scheduled_at FROM social_posts WHERE id = 900010;
SET LOCAL session_replication_role = replica;    -- as if a publisher had been at work
UPDATE platform_posts SET status = 'publishing' WHERE id IN (900010, 900011);
SET LOCAL session_replication_role = origin;
UPDATE platform_posts SET status = 'failed' WHERE id = 900010;
SELECT status FROM social_posts WHERE id = 900010;
UPDATE platform_posts SET status = 'published', published_at = '2027-01-01 10:00', platform_post_id = 'r2' WHERE id = 900011;
SELECT status, metadata FROM social_posts WHERE id = 900010;
SET LOCAL nexus.import_mode = on;
INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at)
VALUES (900013, 900010, 900004, 'x', 'unconfirmed', now());
SET LOCAL nexus.import_mode = off;
SELECT status, metadata FROM social_posts WHERE id = 900010;
UPDATE platform_posts SET status = 'published', published_at = '2027-01-01 09:00', platform_post_id = 'r3' WHERE id = 900013;
SELECT status, metadata FROM social_posts WHERE id = 900010;
UPDATE platform_posts SET status = 'cancelled' WHERE id = 900010;
SELECT status, published_at, metadata FROM social_posts WHERE id = 900010;

-- A project stays while a post of it is being published; a user takes everything along, attempts included.
SET LOCAL nexus.import_mode = on;
INSERT INTO social_posts (id, user_id, project_id, title, content_type) VALUES (900011, 'ann', 900001, 'p', 'post');
INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at) VALUES (900012, 900011, 900001, 'bluesky', 'publishing', now());
SET LOCAL nexus.import_mode = off;
INSERT INTO nexus.publish_attempts (platform_post_id, attempt, lease_token, idempotency_key) VALUES (900012, 1, 1, gen_random_uuid()), (999999, 1, 1, gen_random_uuid());
SELECT pg_temp.try('DELETE FROM projects WHERE id = 900001');
DELETE FROM users WHERE id = 'ann';
SELECT count(*) FROM platform_posts WHERE id BETWEEN 900001 AND 900012;
SELECT platform_post_id FROM nexus.publish_attempts;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;
