-- Learning by trigger: what is published on the 16 tables teaches the hashtag model, what is edited, unpublished or
-- deleted takes back what it taught. Each function brings one row's lesson up to date, whatever happened to the row:
-- the trigger's condition says when it is worth a look.
--
-- They run with their owner's rights, as learn_post is not for everybody. The row that decides is locked first: two
-- transactions that change a post and what it belongs to cannot both overlook the other.

-- The text of a query for what is known of k.content_id, k.platform, k.platform_post: the latest sample of the platform post, or
-- of its content on the platform where samples name no platform post. Counters that no sample gives are
-- unknown, not 0; no views are none either, as the column's default is 0.
CREATE FUNCTION nexus.hashtag_engagement_query(schema name) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  RETURN format('SELECT coalesce(m.impressions, m.reach, nullif(m.views, 0))::bigint AS impressions,
      CASE WHEN num_nonnulls(m.likes, m.comments, m.shares, m.saves) > 0
        THEN (coalesce(m.likes, 0) + coalesce(m.comments, 0) + coalesce(m.shares, 0) + coalesce(m.saves, 0))::bigint END AS engagements
     FROM ((SELECT * FROM %1$I.content_metrics WHERE platform_post_row_id = k.platform_post ORDER BY captured_at DESC, id DESC LIMIT 1)
           UNION ALL
           (SELECT * FROM %1$I.content_metrics WHERE content_id = k.content_id AND platform = k.platform AND platform_post_row_id IS NULL
             ORDER BY captured_at DESC, id DESC LIMIT 1)) m
    ORDER BY m.captured_at DESC, m.id DESC LIMIT 1', schema);

CREATE FUNCTION nexus.relearn_platform_post(schema name, id integer, social_post_id integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  post record;
BEGIN
  EXECUTE format('SELECT FROM %I.social_posts WHERE id = $1 FOR NO KEY UPDATE', schema) USING social_post_id;
  PERFORM nexus.retract_source_post('platform_posts', id);
  EXECUTE format('SELECT k.*, m.impressions, m.engagements FROM (
      SELECT s.user_id, coalesce(p.caption, s.caption) AS body, coalesce(p.hashtags, s.hashtags) AS tags, p.platform, p.published_at,
             s.content_id, p.id AS platform_post,
             coalesce(s.metadata ->> ''niche'', (SELECT c.metadata ->> ''niche'' FROM %1$I.content c WHERE c.id = s.content_id)) AS niche
        FROM %1$I.platform_posts p JOIN %1$I.social_posts s ON s.id = p.social_post_id
       WHERE p.id = $1 AND p.status = ''published'') k LEFT JOIN LATERAL (%2$s) m ON true',
    schema, nexus.hashtag_engagement_query(schema)) INTO post USING id;
  IF post.platform IS NOT NULL THEN
    PERFORM nexus.learn_published_post('platform_posts', id, post.body, post.tags, post.published_at, post.platform, post.user_id,
      post.niche, post.impressions, post.engagements);
  END IF;
END $$;

CREATE FUNCTION nexus.relearn_content(schema name, id integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  post record;
  known record;
  has_post boolean;
BEGIN
  EXECUTE format('SELECT user_id, description, tags, platform, published_at, status, metadata ->> ''niche'' AS niche FROM %I.content WHERE id = $1 FOR NO KEY UPDATE', schema)
    INTO post USING id;
  PERFORM nexus.retract_source_post('content', id);
  IF post.status IS DISTINCT FROM 'published' THEN
    RETURN;
  END IF;
  EXECUTE format('SELECT EXISTS (SELECT FROM %I.social_posts WHERE content_id = $1)', schema) INTO has_post USING id;
  IF NOT has_post THEN
    EXECUTE format('SELECT m.* FROM (SELECT $1 AS content_id, $2 AS platform, NULL::integer AS platform_post) k LEFT JOIN LATERAL (%s) m ON true',
      nexus.hashtag_engagement_query(schema)) INTO known USING id, post.platform;
    PERFORM nexus.learn_published_post('content', id, post.description, post.tags, post.published_at, post.platform, post.user_id,
      post.niche, known.impressions, known.engagements);
  END IF;
END $$;

-- What is no hashtag is left out, so that it never keeps a post from being published.
CREATE FUNCTION nexus.learn_published_post(source text, source_id bigint, body text, tags text[], published_at timestamp,
  platform text, user_id text, niche text, impressions bigint, engagements bigint) RETURNS void LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT nexus.learn_source_post(
      left(body, 65536),    -- at four bytes a character, what learn_post takes
      ARRAY(SELECT t FROM unnest(tags) WITH ORDINALITY AS given(t, i) WHERE nexus.is_hashtag(t) ORDER BY i LIMIT 100),
      CASE WHEN isfinite(published_at) THEN published_at AT TIME ZONE 'UTC' ELSE now() END,
      platform, user_id,
      CASE WHEN octet_length(nexus.canonical_hashtag(left(niche, 50))) <= 200 THEN left(niche, 50) END, impressions, engagements, source, source_id);
  END;

CREATE FUNCTION nexus.learn_published_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  linked integer;
BEGIN
  IF TG_TABLE_SCHEMA IS DISTINCT FROM (SELECT schema_name FROM nexus.attachment) THEN
    RETURN NULL;
  END IF;
  IF TG_TABLE_NAME = 'platform_posts' THEN
    PERFORM nexus.relearn_platform_post(TG_TABLE_SCHEMA, coalesce(NEW.id, OLD.id), coalesce(NEW.social_post_id, OLD.social_post_id));
  ELSIF TG_TABLE_NAME = 'content' THEN
    PERFORM nexus.relearn_content(TG_TABLE_SCHEMA, coalesce(NEW.id, OLD.id));
  ELSE
    -- A social post: content that it points to, or pointed to, is taught by it alone.
    IF TG_OP <> 'INSERT' AND OLD.content_id IS NOT NULL AND (TG_OP = 'DELETE' OR NEW.content_id IS DISTINCT FROM OLD.content_id) THEN
      PERFORM nexus.relearn_content(TG_TABLE_SCHEMA, OLD.content_id);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.content_id IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.content_id IS DISTINCT FROM OLD.content_id) THEN
      PERFORM nexus.relearn_content(TG_TABLE_SCHEMA, NEW.content_id);
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.caption, NEW.hashtags, NEW.user_id) IS DISTINCT FROM (OLD.caption, OLD.hashtags, OLD.user_id) THEN
      FOR linked IN EXECUTE format('SELECT id FROM %I.platform_posts WHERE social_post_id = $1 AND status = ''published'' ORDER BY id',
        TG_TABLE_SCHEMA) USING NEW.id
      LOOP
        PERFORM nexus.relearn_platform_post(TG_TABLE_SCHEMA, linked, NEW.id);
      END LOOP;
    END IF;
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.learn_published_trigger() IS
  'Teaches the hashtag model what becomes published, in the writer''s transaction: each platform post once, with the caption and hashtags of its social post where it has none of its own; content only while no social post points to it. Edits teach the new text instead of the old, deletes take it back. Imported rows teach like all others.';
REVOKE EXECUTE ON FUNCTION nexus.relearn_platform_post(name, integer, integer), nexus.relearn_content(name, integer),
  nexus.learn_published_post(text, bigint, text, text[], timestamp, text, text, text, bigint, bigint),
  nexus.hashtag_engagement_query(name) FROM PUBLIC;

INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name)
SELECT t, n, 'AFTER ' || d, 'nexus.learn_published_trigger()' FROM (VALUES
  ('platform_posts', 'learn_inserted', 'INSERT ON %1$s FOR EACH ROW WHEN (NEW.status = ''published'')'),
  ('platform_posts', 'learn_changed', 'UPDATE ON %1$s FOR EACH ROW WHEN ((NEW.status = ''published'' OR OLD.status = ''published'')
     AND (NEW.status, NEW.caption, NEW.hashtags, NEW.platform, NEW.published_at, NEW.social_post_id)
       IS DISTINCT FROM (OLD.status, OLD.caption, OLD.hashtags, OLD.platform, OLD.published_at, OLD.social_post_id))'),
  ('platform_posts', 'learn_deleted', 'DELETE ON %1$s FOR EACH ROW WHEN (OLD.status = ''published'')'),
  ('content', 'learn_inserted', 'INSERT ON %1$s FOR EACH ROW WHEN (NEW.status = ''published'')'),
  ('content', 'learn_changed', 'UPDATE ON %1$s FOR EACH ROW WHEN ((NEW.status = ''published'' OR OLD.status = ''published'')
     AND (NEW.status, NEW.description, NEW.tags, NEW.platform, NEW.published_at, NEW.user_id)
       IS DISTINCT FROM (OLD.status, OLD.description, OLD.tags, OLD.platform, OLD.published_at, OLD.user_id))'),
  ('content', 'learn_deleted', 'DELETE ON %1$s FOR EACH ROW WHEN (OLD.status = ''published'')'),
  ('social_posts', 'learn_inserted', 'INSERT ON %1$s FOR EACH ROW WHEN (NEW.content_id IS NOT NULL)'),
  ('social_posts', 'learn_changed', 'UPDATE ON %1$s FOR EACH ROW WHEN ((NEW.content_id, NEW.caption, NEW.hashtags, NEW.user_id)
     IS DISTINCT FROM (OLD.content_id, OLD.caption, OLD.hashtags, OLD.user_id))'),
  ('social_posts', 'learn_deleted', 'DELETE ON %1$s FOR EACH ROW WHEN (OLD.content_id IS NOT NULL)')
) AS v(t, n, d);
