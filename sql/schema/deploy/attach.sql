-- Deploy creatornexus:attach to pg
-- The extension's triggers, policies and grants on the 16 tables.

\ir ../settings.sql

BEGIN;

SELECT nexus.attach(:'schema');

COMMIT;
