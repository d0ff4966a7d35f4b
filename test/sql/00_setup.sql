-- The database that all regression tests share: the extension and the 16 tables, deployed as a user would.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\setenv PGDATABASE :DBNAME
\setenv PGOPTIONS '-c client_min_messages=warning'
\set psql_deploy :srcdir /../scripts/psql_deploy.sh
\setenv PSQL_DEPLOY :psql_deploy
\! "$PSQL_DEPLOY"
\set ECHO all
SELECT count(*) AS tables FROM pg_catalog.pg_tables WHERE schemaname = 'public';
