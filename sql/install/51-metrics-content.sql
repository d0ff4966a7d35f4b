-- Metrics of the application's content: samples in, series out. Row security decides with the caller's rights what is
-- written and of which contents rollups are read.

CREATE FUNCTION nexus.metric_samples(samples jsonb)
  RETURNS TABLE (index integer, fault_field text, fault_code text, fault_message text,
    content_id integer, platform text, captured_at timestamp, source text,
    views bigint, likes bigint, comments bigint, shares bigint, saves bigint, reach bigint, clicks bigint,
    watch_time_seconds bigint, impressions bigint, followers_gained integer, platform_post_row_id integer, revenue numeric)
  LANGUAGE c STABLE STRICT PARALLEL SAFE ROWS 1000 AS 'MODULE_PATHNAME', 'nexus_metric_samples';
COMMENT ON FUNCTION nexus.metric_samples(jsonb) IS
  'Reads an array of samples as ingest_metrics() takes it: a row for each element, with its values or with what is wrong with it. Index counts from 0. Writes nothing and looks nothing up.';

CREATE FUNCTION nexus.ingest_metrics(samples jsonb)
  RETURNS TABLE (inserted bigint, updated bigint, unchanged bigint, rejected bigint, errors jsonb)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  app name := nexus.attached_schema();
BEGIN
  IF samples IS NULL THEN
    RAISE EXCEPTION 'samples must not be NULL' USING ERRCODE = '22004';
  END IF;
  IF jsonb_typeof(samples) <> 'array' THEN
    RAISE EXCEPTION 'samples must be a JSON array of objects' USING ERRCODE = '22023';
  END IF;
  -- One order of keys everywhere: two batches that meet wait for each other instead of deadlocking.
  RETURN QUERY EXECUTE format($sql$
    WITH read AS MATERIALIZED (
      SELECT s.*, c.id IS NULL AS no_content, s.platform_post_row_id IS NOT NULL AND o.id IS NULL AS no_post
      FROM nexus.metric_samples($1) s
      LEFT JOIN %1$I.content c ON c.id = s.content_id
      LEFT JOIN %1$I.platform_posts p ON p.id = s.platform_post_row_id
      LEFT JOIN %1$I.social_posts o ON o.id = p.social_post_id AND o.user_id = c.user_id
    ), judged AS MATERIALIZED (
      SELECT r.*, CASE
        WHEN r.fault_code IS NOT NULL THEN
          jsonb_build_object('index', r.index, 'field', r.fault_field, 'code', r.fault_code, 'message', r.fault_message)
        WHEN r.no_content THEN
          jsonb_build_object('index', r.index, 'field', 'content_id', 'code', 'unknown_content',
            'message', 'content ' || r.content_id || ' does not exist or is not yours')
        WHEN r.no_post THEN
          jsonb_build_object('index', r.index, 'field', 'platform_post_row_id', 'code', 'unknown_platform_post',
            'message', 'platform post ' || r.platform_post_row_id || ' does not exist or is not of the content''s owner')
        END AS fault
      FROM read r
    ), settled AS (
      SELECT DISTINCT ON (content_id, platform, captured_at, source) *
      FROM judged WHERE fault IS NULL
      ORDER BY content_id, platform, captured_at, source, index DESC
    ), fresh AS (
      -- What is there already is left out here: a conflict would lock the row, and a lock is a write.
      SELECT s.*
      FROM settled s LEFT JOIN LATERAL (
        SELECT o.* FROM %1$I.content_metrics o
        WHERE o.content_id = s.content_id AND o.platform = s.platform AND o.captured_at = s.captured_at AND o.source = s.source
        LIMIT 1) m ON true
      WHERE m.id IS NULL
        OR (m.views, m.likes, m.comments, m.shares, m.saves, m.reach, m.clicks, m.watch_time_seconds, m.impressions,
            m.followers_gained, m.platform_post_row_id, m.revenue)
          IS DISTINCT FROM (s.views, s.likes, s.comments, s.shares, s.saves, s.reach, s.clicks, s.watch_time_seconds,
            s.impressions, s.followers_gained, s.platform_post_row_id, s.revenue)
    ), written AS (
      INSERT INTO %1$I.content_metrics AS m (content_id, platform, captured_at, source, views, likes, comments, shares,
        saves, reach, clicks, watch_time_seconds, impressions, followers_gained, platform_post_row_id, revenue, last_updated)
      SELECT content_id, platform, captured_at, source, views, likes, comments, shares,
        saves, reach, clicks, watch_time_seconds, impressions, followers_gained, platform_post_row_id, revenue, $2
      FROM fresh ORDER BY content_id, platform, captured_at, source
      ON CONFLICT (content_id, platform, captured_at, source) DO UPDATE SET
        views = excluded.views, likes = excluded.likes, comments = excluded.comments, shares = excluded.shares,
        saves = excluded.saves, reach = excluded.reach, clicks = excluded.clicks,
        watch_time_seconds = excluded.watch_time_seconds, impressions = excluded.impressions,
        followers_gained = excluded.followers_gained, platform_post_row_id = excluded.platform_post_row_id,
        revenue = excluded.revenue, last_updated = excluded.last_updated + interval '1 microsecond'
      WHERE (m.views, m.likes, m.comments, m.shares, m.saves, m.reach, m.clicks, m.watch_time_seconds, m.impressions,
             m.followers_gained, m.platform_post_row_id, m.revenue)
        IS DISTINCT FROM (excluded.views, excluded.likes, excluded.comments, excluded.shares, excluded.saves,
             excluded.reach, excluded.clicks, excluded.watch_time_seconds, excluded.impressions,
             excluded.followers_gained, excluded.platform_post_row_id, excluded.revenue)
      RETURNING m.last_updated = $2 AS is_new    -- an update is marked by its microsecond: a partitioned table gives no xmax
    ), counted AS (
      SELECT count(*) FILTER (WHERE is_new) AS inserted, count(*) FILTER (WHERE NOT is_new) AS updated FROM written
    )
    SELECT w.inserted, w.updated, j.good - w.inserted - w.updated, j.bad, j.errors
    FROM counted w, (
      SELECT count(*) FILTER (WHERE fault IS NULL) AS good, count(fault) AS bad,
        coalesce(jsonb_agg(fault ORDER BY index) FILTER (WHERE fault IS NOT NULL), '[]') AS errors FROM judged) j
  $sql$, app)
    USING samples, nexus.utcnow();
END $$;
COMMENT ON FUNCTION nexus.ingest_metrics(jsonb) IS
  'Stores samples of cumulative counters: a JSON array of objects whose keys are the columns of content_metrics (content_id, platform and captured_at are required; source is manual if left out; a counter left out is unknown, not 0). Idempotent by (content_id, platform, captured_at, source): a replay changes nothing, a revision replaces the whole sample, of duplicates in one batch the last counts and the others are unchanged. inserted + updated + unchanged + rejected is the number of samples. A bad sample never stops the others; errors lists each as {index from 0, field, code, message}. Codes: missing, unknown_key, wrong_type, negative, out_of_range, not_an_integer, bad_timestamp, in_future (later than nexus.metrics_clock_tolerance from now), bad_platform, bad_source, unknown_content, unknown_platform_post. Times without an offset are UTC. id, engagement_rate and last_updated are passed over: they are computed.';

CREATE FUNCTION nexus.validate_content_metrics_trigger() RETURNS trigger LANGUAGE c
  AS 'MODULE_PATHNAME', 'nexus_validate_content_metrics';
COMMENT ON FUNCTION nexus.validate_content_metrics_trigger() IS
  'Guard of content_metrics: sets engagement_rate, in percent of views with two decimals, at most 999.99, NULL where views is unknown or 0, whatever the client wrote; refuses negative counters (23514) and an infinite captured_at (22008).';
INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('content_metrics', 'validate_content_metrics', 'BEFORE INSERT OR UPDATE ON %1$s FOR EACH ROW',
   'nexus.validate_content_metrics_trigger()');

CREATE FUNCTION nexus.metrics_series(content_id integer, after timestamptz DEFAULT NULL, before timestamptz DEFAULT NULL,
  unit text DEFAULT 'day', tz text DEFAULT NULL)
  RETURNS TABLE (bucket timestamptz, bucket_end timestamptz, views numeric, likes numeric, comments numeric, shares numeric,
    saves numeric, reach numeric, clicks numeric, watch_time_seconds numeric, engagement_rate double precision)
  LANGUAGE c STABLE PARALLEL SAFE ROWS 30 SET search_path = pg_catalog, pg_temp SET jit = off
  AS 'MODULE_PATHNAME', 'nexus_metrics_series';
COMMENT ON FUNCTION nexus.metrics_series(integer, timestamptz, timestamptz, text, text) IS
  'What one content gained in each local hour, day, week or month of tz (the author''s zone if NULL, see set_metrics_zone()), from samples with after <= captured_at < before; NULL is open. Samples are cumulative: an increment goes from one sample of a platform to its next, belongs to the bucket of the later one, and starts from the last sample before the window where there is one. Without any earlier sample the increment is NULL, not 0. At one instant the last arrival counts. A decrease to half or more is a correction by the platform (negative increment), to less a reset of the counter. Platforms are added up. engagement_rate is likes + comments + shares + saves gained over reach gained, or over views gained for a platform that gives no reach that day; NULL where that is unknown or not above 0. Only buckets with a sample are returned: a page of a long answer starts where the last one ended, after => its last bucket_end. Days, weeks and months of the author''s zone come from rollups, all else from the samples (55000 where those were declared gone by freeze_metrics()). Who may see the content, and read content_metrics, sees its figures: NX003 where the content does not exist or is not the caller''s.';

CREATE FUNCTION nexus.metrics_latest(content_id integer)
  RETURNS TABLE (platform text, captured_at timestamptz, views bigint, likes bigint, comments bigint, shares bigint,
    saves bigint, reach bigint, clicks bigint, watch_time_seconds bigint)
  LANGUAGE c STABLE PARALLEL SAFE ROWS 6 SET search_path = pg_catalog, pg_temp SET jit = off
  AS 'MODULE_PATHNAME', 'nexus_metrics_latest';
COMMENT ON FUNCTION nexus.metrics_latest(integer) IS
  'What the counters of a content last stood at on each platform, each by its last known value, and when it was last measured. NX003 where the content does not exist or is not the caller''s.';

CREATE FUNCTION nexus.metric_drops(content_id integer, after timestamptz DEFAULT NULL, before timestamptz DEFAULT NULL)
  RETURNS TABLE (platform text, metric text, captured_at timestamptz, value_before numeric, value numeric, kind text)
  LANGUAGE c STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'nexus_metric_drops';
COMMENT ON FUNCTION nexus.metric_drops(integer, timestamptz, timestamptz) IS
  'Where a cumulative counter of one content fell, in samples with after <= captured_at < before: a correction by the platform (half or more is left) or a reset. Such samples are stored as they come; this is how they are flagged, always by what is stored now. NX003 where the content does not exist or is not the caller''s.';
