-- The guards: what no row may hold, and what a row that goes out may not.
SET client_min_messages = warning;
\pset null -
\set VERBOSITY terse
BEGIN;
SELECT nexus.attach('public');
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('u1', 'u1@example.org', '$argon2id$v=19$m=19456,t=2,p=1$' || repeat('A', 22) || '$' || repeat('A', 43), 'A', 'B');
INSERT INTO content (id, user_id, title, platform, content_type) VALUES (1, 'u1', 'a draft', 'x', 'text');

-- try(SQL): what came of it, undone.
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  said text; detail text; hint text; of_table text; of_column text;
BEGIN
  BEGIN
    EXECUTE statement;
    RAISE EXCEPTION 'done' USING ERRCODE = 'ZZZZZ';
  EXCEPTION
    WHEN SQLSTATE 'ZZZZZ' THEN RETURN 'accepted';
    WHEN SQLSTATE 'NX001' THEN
      GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, of_table = TABLE_NAME, of_column = COLUMN_NAME;
      RETURN format('NX001 %s | %s | %s.%s | %s', said, (SELECT string_agg(concat_ws(' ', f ->> 'severity', f ->> 'code', f ->> 'field', f ->> 'rule_id'), ', ' ORDER BY n)
        FROM jsonb_array_elements(detail::jsonb) WITH ORDINALITY AS a(f, n)), of_table, of_column, hint);
    WHEN OTHERS THEN RETURN SQLSTATE;
  END;
END $$;
CREATE FUNCTION pg_temp.set(what text) RETURNS text LANGUAGE sql AS $$ SELECT pg_temp.try('UPDATE content SET ' || what || ' WHERE id = 1') $$;

-- Titles and texts.
SELECT what, pg_temp.set(what) FROM unnest(ARRAY[$q$title = ''$q$, $q$title = E' \u00a0\u200b\n'$q$, $q$title = repeat('é', 500)$q$, $q$title = repeat('👍🏽', 501)$q$,
  $q$title = repeat('b', 4000000)$q$, $q$script = repeat('s', 1048577)$q$, $q$description = 'it''s "quoted" \\ --'$q$]) AS what;
-- Tags.
SELECT what, pg_temp.set(what) FROM unnest(ARRAY[$q$tags = (SELECT array_agg(i::text) FROM generate_series(1, 60) i)$q$, $q$tags = (SELECT array_agg(i::text) FROM generate_series(1, 150000) i)$q$,
  $q$tags = '{a,NULL}'$q$, $q$tags = '{{a,b},{c,d}}'$q$, $q$tags = ARRAY[repeat('t', 101)]$q$, $q$tags = ARRAY['ok', ' ', E'a\nb']$q$, $q$tags = '{}'$q$, $q$tags = NULL$q$]) AS what;
-- Addresses.
SELECT left(url, 40) AS url, left(pg_temp.set(format('video_url = %L', url)), 80) FROM unnest(ARRAY['https://example.com/v.mp4', 'HTTP://EXAMPLE.com', 'https://user@example.com:8080/a?b#c', 'https://münchen.example/ä', NULL, '',
  'jAvAsCrIpT:alert(1)', ' https://example.com', E'java\nscript:alert(1)', 'data:text/html,x', 'vbscript:x', '//example.com/a', '/uploads/a.png', 'https://', 'https:///a', 'http://:80/', 'https://a b', 'https://a"b', 'ftp://a/b',
  'https://example.com/' || repeat('x', 2048)]) AS url;
SELECT pg_temp.set($q$thumbnail_url = 'file:///etc/passwd'$q$);
-- Metadata.
SELECT left(what, 60) AS what, left(pg_temp.set(what), 150) FROM unnest(ARRAY[$q$metadata = '{"a": [1, {"b": 2}]}'$q$, $q$metadata = '[]'$q$, $q$metadata = '7'$q$, $q$metadata = 'null'$q$,
  $q$metadata = (repeat('{"a":', 64) || '1' || repeat('}', 64))::jsonb$q$, $q$metadata = (repeat('{"a":', 65) || '1' || repeat('}', 65))::jsonb$q$,
  $q$metadata = (repeat('[', 3500) || repeat(']', 3500))::jsonb$q$, $q$metadata = jsonb_build_object('a', repeat('x', 70000))$q$,
  $q$metadata = (SELECT jsonb_object_agg(i::text, 1) FROM generate_series(1, 1001) i)$q$]) AS what;
-- Times.
SELECT what, pg_temp.set(what) FROM unnest(ARRAY[$q$scheduled_at = 'infinity'$q$, $q$published_at = '-infinity'$q$, $q$created_at = 'infinity'$q$, $q$scheduled_at = '2001-01-01'$q$,
  $q$status = 'scheduled', scheduled_at = '2001-01-01'$q$, $q$status = 'scheduled', scheduled_at = nexus.utcnow() - interval '90 seconds'$q$,
  $q$status = 'scheduled', scheduled_at = nexus.utcnow() - interval '30 seconds'$q$, $q$status = 'scheduled', scheduled_at = nexus.utcnow() + interval '1 hour'$q$]) AS what;
-- Constraints keep their own errors: the guard does not speak for them.
SELECT pg_temp.set($q$content_type = 'gif'$q$), pg_temp.set($q$platform = 'No Slug'$q$);

-- A draft may break its platform's rules, a row that goes out may not.
SELECT pg_temp.set($q$description = repeat('d', 281)$q$);
SELECT pg_temp.set($q$description = repeat('d', 281), status = 'scheduled', scheduled_at = nexus.utcnow() + interval '1 hour'$q$);
SELECT pg_temp.try($q$INSERT INTO content (user_id, title, description, platform, content_type, status, scheduled_at) VALUES ('u1', 't', repeat('d', 281), 'x', 'text', 'scheduled', '2100-01-01')$q$);
SELECT pg_temp.try($q$INSERT INTO content (user_id, title, description, platform, content_type, status, scheduled_at) VALUES ('u1', repeat('t', 101), 'a > b', 'youtube', 'reel', 'scheduled', '2100-01-01')$q$);
SELECT pg_temp.try($q$INSERT INTO content (user_id, title, description, platform, content_type, status, scheduled_at) VALUES ('u1', 't', repeat('d', 281), 'unheard_of', 'text', 'scheduled', '2100-01-01')$q$);
SELECT pg_temp.try($q$INSERT INTO content (user_id, title, platform, content_type, status, scheduled_at, metadata, video_url) VALUES ('u1', '', 'x', 'text', 'scheduled', '2001-01-01', '1', 'x')$q$);
-- While it is scheduled it stays so: its text is judged when it changes, and only then.
UPDATE content SET status = 'scheduled', scheduled_at = '2100-01-01', description = 'fine' WHERE id = 1;
SELECT pg_temp.set($q$description = repeat('d', 281)$q$), pg_temp.set($q$platform = 'youtube', title = repeat('t', 101)$q$);
SELECT pg_temp.set($q$scheduled_at = '2001-01-01'$q$), pg_temp.set($q$ai_generated = true$q$);
INSERT INTO nexus.rule_overrides (scope, scope_id, rule_id, max) VALUES ('all', '', 'x.caption.length', 2);
SELECT pg_temp.set($q$ai_generated = true$q$), pg_temp.set($q$status = 'published', published_at = nexus.utcnow()$q$), pg_temp.set($q$description = 'good'$q$);
DELETE FROM nexus.rule_overrides;
-- An override of the author.
INSERT INTO nexus.rule_overrides (scope, scope_id, rule_id, max) VALUES ('user', 'u1', 'x.caption.length', 25000);
SELECT pg_temp.set($q$description = repeat('d', 281)$q$);
DELETE FROM nexus.rule_overrides;
-- What nobody sees refuses no row, but is told with what does; recorded it says what validate_content says.
SELECT pg_temp.set($q$description = E'fine\u202E'$q$), pg_temp.set($q$description = E'\u202E\u200B' || repeat('d', 281)$q$);
SAVEPOINT unseen;
SELECT nexus.set_enforcement('content', 'record');
UPDATE content SET title = E'a\u200Bb', description = E'fine\u202E', script = E'\u2066' WHERE id = 1;
SELECT (finding).code, (finding).severity, (finding).field, (finding).start_char FROM nexus.findings WHERE table_name = 'content' AND row_id = 1 ORDER BY 1;
SELECT code, severity, field, start_char FROM nexus.validate_content(1) ORDER BY code;
ROLLBACK TO unseen;
-- Texts that are stored out of line, or compressed, are read whole when something else changes.
SAVEPOINT stored;
ALTER TABLE content ALTER COLUMN description SET STORAGE EXTERNAL, ALTER COLUMN script SET STORAGE EXTERNAL;
UPDATE content SET status = 'draft', description = repeat('d', 3000), script = repeat('s', 3000) || E'\u202E' WHERE id = 1;
SELECT pg_column_size(description), pg_temp.set($q$status = 'scheduled'$q$) FROM content WHERE id = 1;
ALTER TABLE content ALTER COLUMN description SET STORAGE MAIN, ALTER COLUMN script SET STORAGE MAIN;
UPDATE content SET description = repeat('d', 4000), script = repeat('s', 4000) || E'\u202E' WHERE id = 1;
SELECT pg_column_size(description) < 1000 AS compressed, pg_temp.set($q$status = 'scheduled'$q$) FROM content WHERE id = 1;
ROLLBACK TO stored;
-- Upsert and COPY take the same path.
SELECT pg_temp.try($q$INSERT INTO content (id, user_id, title, platform, content_type) VALUES (1, 'u1', 'new', 'x', 'text') ON CONFLICT (id) DO UPDATE SET title = ''$q$);
SAVEPOINT copying;
COPY content (user_id, title, platform, content_type, video_url) FROM stdin;
u1	fine	x	text	https://example.com
u1	not	x	text	javascript:1
\.
ROLLBACK TO copying;

-- Social posts: for the accounts they go to, with their media.
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (1, 'u1', 'x', 'a', 'a'), (2, 'u1', 'instagram', 'b', 'b');
INSERT INTO social_posts (id, user_id, title, caption, content_type) VALUES (1, 'u1', 'p', repeat('c', 281), 'post');
SELECT pg_temp.try($q$UPDATE social_posts SET status = 'scheduled', scheduled_at = '2100-01-01' WHERE id = 1$q$);
INSERT INTO platform_posts (id, social_post_id, platform, account_id) VALUES (1, 1, 'x', 1), (2, 1, 'instagram', 2);
SELECT pg_temp.try($q$UPDATE social_posts SET status = 'scheduled', scheduled_at = '2100-01-01' WHERE id = 1$q$);
INSERT INTO post_media (social_post_id, media_type, media_url, file_name, mime_type, file_size, dimensions)
  VALUES (1, 'image', 'https://example.com/a.jpg', 'a.jpg', 'image/jpeg', 9000000, '{"width": 1000, "height": 1000}');
SELECT platform, code, severity, field, actual, allowed FROM nexus.validate_post(1) ORDER BY platform, code;
UPDATE post_media SET file_size = 1000;
UPDATE platform_posts SET caption = 'short for X' WHERE id = 1;
SELECT count(*) FROM nexus.validate_post(1);
SELECT pg_temp.try($q$UPDATE social_posts SET status = 'scheduled', scheduled_at = '2100-01-01' WHERE id = 1$q$);
SELECT pg_temp.try($q$UPDATE social_posts SET hashtags = '{a,NULL}' WHERE id = 1$q$), pg_temp.try($q$UPDATE social_posts SET media_urls = '{https://example.com,javascript:1}' WHERE id = 1$q$),
  pg_temp.try($q$UPDATE social_posts SET title = ' ' WHERE id = 1$q$), pg_temp.try($q$UPDATE social_posts SET emojis = array_fill('x'::text, '{61}') WHERE id = 1$q$);
-- Platform posts: their own caption.
SELECT pg_temp.try($q$UPDATE platform_posts SET caption = repeat('c', 281) WHERE id = 1$q$);
SELECT pg_temp.try($q$UPDATE platform_posts SET caption = repeat('c', 281), status = 'scheduled', scheduled_at = '2001-01-01' WHERE id = 1$q$);
INSERT INTO nexus.rule_overrides (scope, scope_id, rule_id, max) VALUES ('account', '1', 'x.caption.length', 25000);
SELECT pg_temp.try($q$UPDATE platform_posts SET caption = repeat('c', 281), status = 'scheduled', scheduled_at = '2001-01-01' WHERE id = 1$q$);
DELETE FROM nexus.rule_overrides;
INSERT INTO nexus.rule_overrides (scope, scope_id, rule_id, max) VALUES ('user', 'u1', 'x.caption.length', 25000);
SELECT pg_temp.try($q$UPDATE platform_posts SET caption = repeat('c', 281), status = 'scheduled', scheduled_at = '2001-01-01' WHERE id = 1$q$);
DELETE FROM nexus.rule_overrides;
-- It is a part of the post: what it does not hold, the title of a video, is not missing.
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (3, 'u1', 'youtube', 'c', 'c');
INSERT INTO social_posts (id, user_id, title, content_type) VALUES (2, 'u1', 'a video', 'video');
INSERT INTO platform_posts (id, social_post_id, platform, account_id, caption) VALUES (3, 2, 'youtube', 3, 'its description');
INSERT INTO post_media (social_post_id, media_type, media_url, file_name, mime_type, file_size, duration) VALUES (2, 'video', 'https://example.com/a.mp4', 'a.mp4', 'video/mp4', 1000, 60);
SELECT pg_temp.try($q$UPDATE platform_posts SET status = 'scheduled', scheduled_at = '2100-01-01' WHERE id = 3$q$);

-- validate_content() says what the guard would.
UPDATE content SET status = 'draft', description = repeat('d', 300) WHERE id = 1;
SELECT platform, code, field, start_char, end_char FROM nexus.validate_content(1);
SELECT DISTINCT platform FROM nexus.validate_content(1, '{bluesky,mastodon}');
SELECT pg_temp.try('SELECT nexus.validate_content(404)'), pg_temp.try('SELECT nexus.validate_post(404)'), pg_temp.try('SELECT nexus.validate_content(NULL)');

-- Modes. record: everything passes and is kept, drafts too; a better version replaces it, deleting forgets it.
SELECT nexus.set_enforcement('content', 'record');
INSERT INTO content (id, user_id, title, description, platform, content_type, metadata) VALUES (2, 'u1', '', repeat('d', 281), 'x', 'text', '[]');
SELECT table_name, row_id, number, (finding).platform, (finding).code, (finding).severity, (finding).actual FROM nexus.findings ORDER BY 1, 2, 3;
UPDATE content SET title = 't', metadata = NULL WHERE id = 2;
SELECT row_id, number, (finding).code FROM nexus.findings ORDER BY 1, 2;
DELETE FROM content WHERE id = 2;
SELECT count(*) FROM nexus.findings;
-- warn: the same, with a warning.
SELECT nexus.set_enforcement('content', 'warn');
\set VERBOSITY default
INSERT INTO content (id, user_id, title, description, platform, content_type, status, scheduled_at) VALUES (3, 'u1', 't', repeat('d', 281), 'x', 'text', 'scheduled', '2100-01-01');
\set VERBOSITY terse
SELECT row_id, (finding).code FROM nexus.findings;
-- warn, and characters that nobody sees: alone they raise no warning and are recorded; with an error they stand in its DETAIL.
UPDATE content SET description = E'fine\u202E', title = E'a\u200Bb' WHERE id = 3;
SELECT number, (finding).code, (finding).severity, (finding).field, (finding).start_char, (finding).end_char FROM nexus.findings WHERE row_id = 3 ORDER BY 1;
\set VERBOSITY default
UPDATE content SET description = E'\u2066' || repeat('d', 280) WHERE id = 3;
\set VERBOSITY terse
SELECT number, (finding).code, (finding).severity FROM nexus.findings WHERE row_id = 3 ORDER BY 1;
-- A title of nothing else is an error, so is a tag with a line break: warned of, stored and recorded, in a draft too.
INSERT INTO content (id, user_id, title, platform, content_type, tags) VALUES (4, 'u1', E'\u200B \u2060', 'x', 'text', ARRAY[E'a\nb']);
SELECT id, title = E'\u200B \u2060' AS stored FROM content WHERE id = 4;
SELECT number, (finding).code, (finding).severity, (finding).field FROM nexus.findings WHERE row_id = 4 ORDER BY 1;
UPDATE content SET title = 'seen', tags = NULL WHERE id = 4;
SELECT count(*) FROM nexus.findings WHERE row_id = 4;
SELECT nexus.set_enforcement('social_posts', 'warn'), nexus.set_enforcement('platform_posts', 'warn');
INSERT INTO social_posts (id, user_id, title, caption, content_type) VALUES (4, 'u1', E'\u200B', E'c\u202A', 'post');
INSERT INTO platform_posts (id, social_post_id, platform, account_id, caption) VALUES (4, 4, 'x', 1, E'c\u2066\uFEFF');
SELECT table_name, number, (finding).code, (finding).severity, (finding).field FROM nexus.findings WHERE row_id = 4 ORDER BY 1, 2;
SELECT nexus.set_enforcement('social_posts', 'error'), nexus.set_enforcement('platform_posts', 'error');
-- Where only names and lines are looked at: a warning, and the row is stored.
SELECT nexus.set_enforcement('projects', 'warn');
INSERT INTO projects (id, user_id, name, type) VALUES (4, 'u1', E'\u200B', 'video');
SELECT count(*) FROM projects WHERE id = 4;
SELECT nexus.set_enforcement('projects', 'error');
-- Marks of background work judge nothing again; what findings can come from does.
CREATE TEMP TABLE recorded AS SELECT f.ctid AS place, number FROM nexus.findings f WHERE table_name = 'content' AND row_id = 3;
CREATE FUNCTION pg_temp.judged_again() RETURNS boolean LANGUAGE sql AS $$
  SELECT (SELECT array_agg(ctid ORDER BY number) FROM nexus.findings WHERE table_name = 'content' AND row_id = 3)
    IS DISTINCT FROM (SELECT array_agg(place ORDER BY number) FROM recorded) $$;
INSERT INTO nexus.rule_overrides (scope, scope_id, rule_id, max) VALUES ('all', '', 'x.caption.length', 2);
UPDATE content SET last_measured_at = '2026-01-01' WHERE id = 3;
SELECT pg_temp.judged_again() AS by_measuring;
UPDATE content SET ai_generated = true, published_at = '2026-01-01', updated_at = '2026-01-01' WHERE id = 3;
SELECT pg_temp.judged_again() AS by_other_columns;
DELETE FROM nexus.rule_overrides;
UPDATE content SET last_measured_at = 'infinity' WHERE id = 3;
SELECT pg_temp.judged_again() AS by_a_time_that_is_none, array_agg((finding).code ORDER BY number) FROM nexus.findings WHERE row_id = 3;
UPDATE content SET last_measured_at = NULL WHERE id = 3;
SELECT array_agg((finding).code ORDER BY number) FROM nexus.findings WHERE row_id = 3;
UPDATE recorded SET place = f.ctid FROM nexus.findings f WHERE table_name = 'content' AND row_id = 3 AND f.number = recorded.number;
UPDATE content SET script = 'new' WHERE id = 3;
SELECT pg_temp.judged_again() AS by_its_script;
-- off, and back.
SELECT nexus.set_enforcement('content', 'off');
SELECT pg_temp.set($q$title = ''$q$);
SELECT nexus.set_enforcement('content', 'error');
SELECT pg_temp.set($q$title = ''$q$);
SELECT pg_temp.try($q$SELECT nexus.set_enforcement('sessions', 'off')$q$), pg_temp.try($q$SELECT nexus.set_enforcement('content', 'maybe')$q$), pg_temp.try($q$SELECT nexus.set_enforcement('content', NULL)$q$);
SELECT nexus.validate_content_trigger();
ROLLBACK;
