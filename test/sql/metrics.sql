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
SELECT count(*) AS states, count(*) FILTER (WHERE kept.s::text = copied.s::text) AS same,
  count(*) FILTER (WHERE kept.s::text::nexus.metrics_state::text = copied.s::text) AS by_text FROM kept JOIN copied USING (k);

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

-- Counters: three policies, one instant twice, any order, any partition.
SELECT p, nexus.delta(s), nexus.rate(s), nexus.num_samples(s), nexus.num_resets(s), nexus.num_corrections(s), nexus.num_changes(s)
FROM unnest(ARRAY['reset', 'nonneg', 'correction', 'correction:0.2']) p, LATERAL (
  SELECT nexus.counter_agg(t, v, p) AS s FROM (VALUES
    ('2025-01-01 00:00Z'::timestamptz, 10), ('2025-01-01 00:01Z', 20), ('2025-01-01 00:02Z', 15), ('2025-01-01 00:03Z', NULL),
    ('2025-01-01 00:04Z', 50), ('2025-01-01 00:05Z', 3)) r(t, v)) x;
SELECT nexus.first_time(s), nexus.first_value(s), nexus.last_time(s), nexus.last_value(s), nexus.delta(s)
FROM (SELECT nexus.counter_agg(t, v) AS s FROM (VALUES
  ('2025-01-02'::timestamptz, 12.5), ('2025-01-01', 10.25), ('2025-01-02', 13)) r(t, v)) x;
SELECT nexus.delta(s) AS largest_seq FROM (SELECT nexus.counter_agg(t, v, 'correction', q) AS s FROM (VALUES
  ('2025-01-02'::timestamptz, 12::bigint, 9::bigint), ('2025-01-02', 99, 3), ('2025-01-01', 10, 1)) r(t, v, q)) x;
SELECT nexus.delta(s) AS beyond_bigint FROM (SELECT nexus.counter_agg('2025-01-01'::timestamptz + g * interval '1 s',
  CASE WHEN g % 2 = 0 THEN 9223372036854775807 ELSE 1 END, 'reset') AS s FROM generate_series(1, 6) g) x;
SELECT nexus.counter_agg(now(), 1) FROM generate_series(1, 0);
SELECT nexus.delta(s) IS NULL AS no_delta, nexus.num_samples(s), nexus.rate(s) IS NULL AS no_rate
FROM (SELECT nexus.counter_agg(now(), NULL::bigint) AS s) x;
SELECT nexus.counter_agg('2025-01-01'::timestamptz, 1, 'maximum');
SELECT nexus.counter_agg('2025-01-01'::timestamptz, 1, NULL);
SELECT nexus.counter_agg('2025-01-01'::timestamptz, 1, p) FROM unnest(ARRAY['reset', 'nonneg']) p;
SELECT nexus.counter_agg('2025-01-01'::timestamptz, 1, 'reset', NULL);
SELECT nexus.counter_agg('infinity'::timestamptz, 1);
SELECT nexus.counter_agg('2025-01-01'::timestamptz, 'NaN'::numeric);
SELECT nexus.rollup(s) FROM unnest(ARRAY['v1 reset scale=0 1=5', 'v1 nonneg scale=0 2=6']::nexus.counter_state[]) s;
SELECT nexus.rollup(s) FROM unnest(ARRAY['v1 reset scale=0 3=7 1=5', NULL, 'v1 reset scale=1 2=65']::nexus.counter_state[]) s;
SELECT 'v1 reset scale=0 1'::nexus.counter_state;
CREATE TEMP TABLE kept_counters AS SELECT g % 7 AS k, nexus.counter_agg('2025-01-01'::timestamptz + g * interval '1 min', g * 3 % 100, 'reset') AS s
  FROM generate_series(1::bigint, 200) g GROUP BY 1;
CREATE TEMP TABLE copied_counters (LIKE kept_counters);
\copy kept_counters TO 'results/counter_state.bin' WITH (FORMAT binary)
\copy copied_counters FROM 'results/counter_state.bin' WITH (FORMAT binary)
SELECT count(*) AS states, count(*) FILTER (WHERE a.s::text = b.s::text) AS same,
  count(*) FILTER (WHERE a.s::text::nexus.counter_state::text = b.s::text) AS by_text FROM kept_counters a JOIN copied_counters b USING (k);
SELECT nexus.rollup(s)::text = (SELECT nexus.counter_agg('2025-01-01'::timestamptz + g * interval '1 min', g * 3 % 100, 'reset')::text
  FROM generate_series(1::bigint, 200) g) AS interleaved FROM kept_counters;

-- Beside the plain query: dedup, lag, sum; with and without workers.
BEGIN;
CREATE TABLE public.counter_parallel AS
  SELECT g % 5 AS k, '2025-01-01'::timestamptz + (g * 7919 % 30000) * interval '1 s' AS t, (g * 104729 % 1000)::bigint AS v, g AS q
  FROM generate_series(1::bigint, 40000) g;
ANALYZE public.counter_parallel;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT nexus.counter_agg(t, v, 'reset', q) FROM public.counter_parallel;
SELECT nexus.counter_agg(t, v, 'reset', q)::text AS two_workers FROM public.counter_parallel \gset
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT nexus.counter_agg(t, v, 'reset', q)::text = :'two_workers' AS same FROM public.counter_parallel;
SELECT count(*) AS series, count(*) FILTER (WHERE nexus.delta(a.s) = b.delta) AS equal
FROM (SELECT k, nexus.counter_agg(t, v, 'reset', q) AS s FROM public.counter_parallel GROUP BY k) a
JOIN (SELECT k, sum(CASE WHEN before IS NULL THEN 0 WHEN v >= before THEN v - before ELSE v END) AS delta
  FROM (SELECT k, v, lag(v) OVER (PARTITION BY k ORDER BY t) AS before
    FROM (SELECT DISTINCT ON (k, t) * FROM public.counter_parallel ORDER BY k, t, q DESC) d) l
  GROUP BY k) b USING (k);
ROLLBACK;

SELECT interpolate, b.* FROM unnest(ARRAY[false, true]) interpolate, nexus.counter_by_bucket(
  '{2025-03-08 17:00Z,2025-03-10 17:00Z,2025-03-09 17:00Z,2025-03-09 17:00Z}', '{100,148,500,124}', 'day', 'America/New_York', 'reset', interpolate) b;
SELECT * FROM nexus.counter_by_bucket('{2025-03-08 17:00Z}', '{1,2}', 'day', 'UTC');
SELECT * FROM nexus.counter_by_bucket('{1000-03-08 17:00Z,2025-03-08 17:00Z}', '{1,2}', 'hour', 'UTC', 'reset', true);
