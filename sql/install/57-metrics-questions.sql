-- What an account's dashboard asks, from the rollups. Row security decides with the caller's rights which contents are
-- seen.

CREATE FUNCTION nexus.account_gains(user_id text, after timestamptz, before timestamptz)
  RETURNS TABLE (content_id integer, platform text, views numeric, likes numeric, comments numeric, shares numeric, saves numeric,
    reach numeric, clicks numeric, watch_time_seconds numeric, engagements numeric, denominator numeric)
  LANGUAGE c STABLE PARALLEL SAFE ROWS 1000 SET search_path = pg_catalog, pg_temp SET jit = off
  AS 'MODULE_PATHNAME', 'nexus_account_gains';
COMMENT ON FUNCTION nexus.account_gains(text, timestamptz, timestamptz) IS
  'What each content of a user gained on each platform, from samples with after <= captured_at < before, counted as in metrics_series: from the last sample before the window where there is one, NULL without an earlier sample. engagements are likes + comments + shares + saves gained, denominator reach gained, or views gained on days on which the platform gives no reach; both are NULL unless both are known. Only series with a sample in the window are returned. Whole days of the author''s zone (set_metrics_zone()) come from rollups, a day that the window cuts from its samples.';

CREATE FUNCTION nexus.top_gains(user_id text, after timestamptz, before timestamptz, metric text, max_count integer,
  last_value numeric, last_content_id integer, last_platform text)
  RETURNS TABLE (content_id integer, platform text, value numeric, engagements numeric, denominator numeric)
  LANGUAGE c STABLE PARALLEL SAFE ROWS 20 SET search_path = pg_catalog, pg_temp SET jit = off
  AS 'MODULE_PATHNAME', 'nexus_top_gains';
COMMENT ON FUNCTION nexus.top_gains(text, timestamptz, timestamptz, text, integer, numeric, integer, text) IS
  'The rows of account_gains() that gained most of one counter, at most max_count, in the order of top_content(). The next page comes with value, content_id and platform of the last row. 22023 for an unknown metric, a max_count below 1 or a last_value with decimals.';

CREATE FUNCTION nexus.platform_gains(user_id text, after timestamptz, before timestamptz, earlier timestamptz)
  RETURNS TABLE (platform text, posts bigint, views numeric, likes numeric, comments numeric, shares numeric, saves numeric,
    reach numeric, clicks numeric, watch_time_seconds numeric, engagements numeric, denominator numeric, earlier_views numeric)
  LANGUAGE c STABLE PARALLEL SAFE ROWS 6 SET search_path = pg_catalog, pg_temp SET jit = off
  AS 'MODULE_PATHNAME', 'nexus_platform_gains';
COMMENT ON FUNCTION nexus.platform_gains(text, timestamptz, timestamptz, timestamptz) IS
  'account_gains() added up by platform: the number of its rows (posts) and the sums of what they gained. earlier_views is what the platform gained of views from earlier to after (excluded), NULL where earlier is.';

CREATE FUNCTION nexus.account_series(user_id text, after timestamptz DEFAULT NULL, before timestamptz DEFAULT NULL,
  unit text DEFAULT 'day', platform text DEFAULT NULL)
  RETURNS TABLE (bucket timestamptz, bucket_end timestamptz, views numeric, likes numeric, comments numeric, shares numeric,
    saves numeric, reach numeric, clicks numeric, watch_time_seconds numeric, engagement_rate double precision)
  LANGUAGE c STABLE PARALLEL SAFE ROWS 30 SET search_path = pg_catalog, pg_temp SET jit = off
  AS 'MODULE_PATHNAME', 'nexus_account_series';
COMMENT ON FUNCTION nexus.account_series(text, timestamptz, timestamptz, text, text) IS
  'What all contents of an account gained in each day, week or month of its zone (set_metrics_zone(), else UTC), on one platform or on all: metrics_series() added up. A page of a long answer starts where the last one ended, after => its last bucket_end.';

CREATE FUNCTION nexus.account_heatmap(user_id text, platform text DEFAULT NULL)
  RETURNS TABLE (dow integer, hour integer, samples bigint, views numeric, likes numeric, comments numeric, shares numeric,
    saves numeric, reach numeric, clicks numeric, watch_time_seconds numeric, engagement_rate double precision)
  LANGUAGE c STABLE PARALLEL SAFE ROWS 168 SET search_path = pg_catalog, pg_temp SET jit = off
  AS 'MODULE_PATHNAME', 'nexus_account_heatmap';
COMMENT ON FUNCTION nexus.account_heatmap(text, text) IS
  'When an account gains: the increments of all its contents by local hour of the week (dow 0 = Sunday, zone of set_metrics_zone(), else UTC), each in the hour of the sample that shows it, so as fine as the account is polled. Hours without a sample are left out.';

CREATE FUNCTION nexus.account_latest(user_id text)
  RETURNS TABLE (content_id integer, platform text, captured_at timestamptz, views bigint, likes bigint, comments bigint,
    shares bigint, saves bigint, reach bigint, clicks bigint, watch_time_seconds bigint)
  LANGUAGE c STABLE PARALLEL SAFE ROWS 500 SET search_path = pg_catalog, pg_temp SET jit = off
  AS 'MODULE_PATHNAME', 'nexus_account_latest';
COMMENT ON FUNCTION nexus.account_latest(text) IS 'metrics_latest() of all contents of an account.';

CREATE FUNCTION nexus.metrics_zone(tz text) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT nexus.is_timezone(coalesce(tz, 'UTC')) THEN
    RAISE EXCEPTION 'unknown time zone "%"', left(tz, 80) USING ERRCODE = '22023', HINT = 'A name of pg_timezone_names.';
  END IF;
  RETURN coalesce(tz, 'UTC');
END $$;
COMMENT ON FUNCTION nexus.metrics_zone(text) IS 'The zone itself, UTC for NULL; 22023 for a name that pg_timezone_names does not list.';

CREATE FUNCTION nexus.account_summary(user_id text, after timestamptz, before timestamptz, tz text DEFAULT NULL)
  RETURNS TABLE (platform text, posts bigint, views numeric, likes numeric, comments numeric, shares numeric, saves numeric,
    reach numeric, clicks numeric, watch_time_seconds numeric, engagement_rate double precision, growth_ratio double precision)
  LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 6 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  zone text := nexus.metrics_zone(tz);
  starts timestamptz;
BEGIN
  IF user_id IS NULL OR after IS NULL OR before IS NULL THEN
    RAISE EXCEPTION 'user_id, after and before must not be NULL' USING ERRCODE = '22004';
  END IF;
  -- The window before is as long on the wall clock, so that days stay days where clocks change. An open one has none.
  IF isfinite(after) AND isfinite(before) THEN
    starts := (2 * ((after AT TIME ZONE zone) - timestamp '2000-01-01') - ((before AT TIME ZONE zone) - timestamp '2000-01-01')
      + timestamp '2000-01-01') AT TIME ZONE zone;
  END IF;
  RETURN QUERY
    SELECT n.platform, n.posts, n.views, n.likes, n.comments, n.shares, n.saves, n.reach, n.clicks, n.watch_time_seconds,
      CASE WHEN n.denominator > 0 THEN (n.engagements / n.denominator)::double precision END,
      (nexus.growth(n.views, n.earlier_views)).ratio
    FROM nexus.platform_gains($1, $2, $3, starts) n
    ORDER BY n.platform COLLATE "C";
END $$;
COMMENT ON FUNCTION nexus.account_summary(text, timestamptz, timestamptz, text) IS
  'What an account gained on each platform from after to before (excluded): the contents with a sample in that time (posts), the increments of all of them, and their engagement rate, summed first and divided once (account_gains says by what). growth_ratio compares views gained with the window before, which is as long on the wall clock of tz (UTC if NULL); NULL where nothing is known of it or it gained nothing. 22004 for a NULL argument other than tz.';

CREATE FUNCTION nexus.top_content(user_id text, after timestamptz, before timestamptz, metric text DEFAULT 'views',
  max_count integer DEFAULT 20, last_value numeric DEFAULT NULL, last_content_id integer DEFAULT NULL, last_platform text DEFAULT NULL)
  RETURNS TABLE (content_id integer, title text, platform text, value numeric, engagement_rate double precision)
  LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 20 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF num_nulls(user_id, after, before, metric, max_count) > 0 THEN
    RAISE EXCEPTION 'arguments of top_content must not be NULL' USING ERRCODE = '22004';
  END IF;
  IF metric <> ALL (ARRAY['views', 'likes', 'comments', 'shares', 'saves', 'reach', 'clicks', 'watch_time_seconds']) THEN
    RAISE EXCEPTION 'unknown metric "%"', left(metric, 80) USING ERRCODE = '22023',
      HINT = 'One of views, likes, comments, shares, saves, reach, clicks, watch_time_seconds.';
  END IF;
  IF num_nulls(last_value, last_content_id, last_platform) NOT IN (0, 3) THEN
    RAISE EXCEPTION 'last_value, last_content_id and last_platform go together' USING ERRCODE = '22023';
  END IF;
  IF max_count NOT BETWEEN 1 AND 1000 THEN
    RAISE EXCEPTION 'max_count must be between 1 and 1000' USING ERRCODE = '22023';
  END IF;
  RETURN QUERY EXECUTE format($sql$
    SELECT b.content_id, c.title::text, b.platform, b.value,
      CASE WHEN b.denominator > 0 THEN (b.engagements / b.denominator)::double precision END
    FROM nexus.top_gains($1, $2, $3, $4, $5, $6, $7, $8) b
    JOIN %1$I.content c ON c.id = b.content_id
    ORDER BY b.value DESC, b.content_id, b.platform COLLATE "C"
  $sql$, nexus.attached_schema())
  -- Increments are whole: between two of them stands whatever lies there, and beyond all of them NaN and the infinities.
  USING user_id, after, before, metric, max_count,
    CASE WHEN last_value IS NOT NULL THEN least(greatest(ceil(last_value), -1e37), 1e37) END,
    CASE WHEN last_value = ceil(last_value) THEN last_content_id END, last_platform;
END $$;
COMMENT ON FUNCTION nexus.top_content(text, timestamptz, timestamptz, text, integer, numeric, integer, text) IS
  'The contents of an account that gained most of one counter from after to before (excluded), each on its platform, at most max_count (1 to 1000): value is the increment, engagement_rate that of the same time. Contents without a known increment are left out; equal values come in order of content_id and platform. The next page comes with value, content_id and platform of the last row as last_value, last_content_id, last_platform. 22023 for an unknown metric, 22004 for a NULL.';

CREATE FUNCTION nexus.best_times(user_id text, platform text DEFAULT NULL, tz text DEFAULT NULL)
  RETURNS TABLE (dow integer, hour integer, posts bigint, engagement_rate double precision, score double precision,
    support double precision)
  LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 30 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  zone text := nexus.metrics_zone(tz);
  least_posts CONSTANT integer := 3;
  prior_posts CONSTANT integer := 5;
BEGIN
  IF user_id IS NULL THEN
    RAISE EXCEPTION 'user_id must not be NULL' USING ERRCODE = '22004';
  END IF;
  RETURN QUERY EXECUTE format($sql$
    WITH measured AS (
      SELECT (s.published_at AT TIME ZONE 'UTC') AT TIME ZONE $3 AS local_time, s.engagements, s.denominator
      FROM (
        SELECT coalesce((SELECT p.published_at FROM %1$I.content_metrics m
            JOIN %1$I.platform_posts p ON p.id = m.platform_post_row_id
            WHERE m.content_id = l.content_id AND m.platform = l.platform AND m.captured_at = l.captured_at AT TIME ZONE 'UTC'
            ORDER BY m.id DESC LIMIT 1), c.published_at) AS published_at,
          coalesce(l.likes, 0)::numeric + coalesce(l.comments, 0) + coalesce(l.shares, 0) + coalesce(l.saves, 0) AS engagements,
          coalesce(l.reach, l.views)::numeric AS denominator
        FROM nexus.account_latest($1) l JOIN %1$I.content c ON c.id = l.content_id
        WHERE ($2 IS NULL OR l.platform = $2)
          AND coalesce(l.reach, l.views) > 0 AND num_nonnulls(l.likes, l.comments, l.shares, l.saves) > 0) s
      WHERE isfinite(s.published_at)
    ), mean AS (
      SELECT sum(engagements) / sum(denominator) AS rate FROM measured
    ), cells AS (
      SELECT extract(dow FROM local_time)::integer AS dow, extract(hour FROM local_time)::integer AS hour, count(*) AS posts,
        sum(engagements) / sum(denominator) AS rate
      FROM measured GROUP BY 1, 2 HAVING count(*) >= $4
    )
    SELECT c.dow, c.hour, c.posts, c.rate::double precision,
      ((c.posts * c.rate + $5 * m.rate) / (c.posts + $5))::double precision, (c.posts / (c.posts + $5)::numeric)::double precision
    FROM cells c, mean m
    ORDER BY 5 DESC, c.dow, c.hour
  $sql$, nexus.attached_schema()) USING user_id, platform, zone, least_posts, prior_posts;
END $$;
COMMENT ON FUNCTION nexus.best_times(text, text, text) IS
  'At which local hours of the week (dow 0 = Sunday, wall clock of tz, UTC if NULL) an account''s posts did best, best first. Each content counts once for a platform, with what its counters last stood at, if reach (or views) is above 0 and any engagement known, at the hour it was published there. engagement_rate is likes + comments + shares + saves over reach (views where reach is unknown), summed first. score shrinks it to the account''s mean as if five average posts had come out at that hour too, and is what to rank by; support, posts / (posts + 5), is the weight of the hour''s own posts in it. Hours with fewer than three posts are left out.';

CREATE FUNCTION nexus.metric_anomalies(content_id integer, metric text DEFAULT 'views', threshold double precision DEFAULT 3.5)
  RETURNS TABLE (bucket timestamptz, value numeric, zscore double precision)
  LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 5 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF num_nulls(content_id, metric, threshold) > 0 THEN
    RAISE EXCEPTION 'arguments of metric_anomalies must not be NULL' USING ERRCODE = '22004';
  END IF;
  IF metric <> ALL (ARRAY['views', 'likes', 'comments', 'shares', 'saves', 'reach', 'clicks', 'watch_time_seconds']) THEN
    RAISE EXCEPTION 'unknown metric "%"', left(metric, 80) USING ERRCODE = '22023',
      HINT = 'One of views, likes, comments, shares, saves, reach, clicks, watch_time_seconds.';
  END IF;
  RETURN QUERY EXECUTE format($sql$
    WITH days AS (
      SELECT array_agg(s.bucket ORDER BY s.bucket) AS buckets, array_agg(s.%1$I ORDER BY s.bucket) AS gained
      FROM nexus.metrics_series($1) s WHERE s.%1$I IS NOT NULL
    )
    SELECT d.buckets[a.index], d.gained[a.index], a.zscore
    FROM days d, nexus.anomalies(coalesce(d.gained, '{}')::double precision[], $2) a
    WHERE a.is_anomaly ORDER BY a.index
  $sql$, metric) USING content_id, threshold;
END $$;
COMMENT ON FUNCTION nexus.metric_anomalies(integer, text, double precision) IS
  'The days (of the author''s zone) on which a content gained unusually much or little of one counter, compared with its other days with a known increment: those whose modified z-score is beyond threshold (anomalies() says how). 22023 for an unknown metric or a threshold that is not above 0; NX003 where the content does not exist or is not the caller''s.';
