-- Verify creatornexus:attach on pg

\set change attach
\ir ../verify.sql

DO $$
BEGIN
  IF nexus.attached_schema() <> current_schema() THEN
    RAISE EXCEPTION 'schema % is attached, not %', nexus.attached_schema(), current_schema();
  END IF;
END $$;
