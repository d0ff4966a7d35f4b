-- What rollups cost a bulk load and what they give a dashboard: psql -f test/bench/metrics_rollups.sql on a database with the
-- extension and the 16 tables, from the top of the checkout. -v rows=5000000 for more than 500,000 samples. Commits, and
-- removes its rows at the end.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
\if :{?rows} \else \set rows 500000 \endif
SET timezone = 'UTC';
SET client_min_messages = warning;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT 'bench' || g, 'bench' || g || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$bWV0cmljc21ldHJpY3M$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'B', 'B'
FROM generate_series(0, 499) g;
CREATE TABLE pg_temp.posts AS WITH made AS (
  INSERT INTO content (user_id, title, platform, content_type)
  SELECT 'bench' || (500 * power((g * 7919 % 5000) / 5000.0, 2))::int % 500, 'b' || g, 'youtube', 'video' FROM generate_series(1, 5000) g
  RETURNING id) SELECT row_number() OVER () - 1 AS n, id FROM made;
ANALYZE content;
CREATE TEMP TABLE loaded (content_id int, platform text, captured_at timestamp, source text, views bigint, likes bigint, comments bigint,
  shares bigint, saves bigint, reach bigint, clicks bigint, watch_time_seconds bigint);
INSERT INTO loaded
SELECT p.id, (ARRAY['x', 'tiktok', 'youtube', 'instagram', 'facebook', 'linkedin'])[1 + (g / 3) % 6],
  '2025-01-01'::timestamp + g * (interval '180 days' / :rows), 'api', g, g / 10, g / 90, g / 70, g / 80, g / 2, g / 20, g * 30
FROM generate_series(1, :rows::bigint) g JOIN pg_temp.posts p ON p.n = (g * 7919) % 5000 ORDER BY g;
\copy loaded TO '.run/bench_samples.tsv'

CREATE PROCEDURE pg_temp.prepare_load(what text) LANGUAGE plpgsql AS $$
BEGIN
  ALTER TABLE content_metrics DISABLE TRIGGER USER;
  TRUNCATE content_metrics;
  ALTER TABLE content_metrics ENABLE TRIGGER USER;
  PERFORM nexus.rebuild_metrics_rollups();
  IF what = 'none' THEN
    ALTER TABLE content_metrics DISABLE TRIGGER roll_up_inserted;
  ELSE
    PERFORM nexus.set_metrics_rollup(what);
  END IF;
END $$;
CREATE TEMP TABLE timings (what text, started timestamptz, ended timestamptz);

CALL pg_temp.prepare_load('none');
VACUUM content_metrics; CHECKPOINT;
INSERT INTO timings VALUES ('none', clock_timestamp());
\copy content_metrics (content_id, platform, captured_at, source, views, likes, comments, shares, saves, reach, clicks, watch_time_seconds) FROM '.run/bench_samples.tsv'
UPDATE timings SET ended = clock_timestamp() WHERE what = 'none';

CALL pg_temp.prepare_load('hot');
VACUUM content_metrics; CHECKPOINT;
INSERT INTO timings VALUES ('hot', clock_timestamp());
\copy content_metrics (content_id, platform, captured_at, source, views, likes, comments, shares, saves, reach, clicks, watch_time_seconds) FROM '.run/bench_samples.tsv'
UPDATE timings SET ended = clock_timestamp() WHERE what = 'hot';

CALL pg_temp.prepare_load('exact');
VACUUM content_metrics; VACUUM nexus.metric_days; VACUUM nexus.metric_user_days; CHECKPOINT;
INSERT INTO timings VALUES ('exact', clock_timestamp());
\copy content_metrics (content_id, platform, captured_at, source, views, likes, comments, shares, saves, reach, clicks, watch_time_seconds) FROM '.run/bench_samples.tsv'
UPDATE timings SET ended = clock_timestamp() WHERE what = 'exact';

\echo 'COPY with rollups; ratio: part of the rate without'
SELECT what, round(:rows / extract(epoch FROM ended - started)) AS rows_per_second,
  round((SELECT extract(epoch FROM n.ended - n.started) FROM timings n WHERE n.what = 'none') / extract(epoch FROM ended - started), 2) AS ratio
FROM timings ORDER BY started;

ANALYZE;
SELECT user_id AS largest FROM nexus.metric_series GROUP BY 1 ORDER BY count(*) DESC LIMIT 1 \gset
SELECT content_id AS post FROM nexus.metric_series WHERE user_id = :'largest' ORDER BY 1 LIMIT 1 \gset
CREATE FUNCTION pg_temp.best(statement text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE least_ms numeric; started timestamptz;
BEGIN
  FOR i IN 1..10 LOOP
    started := clock_timestamp();
    EXECUTE statement;
    least_ms := least(least_ms, 1000 * extract(epoch FROM clock_timestamp() - started));
  END LOOP;
  RETURN round(least_ms, 2);
END $$;
\echo 'dashboards, best of ten, ms'
SELECT what, (SELECT count(*) FROM nexus.metric_series WHERE user_id = :'largest') AS series_of_account, pg_temp.best(statement) AS ms FROM (VALUES
  ('30-day series of one content', format('SELECT count(*) FROM nexus.metrics_series(%s, ''2025-04-01'', ''2025-05-01'')', :post)),
  ('30-day series of the largest account', format('SELECT count(*) FROM nexus.account_series(%L, ''2025-04-01'', ''2025-05-01'')', :'largest')),
  ('top 20 of the largest account, 30 days', format('SELECT count(*) FROM nexus.top_content(%L, ''2025-04-01'', ''2025-05-01'')', :'largest')),
  ('summary of the largest account, 30 days', format('SELECT count(*) FROM nexus.account_summary(%L, ''2025-04-01'', ''2025-05-01'')', :'largest')),
  ('heat map of the largest account', format('SELECT count(*) FROM nexus.account_heatmap(%L)', :'largest'))) v(what, statement);

CALL pg_temp.prepare_load('exact');
DELETE FROM users WHERE id LIKE 'bench%';
