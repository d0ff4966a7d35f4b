-- Deploy creatornexus:extension to pg

BEGIN;

CREATE EXTENSION creatornexus;

COMMIT;
