-- iCalendar out and in, and schedules that collide.
BEGIN;
SET LOCAL timezone = 'UTC';
SET LOCAL nexus.import_mode = on;
INSERT INTO users (id, email, password, first_name, last_name) VALUES
  ('ics-a', 'ics-a@example.com', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g', 'A', 'A');
INSERT INTO social_posts (id, user_id, title, caption, content_type) VALUES
  (920001, 'ics-a', 'Run; walk, rest', E'Line one\nLine two with a text that is long enough to be folded: ä ö ü € ä ö ü €', 'post');
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, recurrence, rrule, timezone, exdates, series_end_date, updated_at, status) VALUES
  (920001, 920001, 'x', '2026-03-06 14:00', 'custom', 'FREQ=WEEKLY;BYDAY=MO,FR', 'America/New_York', '{2026-03-09 13:00}', NULL, '2026-01-01', 'pending'),
  (920002, 920001, 'x', '2026-03-10 08:00', 'none', NULL, 'Europe/Berlin', '{}', NULL, '2026-01-01', 'paused'),
  (920003, 920001, 'bluesky', '2026-03-01 08:00', 'daily', NULL, 'UTC', '{}', '2026-03-20 08:00', '2026-01-01', 'pending'),
  (920004, 920001, 'x', '2026-03-10 08:00', 'daily', NULL, 'UTC', '{}', NULL, '2026-01-01', 'cancelled'),
  (920005, 920001, 'x', '2027-03-10 08:00', 'daily', NULL, 'UTC', '{}', NULL, '2026-01-01', 'pending');
SELECT replace(nexus.calendar_ics('ics-a', '2026-03-01Z', '2026-04-01Z'), E'\r', '') AS ics;
SELECT count(*), max(octet_length(l)) FROM regexp_split_to_table(nexus.calendar_ics('ics-a', '2026-03-01Z', '2026-04-01Z'), E'\r\n') l;
SELECT replace(nexus.calendar_ics('nobody', '2026-03-01Z', '2026-04-01Z'), E'\r', '') AS empty;

-- What is written is read back, and means the same.
SELECT uid, summary, rrule, dtstart, tz, rdate, exdate FROM nexus.parse_ics(nexus.calendar_ics('ics-a', '2026-03-01Z', '2026-04-01Z'));
SELECT p.uid, array_agg(o.at ORDER BY o.at) = (SELECT array_agg(c.occurs_at ORDER BY c.occurs_at) FROM nexus.calendar('ics-a', '2026-03-01Z', '2026-04-01Z') c
    WHERE 'schedule-' || c.schedule_id || '@creatornexus' = p.uid) AS same
  FROM nexus.parse_ics(nexus.calendar_ics('ics-a', '2026-03-01Z', '2026-04-01Z')) p,
    nexus.occurrences(COALESCE(p.rrule, 'none'), p.dtstart, p.tz, '2026-03-01Z', '2026-04-01Z', rdate => p.rdate, exdate => p.exdate) AS o(at)
  GROUP BY p.uid ORDER BY p.uid;
ROLLBACK;

SELECT * FROM nexus.parse_ics(E'DTSTART;TZID=/example.org/Europe/Berlin:20260105T090000\nRRULE:FREQ=WEEKLY\nEXDATE:20260112T080000Z\nRDATE;TZID=America/New_York:20260201T090000\nEXRULE:FREQ=MONTHLY');
SELECT dtstart, tz FROM nexus.parse_ics(E'BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260105\nEND:VEVENT\nBEGIN:VEVENT\nDTSTART:20260105T090000Z\nEND:VEVENT');
SELECT nexus.parse_ics(E'DTSTART:20260105T090000\nRRULE:FREQ=WEEKLY;BYDAY=2MO');
\echo :SQLSTATE
SELECT nexus.parse_ics(E'DTSTART;TZID=Mars/Base:20260105T090000');
\echo :SQLSTATE
SELECT nexus.parse_ics(E'DTSTART:20260105T090000\nRRULE:FREQ=DAILY\nRRULE:FREQ=DAILY');
\echo :SQLSTATE
SELECT nexus.parse_ics(E'DTSTART:20260105T090000\nDTSTART:20260106T090000');
SELECT nexus.parse_ics(E'DTSTART:20260105T090000\nRDATE:tomorrow');
\echo :SQLSTATE
SELECT replace(nexus.ics_timezone('Asia/Tokyo', '2026-01-01Z', '2027-01-01Z'), E'\r', '');

-- Collisions: half open, across zones and changes of daylight saving time.
SET timezone = 'UTC';
SELECT * FROM nexus.overlapping_occurrences('weekdays', '2026-01-05 09:00', '1 hour', 'FREQ=MONTHLY;BYDAY=1MO', '2026-01-05 09:30', '45 min', max_count => 2);
SELECT count(*) FROM nexus.overlapping_occurrences('daily', '2026-01-05 09:00', '1 hour', 'daily', '2026-01-05 10:00', '1 hour', before => '2027-01-01Z');
-- 14:00 in London is 09:00 in New York, and 10:00 in the four weeks in which only one of them has changed its clocks.
SELECT min(at), max(at), count(*) FROM nexus.overlapping_occurrences('daily', '2026-01-01 14:00', '30 min', 'daily', '2026-01-01 10:00', '30 min', 'Europe/London', 'America/New_York', '2026-01-01Z', '2027-01-01Z');
SELECT nexus.overlapping_occurrences('daily', '2026-01-05', '1 mon', 'daily', '2026-01-05', '1 hour');
\echo :SQLSTATE
SET nexus.max_occurrences = 10;
SELECT count(*) FROM nexus.overlapping_occurrences('daily', '2026-01-05', '1 hour', 'daily', '2026-01-05', '1 hour');
\echo :SQLSTATE
RESET nexus.max_occurrences;
RESET timezone;
