-- Statistics over values that the caller hands in; they read no table.

CREATE FUNCTION nexus.growth(current numeric, previous numeric, OUT ratio double precision, OUT status text)
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  RETURN (
    CASE WHEN previous <> 0 THEN ((current - previous) / abs(previous))::double precision END,
    CASE WHEN current IS NULL OR previous IS NULL THEN NULL WHEN previous = 0 THEN 'no_base' ELSE 'ok' END);
COMMENT ON FUNCTION nexus.growth(numeric, numeric) IS
  'Relative growth (current - previous) / |previous|: 0.5 is 50 % more. Without a base (previous is 0) the ratio is NULL and status no_base; NULL in, NULL out.';

CREATE FUNCTION nexus.moving_average(days date[], vals double precision[], window_days integer, gaps text DEFAULT 'skip')
  RETURNS TABLE (day date, value double precision)
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_moving_average';
COMMENT ON FUNCTION nexus.moving_average(date[], double precision[], integer, text) IS
  'The average over each day and the window_days - 1 calendar days before it. gaps skip: over the days with a value, given for these days only; zero: missing days count as 0, given for each day from the first to the last, and the window never reaches back before the first. days may come in any order, each once; a NULL value is a missing day.';

CREATE FUNCTION nexus.ewma(vals double precision[], alpha double precision) RETURNS double precision[]
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_ewma';
COMMENT ON FUNCTION nexus.ewma(double precision[], double precision) IS
  'Exponentially weighted moving average, row by row, starting from the first value; alpha in (0, 1], 2 / (n + 1) for n rows. A NULL value gives NULL and leaves the average as it is.';

CREATE FUNCTION nexus.anomalies(vals double precision[], threshold double precision DEFAULT 3.5)
  RETURNS TABLE (index integer, value double precision, zscore double precision, is_anomaly boolean)
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_anomalies';
COMMENT ON FUNCTION nexus.anomalies(double precision[], double precision) IS
  'The modified z-score of each value, 0.6745 (x - median) / MAD (Iglewicz and Hoaglin 1993), by the mean absolute deviation where MAD is 0; an anomaly lies more than threshold away. index counts from 1. A NULL value has no score.';

CREATE FUNCTION nexus.heatmap(at timestamptz[], engagements bigint[], views bigint[], tz text)
  RETURNS TABLE (dow integer, hour integer, engagements bigint, views bigint, posts bigint, engagement_rate double precision)
  LANGUAGE c STABLE STRICT PARALLEL SAFE ROWS 168 AS 'MODULE_PATHNAME', 'nexus_heatmap';
COMMENT ON FUNCTION nexus.heatmap(timestamptz[], bigint[], bigint[], text) IS
  'Posts by day of week (0 = Sunday) and hour on the wall clock of tz, only hours with posts. engagement_rate is the sum of engagements over the sum of views, NULL where that is 0. NULL counts as 0.';
