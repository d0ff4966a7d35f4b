-- Recurrence and the outside: iCalendar (RFC 5545) out and in, and the overlaps of two schedules.

-- The columns of post_schedules as in nexus.schedule_next().
CREATE FUNCTION nexus.ics_event(
  recurrence text, rrule text, scheduled_at timestamp, timezone text, series_end_date timestamp, exdates timestamp[],
  occurrence_limit integer, stamp timestamp, uid text, summary text, description text, categories text, status text)
  RETURNS text LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_ics_event';
COMMENT ON FUNCTION nexus.ics_event(text, text, timestamp, text, timestamp, timestamp[], integer, timestamp, text, text, text, text, text) IS
$$A row of post_schedules as a VEVENT with its rule kept as RRULE; NULL where it never fires. DTSTART is the first instance, UNTIL is in UTC, and a rule bounded by a count and by a date gets the UNTIL that says both.$$;

CREATE FUNCTION nexus.ics_timezone(tz text, after timestamptz, before timestamptz) RETURNS text LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_ics_timezone';
COMMENT ON FUNCTION nexus.ics_timezone(text, timestamptz, timestamptz) IS
$$The VTIMEZONE of a zone from an instant on: its changes up to before, and as yearly rules those that go on alike. 22023 for an unknown zone.$$;

CREATE FUNCTION nexus.calendar_ics(user_id text, after timestamptz, before timestamptz) RETURNS text
  LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  line constant text := E'\r\n';
  events text;
  zones text;
BEGIN
  IF user_id IS NULL THEN
    RETURN NULL;
  END IF;
  EXECUTE format($sql$
    WITH chosen AS MATERIALIZED (
      SELECT s.*, p.title, p.caption, COALESCE(s.timezone, 'UTC')::text AS zone
      FROM %1$I.social_posts p JOIN %1$I.post_schedules s ON s.social_post_id = p.id
      WHERE p.user_id = $1 AND p.deleted_at IS NULL AND s.status <> 'cancelled'
        AND ($3 IS NULL OR s.scheduled_at < $3 AT TIME ZONE 'UTC')
        AND nexus.schedule_next(s.recurrence, s.rrule, s.scheduled_at, s.timezone, s.series_end_date, s.exdates, s.occurrence_limit,
          $2 AT TIME ZONE 'UTC', true) < COALESCE($3 AT TIME ZONE 'UTC', 'infinity'))
    SELECT
      (SELECT string_agg(nexus.ics_event(recurrence, rrule, scheduled_at, timezone, series_end_date, exdates, occurrence_limit,
          COALESCE(updated_at, created_at, scheduled_at), 'schedule-' || id || '@creatornexus', title, caption, platform,
          CASE status WHEN 'paused' THEN 'TENTATIVE' ELSE 'CONFIRMED' END), '' ORDER BY scheduled_at, id) FROM chosen),
      (SELECT string_agg(nexus.ics_timezone(zone, first AT TIME ZONE 'UTC', COALESCE($3, last AT TIME ZONE 'UTC')), '' ORDER BY zone)
         FROM (SELECT zone, min(scheduled_at) AS first, max(scheduled_at) AS last FROM chosen
           WHERE recurrence IS DISTINCT FROM 'none' AND lower(zone) <> 'utc' GROUP BY zone) AS z)
  $sql$, nexus.attached_schema()) INTO events, zones USING user_id, after, before;
  RETURN concat('BEGIN:VCALENDAR', line, 'VERSION:2.0', line, 'PRODID:-//CreatorNexus//calendar//EN', line,
    'CALSCALE:GREGORIAN', line, 'METHOD:PUBLISH', line,
    -- A calendar has at least one component.
    COALESCE(zones, CASE WHEN events IS NULL THEN nexus.ics_timezone('UTC', after, before) END), events,
    'END:VCALENDAR', line);
END $$;
COMMENT ON FUNCTION nexus.calendar_ics(text, timestamptz, timestamptz) IS
$$A user's schedules that fire from after on and before before, as an iCalendar file (RFC 5545): one VEVENT each, its rule kept as RRULE and not exploded, with the VTIMEZONE of each zone used; NULL leaves an end open.
Title, caption and platform become SUMMARY, DESCRIPTION and CATEGORIES; paused schedules are TENTATIVE, cancelled ones and deleted posts are left out. Row security applies. Serve it as text/calendar.$$;

CREATE FUNCTION nexus.parse_ics(ics text)
  RETURNS TABLE(uid text, summary text, rrule text, dtstart timestamp, tz text, rdate timestamp[], exdate timestamp[],
    exrule text[], recurrence_id timestamp)
  LANGUAGE c STABLE STRICT PARALLEL SAFE ROWS 1
  AS 'MODULE_PATHNAME', 'nexus_parse_ics';
COMMENT ON FUNCTION nexus.parse_ics(text) IS
$$When the events of an iCalendar text take place: one row for each VEVENT, or one for a text with nothing but properties (DTSTART, RRULE, ...). The values fit the arguments of occurrences(): all times are wall time of tz, which is NULL for floating time.
recurrence_id is set where the event replaces one occurrence of another. Errors: 22023 names the line at fault or an unknown TZID, NX010 a rule that RFC 5545 forbids, 0A000 a second RRULE in one event, 54000 more than 4 MiB.$$;

CREATE FUNCTION nexus.overlapping_occurrences(
  rrule text, dtstart timestamp, duration interval, other_rrule text, other_dtstart timestamp, other_duration interval,
  tz text DEFAULT 'UTC', other_tz text DEFAULT 'UTC', after timestamptz DEFAULT NULL, before timestamptz DEFAULT NULL,
  max_count integer DEFAULT NULL)
  RETURNS TABLE(at timestamptz, other_at timestamptz, overlap_start timestamptz, overlap_end timestamptz)
  LANGUAGE c STABLE PARALLEL SAFE ROWS 10
  AS 'MODULE_PATHNAME', 'nexus_overlaps';
COMMENT ON FUNCTION nexus.overlapping_occurrences(text, timestamp, interval, text, timestamp, interval, text, text, timestamptz, timestamptz, integer) IS
$$Where two schedules collide whose occurrences last for a while (the end not included; a duration of 0 collides with what is under way): an occurrence of each and the time that they share, for overlaps that begin from after on and before before.
A day of a duration is 24 hours; months are 22023. Without before or max_count, schedules that meet for ever are NX011 after nexus.max_occurrences rows.
Example: SELECT * FROM nexus.overlapping_occurrences('weekdays', '2026-01-05 09:00', '1 hour', 'FREQ=MONTHLY;BYDAY=1MO', '2026-01-05 09:30', '30 min', max_count => 3)$$;
