-- Demo data: fills all 16 tables, is the same each time, and goes without a trace.
\set SHOW_CONTEXT never
BEGIN;
SELECT nexus.seed('huge');
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TEMP TABLE before AS SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM niches) AS niches;
-- (a measurement of today is there only once its hour has come)
SELECT key AS table_name, CASE WHEN key <> 'content_metrics' THEN value::text WHEN value::integer BETWEEN 120 AND 155 THEN 'some' END AS rows
FROM jsonb_each(nexus.seed('tiny')) ORDER BY key COLLATE "C";
CREATE TEMP TABLE first_run AS SELECT title, description, platform, status, tags FROM content;
SAVEPOINT twice;
SELECT nexus.seed('tiny');
ROLLBACK TO twice;
-- somebody else's row on a demo project keeps everything where it is
INSERT INTO notifications (user_id, type, title, message) VALUES ('seed-1-1', 'content_ready', 'mine', 'not demo data');
SAVEPOINT hanging;
SELECT nexus.clear_seed();
ROLLBACK TO hanging;
DELETE FROM notifications WHERE title = 'mine';
SELECT (SELECT sum(value::integer) FROM jsonb_each_text(nexus.clear_seed())) > 100 AS removed;
SELECT b.users = (SELECT count(*) FROM users) AS users_back, b.niches = (SELECT count(*) FROM niches) AS niches_back,
       (SELECT count(*) FROM content) AS content, (SELECT count(*) FROM nexus.seed_rows) AS marks FROM before b;
-- the same seed gives the same rows, another seed others
SELECT nexus.seed('tiny') IS NOT NULL AS again;
SELECT count(*) AS different FROM (TABLE first_run EXCEPT ALL SELECT title, description, platform, status, tags FROM content) d;
SELECT nexus.seed('tiny', 2) IS NOT NULL AS other;
SELECT count(*) > 0 AS different FROM (SELECT title FROM content WHERE user_id LIKE 'seed-2-%' EXCEPT SELECT title FROM first_run) d;
ROLLBACK;
