-- Buckets beside date_trunc, ingestion and questions: psql -f test/bench/metrics.sql on a database with the extension and the
-- 16 tables. The aggregates are in metrics_peers.py. Works in temporary tables and a transaction that is rolled back.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
SET timezone = 'UTC';
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET work_mem = '128MB';
SET temp_buffers = '256MB';    -- so that a scan of the samples is not a read of a file
BEGIN;

-- The median of five runs, in milliseconds; the two sides of a comparison take turns.
CREATE FUNCTION pg_temp.once(statement text) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE started timestamptz := clock_timestamp(); answer text;
BEGIN
  EXECUTE statement INTO answer;
  RETURN 1000 * extract(epoch FROM clock_timestamp() - started);
END $$;
CREATE FUNCTION pg_temp.compare(ours text, theirs text, OUT ours_ms numeric, OUT theirs_ms numeric, OUT ratio numeric)
LANGUAGE plpgsql AS $$
DECLARE a double precision[]; b double precision[];
BEGIN
  FOR i IN 1..5 LOOP
    a := a || pg_temp.once(ours);
    b := b || pg_temp.once(theirs);
  END LOOP;
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) INTO ours_ms FROM unnest(a) x;
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) INTO theirs_ms FROM unnest(b) x;
  ours_ms := round(ours_ms, 1); theirs_ms := round(theirs_ms, 1); ratio := round(ours_ms / theirs_ms, 2);
END $$;

CREATE TEMP TABLE samples AS
SELECT '2025-01-01'::timestamptz + (g / 2000) * interval '35 minutes' AS ts FROM generate_series(1, 500000) g;
ANALYZE samples;

\echo 'local_bucket, 500,000 rows, beside date_trunc in UTC (with and without naming the zone); ratio below 1: faster'
SELECT unit, tz, replace(beside, '%L', 'unit') AS beside, c.* FROM unnest(ARRAY['hour', 'day', 'week', 'month']) unit, unnest(ARRAY['UTC', 'America/New_York']) tz,
  unnest(ARRAY['date_trunc(%L, ts)', 'date_trunc(%L, ts, ''UTC'')']) beside,
  LATERAL pg_temp.compare(
    format('SELECT max(nexus.local_bucket(%L, ts, %L)) FROM samples', unit, tz),
    format('SELECT max(' || beside || ') FROM samples', unit)) c;

INSERT INTO nexus.attachment (schema_name) SELECT 'public' WHERE NOT EXISTS (SELECT FROM nexus.attachment);
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('bench', 'bench@example.org',
  '$argon2id$v=19$m=19456,t=2,p=1$bWV0cmljc21ldHJpY3M$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'B', 'B');
CREATE TEMP TABLE posts AS WITH made AS (
  INSERT INTO content (user_id, title, platform, content_type) SELECT 'bench', 'b' || g, 'youtube', 'video'
  FROM generate_series(1, 500) g RETURNING id) SELECT row_number() OVER () AS n, id FROM made;
CREATE TEMP TABLE batches AS
SELECT b, jsonb_agg(jsonb_build_object('content_id', p.id, 'platform', 'youtube', 'source', 'api',
  'captured_at', to_char('2025-01-01'::timestamp + (g / 500) * interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  'views', g, 'likes', g / 10, 'comments', g / 100, 'shares', g / 50, 'saves', g / 70, 'reach', g / 2)) AS samples
FROM generate_series(1, 100000) g JOIN posts p ON p.n = 1 + g % 500, LATERAL (SELECT g / 1000 AS b) x GROUP BY b;

\echo 'ingest_metrics, 100,000 samples in batches of 1,000'
CREATE FUNCTION pg_temp.ingest_all() RETURNS TABLE (samples bigint, inserted numeric, updated numeric, unchanged numeric, rejected numeric, rows_per_second numeric)
LANGUAGE plpgsql AS $$
DECLARE started timestamptz := clock_timestamp();
BEGIN
  SELECT sum(i.inserted + i.updated + i.unchanged + i.rejected), sum(i.inserted), sum(i.updated), sum(i.unchanged), sum(i.rejected)
    INTO samples, inserted, updated, unchanged, rejected FROM batches b, nexus.ingest_metrics(b.samples) i;
  rows_per_second := round(samples / extract(epoch FROM clock_timestamp() - started));
  RETURN NEXT;
END $$;
SELECT 'new' AS what, * FROM pg_temp.ingest_all();
SELECT 'replay' AS what, * FROM pg_temp.ingest_all();

ANALYZE content_metrics;
\echo 'metrics_series, 7 days of hourly samples for one content, ms a call'
SELECT round((pg_temp.once(format('SELECT count(s) FROM generate_series(1, 200) g, nexus.metrics_series(%s + g * 0, ''2025-01-02'', ''2025-01-09'') s', id)) / 200)::numeric, 3) AS ms
FROM posts WHERE n = 7;

\echo 'an account of 500 contents, 7 days of hourly samples each, ms a call'
SELECT what, round(pg_temp.once(format('SELECT count(s) FROM nexus.%s s', call))::numeric, 1) AS ms
FROM (VALUES ('account_summary', 'account_summary(''bench'', ''2025-01-02'', ''2025-01-09'')'),
  ('top_content', 'top_content(''bench'', ''2025-01-02'', ''2025-01-09'')'),
  ('best_times', 'best_times(''bench'')')) c(what, call);
ROLLBACK;
