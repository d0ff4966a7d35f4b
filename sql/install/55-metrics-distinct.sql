-- How many different viewers, followers, tags: exact while there are few, HyperLogLog after that.

CREATE TYPE nexus.distinct_state;

CREATE FUNCTION nexus.distinct_state_in(cstring) RETURNS nexus.distinct_state LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_state_in';
CREATE FUNCTION nexus.distinct_state_out(nexus.distinct_state) RETURNS cstring LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_state_out';
CREATE FUNCTION nexus.distinct_state_recv(internal) RETURNS nexus.distinct_state LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_state_recv';
CREATE FUNCTION nexus.distinct_state_send(nexus.distinct_state) RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_state_send';

CREATE TYPE nexus.distinct_state (
  INPUT = nexus.distinct_state_in, OUTPUT = nexus.distinct_state_out, RECEIVE = nexus.distinct_state_recv, SEND = nexus.distinct_state_send,
  INTERNALLENGTH = VARIABLE, STORAGE = extended
);
COMMENT ON TYPE nexus.distinct_state IS
  'Different values by their 64-bit hashes (MurmurHash3), or registers of a HyperLogLog: what distinct_agg returns and rollup merges. Text form: v1 murmur3 and the published hll storage format in hexadecimal digits.';

CREATE FUNCTION nexus.distinct_state_step(internal, nexus.distinct_state) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_state_step';
CREATE FUNCTION nexus.distinct_agg_combine(internal, internal) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_agg_combine';
CREATE FUNCTION nexus.distinct_agg_serialize(internal) RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_agg_serialize';
CREATE FUNCTION nexus.distinct_agg_deserialize(bytea, internal) RETURNS internal LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_agg_deserialize';
CREATE FUNCTION nexus.distinct_agg_final(internal) RETURNS nexus.distinct_state LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_agg_final';

CREATE FUNCTION nexus.distinct_agg_step(internal, value bigint) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_agg_step_int8';
CREATE AGGREGATE nexus.distinct_agg(value bigint) (
  SFUNC = nexus.distinct_agg_step, STYPE = internal, FINALFUNC = nexus.distinct_agg_final,
  COMBINEFUNC = nexus.distinct_agg_combine, SERIALFUNC = nexus.distinct_agg_serialize, DESERIALFUNC = nexus.distinct_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.distinct_agg(bigint) IS
  'The different values, exact up to 1280, after that with a standard error of 0.8 %. NULL is left out; without rows a state that counts 0. Read it with distinct_count().';

CREATE FUNCTION nexus.distinct_agg_step(internal, value bigint, log2m integer) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_agg_step_int8';
CREATE AGGREGATE nexus.distinct_agg(value bigint, log2m integer) (
  SFUNC = nexus.distinct_agg_step, STYPE = internal, FINALFUNC = nexus.distinct_agg_final,
  COMBINEFUNC = nexus.distinct_agg_combine, SERIALFUNC = nexus.distinct_agg_serialize, DESERIALFUNC = nexus.distinct_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.distinct_agg(bigint, integer) IS
  'As distinct_agg(value) with 2^log2m registers: the standard error is 1.04 / sqrt(2^log2m), for 11 it is 2.3 %; exact up to 128 values or, if that is more, 5 * 2^log2m / 64. log2m is 4 to 18 and one for a group, else 22023. NULL is left out; without rows a state that counts 0. Read it with distinct_count().';

CREATE FUNCTION nexus.distinct_agg_step(internal, value text) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_agg_step_text';
CREATE AGGREGATE nexus.distinct_agg(value text) (
  SFUNC = nexus.distinct_agg_step, STYPE = internal, FINALFUNC = nexus.distinct_agg_final,
  COMBINEFUNC = nexus.distinct_agg_combine, SERIALFUNC = nexus.distinct_agg_serialize, DESERIALFUNC = nexus.distinct_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.distinct_agg(text) IS
  'The different values, exact up to 1280, after that with a standard error of 0.8 %. NULL is left out; without rows a state that counts 0. Read it with distinct_count().';

CREATE FUNCTION nexus.distinct_agg_step(internal, value text, log2m integer) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_distinct_agg_step_text';
CREATE AGGREGATE nexus.distinct_agg(value text, log2m integer) (
  SFUNC = nexus.distinct_agg_step, STYPE = internal, FINALFUNC = nexus.distinct_agg_final,
  COMBINEFUNC = nexus.distinct_agg_combine, SERIALFUNC = nexus.distinct_agg_serialize, DESERIALFUNC = nexus.distinct_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.distinct_agg(text, integer) IS
  'As distinct_agg(value) with 2^log2m registers: the standard error is 1.04 / sqrt(2^log2m), for 11 it is 2.3 %; exact up to 128 values or, if that is more, 5 * 2^log2m / 64. log2m is 4 to 18 and one for a group, else 22023. NULL is left out; without rows a state that counts 0. Read it with distinct_count().';

CREATE AGGREGATE nexus.rollup(nexus.distinct_state) (
  SFUNC = nexus.distinct_state_step, STYPE = internal, FINALFUNC = nexus.distinct_agg_final,
  COMBINEFUNC = nexus.distinct_agg_combine, SERIALFUNC = nexus.distinct_agg_serialize, DESERIALFUNC = nexus.distinct_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.rollup(nexus.distinct_state) IS
  'The union of stored states: what distinct_agg would have given over all their values, in any order. Of different log2m the smallest remains. NULL states are left out.';

CREATE FUNCTION nexus.distinct_count(state nexus.distinct_state) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_distinct_count';
COMMENT ON FUNCTION nexus.distinct_count(nexus.distinct_state) IS
  'How many different values there are: exact for few, else Ertl''s estimate, without bias from few to many (2017, algorithm 6).';

CREATE FUNCTION nexus.distinct_union(a nexus.distinct_state, b nexus.distinct_state) RETURNS nexus.distinct_state
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_distinct_union';
COMMENT ON FUNCTION nexus.distinct_union(nexus.distinct_state, nexus.distinct_state) IS
  'The values that are in either of two states; NULL if one is NULL. Of different log2m the smaller remains. What both share is the sum of their counts less that of the union.';

CREATE FUNCTION nexus.distinct_to_hll(state nexus.distinct_state) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_distinct_to_hll';
COMMENT ON FUNCTION nexus.distinct_to_hll(nexus.distinct_state) IS
  'The state in the published HyperLogLog storage format (schema version 1), for the hll extension: distinct_to_hll(state)::hll. It counts on with hll_hash_bigint and hll_hash_text of seed 0.';

CREATE FUNCTION nexus.distinct_from_hll(hll bytea) RETURNS nexus.distinct_state
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_distinct_from_hll';
COMMENT ON FUNCTION nexus.distinct_from_hll(bytea) IS
  'Takes a value of the hll extension, hll_value::bytea, whose hashes are those of hll_hash_bigint or hll_hash_text of seed 0. Wider registers than 5 bits are cut as 5 bits would have been. 0A000 for narrower ones, a log2m outside 4 to 18 or an undefined value; XX001 for damaged bytes.';
