-- Niches: trend, difficulty and keywords kept from what the niche's posts use and how they do, and which niches a draft
-- belongs to. A post's niche is what learn_post() was told, or metadata.niche of the published row; it is a niche by its
-- name or slug, in canonical form.
--
-- What a person wrote is kept: a column belongs to the engine while it is empty or still what the engine wrote last.

CREATE INDEX hashtag_posts_niche_idx ON nexus.hashtag_posts (niche, posted_at DESC, post DESC) WHERE niche IS NOT NULL;

-- What was computed of a niche; written holds the columns that are the engine's, with what it wrote there last.
CREATE TABLE nexus.niche_stats (
  niche_id integer PRIMARY KEY,
  computed_at timestamptz,
  posts bigint NOT NULL DEFAULT 0,             -- looked at: of the last 90 days, at most 500
  authors bigint NOT NULL DEFAULT 0,
  tags jsonb NOT NULL DEFAULT '{}',            -- the 200 most used ones: canonical tag -> posts
  competition double precision,                -- 0 to 1; NULL: too little is known
  engagement_rate double precision,            -- engagements over impressions, where both are known
  written jsonb NOT NULL DEFAULT '{}'
);
SELECT pg_catalog.pg_extension_config_dump('nexus.niche_stats', '');

CREATE FUNCTION nexus.niche_sample(keys text[]) RETURNS SETOF nexus.hashtag_posts LANGUAGE sql STABLE ROWS 500
  SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p.* FROM nexus.hashtag_posts p
  WHERE p.niche = ANY (keys) AND p.posted_at > COALESCE(NULLIF(current_setting('nexus.as_of', true), '')::timestamptz, now()) - interval '90 days'
    AND p.posted_at <= COALESCE(NULLIF(current_setting('nexus.as_of', true), '')::timestamptz, now())
    AND NOT EXISTS (SELECT FROM nexus.hashtag_retractions r WHERE r.post = p.post)
  ORDER BY p.posted_at DESC, p.post DESC LIMIT 500;
END;
COMMENT ON FUNCTION nexus.niche_sample(text[]) IS
  'Part of niches: the newest 500 folded posts of a niche of the 90 days before nexus.as_of, or now(). Not for PUBLIC.';

CREATE FUNCTION nexus.refresh_niche(niche_id integer) RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  attached constant name := nexus.attached_schema();
  least_authors constant integer := current_setting('nexus.hashtag_min_authors')::integer;
  as_of constant timestamptz := COALESCE(NULLIF(current_setting('nexus.as_of', true), '')::timestamptz, now());
  all_posts constant bigint := GREATEST((SELECT m.posts FROM nexus.hashtag_model m), 1);
  niche record;
  fresh record;
  owned jsonb;
BEGIN
  EXECUTE format($sql$
    SELECT array_remove(ARRAY[nexus.canonical_hashtag(n.name), nexus.canonical_hashtag(n.slug)], NULL) AS keys,
      jsonb_build_object('trend_score', n.trend_score, 'difficulty', n.difficulty, 'keywords', n.keywords) AS now
    FROM %I.niches n WHERE n.id = $1 FOR NO KEY UPDATE
  $sql$, attached) INTO niche USING refresh_niche.niche_id;
  IF niche.keys IS NULL THEN
    DELETE FROM nexus.niche_stats s WHERE s.niche_id = refresh_niche.niche_id;
    RETURN false;
  END IF;
  WITH sample AS MATERIALIZED (
    SELECT p.*, COALESCE(p.author, -p.post) AS by FROM nexus.niche_sample(niche.keys) p),
  tags AS MATERIALIZED (
    SELECT t.tag_id, t.canonical, t.posts AS everywhere, count(*) AS uses, count(DISTINCT s.by) AS authors
    FROM sample s CROSS JOIN LATERAL unnest(s.tags) AS u(tag_id) JOIN nexus.hashtag_tags t USING (tag_id) GROUP BY 1, 2, 3),
  words AS (
    SELECT w.term, count(DISTINCT s.post) AS uses, count(DISTINCT s.by) AS authors
    FROM sample s CROSS JOIN LATERAL regexp_split_to_table(nexus.hashtag_terms_text(s.terms), ' ') AS w(term) GROUP BY 1),
  -- what the niche's authors use and others do not: the share of its posts, weighed by how rare it is elsewhere
  terms AS (
    SELECT canonical AS term, uses, everywhere, authors FROM tags
    UNION ALL
    -- (words that stand nowhere but in a hashtag say nothing more than it does)
    SELECT w.term, w.uses, f.posts, w.authors FROM words w JOIN nexus.hashtag_features f ON f.feature = 'w' || w.term
    WHERE NOT EXISTS (SELECT FROM tags t WHERE t.canonical <> w.term AND t.uses >= w.uses AND strpos(t.canonical, w.term) > 0)),
  keywords AS (
    SELECT term, max(uses * ln((all_posts + 1.0) / everywhere)) AS weight FROM terms
    WHERE uses >= 3 AND authors >= least_authors AND everywhere > 0 AND term !~ '^[0-9]+$' GROUP BY term
    ORDER BY weight DESC, term COLLATE "C" LIMIT 10),
  trending AS (
    SELECT round(sum(t.uses * 100 * (1 - exp(-greatest(r.trend, 0)))) / sum(t.uses))::integer AS trend
    FROM (SELECT * FROM tags WHERE authors >= least_authors ORDER BY uses DESC, canonical COLLATE "C" LIMIT 50) AS t
    JOIN nexus.hashtag_trends(ARRAY(SELECT tag_id FROM tags)) r USING (tag_id)),
  -- as the competition of a hashtag: authors' posts an hour against thousands of readers
  rivals AS (
    SELECT count(*) / 720.0 AS an_hour, percentile_cont(0.5) WITHIN GROUP (ORDER BY impressions) AS reach,
      count(impressions) >= 10 AND count(DISTINCT by) >= least_authors AS is_known
    FROM sample WHERE posted_at > as_of - interval '30 days')
  SELECT (SELECT count(*) FROM sample) AS posts, (SELECT count(DISTINCT by) FROM sample) AS authors,
    COALESCE((SELECT jsonb_object_agg(canonical, uses) FROM (SELECT canonical, uses FROM tags ORDER BY uses DESC, canonical COLLATE "C" LIMIT 200) AS t), '{}') AS tags,
    CASE WHEN r.is_known THEN r.an_hour / (r.an_hour + r.reach / 1000) END AS competition,
    (SELECT sum(engagements)::double precision / sum(impressions) FROM sample WHERE engagements IS NOT NULL AND impressions > 0) AS engagement_rate,
    (SELECT trend FROM trending) AS trend_score, (SELECT jsonb_agg(term ORDER BY weight DESC, term COLLATE "C") FROM keywords) AS keywords
  INTO fresh FROM rivals r;
  -- a column that is empty, or still says what was written last, is written again where something is known of it
  SELECT COALESCE(jsonb_object_agg(c.name, COALESCE(c.value, niche.now -> c.name)), '{}') INTO owned
  FROM (VALUES ('trend_score', to_jsonb(fresh.trend_score)), ('keywords', fresh.keywords),
    ('difficulty', to_jsonb(CASE WHEN fresh.competition < 1 / 3.0 THEN 'easy' WHEN fresh.competition < 2 / 3.0 THEN 'medium' WHEN fresh.competition IS NOT NULL THEN 'hard' END))) AS c(name, value)
  WHERE niche.now -> c.name IN ('null', '0', '[]')
    OR niche.now -> c.name = (SELECT s.written -> c.name FROM nexus.niche_stats s WHERE s.niche_id = refresh_niche.niche_id);
  INSERT INTO nexus.niche_stats AS s (niche_id, computed_at, posts, authors, tags, competition, engagement_rate, written)
    VALUES (refresh_niche.niche_id, clock_timestamp(), fresh.posts, fresh.authors, fresh.tags, fresh.competition, fresh.engagement_rate, owned)
    ON CONFLICT ON CONSTRAINT niche_stats_pkey DO UPDATE SET computed_at = EXCLUDED.computed_at, posts = EXCLUDED.posts, authors = EXCLUDED.authors,
      tags = EXCLUDED.tags, competition = EXCLUDED.competition, engagement_rate = EXCLUDED.engagement_rate, written = EXCLUDED.written;
  IF niche.now || owned = niche.now THEN
    RETURN false;
  END IF;
  EXECUTE format($sql$
    UPDATE %I.niches n SET trend_score = COALESCE(($2 ->> 'trend_score')::integer, n.trend_score), difficulty = COALESCE($2 ->> 'difficulty', n.difficulty),
      keywords = CASE jsonb_typeof($2 -> 'keywords') WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text($2 -> 'keywords')) ELSE n.keywords END
    WHERE n.id = $1
  $sql$, attached) USING refresh_niche.niche_id, owned;
  RETURN true;
END $$;
COMMENT ON FUNCTION nexus.refresh_niche(integer) IS
$$Brings a niche up to date with its posts (folded, of the last 90 days, the newest 500) and returns whether a column of niches changed. Only columns that are empty or still say what was written last are written; compute_niche() hands others over.
trend_score: 100 (1 - e^-trend) of its 50 most used hashtags, weighed by their uses. keywords: the 10 hashtags and words with the largest posts x ln((all posts + 1) / posts with it anywhere), in 3 posts at least; words that are a part of an equally used hashtag are left out.
difficulty by competition = r / (r + reach / 1000), r posts an hour and reach the median impressions of the last 30 days: easy below 1/3, medium below 2/3, else hard; not before 10 posts have impressions. Nothing that fewer than nexus.hashtag_min_authors authors use is shown.$$;

CREATE FUNCTION nexus.compute_niche(niche_id integer, columns text[] DEFAULT '{trend_score,difficulty,keywords}') RETURNS void
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  now_ jsonb;
BEGIN
  IF columns IS NULL OR NOT columns <@ '{trend_score,difficulty,keywords}' THEN
    RAISE EXCEPTION 'columns must be of trend_score, difficulty, keywords' USING ERRCODE = '22023';
  END IF;
  EXECUTE format('SELECT jsonb_build_object(''trend_score'', n.trend_score, ''difficulty'', n.difficulty, ''keywords'', n.keywords) FROM %I.niches n WHERE n.id = $1',
    nexus.attached_schema()) INTO now_ USING compute_niche.niche_id;
  IF now_ IS NULL THEN
    RAISE EXCEPTION 'niche % does not exist', compute_niche.niche_id USING ERRCODE = 'P0002', TABLE = 'niches';
  END IF;
  SELECT jsonb_object_agg(e.key, e.value) INTO now_ FROM jsonb_each(now_) e WHERE e.key = ANY (columns);
  INSERT INTO nexus.niche_stats AS s (niche_id, written) VALUES (compute_niche.niche_id, COALESCE(now_, '{}'))
    ON CONFLICT ON CONSTRAINT niche_stats_pkey DO UPDATE SET written = s.written || EXCLUDED.written;
END $$;
COMMENT ON FUNCTION nexus.compute_niche(integer, text[]) IS
  'Hands columns of a niche over to the engine, whatever stands there: from the next refresh on they are computed, as soon as enough is known. To take one back, write it.';

CREATE FUNCTION nexus.refresh_niches(max_niches integer DEFAULT 20) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  one integer;
  looked bigint := 0;
  changed bigint := 0;
BEGIN
  FOR one IN EXECUTE format($sql$
    SELECT n.id FROM %I.niches n LEFT JOIN nexus.niche_stats s ON s.niche_id = n.id
    WHERE n.is_active IS NOT FALSE AND (s.computed_at IS NULL OR s.computed_at < now() - interval '1 hour')
    ORDER BY s.computed_at NULLS FIRST, n.id LIMIT $1
  $sql$, nexus.attached_schema()) USING max_niches LOOP
    looked := looked + 1;
    changed := changed + nexus.refresh_niche(one)::integer;
  END LOOP;
  RETURN jsonb_build_object('niches', looked, 'changed', changed);
END $$;
COMMENT ON FUNCTION nexus.refresh_niches(integer) IS
  'A task of tick(): refresh_niche() for the active niches that were not looked at for an hour, at most max_niches at a time, the longest waiting first.';
INSERT INTO nexus.tick_tasks (name, function_name, every, needs_attachment, position) VALUES ('niches', 'refresh_niches', '1 minute', true, 82);

CREATE FUNCTION nexus.niche_stats_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM nexus.niche_stats s WHERE s.niche_id = OLD.id;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.niche_stats_trigger() IS 'What was computed of a niche goes with it.';
INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('niches', 'forget_stats', 'AFTER DELETE ON %1$s FOR EACH ROW', 'nexus.niche_stats_trigger()');

CREATE FUNCTION nexus.classify_niche(body text, max_count integer DEFAULT 3)
  RETURNS TABLE (niche_id integer, name text, score double precision, evidence jsonb) LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 3
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  words text[];
  own text[];
BEGIN
  IF body IS NULL THEN
    RAISE EXCEPTION 'body must not be NULL' USING ERRCODE = '22004';
  END IF;
  IF max_count IS NULL OR max_count NOT BETWEEN 1 AND 50 THEN
    RAISE EXCEPTION 'max_count must be between 1 and 50' USING ERRCODE = '22023';
  END IF;
  own := nexus.hashtags(body);
  words := ARRAY(SELECT t.term FROM nexus.hashtag_terms(body) t) || own;
  RETURN QUERY EXECUTE format($sql$
    WITH draft AS MATERIALIZED (
      SELECT d.tag, max(d.relevance) AS relevance FROM (
        SELECT unnest($3) AS tag, 1::double precision AS relevance
        UNION ALL SELECT nexus.canonical_hashtag(s.hashtag), s.relevance FROM nexus.suggest_hashtags($1, max_count => 30) s WHERE s.relevance > 0) AS d GROUP BY d.tag),
    used AS MATERIALIZED (
      SELECT s.niche_id, d.tag, d.relevance, (s.tags ->> d.tag)::bigint AS uses FROM draft d JOIN nexus.niche_stats s ON s.tags ? d.tag),
    by_tags AS (
      SELECT u.niche_id, sum(u.relevance * u.uses / (a.uses + 1)) / (SELECT sum(relevance) FROM draft) AS share,
        jsonb_agg(jsonb_build_object('hashtag', u.tag, 'relevance', u.relevance, 'uses', u.uses, 'of', a.uses) ORDER BY u.relevance * u.uses / (a.uses + 1) DESC, u.tag COLLATE "C") AS tags
      FROM used u JOIN (SELECT tag, sum(uses) AS uses FROM used GROUP BY tag) AS a USING (tag) GROUP BY u.niche_id),
    by_words AS (
      SELECT n.id AS niche_id, count(*) / (count(*) + 2.0) AS share, jsonb_agg(k.keyword ORDER BY k.keyword COLLATE "C") AS keywords
      FROM %1$I.niches n CROSS JOIN LATERAL (SELECT DISTINCT nexus.canonical_hashtag(u.k) AS keyword FROM unnest(n.keywords) AS u(k)) AS k
      WHERE k.keyword = ANY ($4) OR k.keyword ~ '[^[:alnum:]_]' AND ARRAY(SELECT t.term FROM nexus.hashtag_terms(k.keyword) t) <@ $4
      GROUP BY n.id)
    SELECT n.id, n.name::text, (1 - (1 - COALESCE(t.share, 0)) * (1 - COALESCE(w.share, 0)))::double precision,
      jsonb_build_object('hashtags', COALESCE(t.tags, '[]'), 'keywords', COALESCE(w.keywords, '[]'))
    FROM %1$I.niches n LEFT JOIN by_tags t ON t.niche_id = n.id LEFT JOIN by_words w ON w.niche_id = n.id
    WHERE n.is_active IS NOT FALSE AND (t.share > 0 OR w.share > 0)
    ORDER BY 3 DESC, n.id LIMIT $2
  $sql$, nexus.attached_schema()) USING body, max_count, own, words;
END $$;
COMMENT ON FUNCTION nexus.classify_niche(text, integer) IS
$$The niches that a draft may belong to, best first, at most max_count (1 to 50): score 0 to 1 = 1 - (1 - t) (1 - w), and why.
t: the hashtags of the draft (relevance 1) and the 30 that suggest_hashtags() finds for it, each shared out to the niches by their posts with it (uses / (of + 1), of all niches together), weighed by relevance. w = k / (k + 2) with k of the niche's keywords in the draft.
evidence: {"hashtags": [{hashtag, relevance, uses, of}], "keywords": [...]}. Uses are those of the last refresh_niche(); no row where nothing speaks for any niche.$$;

DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'nexus'::pg_catalog.regnamespace AND p.proname IN (
      'niche_sample', 'refresh_niche', 'compute_niche', 'refresh_niches', 'niche_stats_trigger', 'classify_niche')
  LOOP
    EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, r FROM pg_catalog.unnest(ARRAY['refresh_niche', 'compute_niche', 'refresh_niches']) AS f, pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r
UNION ALL SELECT 'classify_niche', r FROM pg_catalog.unnest(ARRAY['nexus_anon', 'nexus_app', 'nexus_worker', 'nexus_owner']) AS r;
