-- The heaviest keys: the posts, tags or links that gathered the most.

CREATE TYPE nexus.topk_state;

CREATE FUNCTION nexus.topk_state_in(cstring) RETURNS nexus.topk_state LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_topk_state_in';
CREATE FUNCTION nexus.topk_state_out(nexus.topk_state) RETURNS cstring LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_topk_state_out';
CREATE FUNCTION nexus.topk_state_recv(internal) RETURNS nexus.topk_state LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_topk_state_recv';
CREATE FUNCTION nexus.topk_state_send(nexus.topk_state) RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_topk_state_send';

CREATE TYPE nexus.topk_state (
  INPUT = nexus.topk_state_in, OUTPUT = nexus.topk_state_out, RECEIVE = nexus.topk_state_recv, SEND = nexus.topk_state_send,
  INTERNALLENGTH = VARIABLE, STORAGE = extended
);
COMMENT ON TYPE nexus.topk_state IS
  'Keys with their sums of weights: what topk_agg returns and rollup merges. It knows its k and the type of its keys. Text form: v1 text k=2 error=0 cats=6 dogs=3, other signs than ASCII letters, digits and - _ . percent-encoded.';

CREATE FUNCTION nexus.topk_state_step(internal, nexus.topk_state) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_topk_state_step';
CREATE FUNCTION nexus.topk_agg_combine(internal, internal) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_topk_agg_combine';
CREATE FUNCTION nexus.topk_agg_serialize(internal) RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_topk_agg_serialize';
CREATE FUNCTION nexus.topk_agg_deserialize(bytea, internal) RETURNS internal LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_topk_agg_deserialize';
CREATE FUNCTION nexus.topk_agg_final(internal) RETURNS nexus.topk_state LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_topk_agg_final';

CREATE FUNCTION nexus.topk_agg_step(internal, key bigint, weight bigint, k integer) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_topk_agg_step_int8';
CREATE AGGREGATE nexus.topk_agg(key bigint, weight bigint, k integer) (
  SFUNC = nexus.topk_agg_step, STYPE = internal, FINALFUNC = nexus.topk_agg_final,
  COMBINEFUNC = nexus.topk_agg_combine, SERIALFUNC = nexus.topk_agg_serialize, DESERIALFUNC = nexus.topk_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.topk_agg(bigint, bigint, integer) IS
  'The k keys (1 to 10000, one k for a group) with the largest sums of weights; of equal weights by number. Exact up to max(1000, 8k) different keys, after that with the bound of topk_error(). A row with a NULL key or weight is left out; a negative weight is 22023, a key of more than 2048 bytes 54000. NULL for no rows. Read it with topk().';

CREATE FUNCTION nexus.topk_agg_step(internal, key text, weight bigint, k integer) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_topk_agg_step_text';
CREATE AGGREGATE nexus.topk_agg(key text, weight bigint, k integer) (
  SFUNC = nexus.topk_agg_step, STYPE = internal, FINALFUNC = nexus.topk_agg_final,
  COMBINEFUNC = nexus.topk_agg_combine, SERIALFUNC = nexus.topk_agg_serialize, DESERIALFUNC = nexus.topk_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.topk_agg(text, bigint, integer) IS
  'The k keys (1 to 10000, one k for a group) with the largest sums of weights; of equal weights in byte order. Exact up to max(1000, 8k) different keys, after that with the bound of topk_error(). A row with a NULL key or weight is left out; a negative weight is 22023, a key of more than 2048 bytes 54000. NULL for no rows. Read it with topk().';

CREATE AGGREGATE nexus.rollup(nexus.topk_state) (
  SFUNC = nexus.topk_state_step, STYPE = internal, FINALFUNC = nexus.topk_agg_final,
  COMBINEFUNC = nexus.topk_agg_combine, SERIALFUNC = nexus.topk_agg_serialize, DESERIALFUNC = nexus.topk_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.rollup(nexus.topk_state) IS
  'Merges stored states in any order. 22023 for states with different k or types of key. NULL states are left out.';

CREATE FUNCTION nexus.topk(state nexus.topk_state) RETURNS TABLE (key text, weight numeric)
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'nexus_topk';
COMMENT ON FUNCTION nexus.topk(nexus.topk_state) IS
  'The k heaviest keys, heaviest first. Each weight is exact, or up to topk_error() too small.';

CREATE FUNCTION nexus.topk_error(state nexus.topk_state) RETURNS numeric
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_topk_error';
COMMENT ON FUNCTION nexus.topk_error(nexus.topk_state) IS
  'By how much a weight of topk() may be too small; no key that is missing there weighs more than the least one shown and this together. 0 while the answer is exact, at most the sum of all weights divided by max(1000, 8k). Source: Misra and Gries 1982, merged as by Agarwal et al. 2012.';
