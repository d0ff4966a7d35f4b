-- Engagement that comes after a post was learned: a walk over all learned posts compares their lessons with the samples of
-- content_metrics, and posts that do notably better or worse than they were learned with are taken back and learned anew.
--
-- A lesson keeps the numbers that it was learned with, and all counts are sums over the lessons: they stay what a recount of
-- the lessons gives, whatever the samples say meanwhile.

CREATE TABLE nexus.hashtag_engagement_walk (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  last_post bigint NOT NULL       -- the walk goes on after this one
);
SELECT pg_catalog.pg_extension_config_dump('nexus.hashtag_engagement_walk', '');

CREATE FUNCTION nexus.engagement_moved(learned bigint, measured bigint) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  RETURN measured IS NOT NULL AND (learned IS NULL OR abs(ln(1 + measured::double precision) - ln(1 + learned::double precision)) >= 0.2);
COMMENT ON FUNCTION nexus.engagement_moved(bigint, bigint) IS
  'True where a number is known that was not when the post was learned, or has changed by about a fifth. A number that is not known any more says nothing.';

CREATE FUNCTION nexus.learn_hashtag_engagement(max_posts integer DEFAULT 500, max_looks integer DEFAULT 10000) RETURNS bigint
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off
  SET enable_seqscan = off SET jit = off AS $$
DECLARE
  app name := nexus.attached_schema();
  start bigint;
  highest bigint;
  due record;
  free boolean;
  tried bigint := 0;
  learned bigint := 0;
BEGIN
  IF max_posts IS NULL OR max_posts NOT BETWEEN 1 AND 100000 THEN
    RAISE EXCEPTION 'max_posts must be between 1 and 100000' USING ERRCODE = '22023';
  END IF;
  IF max_looks IS NULL OR max_looks NOT BETWEEN 1 AND 1000000 THEN
    RAISE EXCEPTION 'max_looks must be between 1 and 1000000' USING ERRCODE = '22023';
  END IF;
  IF NOT pg_try_advisory_xact_lock(20051, 'nexus.hashtag_engagement_walk'::regclass::oid::integer) THEN
    RETURN 0;
  END IF;
  start := coalesce((SELECT w.last_post FROM nexus.hashtag_engagement_walk w), -9223372036854775808);
  highest := (SELECT max(l.post) FROM (SELECT p.post FROM nexus.hashtag_posts p WHERE p.post > start ORDER BY p.post LIMIT max_looks) l);
  FOR due IN EXECUTE format(
    'SELECT k.* FROM (
       SELECT p.post, p.source, p.source_id::integer AS id, s.id AS social_post, p.impressions, p.engagements, pp.id AS platform_post,
              coalesce(c.id, s.content_id) AS content_id, coalesce(c.platform, pp.platform) AS platform
         FROM nexus.hashtag_posts p
         LEFT JOIN %1$I.content c ON p.source = ''content'' AND c.id = p.source_id
         LEFT JOIN %1$I.platform_posts pp ON p.source = ''platform_posts'' AND pp.id = p.source_id
         LEFT JOIN %1$I.social_posts s ON s.id = pp.social_post_id
        WHERE p.post > $1 AND p.post <= $2 AND p.source IN (''content'', ''platform_posts'')
          AND NOT EXISTS (SELECT FROM nexus.hashtag_retractions r WHERE r.post = p.post)) k
       CROSS JOIN LATERAL (%2$s) m
      WHERE nexus.engagement_moved(k.engagements, m.engagements) OR nexus.engagement_moved(k.impressions, m.impressions)
      ORDER BY k.post LIMIT $3', app, nexus.hashtag_engagement_query(app)) USING start, highest, max_posts
  LOOP
    tried := tried + 1;
    IF tried = max_posts THEN
      highest := due.post;
    END IF;
    -- Whoever works on the row learns it anew, or the next walk does: nobody is waited for.
    IF due.source = 'content' THEN
      EXECUTE format('SELECT true FROM %I.content WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED', app) INTO free USING due.id;
    ELSE
      EXECUTE format('SELECT true FROM %I.social_posts WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED', app) INTO free USING due.social_post;
    END IF;
    CONTINUE WHEN free IS NULL;
    IF due.source = 'content' THEN
      PERFORM nexus.relearn_content(app, due.id);
    ELSE
      PERFORM nexus.relearn_platform_post(app, due.id, due.social_post);
    END IF;
    learned := learned + 1;
  END LOOP;
  INSERT INTO nexus.hashtag_engagement_walk AS w (last_post) VALUES (coalesce(highest, -9223372036854775808))
    ON CONFLICT (one) DO UPDATE SET last_post = EXCLUDED.last_post;
  RETURN learned;
END $$;
COMMENT ON FUNCTION nexus.learn_hashtag_engagement(integer, integer) IS
  'A task of tick(): looks at the next max_looks folded posts, from the first that was learned to the last and then again from the first, so that a lift is measured against earlier posts whose numbers are known, and learns up to max_posts of them anew whose likes + comments + shares + saves, or impressions (else reach, else views), have moved since (see engagement_moved). The posts'' rows stay locked until the transaction ends; rows that somebody else has locked are left to the next walk. Returns how many were learned; 0 while another session is at it. 55000 when nothing is attached, 22023 for numbers outside 1 to 100000 and 1 to 1000000.';
REVOKE EXECUTE ON FUNCTION nexus.learn_hashtag_engagement(integer, integer), nexus.engagement_moved(bigint, bigint) FROM PUBLIC;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT 'learn_hashtag_engagement', r FROM pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;
INSERT INTO nexus.tick_tasks (name, function_name, every, needs_attachment, position) VALUES
  ('hashtags_engagement', 'learn_hashtag_engagement', '1 minute', true, 99);
