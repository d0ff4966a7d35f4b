-- INSERT of 100,000 scheduled posts into content, with every check and with none, in CPU time of the backend: psql -f
-- test/bench/validation_insert.sql as a superuser on a database with the extension and the 16 tables, all of them
-- empty. Everything is rolled back. Linux only: the time is read from /proc.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
SET client_min_messages = warning;
SET jit = off;
BEGIN;

CREATE SCHEMA bench;
SET LOCAL session_replication_role = replica;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT 'bench' || g, 'bench' || g || '@example.com', '', 'Bench', 'Mark' FROM generate_series(1, 100) g;
SET LOCAL session_replication_role = origin;

CREATE TABLE bench.posts AS
SELECT 'bench' || 1 + g % 100 AS user_id, 'How we edit, part ' || g AS title, d.text AS description,
  (ARRAY['x', 'instagram', 'bluesky', 'mastodon'])[1 + g / 4 % 4] AS platform, 'image'::text AS content_type,
  'scheduled'::text AS status, now()::timestamp + interval '1 day' + g * interval '1 minute' AS scheduled_at,
  '{"campaign": "summer", "n": 1, "flags": {"a": true}}'::jsonb AS metadata, nexus.hashtags(d.text) AS tags
FROM generate_series(1, 100000) g, LATERAL (SELECT (ARRAY[
  'Five things I wish I had known before my first live session: light, sound, a second battery, patience. #learning',
  'New video is up: how we cut a two hour interview down to three minutes https://example.com/watch?v=1 with @editor_ann #editing #video',
  '今日の散歩と動画編集、ありがとう 🎬 #動画編集 https://example.com/あ @tokyo_walk',
  'Café in der Straße, gleich früh um sieben ☕ schöne Grüße #CaféLife'])[1 + g % 4] AS text) d;
ANALYZE bench.posts;

-- The table as the application has it: with its indexes alone, with its foreign keys too, with CHECKs too.
CREATE TABLE bench.indexes (LIKE content INCLUDING DEFAULTS INCLUDING INDEXES);
CREATE TABLE bench.keys (LIKE content INCLUDING DEFAULTS INCLUDING INDEXES,
  FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE, FOREIGN KEY (project_id) REFERENCES projects ON DELETE CASCADE);
CREATE TABLE bench.checks (LIKE content INCLUDING ALL,
  FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE, FOREIGN KEY (project_id) REFERENCES projects ON DELETE CASCADE);

-- What applications write instead: lists, tags and X's weighted length (without its rules for emoji) in PL/pgSQL.
CREATE TABLE bench.plpgsql (LIKE content INCLUDING DEFAULTS INCLUDING INDEXES,
  FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE, FOREIGN KEY (project_id) REFERENCES projects ON DELETE CASCADE);
CREATE FUNCTION bench.check_post() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  body text := normalize(NEW.description, NFC);
  weight integer;
BEGIN
  IF NEW.platform NOT IN ('x', 'instagram', 'bluesky', 'mastodon') OR NEW.status NOT IN ('draft', 'scheduled', 'published') THEN
    RAISE EXCEPTION 'platform or status is not known';
  END IF;
  body := regexp_replace(body, 'https?://[^[:space:]]+', repeat('.', 23), 'gi');
  weight := 2 * length(body) - length(regexp_replace(body, '[^\u0001-\u10FF\u2000-\u200D\u2010-\u201F\u2032-\u2037]', '', 'g'));
  IF weight > 280 THEN
    RAISE EXCEPTION 'the post is too long: %', weight;
  END IF;
  NEW.tags := ARRAY(SELECT lower(m[1]) FROM regexp_matches(NEW.description, '#([[:alnum:]_]+)', 'g') m);
  RETURN NEW;
END $$;
CREATE TRIGGER check_post BEFORE INSERT ON bench.plpgsql FOR EACH ROW EXECUTE FUNCTION bench.check_post();

CREATE FUNCTION bench.cpu(tbl text, tags text) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
  started bigint;
BEGIN
  PERFORM set_config('session_replication_role', 'replica', true);  -- rollups guard content_metrics against TRUNCATE
  EXECUTE format('TRUNCATE %s CASCADE', tbl);
  PERFORM set_config('session_replication_role', 'origin', true);
  started := split_part(pg_read_file('/proc/self/schedstat'), ' ', 1);
  EXECUTE format('INSERT INTO %s (user_id, title, description, platform, content_type, status, scheduled_at, metadata, tags)
    SELECT user_id, title, description, platform, content_type, status, scheduled_at, metadata, %s FROM bench.posts', tbl, tags);
  RETURN (split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - started) / 1e9;
END $$;

\echo 'INSERT of 100,000 rows, least of 5 runs that take turns, CPU seconds of the backend, and ratios to the first three'
CREATE TABLE bench.runs (number integer, what text, tbl text, tags text, seconds double precision);
DO $$
DECLARE
  side record;
BEGIN
  FOR i IN 1..5 LOOP
    FOR side IN SELECT * FROM (VALUES
      (1, 'indexes only', 'bench.indexes', 'tags'),
      (2, '+ foreign keys: no check of the content', 'bench.keys', 'tags'),
      (3, '+ CHECK constraints: what the application has', 'bench.checks', 'tags'),
      (4, 'attached: all triggers and the guard', 'content', 'tags'),
      (5, 'attached, tags by nexus.hashtags()', 'content', 'nexus.hashtags(description)'),
      (6, 'a PL/pgSQL trigger on 2: lists, tags, weight', 'bench.plpgsql', 'tags')) AS s(number, what, tbl, tags)
    LOOP
      INSERT INTO bench.runs VALUES (side.number, side.what, side.tbl, side.tags, bench.cpu(side.tbl, side.tags));
    END LOOP;
  END LOOP;
END $$;
-- Another program on the machine only makes a run slower.
WITH least AS (SELECT number, what, min(seconds) AS seconds FROM bench.runs GROUP BY 1, 2)
SELECT what, round(seconds::numeric, 2) AS seconds,
  round((seconds / (SELECT seconds FROM least WHERE number = 1))::numeric, 2) AS to_indexes,
  round((seconds / (SELECT seconds FROM least WHERE number = 2))::numeric, 2) AS to_keys,
  round((seconds / (SELECT seconds FROM least WHERE number = 3))::numeric, 2) AS to_checks
FROM least ORDER BY number;
ROLLBACK;
