-- Small functions that the schema and all engines share. Everything of the extension lives in schema nexus.

GRANT USAGE ON SCHEMA nexus TO PUBLIC;

CREATE FUNCTION nexus.utcnow() RETURNS timestamp LANGUAGE sql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  RETURN now() AT TIME ZONE 'UTC';
COMMENT ON FUNCTION nexus.utcnow() IS
  'The start of this transaction as a UTC wall clock, which is what every timestamp column of the application means.';

CREATE FUNCTION nexus.is_timezone(tz text) RETURNS boolean LANGUAGE c STABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_is_timezone';
COMMENT ON FUNCTION nexus.is_timezone(text) IS
  'True for the names of pg_timezone_names only, in any case; POSIX zone strings and offsets are refused.';

-- Where the 16 tables are. One row while an application schema is attached, none otherwise.
CREATE TABLE nexus.attachment (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  schema_name name NOT NULL,
  bridge_role name NOT NULL DEFAULT 'nexus_bridge',
  attached_at timestamptz NOT NULL DEFAULT now()
);
SELECT pg_catalog.pg_extension_config_dump('nexus.attachment', '');
GRANT SELECT ON nexus.attachment TO PUBLIC;

-- Backends keep copies of small tables; a change of such a table drops the copies in all of them at commit.
CREATE FUNCTION nexus.invalidate_trigger() RETURNS trigger LANGUAGE c
  AS 'MODULE_PATHNAME', 'nexus_invalidate_trigger';
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON nexus.attachment
  FOR EACH STATEMENT EXECUTE FUNCTION nexus.invalidate_trigger();

-- A direct SQL login that stands for one end user. An app with many users has no row here: it is the tables' owner.
CREATE TABLE nexus.login_users (
  login_role name PRIMARY KEY,
  user_id text NOT NULL CHECK (user_id <> '')
);
SELECT pg_catalog.pg_extension_config_dump('nexus.login_users', '');
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON nexus.login_users
  FOR EACH STATEMENT EXECUTE FUNCTION nexus.invalidate_trigger();

CREATE FUNCTION nexus.current_user_id() RETURNS text LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_current_user_id';
COMMENT ON FUNCTION nexus.current_user_id() IS
  'The end user of this session, or NULL. Where the session logged in as the bridge role of nexus.attachment it is the '
  'claim "sub" of the setting request.jwt.claims; any other session is the user of its row in nexus.login_users, '
  'whatever it sets.';

-- What attach() makes on the application's tables. Each engine registers its own triggers in its own install file.
CREATE TABLE nexus.attached_triggers (
  table_name name NOT NULL,
  trigger_name name NOT NULL,
  definition text NOT NULL,       -- what stands between the trigger's name and EXECUTE: %1$s is the table
  function_name text NOT NULL,    -- a function of schema nexus, with its arguments if it takes any
  PRIMARY KEY (table_name, trigger_name)
);
GRANT SELECT ON nexus.attached_triggers TO PUBLIC;

-- Functions that are not for everybody, by name: their file revokes them from PUBLIC, attach() grants them.
CREATE TABLE nexus.attached_functions (
  function_name name NOT NULL,
  role_name name NOT NULL,
  PRIMARY KEY (function_name, role_name)
);
GRANT SELECT ON nexus.attached_functions TO PUBLIC;

-- The same for views of schema nexus.
CREATE TABLE nexus.attached_views (
  view_name name NOT NULL,
  role_name name NOT NULL,
  PRIMARY KEY (view_name, role_name)
);
GRANT SELECT ON nexus.attached_views TO PUBLIC;

-- What nexus.tick() does: each engine registers its own tasks in its install file.
CREATE TABLE nexus.tick_tasks (
  name text PRIMARY KEY,
  function_name text NOT NULL,              -- a function of schema nexus without arguments that must be given
  every interval NOT NULL CHECK (every >= interval '0'),    -- 0: with each tick, of which it is no reason
  needs_attachment boolean NOT NULL DEFAULT true,
  position integer NOT NULL DEFAULT 100     -- the smaller ones first
);

CREATE FUNCTION nexus.attached_schema() RETURNS name LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_schema name := (SELECT schema_name FROM nexus.attachment);
BEGIN
  IF found_schema IS NULL THEN
    RAISE EXCEPTION 'no application schema is attached'
      USING ERRCODE = '55000', HINT = 'Run the migrations, or SELECT nexus.attach(''public'').';
  END IF;
  RETURN found_schema;
END $$;
COMMENT ON FUNCTION nexus.attached_schema() IS
  'The schema that holds the 16 tables; 55000 when none is attached.';
