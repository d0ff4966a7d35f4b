-- What any value must keep in the tables without rules of platforms: by type and name of the column, only where it changes.
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
VALUES ('ann', 'ann@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'Ann', '');
INSERT INTO projects (id, user_id, name, type) VALUES (900001, 'ann', 'p', 'video');
INSERT INTO templates (id, title, description, category, type, content) VALUES (900001, 't', 'd', 'video', 'x', 'c');
INSERT INTO notifications (id, user_id, type, title, message) VALUES (900001, 'ann', 'ok', 't', 'm');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (900001, 'ann', 'bluesky', 'a', 'A');
INSERT INTO social_posts (id, user_id, title, content_type) VALUES (900001, 'ann', 't', 'post');
INSERT INTO post_media (id, social_post_id, media_type, media_url, file_name) VALUES (900001, 900001, 'image', 'uploads/2026/i.png', 'i.png');
INSERT INTO post_schedules (id, social_post_id, account_id, platform, scheduled_at) VALUES (900001, 900001, 900001, 'bluesky', '2100-01-01');
INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt) VALUES (900001, 'ann', 'caption', 'p');
INSERT INTO ai_content_suggestions (id, user_id, suggestion_type, platform, content) VALUES (900001, 'ann', 'caption', 'x', 'c');
INSERT INTO hashtag_suggestions (id, platform, category, hashtag) VALUES (900001, 'x', 'c', 'structure');
INSERT INTO niches (id, name, category, difficulty, profitability) VALUES (900001, 'structure', 'c', 'easy', 'low');
\set QUIET off

SELECT table_name FROM nexus.attached_tables EXCEPT
SELECT table_name FROM nexus.attached_triggers WHERE trigger_name = 'zz_nexus_validate' ORDER BY 1;

CREATE TEMP TABLE tries (n serial, tbl text, change text);
INSERT INTO tries (tbl, change) VALUES
  ('projects', $$name = repeat('x', 5000000)$$),
  ('projects', $$name = ' '$$),
  ('projects', $$description = repeat('x', 1048577)$$),
  ('projects', $$description = repeat('x', 1048576)$$),
  ('projects', $$template = repeat('é', 501)$$),
  ('projects', $$template = repeat('é', 500)$$),
  ('projects', $$target_audience = NULL$$),
  ('projects', $$tags = array_fill('a'::text, ARRAY[200000])$$),
  ('projects', $$tags = '{a,NULL}'$$),
  ('projects', $$tags = '{{a},{b}}'$$),
  ('projects', $$tags = '{a,b}'$$),
  ('projects', $$metadata = '"x"'$$),
  ('projects', $$metadata = jsonb_build_object('k', repeat('x', 70000))$$),
  ('projects', $$metadata = (repeat('{"a":', 65) || '1' || repeat('}', 65))::jsonb$$),
  ('projects', $$metadata = '{"a": 1}'$$),
  ('projects', $$created_at = 'infinity'$$),
  ('templates', $$thumbnail_url = 'javascript:alert(1)'$$),
  ('templates', $$thumbnail_url = '//evil.example/a.png'$$),
  ('templates', $$thumbnail_url = '/thumbnails/a.png'$$),
  ('templates', $$thumbnail_url = ''$$),
  ('templates', $$title = ''$$),
  ('templates', $$variables = '["a"]'$$),
  ('notifications', $$message = repeat('x', 2000000)$$),
  ('notifications', $$expires_at = '-infinity'$$),
  ('notifications', $$metadata = '[]'$$),
  ('post_media', $$media_url = 'JavaScript:alert(1)'$$),
  ('post_media', $$media_url = '../../etc/passwd'$$),
  ('post_media', $$thumbnail_url = 'https://example.org/t.png'$$),
  ('post_media', $$dimensions = '"wide"'$$),
  ('post_media', $$remote_refs = '[1]'$$),
  ('post_media', $$file_name = repeat('x', 501)$$),
  ('social_accounts', $$metadata = '1'$$),
  ('social_accounts', $$instance_url = 'mastodon.example'$$),
  ('social_accounts', $$instance_url = 'https://mastodon.example'$$),
  ('social_accounts', $$token_expiry = 'infinity'$$),
  ('social_accounts', $$scopes = '{read,write}'$$),
  ('post_schedules', $$exdates = '{infinity}'$$),
  ('post_schedules', $$exdates = '{2026-01-01,NULL}'$$),
  ('post_schedules', $$exdates = array_fill('2026-01-01'::timestamp, ARRAY[1001])$$),
  ('post_schedules', $$exdates = array_fill('2026-01-01'::timestamp, ARRAY[1000])$$),
  ('ai_generation_tasks', $$metadata = '"x"'$$),
  ('ai_generation_tasks', $$parameters = 'null'$$),
  ('ai_generation_tasks', $$result_json = '["any", "JSON"]'$$),
  ('ai_generation_tasks', $$prompt = repeat('x', 2000000)$$),
  ('ai_content_suggestions', $$metadata = '"x"'$$),
  ('hashtag_suggestions', $$metadata = '"x"'$$),
  ('niches', $$keywords = '{""}'$$);
SELECT tbl, change, pg_temp.try(format('UPDATE %I SET %s WHERE id = 900001', tbl, change)) FROM tries ORDER BY n;
SELECT pg_temp.try($q$UPDATE users SET profile_image_url = 'data:text/html,x' WHERE id = 'ann'$q$),
  pg_temp.try($q$UPDATE users SET first_name = repeat('x', 600) WHERE id = 'ann'$q$),
  pg_temp.try($q$INSERT INTO projects (user_id, name, type, metadata) VALUES ('ann', '', 'video', '"x"')$q$);

-- The tables with rules keep the same in the columns that no platform looks at.
INSERT INTO content (id, user_id, title, platform, content_type) VALUES (900001, 'ann', 'a', 'bluesky', 'text');
INSERT INTO platform_posts (id, social_post_id, account_id, platform) VALUES (900001, 900001, 900001, 'bluesky');
SELECT pg_temp.try(s) FROM unnest(ARRAY[
  $$UPDATE content SET last_measured_at = 'infinity' WHERE id = 900001$$,
  $$UPDATE social_posts SET paused_at = 'infinity' WHERE id = 900001$$,
  $$UPDATE social_posts SET review_note = repeat('x', 2000000) WHERE id = 900001$$,
  $$UPDATE platform_posts SET next_attempt_at = '-infinity' WHERE id = 900001$$,
  $$UPDATE platform_posts SET error_code = repeat('x', 501) WHERE id = 900001$$,
  $$INSERT INTO content_metrics (content_id, platform, last_updated) VALUES (900001, 'bluesky', 'infinity')$$
]) WITH ORDINALITY AS t(s, n) ORDER BY n;

-- A row that was bad before is looked at only where it changes.
SET LOCAL session_replication_role = replica;
UPDATE projects SET metadata = '"old"' WHERE id = 900001;
SET LOCAL session_replication_role = origin;
SELECT pg_temp.try('UPDATE projects SET name = ''new'' WHERE id = 900001'),
  pg_temp.try('UPDATE projects SET metadata = ''"new"'' WHERE id = 900001');

-- A partition is enforced as the table that it is part of.
CREATE SCHEMA parted;
CREATE TABLE parted.projects (id integer, name text) PARTITION BY RANGE (id);
CREATE TABLE parted.projects_all PARTITION OF parted.projects FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
CREATE TABLE parted.projects_few PARTITION OF parted.projects_all FOR VALUES FROM (0) TO (10);
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON parted.projects FOR EACH ROW EXECUTE FUNCTION nexus.validate_row_trigger();
SELECT pg_temp.try('INSERT INTO parted.projects VALUES (1, '''')');
SELECT nexus.set_enforcement('projects', 'off');
SELECT pg_temp.try('INSERT INTO parted.projects VALUES (1, '''')');
SELECT nexus.set_enforcement('projects', 'error');

-- Modes: these tables have nothing to record.
SELECT pg_temp.try('SELECT nexus.set_enforcement(''projects'', ''record'')');
SELECT nexus.set_enforcement('projects', 'warn');
UPDATE projects SET metadata = '"warned"' WHERE id = 900001;
SELECT nexus.set_enforcement('projects', 'off');
UPDATE projects SET metadata = '"ignored"' WHERE id = 900001 RETURNING metadata;
SELECT nexus.validate_row_trigger();
ROLLBACK;
