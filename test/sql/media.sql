-- Media files: announced, uploaded, measured, shown by posts, shared by content, refused, and gone when nobody shows them.
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
  RETURN concat_ws(' | ', state, regexp_replace(regexp_replace(message, 'job \d+', 'job N'), '[0-9a-f]{8}-?[0-9a-f-]{24,27}', 'KEY'));
END $$;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT u, u || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L' FROM unnest(ARRAY['ann', 'bob']) u;
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (900001, 'ann', 'bluesky', '17', 'ann');
INSERT INTO social_posts (id, user_id, title, caption, content_type) VALUES (900001, 'ann', 'one', 'tea', 'post'), (900002, 'ann', 'two', 'tea', 'post'), (900003, 'bob', 'three', 'tea', 'post');
-- Who is signed in, for functions that ask.
CREATE FUNCTION pg_temp.be(who text) RETURNS void LANGUAGE sql AS $$
  DELETE FROM nexus.login_users WHERE login_role = session_user;
  INSERT INTO nexus.login_users SELECT session_user, who WHERE who IS NOT NULL $$;
CREATE FUNCTION pg_temp.up(name text, bytes bigint, mime text DEFAULT NULL) RETURNS uuid LANGUAGE sql AS $$
  SELECT (nexus.create_upload(name, bytes, mime) ->> 'file_key')::uuid $$;
CREATE FUNCTION pg_temp.files() RETURNS TABLE (name text, state text, got text, held boolean, sha text, objects bigint) LANGUAGE sql AS $$
  SELECT f.file_name, concat_ws(' ', f.state, f.refusal_code), f.received || '/' || f.size, f.unused_since IS NULL, left(encode(f.sha256, 'hex'), 6), dense_rank() OVER (ORDER BY first)
  FROM (SELECT f.*, min(f.id) OVER (PARTITION BY f.storage_key) AS first FROM nexus.media_files f) f ORDER BY f.id $$;
CREATE FUNCTION pg_temp.shown() RETURNS TABLE (post integer, n smallint, type text, name text, status text, mime text, bytes bigint, dims jsonb, seconds integer, thumb boolean, agrees boolean, said text) LANGUAGE sql AS $$
  SELECT m.social_post_id, m.position, m.media_type, m.file_name, m.status, m.mime_type, m.file_size, m.dimensions, m.duration, m.thumbnail_url IS NOT NULL,
    EXISTS (SELECT FROM nexus.media_files f WHERE m.media_url = '/media/' || f.file_key AND m.storage_key = f.storage_key AND m.sha256 IS NOT DISTINCT FROM f.sha256), m.error_message
  FROM post_media m WHERE m.social_post_id >= 900000 ORDER BY m.social_post_id, m.position $$;
\set claim 'SELECT id AS job, lease_token AS token FROM nexus.claim_jobs(''{media}'') \\gset'
\set QUIET off

-- What is asked for before a byte comes.
SELECT pg_temp.be(NULL);
SELECT pg_temp.try($$SELECT nexus.create_upload('a.jpg', 10)$$) AS nobody;
SELECT pg_temp.be('ann');
SELECT pg_temp.try($$SELECT nexus.create_upload('a.jpg', 0)$$) AS empty, pg_temp.try($$SELECT nexus.create_upload('a.jpg', NULL)$$) AS unknown,
  pg_temp.try($$SELECT nexus.create_upload('a.jpg', 1073741825)$$) AS too_large;
INSERT INTO nexus.media_limits VALUES ('ann', 1000, 2500, 3), ('', 10, 10, 1);
SELECT pg_temp.try($$SELECT nexus.create_upload('a.jpg', 1001)$$) AS too_large;
SELECT pg_temp.up(E'C:\\photos\\..\\a\u0007.jpg', 1000, ' Image/JPEG ') AS a \gset
SELECT pg_temp.up('', 500) AS b \gset
SELECT pg_temp.try($$SELECT nexus.create_upload('c', 1000)$$) <> '' AS fills, pg_temp.try($$SELECT nexus.create_upload('d', 1)$$) AS too_many;
DELETE FROM nexus.media_files WHERE file_name = 'c';
SELECT nexus.media_removed(array_agg(k)) AS removed FROM nexus.media_to_remove() k;
UPDATE nexus.media_limits SET max_total_bytes = 1500 WHERE user_id = 'ann';
SELECT pg_temp.try($$SELECT nexus.create_upload('c', 1)$$) AS too_much;
UPDATE nexus.media_limits SET max_total_bytes = 100000 WHERE user_id = 'ann';
SELECT nexus.media_file(:'a') - '{id,file_key,storage_key,media_url,created_at,expires,expires_at}'::text[] AS file,
  nexus.media_file(:'a') ->> 'media_url' = '/media/' || :'a' AS addressed, (nexus.media_file(:'a') ->> 'expires_at')::timestamptz - now() AS lives;
SELECT m ->> 'file_name' AS mine FROM nexus.my_media() m;
SELECT pg_temp.be('bob');
SELECT nexus.media_file(:'a') AS not_his, (SELECT count(*) FROM nexus.my_media()) AS his, pg_temp.try(format('SELECT nexus.delete_media(%L)', :'a')) AS deletes, pg_temp.try(format('SELECT nexus.attach_media(900003, %L)', :'a')) AS attaches;
SET LOCAL ROLE nexus_app;
SELECT count(*) AS sees FROM nexus.media_files;
SELECT nexus.current_user_id();
RESET ROLE;
SELECT pg_temp.be('ann');
SET LOCAL ROLE nexus_app;
SELECT count(*) AS sees FROM nexus.media_files;
SAVEPOINT s;
UPDATE nexus.media_files SET state = 'ready';
ROLLBACK TO s;
SELECT nexus.note_upload(:'a', 5);
ROLLBACK TO s;

-- Shown before it is there: pending, whatever the client says of it, and unprobed for the rules.
RESET ROLE;
SELECT nexus.attach_media(900001, :'a', alt_text => 'a cup') IS NOT NULL AS attached;
INSERT INTO post_media (social_post_id, media_type, media_url, file_name, status, mime_type, file_size, dimensions, duration, position)
  VALUES (900001, 'image', '/media/' || :'b', 'b', 'ready', 'image/png', 1, '{"width": 1, "height": 1}', 1, 1);
SELECT pg_temp.try(format($$INSERT INTO post_media (social_post_id, media_type, media_url, file_name) VALUES (900003, 'image', '/media/%s', 'b')$$, :'a')) AS of_another,
  pg_temp.try($$INSERT INTO post_media (social_post_id, media_type, media_url, file_name) VALUES (900001, 'image', '/media/00000000-0000-4000-8000-000000000000', 'b')$$) AS of_nobody,
  pg_temp.try(format($$INSERT INTO post_media (social_post_id, media_type, media_url, file_name, storage_key) VALUES (900003, 'image', 'https://cdn.example.org/a', 'b', %L)$$, nexus.media_file(:'a') ->> 'storage_key')) AS object_of_another;
SELECT * FROM pg_temp.shown();
SELECT code, field FROM nexus.validate_post(900001) WHERE code LIKE 'media%' AND platform = 'bluesky';
SELECT nexus.note_upload(:'a', 400) ->> 'state' AS state, nexus.note_upload(:'a', 1000) ->> 'state' AS state;
SELECT nexus.note_upload(:'a', 1000) ->> 'state' AS once;
SELECT * FROM pg_temp.files();
SELECT status FROM pg_temp.shown();

-- Measured.
SELECT kind, ref_id IS NOT NULL AS has_file, lane, state FROM nexus.jobs WHERE lane = 'media';
:claim
SELECT nexus.begin_media(:job, :token) - '{file_id,storage_key}'::text[] AS given;
SELECT pg_temp.try(format('SELECT nexus.begin_media(%s, 0)', :job)) AS stranger,
  pg_temp.try(format('SELECT nexus.finish_media(%s, %s, ''{"media_type": "image", "mime_type": "image/jpeg", "file_size": 999, "sha256": "%s"}'')', :job, :token, repeat('ab', 32))) AS other_size,
  pg_temp.try(format('SELECT nexus.finish_media(%s, %s, ''{"media_type": "image", "mime_type": "image/jpeg", "file_size": 1000, "sha256": "ab"}'')', :job, :token)) AS no_hash,
  pg_temp.try(format('SELECT nexus.finish_media(%s, %s, ''{"media_type": "image", "mime_type": "image/jpeg", "file_size": 1000, "width": 0, "height": 5, "sha256": "%s"}'')', :job, :token, repeat('ab', 32))) AS no_width;
SELECT nexus.finish_media(:job, :token, jsonb_build_object('media_type', 'image', 'mime_type', 'image/jpeg', 'file_size', 1000, 'sha256', repeat('ab', 32), 'width', 640, 'height', 480,
  'duration', NULL, 'thumbnail_key', (nexus.media_file(:'a') ->> 'storage_key') || '-thumb', 'thumbnail_width', 64, 'thumbnail_height', 48)) - 'storage_key' AS finished;
SELECT pg_temp.try(format('SELECT nexus.finish_media(%s, %s, ''{}'')', :job, :token)) AS too_late;
SELECT * FROM pg_temp.shown();
SELECT nexus.attach_media(900002, :'a') IS NOT NULL AS attached_when_ready;
SELECT * FROM pg_temp.shown() WHERE post = 900002;
-- The facts stay what was measured.
UPDATE post_media SET mime_type = 'image/gif', file_size = 1, dimensions = '{"width": 1, "height": 1}', duration = 9, media_type = 'gif', sha256 = NULL, alt_text = 'a cup'
  WHERE social_post_id = 900002 RETURNING alt_text;
SELECT * FROM pg_temp.shown() WHERE post = 900002;

-- A scheduled post waits for its media, and one that turns out not to fit says why.
INSERT INTO platform_posts (id, social_post_id, platform, account_id, status, scheduled_at) VALUES (900001, 900001, 'bluesky', 900001, 'scheduled', nexus.utcnow() + interval '1 hour');
UPDATE social_posts SET status = 'scheduled', scheduled_at = nexus.utcnow() + interval '1 hour' WHERE id = 900001;
SELECT state, parked FROM nexus.jobs WHERE unique_key = 'platform_post:900001';
SELECT nexus.note_upload(:'b', 500) ->> 'state' AS state;
:claim
SELECT nexus.finish_media(:job, :token, jsonb_build_object('media_type', 'video', 'mime_type', 'video/mp4', 'file_size', 500, 'sha256', repeat('cd', 32), 'width', 640, 'height', 480,
  'duration', 4000.2, 'codec', 'h264', 'audio_codec', 'aac', 'frame_rate', 30)) - 'storage_key' AS finished;
SELECT * FROM pg_temp.shown() WHERE post = 900001;
SELECT type, title, message FROM notifications WHERE user_id = 'ann' AND type = 'media_refused';
SELECT parked FROM nexus.jobs WHERE unique_key = 'platform_post:900001';
DELETE FROM post_media WHERE social_post_id = 900001 AND status = 'failed';
SELECT parked FROM nexus.jobs WHERE unique_key = 'platform_post:900001';

-- The same content again: one object.
SELECT pg_temp.up('again.jpg', 1000, 'image/jpeg') AS c \gset
SELECT nexus.attach_media(900002, :'c') IS NOT NULL AS attached, nexus.note_upload(:'c', 1000) ->> 'state' AS state, nexus.media_file(:'c') ->> 'storage_key' AS c_key \gset
:claim
SELECT nexus.finish_media(:job, :token, jsonb_build_object('media_type', 'image', 'mime_type', 'image/jpeg', 'file_size', 1000, 'sha256', repeat('ab', 32), 'width', 640, 'height', 480,
  'thumbnail_key', :'c_key' || '-thumb')) ->> 'duplicate_of' = nexus.media_file(:'a') ->> 'id' AS duplicate;
SELECT * FROM pg_temp.files();
SELECT * FROM pg_temp.shown() WHERE post = 900002;
SELECT array_agg(replace(k, :'c_key', 'C') ORDER BY k) AS to_remove FROM nexus.media_to_remove() k;
SELECT nexus.media_removed(array_agg(k)) AS removed FROM nexus.media_to_remove() k;
SELECT count(*) AS known FROM nexus.media_is_known(ARRAY[nexus.media_file(:'a') ->> 'storage_key', (nexus.media_file(:'a') ->> 'storage_key') || '-thumb', :'c_key', 'x']);

-- Refused: by code and reason; its owner hears, its bytes go, and nothing shows it any more.
SELECT pg_temp.up('lie.png', 700, 'image/png') AS d \gset
SELECT nexus.attach_media(900002, :'d') IS NOT NULL AS attached, nexus.note_upload(:'d', 700) ->> 'state' AS state;
:claim
SELECT pg_temp.try(format('SELECT nexus.refuse_media(%s, %s, ''No Code'', ''x'')', :job, :token)) AS no_code;
SELECT nexus.refuse_media(:job, :token, 'type_mismatch', 'it is a program and no picture');
SELECT status, said FROM pg_temp.shown() WHERE name = 'lie.png';
SELECT title, message, metadata FROM notifications WHERE user_id = 'ann' AND entity_type = 'media_files';
SELECT pg_temp.try(format('SELECT nexus.attach_media(900002, %L)', :'d')) AS shows_it;
SELECT count(*) AS to_remove FROM nexus.media_to_remove();
SELECT nexus.media_removed(array_agg(k)) AS removed FROM nexus.media_to_remove() k;

-- Deleting: not what a post shows.
SELECT pg_temp.try(format('SELECT nexus.delete_media(%L)', :'a')) AS shown, pg_temp.try(format('SELECT nexus.delete_media(%L)', :'b')) AS not_shown,
  pg_temp.try(format('SELECT nexus.delete_media(%L)', :'b')) AS gone;
SELECT count(*) AS to_remove FROM nexus.media_to_remove();
SELECT nexus.media_removed(array_agg(k)) AS removed FROM nexus.media_to_remove() k;

-- The collector: nothing that is shown, nothing young, and all of the rest.
SELECT pg_temp.up('idle.png', 10) AS e \gset
UPDATE nexus.media_files SET unused_since = unused_since - interval '2 days', expires_at = CASE file_name WHEN 'idle.png' THEN now() - interval '1 s' ELSE expires_at END;
SELECT nexus.sweep_media();
SELECT * FROM pg_temp.files();
SELECT count(*) AS to_remove FROM nexus.media_to_remove();
SELECT nexus.media_removed(array_agg(k)) AS removed FROM nexus.media_to_remove() k;
DELETE FROM post_media WHERE social_post_id = 900001;
SELECT nexus.sweep_media() ->> 'unused' AS young;
UPDATE nexus.media_files SET unused_since = unused_since - interval '2 days';
SELECT nexus.sweep_media() ->> 'unused' AS shown_by_another;
DELETE FROM social_posts WHERE id = 900002;
UPDATE nexus.media_files SET unused_since = unused_since - interval '2 days';
SELECT nexus.sweep_media() ->> 'unused' AS shown_by_none;
SELECT count(*) AS files FROM nexus.media_files;
SELECT count(*) AS to_remove FROM nexus.media_to_remove();
SELECT ref_id, unique_key, priority FROM nexus.jobs WHERE unique_key = 'media:remove';
SELECT nexus.media_removed(array_agg(k)) AS removed FROM nexus.media_to_remove() k;

-- A worker that never ends it, a job that is lost, and a user that goes.
SELECT pg_temp.up('hard.mp4', 20) AS f \gset
SELECT nexus.note_upload(:'f', 20) ->> 'state' AS state;
UPDATE nexus.jobs SET state = 'cancelled', finished_at = now() WHERE unique_key LIKE 'media:%' AND state = 'ready';
UPDATE nexus.media_files SET updated_at = updated_at - interval '2 minutes';
SELECT nexus.sweep_media();
:claim
SELECT nexus.fail_job(:job, :token, 'media', 'the prober crashed');
SELECT nexus.sweep_media();
SELECT name, state FROM pg_temp.files();
SELECT message FROM notifications WHERE user_id = 'ann' AND message LIKE 'it could%';
SELECT pg_temp.up('last.mp4', 20) IS NOT NULL AS open;
DELETE FROM users WHERE id = 'ann';
SELECT (SELECT count(*) FROM nexus.media_files) AS files, (SELECT count(*) FROM nexus.media_limits WHERE user_id <> '') AS limits, count(*) AS to_remove FROM nexus.media_to_remove();
ROLLBACK;
