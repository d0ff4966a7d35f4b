-- Rules made to be slow, in SQL. Medians of 5.
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
