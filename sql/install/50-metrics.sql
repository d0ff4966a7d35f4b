-- Metrics: sums of counters as a mergeable state, and the author's own hours, days, weeks and months.

CREATE TYPE nexus.metrics_state;

CREATE FUNCTION nexus.metrics_state_in(cstring) RETURNS nexus.metrics_state LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_metrics_state_in';
CREATE FUNCTION nexus.metrics_state_out(nexus.metrics_state) RETURNS cstring LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_metrics_state_out';
CREATE FUNCTION nexus.metrics_state_recv(internal) RETURNS nexus.metrics_state LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_metrics_state_recv';
CREATE FUNCTION nexus.metrics_state_send(nexus.metrics_state) RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_metrics_state_send';

CREATE TYPE nexus.metrics_state (
  INPUT = nexus.metrics_state_in, OUTPUT = nexus.metrics_state_out,
  RECEIVE = nexus.metrics_state_recv, SEND = nexus.metrics_state_send,
  INTERNALLENGTH = VARIABLE, STORAGE = extended
);
COMMENT ON TYPE nexus.metrics_state IS
  'Sums of the eight counters, exact to 128 bits, with the number of samples: what metrics_agg returns and rollup merges. Text form: v1 samples=2 views=10 likes=3; a counter that was never given does not appear.';

CREATE FUNCTION nexus.metrics_agg_step(internal, views bigint, likes bigint, comments bigint, shares bigint, saves bigint,
  reach bigint, clicks bigint, watch_time_seconds bigint) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_metrics_agg_step';
CREATE FUNCTION nexus.metrics_state_step(internal, nexus.metrics_state) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_metrics_state_step';
CREATE FUNCTION nexus.metrics_agg_combine(internal, internal) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_metrics_agg_combine';
CREATE FUNCTION nexus.metrics_agg_serialize(internal) RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_metrics_agg_serialize';
CREATE FUNCTION nexus.metrics_agg_deserialize(bytea, internal) RETURNS internal LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_metrics_agg_deserialize';
CREATE FUNCTION nexus.metrics_agg_final(internal) RETURNS nexus.metrics_state LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_metrics_agg_final';

CREATE AGGREGATE nexus.metrics_agg(views bigint, likes bigint, comments bigint, shares bigint, saves bigint, reach bigint,
  clicks bigint, watch_time_seconds bigint) (
  SFUNC = nexus.metrics_agg_step, STYPE = internal, SSPACE = 64, FINALFUNC = nexus.metrics_agg_final,
  COMBINEFUNC = nexus.metrics_agg_combine, SERIALFUNC = nexus.metrics_agg_serialize,
  DESERIALFUNC = nexus.metrics_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.metrics_agg(bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint) IS
  'Exact sums of the eight counters in one pass. NULL counters are left out; a counter that is NULL in all rows has no sum. NULL for no rows. Read it with total() and engagement_rate(), merge stored states with rollup().';

CREATE AGGREGATE nexus.rollup(nexus.metrics_state) (
  SFUNC = nexus.metrics_state_step, STYPE = internal, SSPACE = 64, FINALFUNC = nexus.metrics_agg_final,
  COMBINEFUNC = nexus.metrics_agg_combine, SERIALFUNC = nexus.metrics_agg_serialize,
  DESERIALFUNC = nexus.metrics_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.rollup(nexus.metrics_state) IS
  'Merges stored states: the same state that metrics_agg would have given over all their rows. NULL states are left out.';

CREATE FUNCTION nexus.total(state nexus.metrics_state, metric text) RETURNS numeric LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_metrics_total';
COMMENT ON FUNCTION nexus.total(nexus.metrics_state, text) IS
  'The sum of one counter: views, likes, comments, shares, saves, reach, clicks or watch_time_seconds; NULL if it was never given. 22023 for another name.';

CREATE FUNCTION nexus.num_samples(state nexus.metrics_state) RETURNS bigint LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_metrics_num_samples';
COMMENT ON FUNCTION nexus.num_samples(nexus.metrics_state) IS 'The number of rows in a state.';

CREATE FUNCTION nexus.engagement_rate(state nexus.metrics_state, denominator text DEFAULT 'reach', weights jsonb DEFAULT '{}',
  followers bigint DEFAULT NULL) RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_engagement_rate';
COMMENT ON FUNCTION nexus.engagement_rate(nexus.metrics_state, text, jsonb, bigint) IS
  'likes + comments + shares + saves over views, reach or the given number of followers, as a ratio (0.05 is 5 %). Summed first, divided once. weights such as {"comments": 2} count a part more or less than once. NULL where all four parts or the denominator are unknown, or the denominator is 0.';

CREATE FUNCTION nexus.local_bucket(unit text, ts timestamptz, tz text) RETURNS timestamptz LANGUAGE c STABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_local_bucket';
COMMENT ON FUNCTION nexus.local_bucket(text, timestamptz, text) IS
  'The first instant of the local hour, day, week (from Monday) or month that ts falls into, in a zone of pg_timezone_names. Right where midnight comes twice (the first), not at all (the jump), and where clocks shift by half an hour: hours are real, so the repeated hour is a bucket of its own. Infinity stays. 22023 for an unknown unit or zone.';
CREATE FUNCTION nexus.local_bucket_end(unit text, ts timestamptz, tz text) RETURNS timestamptz LANGUAGE c STABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_local_bucket_end';
COMMENT ON FUNCTION nexus.local_bucket_end(text, timestamptz, text) IS
  'Where the bucket of local_bucket() ends: the start of the next one.';
