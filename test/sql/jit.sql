-- A query that the JIT compiles, with inlining forced: each engine's functions in it answer as without.
SET jit = on;
SET jit_above_cost = 0;
SET jit_inline_above_cost = 0;
SET jit_optimize_above_cost = 0;
SELECT sum((nexus.text_stats('ünï ' || g)).graphemes), sum(nexus.remaining('abc' || g, 'x')), sum(length(nexus.truncate_text('abc' || g, 'x'))),
       count(nexus.canonical_hashtag('#Tag' || g)), sum(cardinality(nexus.hashtags('#a #b' || g)))
FROM generate_series(1, 100) g;
SELECT count(*), count(DISTINCT f.code) FROM generate_series(1, 20) g, nexus.validate(jsonb_build_object('caption', repeat('x', g * 50)), ARRAY['x', 'bluesky']) f;
SELECT max(nexus.next_occurrence('FREQ=DAILY', timestamp '2026-01-01' + g * interval '1 day', 'Europe/Berlin', '2026-06-01Z')) AT TIME ZONE 'UTC',
       bool_and(nexus.jsonschema_valid('{"type": "integer"}', to_jsonb(g)))
FROM generate_series(1, 100) g;
SELECT nexus.total(nexus.metrics_agg(g, g, g, g, g, g, g, g), 'views'), nexus.delta(nexus.counter_agg(timestamptz '2026-01-01Z' + g * interval '1 hour', g)),
       nexus.distinct_count(nexus.distinct_agg(g::bigint)), nexus.quantile(nexus.quantile_agg(g), 0.5) BETWEEN 49 AND 52
FROM generate_series(1, 100) g;
