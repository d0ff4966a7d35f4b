-- Quantiles of any numbers in little memory: exact while there are few, a t-digest after that.

CREATE TYPE nexus.quantile_state;

CREATE FUNCTION nexus.quantile_state_in(cstring) RETURNS nexus.quantile_state LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_quantile_state_in';
CREATE FUNCTION nexus.quantile_state_out(nexus.quantile_state) RETURNS cstring LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_quantile_state_out';
CREATE FUNCTION nexus.quantile_state_recv(internal) RETURNS nexus.quantile_state LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_quantile_state_recv';
CREATE FUNCTION nexus.quantile_state_send(nexus.quantile_state) RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_quantile_state_send';

CREATE TYPE nexus.quantile_state (
  INPUT = nexus.quantile_state_in, OUTPUT = nexus.quantile_state_out, RECEIVE = nexus.quantile_state_recv, SEND = nexus.quantile_state_send,
  INTERNALLENGTH = VARIABLE, STORAGE = extended
);
COMMENT ON TYPE nexus.quantile_state IS
  'Up to 256 numbers as they are, or more as a t-digest of some 4 kB: what quantile_agg returns and rollup merges. Text form: v1 exact 1 2.5 10, or v1 digest, the least and the largest value, then mean*count of each group.';

CREATE FUNCTION nexus.quantile_state_step(internal, nexus.quantile_state) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_quantile_state_step';
CREATE FUNCTION nexus.quantile_agg_combine(internal, internal) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_quantile_agg_combine';
CREATE FUNCTION nexus.quantile_agg_serialize(internal) RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_quantile_agg_serialize';
CREATE FUNCTION nexus.quantile_agg_deserialize(bytea, internal) RETURNS internal LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_quantile_agg_deserialize';
CREATE FUNCTION nexus.quantile_agg_final(internal) RETURNS nexus.quantile_state LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_quantile_agg_final';

CREATE FUNCTION nexus.quantile_agg_step(internal, double precision) RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_quantile_agg_step';
CREATE AGGREGATE nexus.quantile_agg(double precision) (
  SFUNC = nexus.quantile_agg_step, STYPE = internal, SSPACE = 4096, FINALFUNC = nexus.quantile_agg_final,
  COMBINEFUNC = nexus.quantile_agg_combine, SERIALFUNC = nexus.quantile_agg_serialize, DESERIALFUNC = nexus.quantile_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.quantile_agg(double precision) IS
  'The distribution of finite numbers; NULL is left out, NaN and infinities are 22023. Without rows a state of no values. Read it with quantile(), min_value(), max_value() and num_values().';

CREATE AGGREGATE nexus.rollup(nexus.quantile_state) (
  SFUNC = nexus.quantile_state_step, STYPE = internal, SSPACE = 4096, FINALFUNC = nexus.quantile_agg_final,
  COMBINEFUNC = nexus.quantile_agg_combine, SERIALFUNC = nexus.quantile_agg_serialize, DESERIALFUNC = nexus.quantile_agg_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nexus.rollup(nexus.quantile_state) IS
  'Merges stored distributions. Exact while there are at most 256 values together, within the bounds of quantile() after that; NULL states are left out.';

CREATE FUNCTION nexus.quantile(state nexus.quantile_state, q double precision) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_quantile';
COMMENT ON FUNCTION nexus.quantile(nexus.quantile_state, double precision) IS
  'The value below which the share q (0 to 1, else 22023) of all values lies, interpolated between neighbours as percentile_cont does. Exact for up to 256 values, and for q 0 and 1. For more its rank is within 0.01 of q, and within 0.002 for q up to 0.01 or from 0.99. NULL without values. Source: t-digest, Dunning and Ertl 2019.';

CREATE FUNCTION nexus.min_value(state nexus.quantile_state) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_quantile_min_value';
COMMENT ON FUNCTION nexus.min_value(nexus.quantile_state) IS
  'The least value, exact; NULL without values.';

CREATE FUNCTION nexus.max_value(state nexus.quantile_state) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_quantile_max_value';
COMMENT ON FUNCTION nexus.max_value(nexus.quantile_state) IS
  'The largest value, exact; NULL without values.';

CREATE FUNCTION nexus.num_values(state nexus.quantile_state) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_quantile_num_values';
COMMENT ON FUNCTION nexus.num_values(nexus.quantile_state) IS
  'The number of values.';
