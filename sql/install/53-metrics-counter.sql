-- Counters that only grow, unless they are reset or corrected: increments from samples in any order.

CREATE TYPE nexus.counter_state;

CREATE FUNCTION nexus.counter_state_in(cstring) RETURNS nexus.counter_state LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_state_in';
CREATE FUNCTION nexus.counter_state_out(nexus.counter_state) RETURNS cstring LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_state_out';
CREATE FUNCTION nexus.counter_state_recv(internal) RETURNS nexus.counter_state LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_state_recv';
CREATE FUNCTION nexus.counter_state_send(nexus.counter_state) RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_state_send';

CREATE TYPE nexus.counter_state (
  INPUT = nexus.counter_state_in, OUTPUT = nexus.counter_state_out,
  RECEIVE = nexus.counter_state_recv, SEND = nexus.counter_state_send,
  INTERNALLENGTH = VARIABLE, STORAGE = extended
);
COMMENT ON TYPE nexus.counter_state IS
  'The samples of one counter with its policy, some five bytes each: what counter_agg returns and rollup merges, also where time ranges interleave. Text form: v1 policy scale=decimals, then for each sample microseconds since 2000 = digits.';

CREATE FUNCTION nexus.counter_state_step(internal, nexus.counter_state) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_state_step';
CREATE FUNCTION nexus.counter_agg_combine(internal, internal) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_agg_combine';
CREATE FUNCTION nexus.counter_agg_serialize(internal) RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_agg_serialize';
CREATE FUNCTION nexus.counter_agg_deserialize(bytea, internal) RETURNS internal LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_agg_deserialize';
CREATE FUNCTION nexus.counter_agg_final(internal) RETURNS nexus.counter_state LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_agg_final';

CREATE FUNCTION nexus.counter_agg_step(internal, ts timestamptz, value integer) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_counter_agg_step_int4';
CREATE AGGREGATE nexus.counter_agg(ts timestamptz, value integer) (
  SFUNC = nexus.counter_agg_step, STYPE = internal, FINALFUNC = nexus.counter_agg_final,
  COMBINEFUNC = nexus.counter_agg_combine, SERIALFUNC = nexus.counter_agg_serialize,
  DESERIALFUNC = nexus.counter_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.counter_agg(timestamptz, integer) IS
  'The samples of a counter, in any order; a decrease to half or more of the value before is a correction by the platform, to less a reset. At one instant the later row counts. NULL samples are skipped. Read it with delta(), rate() and the others.';

CREATE FUNCTION nexus.counter_agg_step(internal, ts timestamptz, value integer, policy text) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_counter_agg_step_int4';
CREATE AGGREGATE nexus.counter_agg(ts timestamptz, value integer, policy text) (
  SFUNC = nexus.counter_agg_step, STYPE = internal, FINALFUNC = nexus.counter_agg_final,
  COMBINEFUNC = nexus.counter_agg_combine, SERIALFUNC = nexus.counter_agg_serialize,
  DESERIALFUNC = nexus.counter_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.counter_agg(timestamptz, integer, text) IS
  'As counter_agg(ts, value); policy says what a decrease is: reset (counting began anew, the new value is the increment), nonneg (unknown, 0), correction or correction:THETA (taken back by the platform, a negative increment, if at least 1 - THETA of the old value is left, else a reset; THETA is 0.5). 22023 for another policy, or two in one group.';

CREATE FUNCTION nexus.counter_agg_step(internal, ts timestamptz, value integer, policy text, seq bigint) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_counter_agg_step_int4';
CREATE AGGREGATE nexus.counter_agg(ts timestamptz, value integer, policy text, seq bigint) (
  SFUNC = nexus.counter_agg_step, STYPE = internal, FINALFUNC = nexus.counter_agg_final,
  COMBINEFUNC = nexus.counter_agg_combine, SERIALFUNC = nexus.counter_agg_serialize,
  DESERIALFUNC = nexus.counter_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.counter_agg(timestamptz, integer, text, bigint) IS
  'As counter_agg(ts, value, policy); at one instant the largest seq counts, in whatever order rows come.';

CREATE FUNCTION nexus.counter_agg_step(internal, ts timestamptz, value bigint) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_counter_agg_step_int8';
CREATE AGGREGATE nexus.counter_agg(ts timestamptz, value bigint) (
  SFUNC = nexus.counter_agg_step, STYPE = internal, FINALFUNC = nexus.counter_agg_final,
  COMBINEFUNC = nexus.counter_agg_combine, SERIALFUNC = nexus.counter_agg_serialize,
  DESERIALFUNC = nexus.counter_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.counter_agg(timestamptz, bigint) IS
  'The samples of a counter, in any order; a decrease to half or more of the value before is a correction by the platform, to less a reset. At one instant the later row counts. NULL samples are skipped. Read it with delta(), rate() and the others.';

CREATE FUNCTION nexus.counter_agg_step(internal, ts timestamptz, value bigint, policy text) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_counter_agg_step_int8';
CREATE AGGREGATE nexus.counter_agg(ts timestamptz, value bigint, policy text) (
  SFUNC = nexus.counter_agg_step, STYPE = internal, FINALFUNC = nexus.counter_agg_final,
  COMBINEFUNC = nexus.counter_agg_combine, SERIALFUNC = nexus.counter_agg_serialize,
  DESERIALFUNC = nexus.counter_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.counter_agg(timestamptz, bigint, text) IS
  'As counter_agg(ts, value); policy says what a decrease is: reset (counting began anew, the new value is the increment), nonneg (unknown, 0), correction or correction:THETA (taken back by the platform, a negative increment, if at least 1 - THETA of the old value is left, else a reset; THETA is 0.5). 22023 for another policy, or two in one group.';

CREATE FUNCTION nexus.counter_agg_step(internal, ts timestamptz, value bigint, policy text, seq bigint) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_counter_agg_step_int8';
CREATE AGGREGATE nexus.counter_agg(ts timestamptz, value bigint, policy text, seq bigint) (
  SFUNC = nexus.counter_agg_step, STYPE = internal, FINALFUNC = nexus.counter_agg_final,
  COMBINEFUNC = nexus.counter_agg_combine, SERIALFUNC = nexus.counter_agg_serialize,
  DESERIALFUNC = nexus.counter_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.counter_agg(timestamptz, bigint, text, bigint) IS
  'As counter_agg(ts, value, policy); at one instant the largest seq counts, in whatever order rows come.';

CREATE FUNCTION nexus.counter_agg_step(internal, ts timestamptz, value numeric) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_counter_agg_step_numeric';
CREATE AGGREGATE nexus.counter_agg(ts timestamptz, value numeric) (
  SFUNC = nexus.counter_agg_step, STYPE = internal, FINALFUNC = nexus.counter_agg_final,
  COMBINEFUNC = nexus.counter_agg_combine, SERIALFUNC = nexus.counter_agg_serialize,
  DESERIALFUNC = nexus.counter_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.counter_agg(timestamptz, numeric) IS
  'The samples of a counter, in any order; a decrease to half or more of the value before is a correction by the platform, to less a reset. At one instant the later row counts. NULL samples are skipped. Read it with delta(), rate() and the others.';

CREATE FUNCTION nexus.counter_agg_step(internal, ts timestamptz, value numeric, policy text) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_counter_agg_step_numeric';
CREATE AGGREGATE nexus.counter_agg(ts timestamptz, value numeric, policy text) (
  SFUNC = nexus.counter_agg_step, STYPE = internal, FINALFUNC = nexus.counter_agg_final,
  COMBINEFUNC = nexus.counter_agg_combine, SERIALFUNC = nexus.counter_agg_serialize,
  DESERIALFUNC = nexus.counter_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.counter_agg(timestamptz, numeric, text) IS
  'As counter_agg(ts, value); policy says what a decrease is: reset (counting began anew, the new value is the increment), nonneg (unknown, 0), correction or correction:THETA (taken back by the platform, a negative increment, if at least 1 - THETA of the old value is left, else a reset; THETA is 0.5). 22023 for another policy, or two in one group.';

CREATE FUNCTION nexus.counter_agg_step(internal, ts timestamptz, value numeric, policy text, seq bigint) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_counter_agg_step_numeric';
CREATE AGGREGATE nexus.counter_agg(ts timestamptz, value numeric, policy text, seq bigint) (
  SFUNC = nexus.counter_agg_step, STYPE = internal, FINALFUNC = nexus.counter_agg_final,
  COMBINEFUNC = nexus.counter_agg_combine, SERIALFUNC = nexus.counter_agg_serialize,
  DESERIALFUNC = nexus.counter_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.counter_agg(timestamptz, numeric, text, bigint) IS
  'As counter_agg(ts, value, policy); at one instant the largest seq counts, in whatever order rows come.';

CREATE AGGREGATE nexus.rollup(nexus.counter_state) (
  SFUNC = nexus.counter_state_step, STYPE = internal, FINALFUNC = nexus.counter_agg_final,
  COMBINEFUNC = nexus.counter_agg_combine, SERIALFUNC = nexus.counter_agg_serialize,
  DESERIALFUNC = nexus.counter_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.rollup(nexus.counter_state) IS
  'Merges stored states into the one that counter_agg would have given over all their samples. 22023 for states of two policies.';

CREATE FUNCTION nexus.delta(state nexus.counter_state) RETURNS numeric LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_delta';
COMMENT ON FUNCTION nexus.delta(nexus.counter_state) IS 'The exact increase between first and last sample, resets and corrections counted by the policy; 0 for one sample, NULL for none.';
CREATE FUNCTION nexus.rate(state nexus.counter_state) RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_rate';
COMMENT ON FUNCTION nexus.rate(nexus.counter_state) IS 'delta() a second; NULL for fewer than two instants.';
CREATE FUNCTION nexus.num_samples(state nexus.counter_state) RETURNS bigint LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_num_samples';
COMMENT ON FUNCTION nexus.num_samples(nexus.counter_state) IS 'Samples after those of one instant are settled.';
CREATE FUNCTION nexus.num_resets(state nexus.counter_state) RETURNS bigint LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_num_resets';
COMMENT ON FUNCTION nexus.num_resets(nexus.counter_state) IS 'Decreases that the policy takes for a reset.';
CREATE FUNCTION nexus.num_corrections(state nexus.counter_state) RETURNS bigint LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_num_corrections';
COMMENT ON FUNCTION nexus.num_corrections(nexus.counter_state) IS 'Decreases that the policy takes for a correction.';
CREATE FUNCTION nexus.num_changes(state nexus.counter_state) RETURNS bigint LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_num_changes';
COMMENT ON FUNCTION nexus.num_changes(nexus.counter_state) IS 'Samples whose value is not that of the one before.';
CREATE FUNCTION nexus.first_value(state nexus.counter_state) RETURNS numeric LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_first_value';
COMMENT ON FUNCTION nexus.first_value(nexus.counter_state) IS 'The value of the earliest sample.';
CREATE FUNCTION nexus.last_value(state nexus.counter_state) RETURNS numeric LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_last_value';
COMMENT ON FUNCTION nexus.last_value(nexus.counter_state) IS 'The value of the latest sample.';
CREATE FUNCTION nexus.first_time(state nexus.counter_state) RETURNS timestamptz LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_first_time';
COMMENT ON FUNCTION nexus.first_time(nexus.counter_state) IS 'The time of the earliest sample.';
CREATE FUNCTION nexus.last_time(state nexus.counter_state) RETURNS timestamptz LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_counter_last_time';
COMMENT ON FUNCTION nexus.last_time(nexus.counter_state) IS 'The time of the latest sample.';

CREATE FUNCTION nexus.counter_by_bucket(ts timestamptz[], vals numeric[], unit text, tz text, policy text DEFAULT 'correction',
  interpolate boolean DEFAULT false) RETURNS TABLE (bucket timestamptz, delta numeric)
  LANGUAGE c STABLE STRICT PARALLEL SAFE ROWS 30 AS 'MODULE_PATHNAME', 'nexus_counter_by_bucket';
COMMENT ON FUNCTION nexus.counter_by_bucket(timestamptz[], numeric[], text, text, text, boolean) IS
  'The increase of a counter in each local hour, day, week or month of tz. An increment belongs to the bucket of its later sample, and buckets with a sample are given; with interpolate the increase is spread evenly between samples over all buckets from the first to the last, to twelve decimals. Both add up to the same total. Samples may come in any order, at one instant the later element counts, NULL is skipped.';
