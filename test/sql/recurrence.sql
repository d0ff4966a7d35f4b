-- Recurrence: occurrences in zones, the functions around them, and what they refuse.
SET timezone = 'America/New_York';

-- Across both changes of daylight saving time: 02:30 is skipped in March and comes twice in November.
SELECT * FROM nexus.occurrences('FREQ=DAILY;COUNT=4', '2026-03-06 02:30', 'America/New_York');
SELECT * FROM nexus.occurrences('FREQ=DAILY;COUNT=3', '2026-10-31 01:30', 'America/New_York');
SELECT * FROM nexus.occurrences('weekdays', '2026-03-06 09:00', 'America/New_York', max_count => 3);
-- A half-hour change, and a day that a zone skipped.
SELECT at AT TIME ZONE 'UTC' FROM nexus.occurrences('FREQ=WEEKLY;COUNT=3', '2026-09-27 02:15', 'Australia/Lord_Howe') at;
SELECT at AT TIME ZONE 'UTC' FROM nexus.occurrences('FREQ=DAILY;COUNT=4', '2011-12-29 09:00', 'Pacific/Apia') at;

-- Windows are exclusive unless asked otherwise; either end may be open or infinite.
SELECT * FROM nexus.local_occurrences('FREQ=DAILY', '2026-01-01 08:00', '2026-02-01 08:00', '2026-02-03 08:00');
SELECT * FROM nexus.local_occurrences('FREQ=DAILY', '2026-01-01 08:00', '2026-02-01 08:00', '2026-02-03 08:00', true);
SELECT count(*) FROM nexus.local_occurrences('FREQ=DAILY', '2026-01-01', before => '2026-01-11');
SELECT count(*) FROM nexus.local_occurrences('FREQ=DAILY;COUNT=9', '2026-01-01', '-infinity', 'infinity');
SELECT count(*) FROM nexus.local_occurrences('FREQ=DAILY', '2026-01-01', 'infinity');
SELECT count(*) FROM nexus.local_occurrences('FREQ=DAILY', '2026-01-01', before => '-infinity');

-- Sets: rdate adds, exdate and exrule remove, COUNT is applied first.
SELECT * FROM nexus.local_occurrences('FREQ=DAILY;COUNT=5', '2026-01-01 08:00', rdate => '{2026-01-02 08:00,2026-01-09 12:00}',
  exdate => '{2026-01-03 08:00}', exrule => '{FREQ=DAILY;INTERVAL=4}');
SELECT * FROM nexus.local_occurrences('none', '2026-01-01 08:00');

-- The other parts of the language.
SELECT * FROM nexus.local_occurrences('FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1', '2026-01-01 17:00', max_count => 3);
SELECT * FROM nexus.local_occurrences('RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD', '2026-01-31', max_count => 3);
SELECT * FROM nexus.local_occurrences('FREQ=MINUTELY;INTERVAL=20;BYHOUR=9', '2026-01-01 09:00:00.25', max_count => 4);
SELECT count(*) FROM nexus.local_occurrences('FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30', '2026-01-01');
SELECT count(*) FROM nexus.local_occurrences('FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30', '2026-01-01');

-- Next, previous, membership.
SELECT nexus.next_occurrence('FREQ=DAILY', '2000-01-01 09:00', 'Europe/Berlin', '2026-06-01 07:00Z') AS after,
  nexus.next_occurrence('FREQ=DAILY', '2000-01-01 09:00', 'Europe/Berlin', '2026-06-01 07:00Z', true) AS at,
  nexus.previous_occurrence('FREQ=DAILY', '2000-01-01 09:00', 'Europe/Berlin', '2026-06-01 07:00Z') AS before,
  nexus.previous_occurrence('FREQ=DAILY', '2000-01-01 09:00', 'Europe/Berlin', '1999-06-01 07:00Z') AS none;
SELECT nexus.next_occurrence('FREQ=DAILY;COUNT=2', '2026-01-01 09:00', after => NULL) AS first,
  nexus.previous_occurrence('FREQ=DAILY;COUNT=2', '2026-01-01 09:00', before => NULL) AS last,
  nexus.next_occurrence('FREQ=DAILY;COUNT=2', '2026-01-01 09:00', after => '2026-01-02 09:00Z') AS over;
SELECT nexus.next_occurrence('yearly', '2000-01-01') > now() AS by_default_after_now;
SELECT nexus.is_occurrence('FREQ=DAILY', '2026-03-06 02:30', '2026-03-08 07:30Z', 'America/New_York') AS moved,
  nexus.is_occurrence('FREQ=DAILY', '2026-03-06 02:30', '2026-03-09 07:30Z', 'America/New_York') AS off_by_the_hour,
  nexus.is_occurrence('FREQ=DAILY', '2026-03-06 02:30', '2026-03-08 07:30Z', 'America/New_York', exdate => '{2026-03-08 02:30}') AS excluded;
SELECT nexus.occurrence_count('weekdays', '2026-01-01 09:00', 'Europe/Berlin', '2026-03-01Z', '2026-04-01Z') AS march,
  nexus.occurrence_count('FREQ=DAILY;COUNT=5', '2026-01-01 09:00', exdate => '{2026-01-02 09:00}') AS four,
  nexus.occurrence_count('FREQ=DAILY', '2026-01-01 09:00', 'UTC', '2026-01-01 09:00Z', '2026-01-03 09:00Z', true) AS inclusive;

-- NULL in, nothing out.
SELECT count(*) FROM nexus.occurrences(NULL, '2026-01-01');
SELECT count(*) FROM nexus.occurrences('daily', NULL);
SELECT count(*) FROM nexus.occurrences('daily', '2026-01-01', NULL);
SELECT nexus.next_occurrence(NULL, '2026-01-01') IS NULL AS next, nexus.is_occurrence('daily', '2026-01-01', NULL) IS NULL AS at;

-- Canonical text.
SELECT nexus.normalize_rrule(r) FROM unnest(ARRAY['weekdays', 'RRULE:wkst=mo;byday=WE,MO,WE;freq=weekly;interval=1',
  'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU', NULL]) r;

-- What is wrong with a rule.
SELECT * FROM nexus.rrule_errors('FREQ=WEEKLY;BYDAY=2MO;BYMONTHDAY=40;UNTIL=20260230');
SELECT * FROM nexus.rrule_errors('FREQ=MONTHLY;UNTIL=20270101', '2026-01-31', 'Europe/Berlin');
SELECT * FROM nexus.rrule_errors('FREQ=DAILY', '2026-01-31', 'Mars/Base');
SELECT severity, part, message FROM nexus.rrule_errors('FREQ=WEEKLY;BYDAY=MO', '2026-01-31');
SELECT count(*) FROM nexus.rrule_errors('FREQ=WEEKLY;BYDAY=MO;UNTIL=20261231T090000Z', '2026-01-05 10:00', 'Europe/Berlin');
SELECT count(*) FROM nexus.rrule_errors(NULL);

-- Refused: the part is named, with a remedy.
SELECT nexus.occurrences('FREQ=MONTHLY;BYMONTHDAY=32', '2026-01-01');
\echo :SQLSTATE
SELECT nexus.occurrences('FREQ=DAILY;COUNT=2;UNTIL=20260101', '2026-01-01');
\echo :SQLSTATE
SELECT nexus.occurrences('daily', '2026-01-01', exrule => '{FREQ=DAILY;BYHOUR=24}');
\echo :SQLSTATE
SELECT nexus.normalize_rrule('RSCALE=HEBREW;FREQ=YEARLY');
\echo :SQLSTATE
SELECT nexus.occurrences('daily', '2026-01-01', 'XXX99YYY');
\echo :SQLSTATE
SELECT nexus.occurrences('daily', '2026-01-01', 'Nowhere');
\echo :SQLSTATE
SELECT nexus.occurrences('daily', '10000-01-01');
\echo :SQLSTATE
SELECT nexus.occurrences('daily', 'infinity');
\echo :SQLSTATE
SELECT nexus.occurrences('daily', '294276-12-31 23:59:59');
\echo :SQLSTATE
SELECT nexus.occurrences('daily', '2026-01-01', exdate => '{NULL}');
\echo :SQLSTATE
SELECT nexus.occurrences('daily', '2026-01-01', max_count => -1);
\echo :SQLSTATE

-- Never cut silently: a rule without end is an error where all of it is asked for, and fine where it is not.
SET nexus.max_occurrences = 3;
SELECT * FROM nexus.occurrences('daily', '2026-01-01');
\echo :SQLSTATE
SELECT count(*) FROM nexus.occurrences('FREQ=DAILY;COUNT=3', '2026-01-01');
SELECT nexus.local_occurrences('daily', '2026-01-01') LIMIT 2;
SELECT nexus.next_occurrence('daily', '2026-01-01', after => '2026-01-01', exrule => '{daily}');
SELECT nexus.occurrence_count('daily', '2026-01-01');
SELECT nexus.occurrence_count('daily', '2026-01-01', exrule => array_fill('daily'::text, '{101}'));
RESET nexus.max_occurrences;

-- UNTIL in another form than DTSTART is taken, unless the setting is on.
SELECT count(*) FROM nexus.occurrences('FREQ=DAILY;UNTIL=20260103', '2026-01-01 09:00', 'Europe/Berlin');
SET nexus.rrule_strict = on;
SELECT count(*) FROM nexus.occurrences('FREQ=DAILY;UNTIL=20260103', '2026-01-01 09:00', 'Europe/Berlin');
SELECT count(*) FROM nexus.occurrences('FREQ=DAILY;UNTIL=20260103T080000Z', '2026-01-01 09:00', 'Europe/Berlin');
RESET nexus.rrule_strict;

-- A search that finds nothing for long can be stopped.
SET nexus.max_occurrences = 100000000;
SET statement_timeout = '50ms';
SELECT nexus.next_occurrence('FREQ=SECONDLY', '2026-01-01', after => '2026-01-01', exrule => '{FREQ=SECONDLY}');
RESET statement_timeout;
RESET nexus.max_occurrences;
RESET timezone;

-- The planner knows how many rows a constant call gives; where it cannot know, it does not guess from bad text either.
CREATE FUNCTION pg_temp.estimate(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
  RETURN plan->0->'Plan'->>'Plan Rows';
END $$;
SELECT pg_temp.estimate($$SELECT * FROM nexus.occurrences('FREQ=DAILY', '2026-01-01', 'Europe/Berlin', '2026-02-01Z', '2026-02-15Z')$$) AS fortnight,
  pg_temp.estimate($$SELECT * FROM nexus.occurrences('FREQ=DAILY', '2026-01-01', 'Europe/Berlin', '2026-02-01Z', '2036-02-01Z')$$) AS ten_years,
  pg_temp.estimate($$SELECT * FROM nexus.local_occurrences('FREQ=DAILY;UNTIL=20270101', '2026-01-01')$$) AS a_year,
  pg_temp.estimate($$SELECT * FROM nexus.local_occurrences('FREQ=DAILY', '2026-01-01')$$) AS endless,
  pg_temp.estimate($$SELECT * FROM nexus.local_occurrences('FREQ=DAILY;COUNT=7', '2026-01-01')$$) AS counted,
  pg_temp.estimate($$SELECT * FROM nexus.local_occurrences('FREQ=DAILY;COUNT=7000', '2026-01-01')$$) AS counted_long,
  pg_temp.estimate($$SELECT * FROM nexus.local_occurrences('FREQ=DAILY', now()::timestamp, max_count => 12)$$) AS limited,
  pg_temp.estimate($$SELECT * FROM (VALUES ('2026-01-01'::timestamp), ('2026-02-01')) v(t), nexus.local_occurrences('FREQ=DAILY;COUNT=70', t)$$) AS twice_by_rule,
  pg_temp.estimate($$SELECT * FROM nexus.local_occurrences('FREQ=MONTHLY;BYMONTHDAY=32', '2026-01-01')$$) AS bad_rule;
