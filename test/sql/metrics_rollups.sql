-- Rollups beside what the samples say, after every kind of change and in both modes.
SET timezone = 'UTC';
BEGIN;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT u, u || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$bWV0cmljc21ldHJpY3M$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'M', u
FROM unnest(ARRAY['r1', 'r2']) u;
INSERT INTO content (id, user_id, title, platform, content_type)
SELECT 9600 + g, CASE WHEN g <= 4 THEN 'r1' ELSE 'r2' END, 'c' || g, 'x', 'video' FROM generate_series(1, 6) g;

CREATE FUNCTION pg_temp.stored() RETURNS TABLE (what text, a text, b text, c text, state bytea) LANGUAGE sql AS $$
  SELECT 'series', s.content_id::text, s.platform, concat_ws(' ', s.user_id, s.tz, s.last_at), s.latest FROM nexus.metric_series s
  UNION ALL SELECT 'day', s.content_id::text, s.platform, concat_ws(' ', d.day, d.resets, d.author), d.state FROM nexus.metric_days d LEFT JOIN nexus.metric_series s USING (series)
  UNION ALL SELECT 'user day', user_id, platform, day::text, state FROM nexus.metric_user_days
  UNION ALL SELECT 'user hour', user_id, platform, dow || ' ' || hour, state FROM nexus.metric_user_hours $$;
CREATE TEMP TABLE kept AS SELECT * FROM pg_temp.stored();
-- Nothing if the rollups are what rebuilding them gives.
CREATE FUNCTION pg_temp.differences() RETURNS TABLE (sign text, what text, a text, b text, c text, state bytea) LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM kept;
  INSERT INTO kept SELECT * FROM pg_temp.stored();
  PERFORM nexus.rebuild_metrics_rollups();
  RETURN QUERY SELECT '-', d.* FROM (SELECT * FROM kept EXCEPT SELECT * FROM pg_temp.stored()) d
    UNION ALL SELECT '+', d.* FROM (SELECT * FROM pg_temp.stored() EXCEPT SELECT * FROM kept) d ORDER BY 2, 3, 4, 5, 1;
END $$;

INSERT INTO content_metrics (content_id, platform, captured_at, source, views, likes, comments, saves, reach)
SELECT 9600 + c, p, '2025-03-07 02:00'::timestamp + h * interval '5 hours', 'api', 100 * c + h * 10, h, h / 2, CASE WHEN h % 3 = 0 THEN h END,
  CASE WHEN p = 'x' THEN 50 + h * 5 END
FROM generate_series(1, 6) c, unnest(ARRAY['x', 'tiktok']) p, generate_series(0, 30) h;
SELECT what, count(*) FROM pg_temp.stored() GROUP BY 1 ORDER BY 1;
SELECT * FROM pg_temp.differences();
SELECT current_setting('enable_seqscan') AS seqscan, current_setting('search_path') <> 'pg_catalog, pg_temp' AS own_path;

-- A revision, a late row, an audit, a reset, a second source at the same instant, a row that moves, rows that go.
UPDATE content_metrics SET views = 2000 WHERE content_id = 9601 AND platform = 'x' AND captured_at = '2025-03-08 03:00';
INSERT INTO content_metrics (content_id, platform, captured_at, source, views, likes) VALUES
  (9601, 'x', '2025-03-08 02:59', 'import', 133, 4), (9601, 'x', '2025-03-08 03:00', 'manual', 150, NULL), (9601, 'x', '2025-02-01', 'api', 7, 1),
  (9602, 'x', '2025-03-13 12:00', 'api', 20, 31), (9602, 'x', '2025-03-14 12:00', 'api', 19, 32);
UPDATE content_metrics SET captured_at = captured_at + interval '3 days 1 minute' WHERE content_id = 9603 AND captured_at < '2025-03-08';
UPDATE content_metrics SET platform = 'threads' WHERE content_id = 9604 AND platform = 'tiktok' AND captured_at >= '2025-03-12';
DELETE FROM content_metrics WHERE content_id = 9605 AND platform = 'x';
INSERT INTO content_metrics (content_id, platform, captured_at, source, views) VALUES (9606, 'x', '2025-03-07 02:00', 'api', 999)
ON CONFLICT (content_id, platform, captured_at, source) DO UPDATE SET views = excluded.views;
SELECT * FROM pg_temp.differences();
-- One late row changes its own day, nothing else (and what the next day starts from, if it is the last of its day).
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.stored() WHERE what = 'day';
INSERT INTO content_metrics (content_id, platform, captured_at, source, views) VALUES (9602, 'tiktok', '2025-03-09 05:00', 'api', 233);
SELECT a, b, c FROM (SELECT * FROM pg_temp.stored() WHERE what = 'day' EXCEPT TABLE before) d ORDER BY c;

-- The author's midnight: days across the change of clocks, and back.
SELECT nexus.set_metrics_zone('r1', 'America/New_York');
SELECT * FROM pg_temp.differences();
SELECT bucket, bucket_end - bucket AS length, views FROM nexus.metrics_series(9603, '2025-03-08 05:00Z', '2025-03-11 04:00Z');
-- The same from the samples, as another spelling of the zone is not the author's.
SELECT count(*) AS days, bool_and(a = b) AS equal FROM nexus.metrics_series(9603) a
FULL JOIN nexus.metrics_series(9603, tz => 'america/new_york') b ON a.bucket = b.bucket;
SELECT count(*) AS weeks, bool_and(a = b) AS equal FROM nexus.metrics_series(9602, unit => 'week') a
FULL JOIN nexus.metrics_series(9602, unit => 'week', tz => 'US/Eastern') b ON a.bucket = b.bucket;
-- A window that cuts days.
SELECT bool_and(a = b) AS equal, count(*) FROM nexus.metrics_series(9602, '2025-03-08 03:30', '2025-03-11 17:10') a
FULL JOIN nexus.metrics_series(9602, '2025-03-08 03:30', '2025-03-11 17:10', tz => 'US/Eastern') b ON a.bucket = b.bucket;
-- An account's days are those of its contents together, its hours too.
SELECT bool_and(a = b) AS equal, count(*) AS days FROM (SELECT bucket, views, likes, reach FROM nexus.account_series('r1')) a FULL JOIN (
  SELECT bucket, sum(views) AS views, sum(likes) AS likes, sum(reach) AS reach
  FROM generate_series(9601, 9604) c, nexus.metrics_series(c) GROUP BY 1) b ON a.bucket = b.bucket;
SELECT count(*) AS hours, sum(samples) AS samples, sum(views) = (SELECT sum(views) FROM nexus.account_series('r1')) AS equal
FROM nexus.account_heatmap('r1');
SELECT * FROM nexus.metrics_latest(9602);

-- A day of very many samples is not read again for each that comes late: the fold does it, and readers know meanwhile.
INSERT INTO content_metrics (content_id, platform, captured_at, source, views)
SELECT 9605, 'threads', '2025-03-10'::timestamp + g * interval '2 minutes', 'api', g FROM generate_series(1, 510) g;
SELECT count(*) AS waiting FROM nexus.metric_delta;
INSERT INTO content_metrics (content_id, platform, captured_at, source, views) VALUES (9605, 'threads', '2025-03-10 12:00:30', 'api', 5000);
DELETE FROM content_metrics WHERE content_id = 9605 AND platform = 'threads' AND captured_at = '2025-03-10 17:00';
SELECT count(*) AS waiting FROM nexus.metric_delta;
CREATE TEMP TABLE late AS SELECT m::text FROM nexus.metrics_series(9605, unit => 'hour') m UNION ALL SELECT m::text FROM nexus.account_heatmap('r2') m;
SELECT nexus.fold_metrics(), nexus.fold_metrics() AS nothing_left;
SELECT count(*) AS changed_by_fold FROM (TABLE late EXCEPT
  (SELECT m::text FROM nexus.metrics_series(9605, unit => 'hour') m UNION ALL SELECT m::text FROM nexus.account_heatmap('r2') m)) d;
SELECT * FROM pg_temp.differences();
DELETE FROM content_metrics WHERE content_id = 9605 AND platform = 'threads';
SELECT nexus.fold_metrics();

-- Hot mode: writers only append, readers know.
SELECT nexus.set_metrics_rollup('hot');
DELETE FROM content_metrics WHERE content_id = 9602 AND captured_at = '2025-03-09 05:00';
INSERT INTO content_metrics (content_id, platform, captured_at, source, views, likes) VALUES
  (9601, 'youtube', '2025-03-20 12:00', 'api', 10, 1), (9601, 'youtube', '2025-03-21 12:00', 'api', 30, 2), (9604, 'x', '2025-03-07 23:00', 'api', 444, 9);
SELECT count(*) AS waiting FROM nexus.metric_delta;
SELECT bucket, views FROM nexus.metrics_series(9601, '2025-03-19');
CREATE TEMP TABLE unfolded AS SELECT 'c' || c AS id, m::text FROM generate_series(9601, 9606) c, nexus.metrics_series(c) m
  UNION ALL SELECT 'a', m::text FROM nexus.account_series('r1') m UNION ALL SELECT 'h', m::text FROM nexus.account_heatmap('r1') m
  UNION ALL SELECT 'l', m::text FROM nexus.account_latest('r1') m
  UNION ALL SELECT 's', m::text FROM nexus.account_summary('r1', '2025-03-08', '2025-03-22') m
  UNION ALL SELECT 'w', m::text FROM nexus.account_summary('r1', '2025-03-15 04:00Z', '2025-03-22 04:00Z', 'America/New_York') m
  UNION ALL SELECT 't', m::text FROM nexus.top_content('r1', '2025-03-01', '2025-03-22') m;
-- The same sums by another way, with a day to be counted from its samples and one that waits for the fold.
SELECT count(*) AS platforms, bool_and((p.posts, p.views, p.likes, p.engagements, p.denominator, p.earlier_views)
  IS NOT DISTINCT FROM (g.posts, g.views, g.likes, g.engagements, g.denominator, e.views)) AS equal
FROM (VALUES ('2025-03-07 12:00Z'::timestamptz, '2025-03-09 03:00Z'::timestamptz, '2025-03-22'::timestamptz),
    ('2025-03-01 05:00Z', '2025-03-09 05:00Z', '2025-03-22 04:00Z')) w(earlier, after, before),
  nexus.platform_gains('r1', after, before, earlier) p
  JOIN LATERAL (SELECT count(*) AS posts, sum(g.views) AS views, sum(g.likes) AS likes, sum(g.engagements) AS engagements,
    sum(g.denominator) AS denominator FROM nexus.account_gains('r1', after, before) g WHERE g.platform = p.platform) g ON true
  JOIN LATERAL (SELECT sum(e.views) AS views FROM nexus.account_gains('r1', earlier, after) e WHERE e.platform = p.platform) e ON true;
SELECT nexus.fold_metrics(), nexus.fold_metrics() AS nothing_left;
SELECT count(*) AS changed_by_fold FROM (TABLE unfolded EXCEPT (SELECT 'c' || c AS id, m::text FROM generate_series(9601, 9606) c, nexus.metrics_series(c) m
  UNION ALL SELECT 'a', m::text FROM nexus.account_series('r1') m UNION ALL SELECT 'h', m::text FROM nexus.account_heatmap('r1') m
  UNION ALL SELECT 'l', m::text FROM nexus.account_latest('r1') m
  UNION ALL SELECT 's', m::text FROM nexus.account_summary('r1', '2025-03-08', '2025-03-22') m
  UNION ALL SELECT 'w', m::text FROM nexus.account_summary('r1', '2025-03-15 04:00Z', '2025-03-22 04:00Z', 'America/New_York') m
  UNION ALL SELECT 't', m::text FROM nexus.top_content('r1', '2025-03-01', '2025-03-22') m)) d;
SELECT * FROM pg_temp.differences();
SELECT nexus.set_metrics_rollup('exact');
SELECT id, last_measured_at FROM content WHERE id BETWEEN 9601 AND 9606 ORDER BY id;

-- The last sample goes in hot mode: until the fold its day is stored, and what comes after other days does not build on it.
INSERT INTO content_metrics (content_id, platform, captured_at, source, views) VALUES
  (9601, 'mastodon', '2025-04-01 10:00', 'api', 10), (9601, 'mastodon', '2025-04-03 10:00', 'api', 40), (9601, 'mastodon', '2025-04-03 15:00', 'api', 50);
SELECT nexus.set_metrics_rollup('hot');
DELETE FROM content_metrics WHERE content_id = 9601 AND platform = 'mastodon' AND captured_at >= '2025-04-03';
SELECT captured_at, views FROM nexus.metrics_latest(9601) WHERE platform = 'mastodon';
SELECT nexus.set_metrics_rollup('exact');
UPDATE content_metrics SET views = 11 WHERE content_id = 9601 AND platform = 'mastodon';
INSERT INTO content_metrics (content_id, platform, captured_at, source, views) VALUES (9601, 'mastodon', '2025-04-02 10:00', 'api', 20);
INSERT INTO content_metrics (content_id, platform, captured_at, source, views) VALUES (9601, 'mastodon', '2025-04-03 12:00', 'api', 30);
SELECT bucket, views FROM nexus.metrics_series(9601, '2025-04-01');
SELECT nexus.fold_metrics() > 0 AS folded;
SELECT bucket, views FROM nexus.metrics_series(9601, '2025-04-01');
SELECT * FROM pg_temp.differences();

-- Pages of top_content: the second begins where the first ended.
SELECT content_id, platform, value FROM nexus.top_content('r1', '2025-03-08', '2025-03-12', max_count => 3);
SELECT content_id, platform, value FROM nexus.top_content('r1', '2025-03-08', '2025-03-12', 'views', 3, 190, 9602, 'tiktok');

-- What a page begins after need be no increment: whatever lies below it, for NaN all.
SELECT last, string_agg(t.value::text, ' ' ORDER BY t.value DESC, t.content_id, t.platform) AS page
FROM unnest(ARRAY['NaN', 'Infinity', '190.5', '189.5', '-1e40']::numeric[]) WITH ORDINALITY l(last, n)
LEFT JOIN LATERAL nexus.top_content('r1', '2025-03-08', '2025-03-12', 'views', 3, last, 2000000000, 'x') t ON true GROUP BY n, last ORDER BY n;
SAVEPOINT s;
SELECT nexus.top_gains('r1', '2025-03-08', '2025-03-12', 'views', 3, 1.5, NULL, NULL);
ROLLBACK TO s;

-- Days before the freeze outlive their samples, and take no new ones.
CREATE TEMP TABLE frozen AS SELECT m.* FROM nexus.metrics_series(9602, before => '2025-03-12 04:00Z') m;
SELECT nexus.freeze_metrics('2025-03-12 04:00Z');
DELETE FROM content_metrics WHERE captured_at < '2025-03-12 04:00';
SELECT count(*) AS days, bool_and(a = b) AS equal FROM frozen a FULL JOIN nexus.metrics_series(9602, before => '2025-03-12 04:00Z') b ON a.bucket = b.bucket;
SELECT bucket, views FROM nexus.metrics_series(9602, '2025-03-12 04:00Z', '2025-03-13 04:00Z');
SELECT * FROM pg_temp.differences();
SAVEPOINT s;
INSERT INTO content_metrics (content_id, platform, captured_at, source, views) VALUES (9602, 'x', '2025-03-10', 'api', 1);
ROLLBACK TO s;
SELECT * FROM nexus.metrics_series(9602, unit => 'hour');
ROLLBACK TO s;
TRUNCATE content_metrics;
ROLLBACK TO s;
SELECT nexus.set_metrics_rollup('fast');
ROLLBACK TO s;
SELECT nexus.set_metrics_zone('r1', 'Mars/Base');
ROLLBACK TO s;
SELECT nexus.set_metrics_zone('nobody', 'UTC');
ROLLBACK TO s;
SELECT nexus.freeze_metrics('infinity');
ROLLBACK TO s;
SELECT nexus.roll_up_metrics_trigger();
ROLLBACK TO s;

-- What is deleted leaves nothing.
DELETE FROM content WHERE id = 9601;
SELECT count(*) FROM nexus.metric_series WHERE content_id = 9601;
DELETE FROM users WHERE id IN ('r1', 'r2');
SELECT count(*) FROM pg_temp.stored();
SELECT count(*) FROM nexus.metric_zones;
ROLLBACK;
