-- remaining, truncate_text, split_thread, rule_impact and the guard of post_media.
\set VERBOSITY terse
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
  EXECUTE statement;
  RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
  RETURN SQLSTATE || ': ' || SQLERRM || coalesce(' HINT: ' || nullif(hint, ''), '');
END $$;

-- the limit that is nearest counts, in its own unit
SELECT platform, nexus.remaining('日本語 https://example.com/a/long/path/to/it', platform)
FROM unnest(ARRAY['x', 'twitter', 'threads', 'bluesky', 'mastodon', 'telegram', 'youtube']) AS platform;
SELECT nexus.remaining('👍🏽', 'threads'), nexus.remaining(repeat('é', 251), 'threads'), nexus.remaining('', 'youtube', 'title'),
       nexus.remaining('x', 'x', 'title'), nexus.remaining('x', 'mastodon', 'alt_text');
SELECT pg_temp.try($$SELECT nexus.remaining('x', 'myspace')$$), pg_temp.try($$SELECT nexus.remaining('x', 'x', 'script')$$);
-- an override for all, and one of the user whom the token names
BEGIN;
SELECT nexus.attach('public');
INSERT INTO nexus.rule_overrides (scope, scope_id, rule_id, max) VALUES ('all', '', 'threads.caption.length', 100), ('user', 'u1', 'mastodon.caption.length', 1000);
SELECT nexus.remaining('abc', 'threads'), nexus.remaining('abc', 'mastodon');
SET LOCAL SESSION AUTHORIZATION nexus_bridge;
SET LOCAL ROLE nexus_app;
SELECT set_config('request.jwt.claims', '{"sub": "u1"}', true);
SELECT nexus.remaining('abc', 'threads'), nexus.remaining('abc', 'mastodon');
SELECT set_config('request.jwt.claims', '{"sub": "u2"}', true);
SELECT nexus.remaining('abc', 'mastodon');
ROLLBACK;

-- cut between words, clusters, never in a link
SELECT nexus.truncate_text('short', 'x'), nexus.truncate_text('short', 'x', 'title');
SELECT right(cut, 20), nexus.remaining(cut, 'x') FROM (SELECT nexus.truncate_text(repeat('words ', 60), 'x')) AS t(cut);
SELECT right(cut, 3), nexus.remaining(cut, 'x') FROM (SELECT nexus.truncate_text(repeat('👩‍👩‍👧', 200), 'x')) AS t(cut);
SELECT right(cut, 12), nexus.remaining(cut, 'bluesky')
FROM (SELECT nexus.truncate_text(repeat('a', 280) || ' https://example.com/' || repeat('b', 60) || ' end', 'bluesky')) AS t(cut);
SELECT right(cut, 16), nexus.remaining(cut, 'x')
FROM (SELECT nexus.truncate_text(repeat('a', 253) || ' https://example.com/' || repeat('b', 60) || ' and the end', 'x')) AS t(cut);

-- threads: every part fits, none begins or ends within a link, and together they are the text
WITH texts(body) AS (VALUES
  (repeat('A sentence with #tags and @people, see https://example.com/a/very/long/path?with=query. ', 20)),
  (repeat('한국어 문장은 띄어쓰기가 있습니다. ', 60)), (repeat('x', 2000)), (repeat('e' || U&'\0301', 900)), (repeat('👨‍👩‍👧‍👦🇩🇪', 300)),
  (E'first\n\nsecond ' || repeat('word ', 200)), ('short'), ('')),
parts AS (
  SELECT body, platform, part, ordinality
  FROM texts, unnest(ARRAY['x', 'bluesky', 'threads', 'mastodon']) AS platform,
       nexus.split_thread(body, platform) WITH ORDINALITY AS s(part, ordinality))
SELECT platform, left(body, 12) AS body, count(*), bool_and(nexus.remaining(part, platform) >= 0) AS fit,
       string_agg(part, '' ORDER BY ordinality) = body AS whole,
       (SELECT count(*) FROM nexus.entities(body)) = sum((SELECT count(*) FROM nexus.entities(part))) AS entities_kept
FROM parts GROUP BY platform, body ORDER BY platform, body COLLATE "C";
SELECT right(part, 20), nexus.remaining(part, 'x') >= 0 AS fits FROM nexus.split_thread(repeat('numbered words ', 190), 'x', true) part;
SELECT nexus.split_thread('one part has no number', 'x', true);
SELECT count(*) FROM nexus.split_thread(repeat(' ', 1000) || 'x', 'x');
SELECT pg_temp.try($$SELECT nexus.split_thread('https://example.com/' || repeat('a', 600), 'threads')$$),
       pg_temp.try($$SELECT nexus.split_thread(repeat('a', 1048577), 'x')$$);

-- the same of 40 made-up texts on every platform, with and without numbers, and of what truncation leaves
WITH pieces AS (SELECT ARRAY['word ', 'another ', '日本語', ' 한국 ', 'क्षत्रिय ', '👍🏽', '👨‍👩‍👧 ', '🇩🇪', U&'e\0301', E'\r\n', E'\n\n', '(', ') ', ' #CaféLife ',
    ' #日本語 ', ' @ann ', ' @ann@example.social ', ' $AAPL ', ' https://example.com/a_(b)?q=1 ', ' example.com/path '] AS p),
texts AS (SELECT n, (SELECT string_agg(p[1 + ('x' || left(md5(n || '/' || k), 6))::bit(24)::integer % cardinality(p)], '' ORDER BY k)
                     FROM generate_series(1, 10 << (n % 9)) k, pieces) AS body FROM generate_series(1, 40) n),
cuts AS (SELECT slug, n, body, nexus.truncate_text(body, slug) AS cut,
           ARRAY(SELECT nexus.split_thread(body, slug)) AS parts, ARRAY(SELECT nexus.split_thread(body, slug, true)) AS numbered
         FROM texts, nexus.platforms)
SELECT slug, count(*) FILTER (WHERE cut <> body) AS truncated, count(*) FILTER (WHERE cardinality(parts) > 1) AS split,
  bool_and(COALESCE(nexus.remaining(cut, slug), 0) >= 0) AS cut_fits,
  bool_and(NOT EXISTS (SELECT FROM unnest(parts || numbered) part WHERE nexus.remaining(part, slug) < 0)) AS parts_fit,
  bool_and(regexp_replace(array_to_string(parts, ''), '\s', '', 'g') = regexp_replace(body, '\s', '', 'g')) AS whole,
  bool_and((SELECT count(*) FROM nexus.entities(body)) = (SELECT count(*) FROM unnest(parts) part, nexus.entities(part))) AS entities_kept
FROM cuts GROUP BY slug ORDER BY slug;

-- a rule change tried out
BEGIN;
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('fit', 'fit@example.org',
  '$argon2id$v=19$m=19456,t=2,p=1$' || repeat('A', 22) || '$' || repeat('A', 43), 'A', 'B');
INSERT INTO content (id, user_id, title, description, platform, content_type) VALUES
  (920001, 'fit', 'of 250', repeat('a', 250), 'x', 'text'), (920002, 'fit', 'of 100', repeat('a', 100), 'twitter', 'text'),
  (920003, 'fit', 'of 300', repeat('a', 300), 'x', 'text'), (920004, 'fit', 'elsewhere', repeat('a', 250), 'bluesky', 'text');
SELECT * FROM nexus.rule_impact('x.caption.length', '200') WHERE content_id BETWEEN 920001 AND 920004;
SELECT * FROM nexus.rule_impact('x.caption.length', '{"max": 400}') WHERE content_id BETWEEN 920001 AND 920004;
SELECT * FROM nexus.rule_impact('x.caption.length', '{"severity": "warning"}') WHERE content_id BETWEEN 920001 AND 920004;
SELECT max, severity FROM nexus.platform_rules WHERE rule_id = 'x.caption.length';
SELECT count(*) FROM nexus.validate_content(920001);
SELECT pg_temp.try($$SELECT nexus.rule_impact('no.such.rule', '1')$$), pg_temp.try($$SELECT nexus.rule_impact('x.caption.length', '{"most": 1}')$$),
       pg_temp.try($$SELECT nexus.rule_impact('x.caption.length', '"1"')$$), pg_temp.try($$SELECT nexus.rule_impact('x.caption.length', '{"severity": "fatal"}')$$);

-- media that come to a scheduled post
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (920001, 'fit', 'x', 'fit', 'fit');
INSERT INTO social_posts (id, user_id, title, caption, content_type, status) VALUES (920001, 'fit', 'post', 'with media', 'post', 'draft');
INSERT INTO platform_posts (id, social_post_id, account_id, platform) VALUES (920001, 920001, 920001, 'x');
INSERT INTO post_media (social_post_id, media_type, media_url, file_name, mime_type)
  SELECT 920001, 'image', 'https://example.com/' || n, n || '.png', 'image/png' FROM generate_series(1, 4) n;
UPDATE social_posts SET status = 'scheduled', scheduled_at = nexus.utcnow() + interval '1 day' WHERE id = 920001;
SAVEPOINT before;
INSERT INTO post_media (social_post_id, media_type, media_url, file_name, mime_type) VALUES (920001, 'image', 'https://example.com/5', '5.png', 'image/png');
ROLLBACK TO before;
UPDATE post_media SET mime_type = 'image/tiff' WHERE social_post_id = 920001;
ROLLBACK TO before;
SELECT nexus.set_enforcement('post_media', 'warn');
INSERT INTO post_media (social_post_id, media_type, media_url, file_name, mime_type) VALUES (920001, 'image', 'https://example.com/5', '5.png', 'image/png');
SELECT nexus.set_enforcement('post_media', 'off');
INSERT INTO post_media (social_post_id, media_type, media_url, file_name, mime_type) VALUES (920001, 'image', 'https://example.com/6', '6.png', 'image/png');
SELECT pg_temp.try($$SELECT nexus.set_enforcement('post_media', 'record')$$);
ROLLBACK;
