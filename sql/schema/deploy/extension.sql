-- Deploy creatornexus:extension to pg
-- The extension and the roles it works with. Roles belong to the whole cluster: those that exist are kept, with the
-- attributes below.

\ir ../settings.sql

BEGIN;

DO $$
DECLARE
  role record;
BEGIN
  FOR role IN
    SELECT w.name, w.can_login, w.inherits
      FROM (VALUES ('nexus_owner', false, true), ('nexus_app', false, true), ('nexus_anon', false, true),
                   ('nexus_worker', false, true), ('nexus_bridge', true, false)) AS w(name, can_login, inherits)
  LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I', role.name);
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN NULL; -- the second: another database's deploy was faster
    END;
    IF NOT EXISTS (SELECT FROM pg_roles r
                    WHERE r.rolname = role.name AND r.rolcanlogin = role.can_login AND r.rolinherit = role.inherits
                      AND NOT (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls)) THEN
      EXECUTE format('ALTER ROLE %I %s %s NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS', role.name,
                     CASE WHEN role.can_login THEN 'LOGIN' ELSE 'NOLOGIN' END,
                     CASE WHEN role.inherits THEN 'INHERIT' ELSE 'NOINHERIT' END);
    END IF;
  END LOOP;
  -- The bridge logs in with no rights of its own and takes, per request, the role its token names.
  FOR role IN
    SELECT r.rolname AS name FROM pg_roles r
     WHERE r.rolname IN ('nexus_app', 'nexus_anon', 'nexus_worker')
       AND NOT EXISTS (SELECT FROM pg_auth_members m
                        WHERE m.roleid = r.oid AND m.member = 'nexus_bridge'::regrole)
  LOOP
    EXECUTE format('GRANT %I TO nexus_bridge', role.name);
  END LOOP;
END $$;

CREATE EXTENSION IF NOT EXISTS creatornexus;

-- Seeding and backfill: rows in any state, with their own updated_at. Nobody else may.
GRANT SET ON PARAMETER nexus.import_mode TO nexus_owner;

-- For PUBLIC this is granted already. By name it shows other databases of the cluster that the roles are in use.
GRANT USAGE ON SCHEMA nexus TO nexus_owner, nexus_app, nexus_anon, nexus_worker, nexus_bridge;

COMMIT;
