-- Deploy creatornexus:attach to pg
-- The extension's triggers, policies and grants on the 16 tables.

\ir ../settings.sql

BEGIN;

SELECT nexus.attach(:'schema') AS attached \gset ignored_

-- Tables that an application brought along may hold rows, and its code may write some, that the guards would refuse. So
-- that it goes on as it did, the guards warn there until nexus.set_enforcement says otherwise.
SELECT count(nexus.set_enforcement(guarded, 'warn')) AS guarded
  FROM (SELECT table_name FROM nexus.attached_triggers WHERE trigger_name = 'zz_nexus_validate') AS tables(guarded)
 WHERE (SELECT relowner FROM pg_class WHERE oid = 'users'::regclass) <> 'nexus_owner'::regrole
   AND NOT EXISTS (SELECT FROM nexus.enforcement e WHERE e.table_name = guarded) \gset ignored_

COMMIT;
