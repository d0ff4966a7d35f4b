-- Revert creatornexus:attach from pg

\ir ../settings.sql

BEGIN;

SELECT nexus.detach(:'schema');

COMMIT;
