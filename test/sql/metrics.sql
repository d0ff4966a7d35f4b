-- Metrics that need no table: states, buckets, statistics (51-metrics-content: metrics_content.sql).
SET timezone = 'UTC';

-- Sums: a counter never given is unknown, not 0; sums leave bigint without a wrap.
SELECT nexus.metrics_agg(v, l, NULL, 0, NULL, r, NULL, NULL) FROM (VALUES (1, 2, 10), (NULL, 3, 20), (5, NULL, NULL)) t(v, l, r);
SELECT nexus.metrics_agg(1, 1, 1, 1, 1, 1, 1, 1) FROM generate_series(1, 0);
SELECT nexus.total(s, 'views') AS views, nexus.total(s, 'clicks') AS clicks, nexus.num_samples(s)
FROM (SELECT nexus.metrics_agg(9223372036854775807, 1, 1, 1, 1, 1, NULL, 1) s FROM generate_series(1, 3)) x;
SELECT nexus.total('v1 samples=1 views=1', 'View');

-- Engagement rate: sums first, one division.
SELECT d, w, nexus.engagement_rate(s, d, w::jsonb, 1000)
FROM (SELECT nexus.metrics_agg(v, 1, 2, NULL, 4, v / 2, NULL, NULL) s FROM (VALUES (100), (300)) t(v)) x,
  unnest(ARRAY['views', 'reach', 'followers']) d, unnest(ARRAY['{}', '{"likes": 0, "saves": 2.5}']) w;
SELECT nexus.engagement_rate(s) IS NULL AS by_reach, nexus.engagement_rate(s, 'followers') IS NULL AS by_followers,
  nexus.engagement_rate(NULL) IS NULL AS of_null, nexus.engagement_rate(s, 'views', NULL) AS plain
FROM (SELECT 'v1 samples=1 views=10 likes=1 reach=0'::nexus.metrics_state s) x;
SELECT nexus.engagement_rate('v1 samples=1', 'impressions');
SELECT nexus.engagement_rate('v1 samples=1', 'views', '{"like": 2}');
SELECT nexus.engagement_rate('v1 samples=1', 'views', '{"likes": "2"}');
SELECT nexus.engagement_rate('v1 samples=1', 'views', '{"likes": -2}');
SELECT nexus.engagement_rate('v1 samples=1', 'views', '[]');

-- States: text and binary forms, merging in any order, damage.
SELECT nexus.rollup(s) FROM unnest(ARRAY['v1 samples=2 views=5', NULL, 'v1 samples=1 likes=-3 views=1']::nexus.metrics_state[]) s;
SELECT encode(nexus.metrics_state_send('v1 samples=2 views=5 likes=-3'), 'hex');
SELECT 'v1 samples=1 dislikes=1'::nexus.metrics_state;
SELECT 'v2 samples=1'::nexus.metrics_state;
CREATE TEMP TABLE kept AS
  SELECT g % 10 AS k, nexus.metrics_agg(g, g, NULL, -g, 0, g * 1000000000000, g, g) AS s FROM generate_series(1::bigint, 100) g GROUP BY 1;
CREATE TEMP TABLE copied (LIKE kept);
\copy kept TO 'results/metrics_state.bin' WITH (FORMAT binary)
\copy copied FROM 'results/metrics_state.bin' WITH (FORMAT binary)
SELECT count(*) AS states, count(*) FILTER (WHERE kept.s::text = copied.s::text) AS same FROM kept JOIN copied USING (k);

-- Parallel workers and one process agree.
BEGIN;
CREATE TABLE public.metrics_parallel AS
  SELECT g % 7 AS k, g AS v, nullif(g % 5, 0) AS l, g * 1000000000000 AS r FROM generate_series(1::bigint, 40000) g;
ANALYZE public.metrics_parallel;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT nexus.metrics_agg(v, l, v, l, v, r, v, l) FROM public.metrics_parallel;
SELECT nexus.metrics_agg(v, l, v, l, v, r, v, l)::text AS two_workers FROM public.metrics_parallel \gset
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT nexus.metrics_agg(v, l, v, l, v, r, v, l)::text = :'two_workers' AS same,
  (SELECT nexus.rollup(s)::text FROM (SELECT nexus.metrics_agg(v, l, v, l, v, r, v, l) s FROM public.metrics_parallel GROUP BY k) x)
    = :'two_workers' AS rolled_up,
  nexus.total(nexus.metrics_agg(v, l, v, l, v, r, v, l), 'reach') = sum(r) AS exact
FROM public.metrics_parallel;
ROLLBACK;

-- Buckets.
SELECT note, nexus.local_bucket(unit, ts, tz), nexus.local_bucket_end(unit, ts, tz)
FROM (VALUES
  ('two midnights', 'day', '2025-11-02 12:00Z'::timestamptz, 'America/Havana'),
  ('no midnight', 'day', '2025-03-09 12:00Z', 'America/Havana'),
  ('skipped day', 'day', '2011-12-30 09:00Z', 'Pacific/Apia'),
  ('half an hour back', 'hour', '2025-04-05 15:10Z', 'Australia/Lord_Howe'),
  ('repeated hour', 'hour', '2025-11-02 06:30Z', 'America/New_York'),
  ('week from Monday', 'week', '2025-11-02 12:00Z', 'America/New_York'),
  ('month', 'MONTH', '2025-03-31 23:30Z', 'asia/kathmandu'),
  ('far future', 'month', '7525-07-15 00:00Z', 'America/New_York'),
  ('before time zones', 'day', '1700-07-15 00:00Z', 'Europe/Berlin'),
  ('infinite', 'day', 'infinity', 'UTC')) t(note, unit, ts, tz);
SELECT nexus.local_bucket('day', NULL, 'UTC') IS NULL AS null_in, nexus.local_bucket('day', now(), NULL) IS NULL AS null_zone;
SELECT nexus.local_bucket('year', now(), 'UTC');
SELECT nexus.local_bucket('day', now(), 'Mars/Base');
SELECT nexus.local_bucket('day', now(), 'XXX99YYY');
SELECT nexus.local_bucket_end('month', '294276-12-31 23:00Z', 'UTC');
-- Elsewhere date_trunc agrees: these zones change at 01:00 to 03:00 by whole hours.
SELECT z, unit, count(*) AS differ
FROM unnest(ARRAY['UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Kathmandu', 'Africa/Casablanca']) z,
  unnest(ARRAY['hour', 'day', 'week', 'month']) unit, generate_series('1990-01-01 00:30Z'::timestamptz, '2040-01-01', '59 hours') t
WHERE nexus.local_bucket(unit, t, z) IS DISTINCT FROM date_trunc(unit, t, z)
GROUP BY z, unit;

-- Statistics.
SELECT c, p, g.* FROM (VALUES (15, 10), (-5, -10), (5, 0), (NULL, 5), (5, NULL)) t(c, p), nexus.growth(c, p) g;
SELECT * FROM nexus.moving_average('{2025-03-05,2025-03-01,2025-03-02}', '{60,10,20}', 3);
SELECT * FROM nexus.moving_average('{2025-03-05,2025-03-01,2025-03-02}', '{60,10,20}', 3, 'zero');
SELECT count(*) FROM nexus.moving_average('{}', '{}', 3);
SELECT * FROM nexus.moving_average('{2025-03-05}', '{1,2}', 3);
SELECT * FROM nexus.moving_average('{2025-03-05,2025-03-05}', '{1,2}', 3);
SELECT * FROM nexus.moving_average('{2025-03-05,infinity}', '{1,2}', 3);
SELECT * FROM nexus.moving_average('{2025-03-05,NULL}', '{1,2}', 3);
SELECT * FROM nexus.moving_average('{0001-03-05,9999-01-01}', '{1,2}', 3, 'zero');
SELECT * FROM nexus.moving_average('{2025-03-05}', '{1}', 0);
SELECT * FROM nexus.moving_average('{2025-03-05}', '{1}', 1, 'fill');
SELECT nexus.ewma('{4,NULL,8,8}', 0.25), nexus.ewma('{}', 0.5) AS empty;
SELECT nexus.ewma('{1}', 0);
SELECT * FROM nexus.anomalies('{94,97,NULL,93,104,400}');
SELECT * FROM nexus.anomalies('{1,1,1,2}', 2);
SELECT * FROM nexus.anomalies('{1,NaN}');
SELECT * FROM nexus.anomalies('{1}', 0);
SELECT * FROM nexus.heatmap('{2025-03-09 06:30Z,2025-03-09 07:30Z,2025-03-10 04:00Z}', '{5,NULL,1}', '{100,0,0}', 'America/New_York');
SELECT * FROM nexus.heatmap('{2025-03-09 06:30Z}', '{5,6}', '{100}', 'UTC');
SELECT * FROM nexus.heatmap('{infinity}', '{5}', '{100}', 'UTC');
SELECT * FROM nexus.heatmap('{2025-03-09 06:30Z,2025-03-09 06:30Z}', '{9223372036854775807,1}', '{1,1}', 'UTC');
