-- Suggestions of the engines themselves, so that ai_content_suggestions has something to say where no model is configured:
-- the hours at which an account does best, and hashtags for drafts. Both explain themselves in metadata.

CREATE TABLE nexus.suggestion_runs (
  user_id text COLLATE "C" PRIMARY KEY,
  refreshed_at timestamptz NOT NULL
);

CREATE FUNCTION nexus.refresh_user_suggestions(user_id text) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  zone constant text := COALESCE((SELECT z.tz FROM nexus.metric_zones z WHERE z.user_id = refresh_user_suggestions.user_id), 'UTC');
  written bigint;
BEGIN
  EXECUTE format($sql$
    WITH fresh AS MATERIALIZED (
      SELECT 'best_time' AS suggestion_type, a.platform::text AS platform, NULL::integer AS content_id, NULL::integer AS project_id,
        (ARRAY['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'])[t.dow + 1] || to_char(t.hour, ' FM00') || ':00' AS content,
        round(t.support::numeric, 2) AS confidence, jsonb_build_object('source', 'best_times', 'dow', t.dow, 'hour', t.hour, 'timezone', $2, 'posts', t.posts,
          'engagement_rate', t.engagement_rate, 'score', t.score) AS metadata
      FROM (SELECT DISTINCT platform FROM %1$I.social_accounts WHERE user_id = $1 AND is_active IS NOT FALSE) AS a
      CROSS JOIN LATERAL (SELECT * FROM nexus.best_times($1, a.platform, $2) b
        WHERE b.engagement_rate > b.score - 1e-12 LIMIT 3) AS t    -- its own rate is above its score where it is above the account's mean
      UNION ALL
      SELECT 'hashtags', d.platform, d.id, d.project_id, h.tags, LEAST(round(h.best::numeric, 2), 1), jsonb_build_object('source', 'suggest_hashtags', 'hashtags', h.evidence)
      FROM (SELECT c.id, c.platform::text, c.project_id, concat_ws(' ', c.title, c.description, c.script) AS body,
          CASE WHEN octet_length(nexus.canonical_hashtag(left(c.metadata ->> 'niche', 50))) <= 200 THEN left(c.metadata ->> 'niche', 50) END AS niche FROM %1$I.content c
        WHERE c.user_id = $1 AND c.status IN ('draft', 'scheduled') ORDER BY c.updated_at DESC NULLS LAST, c.id DESC LIMIT 5) AS d
      CROSS JOIN LATERAL (SELECT string_agg(s.hashtag, ' ' ORDER BY s.n) AS tags, max(s.score) AS best,
          jsonb_agg(jsonb_build_object('hashtag', s.hashtag, 'score', s.score, 'uses', s.uses) ORDER BY s.n) AS evidence
        FROM nexus.suggest_hashtags(d.body, d.platform, $1, d.niche, 5) WITH ORDINALITY
          AS s(hashtag, score, relevance, trend, engagement, affinity, competition, uses, evidence, n) WHERE s.score > 0) AS h
      WHERE h.tags IS NOT NULL),
    outdated AS (
      UPDATE %1$I.ai_content_suggestions o SET status = 'expired', decided_at = nexus.utcnow()
      WHERE o.user_id = $1 AND o.status = 'new' AND o.metadata ->> 'source' IN ('best_times', 'suggest_hashtags') AND NOT EXISTS (
        SELECT FROM fresh f WHERE (f.suggestion_type, f.platform, f.content) = (o.suggestion_type, o.platform, o.content) AND f.content_id IS NOT DISTINCT FROM o.content_id)
      RETURNING 1),
    made AS (
      INSERT INTO %1$I.ai_content_suggestions (user_id, project_id, content_id, suggestion_type, platform, content, confidence, metadata)
      SELECT $1, f.project_id, f.content_id, f.suggestion_type, f.platform, f.content, f.confidence, f.metadata FROM fresh f
      -- what was decided on already is not asked again
      WHERE NOT EXISTS (SELECT FROM %1$I.ai_content_suggestions o WHERE o.user_id = $1 AND o.status <> 'expired'
        AND (f.suggestion_type, f.platform, f.content) = (o.suggestion_type, o.platform, o.content) AND f.content_id IS NOT DISTINCT FROM o.content_id)
      RETURNING 1)
    SELECT (SELECT count(*) FROM outdated) + (SELECT count(*) FROM made)
  $sql$, attached) INTO written USING user_id, zone;
  INSERT INTO nexus.suggestion_runs AS r VALUES (user_id, clock_timestamp()) ON CONFLICT ON CONSTRAINT suggestion_runs_pkey DO UPDATE SET refreshed_at = EXCLUDED.refreshed_at;
  RETURN written;
END $$;
COMMENT ON FUNCTION nexus.refresh_user_suggestions(text) IS
$$Brings a user's suggestions of the engines up to date in ai_content_suggestions and returns the rows written: for each platform with an account the three best hours that are above its mean (type best_time, as best_times() finds them in the user's metrics zone, confidence its support), for each of the five newest drafts its best hashtags (type hashtags).
What no longer holds expires; what the user has accepted or dismissed is not suggested again.$$;

CREATE FUNCTION nexus.refresh_suggestions(max_users integer DEFAULT 20) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  one text;
  users bigint := 0; written bigint := 0; expired bigint;
BEGIN
  -- A user's turn comes once a day, and an hour after a draft has changed.
  FOR one IN EXECUTE format($sql$
    SELECT u.id FROM %1$I.users u LEFT JOIN nexus.suggestion_runs r ON r.user_id = u.id
    WHERE u.is_active IS NOT FALSE AND (r.refreshed_at IS NULL OR r.refreshed_at < now() - interval '1 day'
      OR r.refreshed_at < now() - interval '1 hour' AND EXISTS (SELECT FROM %1$I.content c WHERE c.user_id = u.id AND c.status = 'draft'
        AND c.updated_at > r.refreshed_at AT TIME ZONE 'UTC'))
    ORDER BY r.refreshed_at NULLS FIRST, u.id LIMIT $1
  $sql$, attached) USING max_users LOOP
    users := users + 1;
    written := written + nexus.refresh_user_suggestions(one);
  END LOOP;
  EXECUTE format('UPDATE %I.ai_content_suggestions SET status = ''expired'', decided_at = nexus.utcnow() WHERE status = ''new'' AND expires_at < nexus.utcnow()', attached);
  GET DIAGNOSTICS expired = ROW_COUNT;
  RETURN jsonb_build_object('users', users, 'written', written, 'expired', expired);
END $$;
COMMENT ON FUNCTION nexus.refresh_suggestions(integer) IS
  'A task of tick(): refresh_user_suggestions() for the users whose turn it is, at most max_users at a time, and expires suggestions whose expires_at has passed.';
INSERT INTO nexus.tick_tasks (name, function_name, every, needs_attachment, position) VALUES ('suggestions', 'refresh_suggestions', '1 minute', true, 81);

CREATE FUNCTION nexus.decide_suggestion(suggestion_id integer, decision text) RETURNS void LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  changed bigint;
BEGIN
  IF decision IS NULL OR decision NOT IN ('accepted', 'dismissed', 'new') THEN
    RAISE EXCEPTION 'decision must be accepted, dismissed or new' USING ERRCODE = '22023', HINT = 'new takes a dismissal back.';
  END IF;
  EXECUTE format('UPDATE %I.ai_content_suggestions SET status = $2, decided_at = CASE WHEN $2 <> ''new'' THEN nexus.utcnow() END WHERE id = $1',
    nexus.attached_schema()) USING suggestion_id, decision;
  GET DIAGNOSTICS changed = ROW_COUNT;
  IF changed = 0 THEN
    RAISE EXCEPTION 'suggestion % does not exist', suggestion_id USING ERRCODE = 'P0002', TABLE = 'ai_content_suggestions',
      HINT = 'It is another user''s or was never there.';
  END IF;
END $$;
COMMENT ON FUNCTION nexus.decide_suggestion(integer, text) IS
  'Records that the user accepted or dismissed a suggestion; hashtags learn from it. P0002 for one that is not the caller''s, NX002 for one that has been decided or has expired.';

REVOKE EXECUTE ON FUNCTION nexus.refresh_user_suggestions(text), nexus.refresh_suggestions(integer) FROM PUBLIC;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, r FROM pg_catalog.unnest(ARRAY['refresh_user_suggestions', 'refresh_suggestions']) AS f, pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;
