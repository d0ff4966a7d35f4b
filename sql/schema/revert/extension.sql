-- Revert creatornexus:extension from pg
-- Drops the extension, and the roles if no database of the cluster and no other role uses them.

\ir ../settings.sql

BEGIN;

CREATE TEMP TABLE loss (table_name text, rows bigint, what text) ON COMMIT DROP;
DO $$
DECLARE
  config record;
BEGIN
  FOR config IN
    SELECT c.oid::regclass AS name, t.condition
      FROM pg_extension e
     CROSS JOIN unnest(e.extconfig, e.extcondition) AS t(oid, condition)
      JOIN pg_class c ON c.oid = t.oid AND c.relkind IN ('r', 'p')
     WHERE e.extname = 'creatornexus'
  LOOP
    EXECUTE format('INSERT INTO loss SELECT %L, count(*), ''rows'' FROM %s %s', config.name, config.name, config.condition);
  END LOOP;
END $$;
\ir ../refuse_loss.sql

DROP EXTENSION creatornexus;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = to_regnamespace('nexus')) THEN
    DROP SCHEMA IF EXISTS nexus;
  END IF;
END $$;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_auth_members
                  WHERE roleid::regrole::text ~ '^nexus_(owner|app|anon|worker|bridge)$'
                    AND member::regrole::text !~ '^nexus_(owner|app|anon|worker|bridge)$') THEN
    IF to_regrole('nexus_owner') IS NOT NULL THEN
      REVOKE SET ON PARAMETER nexus.import_mode FROM nexus_owner;
    END IF;
    DROP ROLE IF EXISTS nexus_bridge, nexus_worker, nexus_anon, nexus_app, nexus_owner;
  ELSE
    RAISE NOTICE 'the nexus_ roles are kept: other roles are members of them';
  END IF;
EXCEPTION
  WHEN dependent_objects_still_exist OR object_in_use THEN
    RAISE NOTICE 'the nexus_ roles are kept: %', SQLERRM;
END $$;

COMMIT;
