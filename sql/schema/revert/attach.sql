-- Revert creatornexus:attach from pg

\ir ../settings.sql

BEGIN;

SELECT nexus.detach(:'schema') AS detached \gset ignored_

DELETE FROM nexus.enforcement
 WHERE mode = 'warn' AND (SELECT relowner FROM pg_class WHERE oid = 'users'::regclass) <> 'nexus_owner'::regrole;

COMMIT;
