\echo Use "CREATE EXTENSION nexus_guard" to load this file. \quit

CREATE FUNCTION nexus_guard.live_objects() RETURNS bigint LANGUAGE c AS 'MODULE_PATHNAME', 'guard_live_objects';
CREATE FUNCTION nexus_guard.inject(kind text) RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'guard_inject';
CREATE FUNCTION nexus_guard.spin(steps bigint) RETURNS bigint LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'guard_spin';
CREATE FUNCTION nexus_guard.allocate(bytes bigint) RETURNS bigint LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'guard_allocate';
CREATE FUNCTION nexus_guard.echo(body text) RETURNS text LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'guard_echo';
CREATE FUNCTION nexus_guard.utf8_bytes(body text) RETURNS integer LANGUAGE c STRICT
  AS 'MODULE_PATHNAME', 'guard_utf8_bytes';
CREATE FUNCTION nexus_guard.rows(count integer, fail_at integer) RETURNS SETOF integer LANGUAGE c STRICT
  AS 'MODULE_PATHNAME', 'guard_rows';
CREATE FUNCTION nexus_guard.collect_step(internal, value integer, fail_at integer) RETURNS internal LANGUAGE c
  AS 'MODULE_PATHNAME', 'guard_collect_step';
CREATE FUNCTION nexus_guard.collect_final(internal) RETURNS bigint LANGUAGE c AS 'MODULE_PATHNAME', 'guard_collect_final';
CREATE AGGREGATE nexus_guard.collect(value integer, fail_at integer) (
  SFUNC = nexus_guard.collect_step, STYPE = internal, FINALFUNC = nexus_guard.collect_final);
