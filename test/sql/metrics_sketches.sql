-- Quantiles, distinct counts, rankings: states that stay small.
SET timezone = 'UTC';
SET extra_float_digits = 1;

-- Quantiles: as percentile_cont while exact; min, max and count always.
SELECT nexus.quantile_agg(v) FROM (VALUES (10.0::float8), (NULL), (1), (2)) t(v);
SELECT n, min(nexus.num_values(s)) AS num_values, min(nexus.min_value(s)) AS least, min(nexus.max_value(s)) AS largest,
  bool_and(abs(nexus.quantile(s, q) - p) <= 1e-9 * greatest(1, abs(p))) AS exact
FROM (VALUES (1), (2), (101), (256)) sizes(n), unnest(ARRAY[0, 0.01, 0.25, 0.5, 0.95, 1]) q, LATERAL (
  SELECT nexus.quantile_agg(v) AS s, percentile_cont(q) WITHIN GROUP (ORDER BY v) AS p
  FROM (SELECT (i * 7919 % 1009)::float8 / 7 AS v FROM generate_series(1, n) i) r) x
GROUP BY n, s::text ORDER BY n;
SELECT nexus.quantile(s, 0.5) IS NULL AS no_quantile, nexus.min_value(s) IS NULL AS no_min, nexus.num_values(s)
FROM (SELECT nexus.quantile_agg(v) AS s FROM (SELECT NULL::float8 WHERE false) r(v)) x;
SELECT nexus.quantile_agg('NaN'::float8);
SELECT nexus.quantile_agg('-Infinity'::float8);
SELECT nexus.quantile('v1 exact 1 2', 1.5);
SELECT nexus.quantile('v1 exact 1 2', 'NaN');
SELECT 'v1 exact one'::nexus.quantile_state;
SELECT nexus.rollup(s) FROM unnest(ARRAY['v1 exact 5', NULL, 'v1 exact 3 1']::nexus.quantile_state[]) s;

-- Distinct counts: exact while few, bigint and text, any log2m, what hll writes.
SELECT nexus.distinct_count(nexus.distinct_agg(v % 100)) AS numbers, nexus.distinct_count(nexus.distinct_agg((v % 100)::text)) AS texts,
  nexus.distinct_count(nexus.distinct_agg(v % 100, 4)) AS coarse, nexus.distinct_count(nexus.distinct_agg(NULL::text)) AS nothing
FROM generate_series(1::bigint, 1000) v;
SELECT nexus.distinct_count(nexus.distinct_agg(v)) FROM (SELECT 'x' WHERE false) r(v);
SELECT log2m, n, abs(nexus.distinct_count(nexus.distinct_agg(v, log2m)) - n) <= 3 * 1.04 / sqrt(2 ^ log2m) * n AS within_bounds
FROM (VALUES (11), (14)) l(log2m), (VALUES (1000), (20000), (50000)) sizes(n), LATERAL generate_series(1::bigint, n) v
GROUP BY log2m, n ORDER BY log2m, n;
SELECT nexus.distinct_agg(v, 3) FROM generate_series(1::bigint, 2) v;
SELECT nexus.distinct_agg(v, v::int + 10) FROM generate_series(1::bigint, 2) v;
SELECT nexus.distinct_agg(v, NULL) FROM generate_series(1::bigint, 2) v;
SELECT nexus.distinct_count(nexus.distinct_union(a, b)) AS union, nexus.distinct_union(a, NULL) IS NULL AS with_null,
  nexus.distinct_union(a, b)::text = nexus.distinct_union(b, a)::text AS either_way
FROM (SELECT nexus.distinct_agg(v) AS a, nexus.distinct_agg(v + 60) AS b FROM generate_series(1::bigint, 100) v) x;
SELECT nexus.distinct_agg(v, 11) AS one, nexus.distinct_to_hll(nexus.distinct_agg(v, 11)) AS hll FROM (VALUES (1::bigint)) t(v);
SELECT nexus.distinct_count(s) AS two, nexus.distinct_to_hll(s) AS hll
FROM (SELECT nexus.distinct_from_hll('\x138b4015048944') AS s) x;
-- The hll extension writes the same bytes: explicit, sparse and full, from hll_hash_bigint and from hll_hash_text.
SELECT n, log2m, md5(nexus.distinct_to_hll(nexus.distinct_agg(v, log2m))) = of_bigints AS bigints,
  md5(nexus.distinct_to_hll(nexus.distinct_agg(v::text, log2m))) = of_texts AS texts
FROM (VALUES (100, 11, '242cf51f10547b20259d618c7fc28296', '26dd7b834cd89cd8ebb28bcdc2f7f6d1'),
  (100, 14, '8529d9a21f09086f054e064538a1236d', '9febabe277742a240f0b5b34f19fa219'),
  (3000, 11, '6c536fbf34a8410fba60257a5aa3773c', 'e85e9cc5cc2b2a84e8ed6084f66eab24'),
  (3000, 14, '2b4f1dd64dacd05ee91affc03a7dc811', '3d62edba8e92e5341631ceef3cf9733c'),
  (50000, 11, '8f0c2dfc6d03229574974339bb90c87b', '7af89c2100afffe5ce1612f9a18d1863'),
  (50000, 14, '2609739873c2256a0988e634da96e998', '54619bfc6270ae8cf29f04bd678356b8')) hll(n, log2m, of_bigints, of_texts), LATERAL generate_series(1::bigint, n) v
GROUP BY n, log2m, of_bigints, of_texts ORDER BY n, log2m;
SELECT nexus.distinct_from_hll('\x108b7f');
SELECT nexus.distinct_from_hll('\x128b7f00');
SELECT 'v1 murmur3 11'::nexus.distinct_state;
SELECT 'v1 sha1 118e7f'::nexus.distinct_state;

-- Rankings: ties by number or in byte order, sums beyond bigint, what must not be mixed.
SELECT t.* FROM (SELECT nexus.topk_agg(k, w, 3) AS s FROM (VALUES (9::bigint, 5::bigint), (10, 5), (2, 4), (2, 3), (1, NULL), (NULL, 9)) r(k, w)) x,
  nexus.topk(x.s) WITH ORDINALITY t;
SELECT t.* FROM (SELECT nexus.topk_agg(k, w, 3) AS s FROM (VALUES ('9', 5::bigint), ('10', 5), ('ß', 5), ('2', 9223372036854775807), ('2', 1)) r(k, w)) x,
  nexus.topk(x.s) WITH ORDINALITY t;
SELECT nexus.topk_agg('a b=ü'::text, 7, 2);
SELECT nexus.topk_agg('a'::text, 1, 2) FROM generate_series(1, 0);
SELECT nexus.topk_agg('a'::text, -1, 2);
SELECT nexus.topk_agg('a'::text, 1, 0);
SELECT nexus.topk_agg('a'::text, 1, NULL);
SELECT nexus.topk_agg('a'::text, 1, k) FROM generate_series(1, 2) k;
SELECT nexus.topk_agg(repeat('a', 2049), 1, 2);
SELECT nexus.rollup(s) FROM unnest(ARRAY['v1 text k=2 error=0 a=3', NULL, 'v1 text k=2 error=0 b=4 a=2']::nexus.topk_state[]) s;
SELECT nexus.rollup(s) FROM unnest(ARRAY['v1 text k=2 error=0 a=3', 'v1 text k=3 error=0 a=3']::nexus.topk_state[]) s;
SELECT nexus.rollup(s) FROM unnest(ARRAY['v1 text k=2 error=0 a=3', 'v1 bigint k=2 error=0 1=3']::nexus.topk_state[]) s;
SELECT 'v1 text k=2 error=0 a'::nexus.topk_state;
SELECT 'v1 text k=2 error=0 %FF=1'::nexus.topk_state;
-- 50,000 light keys around five heavy ones: the answer stays within its error, the error within the promise.
SELECT t.key, t.weight <= 100000 AND t.weight + nexus.topk_error(s) >= 100000 AS within_error, nexus.topk_error(s) BETWEEN 1 AND 600000 / 1000 AS error
FROM (SELECT nexus.topk_agg(k, w, 5) AS s FROM (
  SELECT g AS k, 2::bigint AS w FROM generate_series(100::bigint, 50099) g UNION ALL SELECT h, 1 FROM generate_series(1::bigint, 5) h, generate_series(1, 100000) LIMIT 600000) r) x,
  nexus.topk(s) t ORDER BY t.key;

-- Any partition, binary and text forms, two workers.
BEGIN;
CREATE TABLE public.sketch_rows AS
  SELECT g % 7 AS part, (g * 7919 % 30011)::float8 AS v, g * 104729 % 20011 AS id, g * g % 900 AS tag, g % 100 AS w
  FROM generate_series(1::bigint, 60000) g;
ANALYZE public.sketch_rows;
CREATE TEMP TABLE kept AS
  SELECT part, nexus.quantile_agg(v) AS q, nexus.distinct_agg(id, 11) AS d, nexus.topk_agg(tag::text, w, 10) AS t
  FROM public.sketch_rows GROUP BY part;
CREATE TEMP TABLE copied (LIKE kept);
\copy kept TO 'results/metrics_sketches.bin' WITH (FORMAT binary)
\copy copied FROM 'results/metrics_sketches.bin' WITH (FORMAT binary)
SELECT count(*) AS states, count(*) FILTER (WHERE (a.q::text, a.d::text, a.t::text) = (b.q::text, b.d::text, b.t::text)) AS same,
  count(*) FILTER (WHERE (a.q::text::nexus.quantile_state::text, a.d::text::nexus.distinct_state::text, a.t::text::nexus.topk_state::text)
    = (b.q::text, b.d::text, b.t::text)) AS by_text
FROM kept a JOIN copied b USING (part);
CREATE VIEW public.sketch_whole AS
  SELECT nexus.quantile_agg(v) AS q, nexus.distinct_agg(id, 11) AS d, nexus.topk_agg(tag::text, w, 10) AS t FROM public.sketch_rows;
SELECT x.d::text = w.d::text AS distinct_same, x.t::text = w.t::text AS topk_same, nexus.num_values(x.q) AS values,
  abs(nexus.quantile(x.q, 0.5) - 15005) < 0.01 * 30011 AS median, abs(nexus.quantile(x.q, 0.99) - 29710) < 0.002 * 30011 AS tail
FROM (SELECT nexus.rollup(q) AS q, nexus.rollup(d) AS d, nexus.rollup(t) AS t FROM copied) x, public.sketch_whole w;
SELECT t.key, t.weight = s.weight AS exact FROM public.sketch_whole, nexus.topk(t) WITH ORDINALITY t(key, weight, place)
JOIN (SELECT tag::text, sum(w) AS weight, row_number() OVER (ORDER BY sum(w) DESC, tag::text COLLATE "C") AS place
  FROM public.sketch_rows GROUP BY tag) s ON s.tag = t.key AND s.place = t.place ORDER BY t.place;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT * FROM public.sketch_whole;
SELECT d::text AS two_d, t::text AS two_t, nexus.num_values(q) AS two_n, nexus.quantile(q, 0.5) AS two_median FROM public.sketch_whole \gset
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT d::text = :'two_d' AS distinct_same, t::text = :'two_t' AS topk_same, nexus.num_values(q) = :two_n AS counts,
  abs(nexus.quantile(q, 0.5) - :two_median) < 0.01 * 30011 AS median
FROM public.sketch_whole;

-- By group too, and as a window: the state goes on after it was read.
CREATE VIEW public.sketch_groups AS
  SELECT part, nexus.quantile_agg(v)::text AS q, nexus.distinct_agg(id, 11)::text AS d, nexus.topk_agg(tag, w, 10)::text AS t,
    nexus.metrics_agg(id, w, NULL, tag, part, NULL, w * 90000000000000000, NULL)::text AS m,
    nexus.counter_agg('2025-01-01'::timestamptz + v::bigint * interval '1 s', id, 'reset', w)::text AS c
  FROM public.sketch_rows g WHERE v < 700 GROUP BY part;
SET LOCAL max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT * FROM public.sketch_groups;
CREATE TEMP TABLE by_two AS SELECT * FROM public.sketch_groups;
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT count(*) AS groups, count(*) FILTER (WHERE a.q = b.q) AS quantiles, count(*) FILTER (WHERE a.d = b.d) AS distinct_counts,
  count(*) FILTER (WHERE a.t = b.t) AS rankings, count(*) FILTER (WHERE a.m = b.m) AS sums, count(*) FILTER (WHERE a.c = b.c) AS counters
FROM public.sketch_groups a JOIN by_two b USING (part);
WITH few AS (SELECT row_number() OVER (ORDER BY v) AS n, v, id, w FROM public.sketch_rows ORDER BY v LIMIT 200), running AS (
  SELECT n, nexus.quantile_agg(v) OVER so_far AS q, nexus.distinct_agg(id % 90, 4) OVER so_far AS d,
    nexus.topk_agg(id % 90, w, 3) OVER so_far AS t, nexus.metrics_agg(id, 9223372036854775807, w, 0, 0, 0, 0, NULL) OVER so_far AS m,
    nexus.counter_agg('2025-01-01'::timestamptz - n * interval '1 s', id, 'nonneg', n) OVER so_far AS c
  FROM few WINDOW so_far AS (ORDER BY n))
SELECT count(*) AS rows, count(*) FILTER (WHERE r.q::text = f.q::text) AS quantiles, count(*) FILTER (WHERE r.d::text = f.d::text) AS distinct_counts,
  count(*) FILTER (WHERE r.t::text = f.t::text) AS rankings, count(*) FILTER (WHERE r.m::text = f.m::text) AS sums,
  count(*) FILTER (WHERE r.c::text = f.c::text) AS counters
FROM running r, LATERAL (
  SELECT nexus.quantile_agg(v) AS q, nexus.distinct_agg(id % 90, 4) AS d, nexus.topk_agg(id % 90, w, 3) AS t,
    nexus.metrics_agg(id, 9223372036854775807, w, 0, 0, 0, 0, NULL) AS m,
    nexus.counter_agg('2025-01-01'::timestamptz - n * interval '1 s', id, 'nonneg', n) AS c
  FROM few WHERE few.n <= r.n) f;
ROLLBACK;
