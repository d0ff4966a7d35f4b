-- What is derived from the hashtag model for browsing: the table hashtag_suggestions, completion.

CREATE FUNCTION nexus.hashtag_feature_tags(feature text) RETURNS TABLE (tag_id integer, uses bigint)
  LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'nexus_hashtag_feature_tags';
COMMENT ON FUNCTION nexus.hashtag_feature_tags(text) IS
  'The folded posts of a row of nexus.hashtag_features by tag. Not for PUBLIC.';
CREATE FUNCTION nexus.hashtag_trends(tag_ids integer[]) RETURNS TABLE (tag_id integer, trend double precision, authors bigint,
    day_authors bigint, week_authors bigint)
  LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'nexus_hashtag_trends';
COMMENT ON FUNCTION nexus.hashtag_trends(integer[]) IS
  'The trend of hashtags as suggest_hashtags measures it, their authors of all time and of the last 24 and 168 hours. Not for PUBLIC.';
REVOKE EXECUTE ON FUNCTION nexus.hashtag_feature_tags(text), nexus.hashtag_trends(integer[]) FROM PUBLIC;

-- At which generation and when each platform and each niche of a platform was looked at last.
CREATE TABLE nexus.hashtag_refreshes (
  feature text COLLATE "C" PRIMARY KEY,
  generation bigint NOT NULL,
  refreshed_at timestamptz NOT NULL
);

CREATE FUNCTION nexus.refresh_hashtag_suggestions(platform text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql VOLATILE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  app name := nexus.attached_schema();
  least integer := current_setting('nexus.hashtag_min_authors')::integer;
  due record;
  written bigint;
  total bigint := 0;
BEGIN
  IF NOT pg_try_advisory_xact_lock(20051, 'nexus.hashtag_refreshes'::regclass::oid::integer) THEN
    RETURN 0;
  END IF;
  -- Rows that were banned before the triggers were there, or while they were switched off.
  EXECUTE format(
    'DELETE FROM nexus.hashtag_bans b WHERE NOT EXISTS (SELECT FROM %I.hashtag_suggestions h WHERE h.id = b.suggestion AND h.is_banned
       AND nexus.canonical_hashtag(h.hashtag) = b.tag AND nexus.canonical_hashtag(h.platform) = b.platform)', app);
  EXECUTE format(
    'INSERT INTO nexus.hashtag_bans (suggestion, tag, platform)
     SELECT h.id, nexus.canonical_hashtag(h.hashtag), nexus.canonical_hashtag(h.platform) FROM %I.hashtag_suggestions h
      WHERE h.is_banned AND nexus.is_hashtag(h.hashtag) ON CONFLICT DO NOTHING', app);
  FOR due IN
    SELECT f.feature, f.posts, f.generation, split_part(substr(f.feature, 2), E'\n', 1) AS on_platform,
           CASE WHEN left(f.feature, 1) = 'p' THEN 'general' ELSE split_part(f.feature, E'\n', 2) END AS category
      FROM nexus.hashtag_features f LEFT JOIN nexus.hashtag_refreshes r ON r.feature = f.feature
     WHERE left(f.feature, 1) IN ('p', 'c')
       AND (left(f.feature, 1) = 'p' OR split_part(f.feature, E'\n', 2) <> 'general')   -- the name of all niches together
       AND (refresh_hashtag_suggestions.platform IS NULL
            OR split_part(substr(f.feature, 2), E'\n', 1) = nexus.canonical_hashtag(refresh_hashtag_suggestions.platform))
       AND (r.feature IS NULL OR r.generation <> f.generation OR r.refreshed_at < now() - interval '1 hour')
     ORDER BY f.feature
  LOOP
    EXECUTE format(
      'WITH used AS (SELECT t.tag_id, t.canonical, t.display, u.uses,
                            row_number() OVER (ORDER BY u.uses DESC, t.canonical) AS place
                       FROM nexus.hashtag_feature_tags($1) u JOIN nexus.hashtag_tags t USING (tag_id)
                      WHERE length(t.display) <= 100
                        AND NOT EXISTS (SELECT FROM nexus.hashtag_lists l WHERE l.tag = t.canonical AND l.platform IN ('''', $2))),
        shown AS (SELECT u.*, s.id FROM used u
                    LEFT JOIN %1$I.hashtag_suggestions s ON s.platform = $2 AND s.category = $3 AND lower(s.hashtag) = lower(u.display)
                   WHERE s.id IS NOT NULL OR u.place <= 200
                     AND NOT EXISTS (SELECT FROM nexus.hashtag_bans b WHERE b.tag = u.canonical AND b.platform = $2)),
        rated AS (SELECT s.*, r.trend, round(100 * (1 - exp(-greatest(r.trend, 0))))::integer AS trend_score
                    FROM shown s JOIN nexus.hashtag_trends(ARRAY(SELECT tag_id FROM shown)) r USING (tag_id)
                   WHERE r.authors >= $5 OR s.id IS NOT NULL),
        put AS (INSERT INTO %1$I.hashtag_suggestions AS h (platform, category, hashtag, trend_score, usage_count, score, computed_at, niche_id)
                SELECT $2, $3, display, trend_score, uses, uses / ($4 + 5.0) + 0.05 * trend, nexus.utcnow(),
                       (SELECT n.id FROM %1$I.niches n WHERE $3 IN (nexus.canonical_hashtag(n.name), nexus.canonical_hashtag(n.slug)) LIMIT 1) FROM rated
                ON CONFLICT (platform, category, lower(hashtag)) DO UPDATE
                  SET trend_score = EXCLUDED.trend_score, usage_count = EXCLUDED.usage_count, score = EXCLUDED.score,
                      computed_at = EXCLUDED.computed_at
                  WHERE (h.trend_score, h.usage_count, h.score) IS DISTINCT FROM
                        (EXCLUDED.trend_score, EXCLUDED.usage_count, EXCLUDED.score)
                RETURNING 1),
        unused AS (UPDATE %1$I.hashtag_suggestions h SET trend_score = 0, usage_count = 0, score = 0, computed_at = nexus.utcnow()
                    WHERE h.platform = $2 AND h.category = $3 AND h.computed_at IS NOT NULL AND h.usage_count > 0
                      AND NOT EXISTS (SELECT FROM used u WHERE lower(u.display) = lower(h.hashtag)) RETURNING 1)
        SELECT (SELECT count(*) FROM put) + (SELECT count(*) FROM unused)', app)
      INTO written USING due.feature, due.on_platform, due.category, due.posts, least;
    total := total + written;
    INSERT INTO nexus.hashtag_refreshes AS r VALUES (due.feature, due.generation, now())
      ON CONFLICT (feature) DO UPDATE SET generation = EXCLUDED.generation, refreshed_at = EXCLUDED.refreshed_at;
  END LOOP;
  RETURN total;
END $$;
COMMENT ON FUNCTION nexus.refresh_hashtag_suggestions(text) IS
  'Keeps the table hashtag_suggestions of the attached schema: for a platform (all where NULL) the 200 most used hashtags of category general and of each niche, with usage_count, trend_score (0 to 100: 100 (1 - e^-trend)), score (share of the posts + 0.05 trend) and computed_at. Looks only at what has been folded since the last call, or an hour ago, and returns the rows written; 0 while another session is at it. Rows that the application made, is_active and is_banned stay; a hashtag banned on a platform comes into no other category of it. 55000 when nothing is attached.';
REVOKE EXECUTE ON FUNCTION nexus.refresh_hashtag_suggestions(text) FROM PUBLIC;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT 'refresh_hashtag_suggestions', r FROM pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;

CREATE FUNCTION nexus.complete_hashtag(prefix text, platform text DEFAULT NULL, max_count integer DEFAULT 10)
  RETURNS TABLE (hashtag text, uses bigint) LANGUAGE plpgsql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  start text COLLATE "C" := nexus.canonical_hashtag(prefix);
  least integer := current_setting('nexus.hashtag_min_authors')::integer;
BEGIN
  IF max_count IS NULL OR max_count NOT BETWEEN 1 AND 200 THEN
    RAISE EXCEPTION 'max_count must be between 1 and 200' USING ERRCODE = '22023';
  END IF;
  IF start IS NULL OR start = '' THEN
    RETURN;
  END IF;
  RETURN QUERY
    WITH waiting AS (
      SELECT k.tag, k.spelling, d.author, d.post FROM nexus.hashtag_delta d, unnest(d.tags, d.spellings) k(tag, spelling)
       WHERE k.tag ^@ start AND NOT EXISTS (SELECT FROM nexus.hashtag_retractions r WHERE r.post = d.post)),
    gone AS (
      SELECT t.canonical AS tag, t.tag_id, p.author, p.post FROM nexus.hashtag_retractions r JOIN nexus.hashtag_posts p USING (post),
             unnest(p.tags) k(tag_id) JOIN nexus.hashtag_tags t USING (tag_id) WHERE t.canonical ^@ start),
    known AS (
      SELECT t.tag_id, t.canonical AS tag, t.display, t.posts, t.authors FROM nexus.hashtag_tags t WHERE t.canonical ^@ start),
    change AS (    -- of the authors whose uses are not all folded: what they were and are
      SELECT c.tag, count(*) FILTER (WHERE coalesce(a.posts, 0) + c.posts > 0) - count(*) FILTER (WHERE a.posts > 0) AS authors
        FROM (SELECT tag, author, sum(n) AS posts FROM (
                SELECT tag, author, 1 AS n FROM waiting WHERE author IS NOT NULL
                UNION ALL SELECT tag, author, -1 FROM gone WHERE author IS NOT NULL) e GROUP BY tag, author) c
        LEFT JOIN known k USING (tag) LEFT JOIN nexus.hashtag_authors a ON a.tag_id = k.tag_id AND a.author = c.author
       GROUP BY c.tag),
    total AS (
      SELECT tag, coalesce(k.display, w.spelling) AS display,
             coalesce(k.posts, 0) + coalesce(w.posts, 0) - coalesce(g.posts, 0) AS posts,
             coalesce(k.authors, 0) + coalesce(w.anonymous, 0) - coalesce(g.anonymous, 0) + coalesce(c.authors, 0) AS authors
        FROM known k
        FULL JOIN (SELECT tag, min(spelling) AS spelling, count(*) AS posts, count(*) FILTER (WHERE author IS NULL) AS anonymous
                     FROM waiting GROUP BY tag) w USING (tag)
        LEFT JOIN (SELECT tag, count(*) AS posts, count(*) FILTER (WHERE author IS NULL) AS anonymous FROM gone GROUP BY tag) g USING (tag)
        LEFT JOIN change c USING (tag))
    SELECT t.display, t.posts FROM total t
     WHERE t.posts > 0 AND t.authors >= least
       AND NOT EXISTS (SELECT FROM nexus.hashtag_listed l WHERE l.tag = t.tag
                        AND l.platform IN ('', nexus.canonical_hashtag(complete_hashtag.platform)))
     ORDER BY t.posts DESC, t.tag LIMIT max_count;
END $$;
COMMENT ON FUNCTION nexus.complete_hashtag(text, text, integer) IS
  'Hashtags that begin with a prefix (any spelling, with or without ''#''), the most used first, without those listed for the platform or seen from fewer than nexus.hashtag_min_authors authors. uses: learned posts. 22023 for max_count outside 1 to 200.';
REVOKE EXECUTE ON FUNCTION nexus.complete_hashtag(text, text, integer) FROM PUBLIC;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT 'complete_hashtag', r FROM pg_catalog.unnest(ARRAY['nexus_anon', 'nexus_app', 'nexus_worker', 'nexus_owner']) AS r;
