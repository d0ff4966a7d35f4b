-- Recurrence in the database: rules made to be slow, and 100,000 schedules. Medians of 5.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.microseconds(query text, runs integer DEFAULT 5) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  started timestamptz;
  times float8[];
BEGIN
  EXECUTE query;
  FOR i IN 1..runs LOOP
    started := clock_timestamp();
    EXECUTE query;
    times := times || extract(epoch FROM clock_timestamp() - started)::float8 * 1e6;
  END LOOP;
  RETURN round((SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(times) t)::numeric, 1);
END $$;

\echo Rules that keep other engines busy: us for the first occurrence, and for the last of those bounded by COUNT
SELECT rule, pg_temp.microseconds(format('SELECT nexus.next_occurrence(%L, %L, after => NULL)', rule, dtstart)) AS first,
  CASE WHEN rule ~ 'COUNT' THEN pg_temp.microseconds(format('SELECT nexus.previous_occurrence(%L, %L, before => NULL)', rule, dtstart)) END AS last
FROM (VALUES
  ('FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30', '2026-01-01 08:00'), ('FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30', '2026-01-01 08:00'),
  ('FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31', '2026-01-01 08:00'), ('FREQ=HOURLY;INTERVAL=2;BYHOUR=9', '2026-01-01 08:00'),
  ('FREQ=SECONDLY;INTERVAL=60;BYSECOND=1', '2026-01-01 08:00'), ('FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6', '2026-01-01 08:00'),
  ('FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29', '2026-01-01 08:00'), ('FREQ=WEEKLY;INTERVAL=2147483647;BYMONTH=1', '2026-07-01 08:00'),
  ('FREQ=SECONDLY;INTERVAL=3601;BYHOUR=5;BYMINUTE=7;BYSECOND=9;BYMONTH=11;BYMONTHDAY=13;BYDAY=FR', '2026-01-01 08:00'),
  ('FREQ=YEARLY;BYWEEKNO=53;BYMONTH=7', '2026-01-01 08:00'),
  ('FREQ=MONTHLY;BYDAY=MO;COUNT=300000', '0100-01-01 08:00'), ('FREQ=DAILY;BYDAY=MO;BYMONTH=2;COUNT=30000', '0100-01-01 08:00'),
  ('FREQ=WEEKLY;BYMONTH=2;COUNT=30000', '0100-01-01 08:00'), ('FREQ=HOURLY;BYDAY=MO,TU;COUNT=20000000', '0100-01-01 08:00'),
  ('FREQ=SECONDLY;COUNT=2147483647', '0100-01-01 08:00')) AS v(rule, dtstart);

\echo 100,000 schedules: ms to compute next_run_at of all; to update all rows to anything, and to what refresh_next_runs() computes; to find what is due
BEGIN;
SET LOCAL nexus.import_mode = on;
INSERT INTO users (id, email, password, first_name, last_name)
  SELECT 'bench-' || i, 'bench-' || i || '@example.com', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g', 'A', 'A' FROM generate_series(1, 1000) i;
INSERT INTO social_posts (id, user_id, title, content_type) SELECT 1000000 + i, 'bench-' || i % 1000 + 1, 't', 'post' FROM generate_series(1, 100000) i;
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, recurrence, rrule, timezone, next_run_at)
  SELECT 1000000 + i, 1000000 + i, 'x', '2020-01-01'::timestamp + i * interval '1 minute', (ARRAY['daily', 'weekly', 'custom', 'weekdays'])[i % 4 + 1],
    CASE i % 4 WHEN 2 THEN (ARRAY['FREQ=MONTHLY;BYDAY=2TU', 'FREQ=MONTHLY;BYMONTHDAY=-1', 'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR'])[i % 3 + 1] END,
    (ARRAY['Europe/Berlin', 'America/New_York', 'UTC', 'Asia/Tokyo', 'Australia/Sydney'])[i % 5 + 1], nexus.utcnow() - interval '1 minute'
  FROM generate_series(1, 100000) i;
SET LOCAL nexus.import_mode = off;
ANALYZE users, social_posts, post_schedules;
SELECT pg_temp.microseconds('SELECT count(nexus.schedule_next(recurrence, rrule, scheduled_at, timezone, series_end_date, exdates, occurrence_limit, nexus.utcnow())) FROM post_schedules') / 1000 AS computed;
SELECT pg_temp.microseconds($$UPDATE post_schedules SET next_run_at = next_run_at + interval '1 second'$$, 1) / 1000 AS any_update_of_all,
  pg_temp.microseconds($$SELECT nexus.refresh_next_runs((max(next_run_at) + interval '1 day') AT TIME ZONE 'UTC') FROM post_schedules$$, 1) / 1000 AS refreshed,
  pg_temp.microseconds($$SELECT count(*) FROM post_schedules WHERE status = 'pending' AND next_run_at <= nexus.utcnow() + interval '5 minutes'$$) / 1000 AS due;
ROLLBACK;
