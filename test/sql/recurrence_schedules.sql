-- Recurrence in the tables: what a row of post_schedules means, next_run_at, the calendar.
BEGIN;
SET LOCAL timezone = 'UTC';
INSERT INTO users (id, email, password, first_name, last_name) VALUES
  ('cal-a', 'cal-a@example.com', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g', 'A', 'A'),
  ('cal-b', 'cal-b@example.com', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g', 'B', 'B');
INSERT INTO social_posts (id, user_id, title, content_type) VALUES
  (910001, 'cal-a', 'Morning run', 'post'), (910002, 'cal-b', 'Not yours', 'post');

-- Words for people.
SELECT nexus.describe_rrule(r) FROM unnest(ARRAY['weekdays', 'FREQ=MONTHLY;BYDAY=-1FR;COUNT=5', 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29']) r;
SELECT l, nexus.describe_rrule('FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;BYHOUR=9;BYMINUTE=0;UNTIL=20261231', l)
  FROM unnest(ARRAY['en', 'de-DE', 'es', 'fr', 'ja_JP']) l;

-- A series recurs on the clock of its zone: 09:00 in New York is 14:00 UTC in winter and 13:00 in summer.
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, recurrence, timezone, exdates, occurrence_limit) VALUES
  (910001, 910001, 'x', '2100-03-12 14:00', 'daily', 'America/New_York', '{2100-03-13 14:00}', 5);
SELECT nexus.schedule_occurrences(910001);
SELECT nexus.schedule_occurrences(910001, '2100-03-14 13:00Z', '2100-03-16 13:00Z');
SELECT nexus.schedule_occurrences(910001, max_count => 1);
SELECT next_run_at FROM post_schedules WHERE id = 910001;
-- A change of the rule computes next_run_at anew; it goes on from what is due.
UPDATE post_schedules SET exdates = '{2100-03-12 14:00}' WHERE id = 910001 RETURNING next_run_at;
UPDATE post_schedules SET recurrence = 'custom', rrule = 'FREQ=WEEKLY;BYDAY=SU', exdates = '{}' WHERE id = 910001 RETURNING next_run_at;
UPDATE post_schedules SET series_end_date = '2100-03-13 14:00' WHERE id = 910001 RETURNING next_run_at;
UPDATE post_schedules SET series_end_date = NULL, timezone = 'UTC' WHERE id = 910001 RETURNING next_run_at;
UPDATE post_schedules SET scheduled_at = '2100-04-01 08:00' WHERE id = 910001 RETURNING next_run_at;
-- Otherwise it moves forward only.
UPDATE post_schedules SET next_run_at = '2100-04-11 08:00' WHERE id = 910001 RETURNING next_run_at;
UPDATE post_schedules SET next_run_at = '2100-04-04 08:00' WHERE id = 910001 RETURNING next_run_at;
UPDATE post_schedules SET metadata = '{}' WHERE id = 910001 RETURNING next_run_at;

-- A single time is kept however late it comes; of a series only what is within the grace.
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at) VALUES (910002, 910001, 'x', '2001-01-01 08:00') RETURNING next_run_at;
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, recurrence, missed_grace)
  SELECT 910003, 910001, 'x', nexus.utcnow() - interval '20 days 2 hours', 'daily', '3 hours'
  RETURNING next_run_at = nexus.utcnow() - interval '2 hours' AS within_grace;
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, recurrence, missed_grace)
  SELECT 910004, 910001, 'x', nexus.utcnow() - interval '20 days 2 hours', 'daily', '1 hour'
  RETURNING next_run_at = nexus.utcnow() + interval '22 hours' AS tomorrow;
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, recurrence, series_end_date)
  VALUES (910005, 910001, 'x', '2001-01-01 08:00', 'daily', '2001-02-01 08:00') RETURNING next_run_at IS NULL AS over;

-- What contradicts itself is refused, and the column named.
CREATE FUNCTION pg_temp.try(columns text, values_ text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state text; said text; at text;
BEGIN
  EXECUTE format('INSERT INTO post_schedules (social_post_id, platform, scheduled_at, %s) VALUES (910001, ''x'', ''2100-01-01'', %s)', columns, values_);
  RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT, at = COLUMN_NAME;
  RETURN concat_ws(' | ', state, said, NULLIF(at, ''));
END $$;
SELECT c, v, pg_temp.try(c, v) FROM (VALUES
  (1, 'recurrence, rrule', $$'daily', 'FREQ=DAILY'$$), (2, 'recurrence, rrule', $$'custom', NULL$$), (3, 'recurrence, rrule', $$NULL, 'FREQ=DAILY'$$),
  (4, 'recurrence, rrule', $$'custom', 'FREQ=DAYLY'$$), (5, 'recurrence, rrule', $$'custom', ''$$), (6, 'recurrence', $$'hourly'$$),
  (7, 'timezone', $$'Mars/Phobos'$$), (8, 'timezone', $$'EST5EDT4'$$), (9, 'series_end_date', $$'2099-12-31'$$), (10, 'series_end_date', $$'infinity'$$),
  (11, 'occurrence_limit', '0'), (12, 'exdates', $$'{NULL}'$$), (13, 'exdates', $$'{infinity}'$$), (14, 'exdates', $$'{20000-01-01}'$$),
  (15, 'recurrence', 'NULL'), (16, 'recurrence, rrule, occurrence_limit', $$'custom', 'FREQ=DAILY;COUNT=3', 5$$)) AS t(n, c, v) ORDER BY n;

-- What is due moves on in one statement, the rest stays. Moving on is no edit: updated_at stays too.
CREATE TEMP TABLE edited AS SELECT id, updated_at FROM post_schedules;
SELECT nexus.refresh_next_runs();
SELECT id, next_run_at IS NULL AS over, next_run_at > nexus.utcnow() AS ahead FROM post_schedules WHERE id BETWEEN 910001 AND 910005 ORDER BY id;
SELECT nexus.refresh_next_runs();
SELECT nexus.refresh_next_runs('2100-05-01', true) > 0 AS every;
SELECT nexus.refresh_next_runs('2100-05-01', true) AS nothing_new;
SELECT count(*) FROM post_schedules JOIN edited USING (id, updated_at) WHERE id BETWEEN 910001 AND 910005;
UPDATE post_schedules s SET next_run_at = next_run_at, missed_grace = '2 hours' FROM edited e WHERE s.id = e.id AND s.id = 910001
  RETURNING s.updated_at > e.updated_at AS edited;
SELECT next_run_at FROM post_schedules WHERE id = 910001;

-- The calendar: a window takes its beginning and leaves its end to the next one.
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, recurrence, timezone, status)
  VALUES (910006, 910002, 'x', '2100-04-01 08:00', 'daily', 'UTC', 'pending'), (910007, 910001, 'bluesky', '2100-04-01 22:00', 'weekly', 'Asia/Tokyo', 'pending'),
  (910008, 910001, 'bluesky', '2100-04-08 08:00', 'none', 'Europe/Berlin', 'pending'), (910009, 910001, 'bluesky', '2100-04-09 08:00', 'daily', 'Europe/Berlin', 'pending');
UPDATE post_schedules SET status = 'cancelled' WHERE id IN (910003, 910004, 910009);
SELECT * FROM nexus.calendar('cal-a', '2100-04-04 08:00Z', '2100-04-18 08:00Z');
SELECT count(*) FROM nexus.calendar('cal-a', '2100-04-18 08:00Z', '2100-04-18 08:00Z');
SELECT count(*) FROM nexus.calendar('cal-a', NULL, '2100-04-18 08:00Z') WHERE schedule_id IN (910002, 910008);
UPDATE social_posts SET deleted_at = '2026-01-01' WHERE id = 910001;
SELECT count(*) FROM nexus.calendar('cal-a', '2100-04-04 08:00Z', '2100-04-18 08:00Z');
UPDATE social_posts SET deleted_at = NULL WHERE id = 910001;
-- Row security: another user's calendar is empty.
INSERT INTO nexus.login_users VALUES ('nexus_calendar_test', 'cal-b');
CREATE ROLE nexus_calendar_test LOGIN IN ROLE nexus_app;
SET SESSION AUTHORIZATION nexus_calendar_test;
SELECT count(*) FROM nexus.calendar('cal-a', '2100-04-04Z', '2100-04-18Z');
SELECT count(*) FROM nexus.calendar('cal-b', '2100-04-04Z', '2100-04-18Z');
SELECT count(*) FROM nexus.schedule_occurrences(910007, max_count => 3);
RESET SESSION AUTHORIZATION;
ROLLBACK;

-- What is due in the next five minutes is one range of an index; the calendar of one user reads that user's posts only.
BEGIN;
SET LOCAL nexus.import_mode = on;
INSERT INTO users (id, email, password, first_name, last_name)
  SELECT 'cal-' || i, 'cal-' || i || '@example.com', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g', 'A', 'A' FROM generate_series(1, 500) i;
INSERT INTO social_posts (id, user_id, title, content_type) SELECT 910000 + i, 'cal-' || i % 500 + 1, 't', 'post' FROM generate_series(1, 10000) i;
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, recurrence, timezone, next_run_at)
  SELECT 910000 + i, 910000 + i, 'x', '2026-01-01'::timestamp + i * interval '1 minute', 'daily', 'Europe/Berlin',
    nexus.utcnow() + i * interval '1 minute' FROM generate_series(1, 10000) i;
ANALYZE social_posts, post_schedules;
CREATE FUNCTION pg_temp.indexes(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json, COSTS off) ' || query INTO plan;
  RETURN (SELECT string_agg(DISTINCT i #>> '{}', ', ' ORDER BY i #>> '{}') FROM jsonb_path_query(plan, '$.**."Index Name"') i)
    || CASE WHEN plan::text LIKE '%Seq Scan%' THEN ', and a sequential scan' ELSE '' END;
END $$;
SELECT pg_temp.indexes($$SELECT id FROM post_schedules WHERE status = 'pending' AND next_run_at <= nexus.utcnow() + interval '5 minutes' ORDER BY next_run_at, id$$);
SELECT pg_temp.indexes($$SELECT s.id FROM social_posts p JOIN post_schedules s ON s.social_post_id = p.id WHERE p.user_id = 'cal-7' AND p.deleted_at IS NULL AND s.status <> 'cancelled'$$);
SELECT count(*) FROM nexus.calendar('cal-7', '2026-06-01Z', '2026-06-02Z');
ROLLBACK;
