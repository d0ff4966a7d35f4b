-- Notifications: one for each change, preferences, unread count.
\set QUIET on
SET client_min_messages = warning;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT u, u || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L' FROM unnest(ARRAY['ann', 'b"ob']) u;
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (900001, 'ann', 'bluesky', 'a', 'A');
INSERT INTO social_posts (id, user_id, title, caption, content_type) SELECT 900000 + i, 'ann', 'post ' || i, 'text', 'post' FROM generate_series(1, 3) i;
INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt) VALUES (900001, 'ann', 'caption', 'a prompt'), (900002, 'ann', 'script', 'another');
CREATE TEMP TABLE first AS SELECT COALESCE(max(id), 0) AS id FROM notifications;
CREATE FUNCTION pg_temp.told() RETURNS TABLE (type text, user_id text, priority smallint, entity_type text, dedupe text) LANGUAGE sql AS $$
  SELECT type, user_id, priority, entity_type, dedupe_key FROM notifications WHERE id > (SELECT id FROM first) ORDER BY id $$;
\set QUIET off

-- Platform posts, AI tasks and accounts tell their owner; the same change twice tells once.
SET nexus.import_mode = on;
INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at, published_at, platform_post_id, attempt_count)
SELECT 900000 + i, 900000 + i, 900001, 'bluesky', 'publishing', '2026-01-01', '2026-01-01', 'r' || i, 1 FROM generate_series(1, 3) i;
SET nexus.import_mode = off;
UPDATE platform_posts SET status = CASE id WHEN 900001 THEN 'published' WHEN 900002 THEN 'failed' ELSE 'unconfirmed' END, error_message = CASE WHEN id > 900001 THEN 'why' END WHERE id > 900000;
UPDATE platform_posts SET status = 'scheduled' WHERE id = 900002;
SET nexus.import_mode = on;
DELETE FROM platform_posts WHERE id = 900002;
INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at, attempt_count) VALUES (900002, 900002, 900001, 'bluesky', 'publishing', '2026-01-01', 1);
SET nexus.import_mode = off;
UPDATE platform_posts SET status = 'failed' WHERE id = 900002;
UPDATE ai_generation_tasks SET status = 'processing' WHERE id > 900000;
UPDATE ai_generation_tasks SET status = CASE id WHEN 900001 THEN 'completed' ELSE 'failed' END, result = 'r', completed_at = now() WHERE id > 900000;
UPDATE social_accounts SET status = 'expired', status_reason = 'the tokens were revoked' WHERE id = 900001;
SELECT * FROM pg_temp.told();
SELECT title, message, metadata FROM notifications WHERE id > (SELECT id FROM first) ORDER BY id;

-- Tokens: a warning where one cannot be renewed, a job where it can.
UPDATE social_accounts SET status = 'active', token_version = 2, token_expiry = nexus.utcnow() + interval '5 minutes' WHERE id = 900001;
SELECT nexus.watch_tokens(), nexus.watch_tokens() AS again;
SELECT dedupe FROM pg_temp.told() WHERE type = 'token_expiring';
UPDATE social_accounts SET refresh_token = 'cn1.k1.' || repeat('A', 60) WHERE id = 900001;
SELECT nexus.watch_tokens(), nexus.watch_tokens() AS again;
SELECT kind, lane, ref_id, account_id FROM nexus.jobs WHERE kind = 'token_refresh' AND ref_id = 900001;

-- Unread, by its index alone; read.
SELECT nexus.unread_count('ann') AS unread;
\set QUIET on
CREATE ROLE nexus_test_ann LOGIN IN ROLE nexus_app;
INSERT INTO nexus.login_users VALUES ('nexus_test_ann', 'ann');
GRANT USAGE ON SCHEMA public TO nexus_test_ann;
SET SESSION AUTHORIZATION nexus_test_ann;
\set QUIET off
SELECT nexus.unread_count() AS mine, nexus.unread_count('b"ob') AS not_mine, nexus.mark_notifications_read() AS marked, nexus.mark_notifications_read() AS again;
SELECT nexus.unread_count();
-- What a user does not want is not stored, whoever makes it.
SELECT nexus.set_notification_preference('chatter', false);
SELECT nexus.notification_preference('chatter') AS chatter, nexus.notification_preference('post_failed') AS failed;
SELECT nexus.notify_user('ann', 'chatter', 't', 'm') AS none, nexus.notify_user('ann', 'other', 't', 'm') IS NOT NULL AS one;
SELECT nexus.set_notification_preference('chatter', true);
SELECT nexus.notify_user('ann', 'chatter', 't', 'm') IS NOT NULL AS one;
\set ON_ERROR_STOP off
SELECT nexus.notify_user('b"ob', 'other', 't', 'm');
RESET SESSION AUTHORIZATION;
SELECT nexus.set_notification_preference('chatter', true);

\set QUIET on
DELETE FROM users WHERE id IN ('ann', 'b"ob');
DELETE FROM nexus.jobs WHERE kind = 'token_refresh' AND ref_id = 900001;
DELETE FROM nexus.jobs WHERE kind IN ('publish', 'ai_task') AND ref_id BETWEEN 900001 AND 900003;
DELETE FROM nexus.notification_preferences;
DELETE FROM nexus.login_users WHERE login_role = 'nexus_test_ann';
REVOKE USAGE ON SCHEMA public FROM nexus_test_ann;
DROP ROLE nexus_test_ann;
