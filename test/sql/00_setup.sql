-- The database that all regression tests share: the extension and the 16 tables, deployed as a user would.
\set ECHO none
SET client_min_messages = warning;
\getenv srcdir PG_ABS_SRCDIR
\set deploy :srcdir /../sql/schema/deploy
\set file :deploy /extension.sql
\i :file
\set file :deploy /0000_base.sql
\i :file
\set file :deploy /0001_add_recurrence_fields.sql
\i :file
\set file :deploy /0002_add_database_constraints.sql
\i :file
\set file :deploy /0003_hardening.sql
\i :file
\set ECHO all
SELECT count(*) AS tables FROM pg_catalog.pg_tables WHERE schemaname = 'public';
