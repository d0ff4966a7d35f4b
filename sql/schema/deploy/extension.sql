-- Deploy creatornexus:extension to pg

BEGIN;

CREATE EXTENSION creatornexus;

DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['nexus_owner', 'nexus_app', 'nexus_anon', 'nexus_worker'] LOOP
    IF to_regrole(wanted) IS NULL THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
    END IF;
  END LOOP;
  IF to_regrole('nexus_bridge') IS NULL THEN
    CREATE ROLE nexus_bridge LOGIN NOINHERIT;
  END IF;
  GRANT nexus_app, nexus_anon, nexus_worker TO nexus_bridge;
END $$;

COMMIT;
