-- Recurrence in the application's tables: what the rows of post_schedules mean, and a user's calendar.

-- The columns of one row, in the order in which the functions below take them: scheduled_at, series_end_date and exdates
-- are UTC; the rule recurs in wall time of the zone.
CREATE FUNCTION nexus.schedule_next(
  recurrence text, rrule text, scheduled_at timestamp, timezone text, series_end_date timestamp, exdates timestamp[],
  occurrence_limit integer, after timestamp, inclusive boolean DEFAULT false)
  RETURNS timestamp LANGUAGE c STABLE PARALLEL SAFE COST 10
  AS 'MODULE_PATHNAME', 'nexus_schedule_next';
COMMENT ON FUNCTION nexus.schedule_next(text, text, timestamp, text, timestamp, timestamp[], integer, timestamp, boolean) IS
$$The first occurrence (UTC) of a row of post_schedules after an instant, or at it if inclusive; NULL when the series is over. after NULL means from the start.
series_end_date is the last instant at which it may fire, occurrence_limit bounds the rule as COUNT does (before exdates remove). NX010 for a bad rule, 22023 for an unknown zone.$$;

CREATE FUNCTION nexus.schedule_instants(
  recurrence text, rrule text, scheduled_at timestamp, timezone text, series_end_date timestamp, exdates timestamp[],
  occurrence_limit integer, after timestamptz, before timestamptz)
  RETURNS SETOF timestamptz LANGUAGE c STABLE PARALLEL SAFE ROWS 30 COST 10
  AS 'MODULE_PATHNAME', 'nexus_schedule_instants';
COMMENT ON FUNCTION nexus.schedule_instants(text, text, timestamp, text, timestamp, timestamp[], integer, timestamptz, timestamptz) IS
$$The occurrences of a row of post_schedules from after on (included) and before before (not included); NULL leaves an end open. NX011 for more than nexus.max_occurrences.$$;

CREATE FUNCTION nexus.schedule_occurrences(
  schedule_id integer, after timestamptz DEFAULT NULL, before timestamptz DEFAULT NULL, max_count integer DEFAULT NULL)
  RETURNS SETOF timestamptz LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 30 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF max_count < 0 THEN
    RAISE EXCEPTION 'max_count must not be negative' USING ERRCODE = '22023';
  END IF;
  -- The function stands in the select list: there LIMIT ends the expansion of a rule without end.
  RETURN QUERY EXECUTE format($sql$
    SELECT nexus.schedule_instants(recurrence, rrule, scheduled_at, timezone, series_end_date, exdates, occurrence_limit,
        $2 + interval '1 microsecond', $3)
      FROM %I.post_schedules WHERE id = $1 LIMIT $4
  $sql$, nexus.attached_schema()) USING schedule_id, after, before, max_count;
END $$;
COMMENT ON FUNCTION nexus.schedule_occurrences(integer, timestamptz, timestamptz, integer) IS
$$When a row of post_schedules fires: its rule in its zone, less exdates, up to series_end_date and occurrence_limit. after and before are exclusive, as in occurrences(), and open when NULL.
No rows for a schedule that is not there or not the caller's. NX011 for more than nexus.max_occurrences: give before or max_count.$$;

CREATE FUNCTION nexus.calendar(user_id text, after timestamptz, before timestamptz)
  RETURNS TABLE(occurs_at timestamptz, local_time timestamp, tz text, schedule_id integer, social_post_id integer,
    platform text, title text, status text)
  LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY EXECUTE format($sql$
    SELECT o.at, o.at AT TIME ZONE s.zone, s.zone, s.id, s.social_post_id, s.platform::text, s.title::text,
      COALESCE(sent.status, s.status)::text
    FROM (
      SELECT s.*, COALESCE(s.timezone, 'UTC')::text AS zone, p.title
      FROM %1$I.social_posts p JOIN %1$I.post_schedules s ON s.social_post_id = p.id
      WHERE p.user_id = $1 AND p.deleted_at IS NULL AND s.status <> 'cancelled'
        AND ($3 IS NULL OR s.scheduled_at < $3 AT TIME ZONE 'UTC')
        AND ($2 IS NULL OR s.series_end_date IS NULL OR s.series_end_date >= $2 AT TIME ZONE 'UTC')
        AND ($2 IS NULL OR s.recurrence IS DISTINCT FROM 'none' OR s.scheduled_at >= $2 AT TIME ZONE 'UTC')) AS s,
    LATERAL nexus.schedule_instants(s.recurrence, s.rrule, s.scheduled_at, s.timezone, s.series_end_date, s.exdates,
      s.occurrence_limit, $2, $3) AS o(at)
    LEFT JOIN LATERAL (
      SELECT CASE WHEN bool_or(t.status IN ('failed', 'unconfirmed')) THEN 'failed'
          WHEN bool_or(t.status = 'publishing') THEN 'publishing'
          WHEN bool_or(t.status IN ('draft', 'scheduled')) THEN 'scheduled'
          WHEN bool_or(t.status = 'published') THEN 'published'
          WHEN count(*) > 0 THEN 'cancelled' END AS status
      FROM %1$I.platform_posts t WHERE t.schedule_id = s.id AND t.occurrence_at = o.at AT TIME ZONE 'UTC') AS sent ON true
    ORDER BY 1, 4
  $sql$, nexus.attached_schema()) USING user_id, after, before;
END $$;
COMMENT ON FUNCTION nexus.calendar(text, timestamptz, timestamptz) IS
$$What a user's schedules will do, or did, from after on (included) and before before (not included): each occurrence as an instant and as the clock of its zone shows it; NULL leaves an end open. Cancelled schedules and deleted posts are left out.
status is that of the occurrence's platform posts where they exist (failed before publishing before scheduled before published), else that of the schedule. Row security applies: a user sees the own calendar only.$$;

CREATE FUNCTION nexus.refresh_next_runs(due timestamptz DEFAULT now(), every boolean DEFAULT false)
  RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  computed constant text := 'nexus.schedule_next(recurrence, rrule, scheduled_at, timezone, series_end_date, exdates, occurrence_limit, $1)';
  moved bigint;
BEGIN
  -- Computing is cheap beside storing: a row that keeps its value is not written.
  EXECUTE format('UPDATE %I.post_schedules SET next_run_at = %s WHERE ', nexus.attached_schema(), computed) ||
    CASE WHEN every THEN format('status IN (''pending'', ''paused'') AND next_run_at IS DISTINCT FROM %s', computed)
      ELSE 'status = ''pending'' AND next_run_at <= $1' END
    USING due AT TIME ZONE 'UTC';
  GET DIAGNOSTICS moved = ROW_COUNT;
  RETURN moved;
END $$;
COMMENT ON FUNCTION nexus.refresh_next_runs(timestamptz, boolean) IS
$$Moves next_run_at of all pending schedules that are due on to their first occurrence after that instant (NULL where the series is over), in one statement; for the job that has just made their posts, in its transaction.
With every also those that are not due, or have none yet: after an update of the time zone database, or on tables that came without the column. Returns how many changed.$$;
REVOKE EXECUTE ON FUNCTION nexus.refresh_next_runs(timestamptz, boolean) FROM PUBLIC;
INSERT INTO nexus.attached_functions (function_name, role_name) VALUES
  ('refresh_next_runs', 'nexus_worker'), ('refresh_next_runs', 'nexus_owner');

CREATE FUNCTION nexus.next_run_trigger() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- A change of the time zone's rules can make the stored time one at which nothing recurs: that may be corrected.
  IF NOT nexus.is_importing() AND OLD.next_run_at = nexus.schedule_next(NEW.recurrence, NEW.rrule, NEW.scheduled_at,
      NEW.timezone, NEW.series_end_date, NEW.exdates, NEW.occurrence_limit, OLD.next_run_at, true)
  THEN
    NEW.next_run_at := OLD.next_run_at;
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION nexus.next_run_trigger() IS
  'post_schedules.next_run_at moves forward only: an older value than the stored one is not taken, so that no occurrence fires twice.';
INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('post_schedules', 'next_run', 'BEFORE UPDATE OF next_run_at ON %1$s FOR EACH ROW WHEN (NEW.next_run_at < OLD.next_run_at)',
    'nexus.next_run_trigger()');
