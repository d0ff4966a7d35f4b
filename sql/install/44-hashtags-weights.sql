-- The weights of a suggestion's relevance: one set is shipped, a platform may have its own, fitted to its posts.

CREATE TABLE nexus.hashtag_weights (
  platform text COLLATE "C" PRIMARY KEY,   -- '' for all that have none of their own
  similar_posts double precision NOT NULL,
  words double precision NOT NULL,
  niche double precision NOT NULL,
  spelt double precision NOT NULL,
  joined double precision NOT NULL,
  on_platform double precision NOT NULL,
  posts bigint,                            -- held back for the fit
  before double precision,                 -- P@1 + 1.5 R@10 on half of those, which the fit has not seen: as shipped
  after double precision,                  -- and as fitted
  fitted_at timestamptz NOT NULL DEFAULT now(),
  CHECK (least(similar_posts, words, niche, spelt, joined, on_platform) >= 0)
);
SELECT pg_catalog.pg_extension_config_dump('nexus.hashtag_weights', '');
COMMENT ON TABLE nexus.hashtag_weights IS
  'Weights in place of those in the comment of suggest_hashtags; delete the row to have the shipped ones back.';

-- What the model says about posts that it does not know: each candidate's parts, and whether the post has the tag. The posts
-- are taken back, asked for, and given back, all in a subtransaction whose only result is a value.
CREATE FUNCTION nexus.hashtag_held_back(platform text, max_posts integer) RETURNS TABLE (post bigint, golds bigint, is_gold boolean,
    shrink double precision, parts double precision[]) LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET nexus.hashtag_min_authors = 1 SET nexus.hashtag_diversity = 0 AS $$
DECLARE
  held jsonb;
BEGIN
  BEGIN
    CREATE TEMP TABLE held_back ON COMMIT DROP AS
      SELECT p.post, p.niche, p.platform, p.terms, p.tags, p.spellings FROM nexus.hashtag_posts p
       WHERE (hashtag_held_back.platform IS NULL OR p.platform = nexus.canonical_hashtag(hashtag_held_back.platform))
         AND EXISTS (SELECT FROM nexus.hashtag_tags t WHERE t.tag_id = ANY (p.tags) AND t.posts > 1)
       ORDER BY hashint8extended(p.post, 1), p.post LIMIT max_posts;
    INSERT INTO nexus.hashtag_retractions (post) SELECT h.post FROM pg_temp.held_back h ON CONFLICT DO NOTHING;
    PERFORM nexus.fold_hashtag_stats();
    SELECT jsonb_agg(jsonb_build_array(h.post, g.golds, t.tag_id = ANY (h.tags), s.uses / (s.uses + 1.0),
             sqrt((e->'similar'->>'value')::double precision), sqrt((e->'words'->>'value')::double precision),
             sqrt(coalesce((e->'niche'->>'with_tag')::double precision / ((e->'niche'->>'posts')::double precision + 5), 0)),
             e->'spelt', (e->>'joined')::boolean::integer,
             sqrt(coalesce((e->'platform'->>'with_tag')::double precision / ((e->'platform'->>'posts')::double precision + 5), 0))))
      INTO held
      FROM pg_temp.held_back h
      CROSS JOIN LATERAL (SELECT count(*) AS golds FROM nexus.hashtag_tags k WHERE k.tag_id = ANY (h.tags) AND k.posts > 0) g
      CROSS JOIN LATERAL nexus.suggest_hashtags(nexus.hashtag_terms_text(h.terms), h.platform, NULL, h.niche, 60) s(hashtag, score,
        relevance, trend, engagement, affinity, competition, uses, e)
      JOIN nexus.hashtag_tags t ON t.canonical = nexus.canonical_hashtag(s.hashtag)
     WHERE g.golds > 0;
    RAISE EXCEPTION USING ERRCODE = 'NX099', MESSAGE = 'undo';
  EXCEPTION WHEN SQLSTATE 'NX099' THEN
    NULL;
  END;
  RETURN QUERY SELECT (r->>0)::bigint, (r->>1)::bigint, (r->>2)::boolean, (r->>3)::double precision,
      ARRAY(SELECT (r->>i)::double precision FROM generate_series(4, 9) i)
    FROM jsonb_array_elements(held) r;
END $$;

CREATE FUNCTION nexus.fit_hashtag_weights(platform text DEFAULT NULL, max_posts integer DEFAULT 400)
  RETURNS TABLE (posts bigint, before double precision, after double precision, kept boolean) LANGUAGE plpgsql VOLATILE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  shipped CONSTANT double precision[] := ARRAY[0.17, 0.55, 0.245, 0.055, 0.15, 0.01];
  best double precision[] := shipped;
  tried double precision[];
  reached double precision;
  value double precision;
  held bigint;
BEGIN
  IF max_posts IS NULL OR max_posts NOT BETWEEN 20 AND 5000 THEN
    RAISE EXCEPTION 'max_posts must be between 20 and 5000' USING ERRCODE = '22023';
  END IF;
  CREATE TEMP TABLE fitting ON COMMIT DROP AS SELECT * FROM nexus.hashtag_held_back(platform, max_posts);
  held := (SELECT count(DISTINCT f.post) FROM pg_temp.fitting f);
  IF held < 20 THEN
    RAISE EXCEPTION 'only % learned posts can be held back, 20 are needed', held USING ERRCODE = '55000';
  END IF;
  -- Coordinates in turn, by ever smaller steps, on the posts of even number; words stays as the unit of measure, and joined as it
  -- is: the model does not keep the order of a post's words.
  reached := nexus.hashtag_fit_value(best, 0);
  FOR step IN 1 .. 3 LOOP
    FOR i IN 1 .. 6 LOOP
      CONTINUE WHEN i IN (2, 5);
      FOREACH value IN ARRAY ARRAY[1 + 0.8 / step, 1 / (1 + 0.8 / step)] LOOP
        FOR again IN 1 .. 3 LOOP
          tried := best;
          tried[i] := best[i] * value;
          EXIT WHEN nexus.hashtag_fit_value(tried, 0) <= reached + 1e-9;
          best := tried;
          reached := nexus.hashtag_fit_value(best, 0);
        END LOOP;
      END LOOP;
    END LOOP;
  END LOOP;
  posts := held;
  before := nexus.hashtag_fit_value(shipped, 1);
  after := nexus.hashtag_fit_value(best, 1);
  kept := after > before;
  DROP TABLE pg_temp.fitting;
  IF kept THEN
    INSERT INTO nexus.hashtag_weights AS w (platform, similar_posts, words, niche, spelt, joined, on_platform, posts, before, after)
    VALUES (coalesce(nexus.canonical_hashtag(fit_hashtag_weights.platform), ''), best[1], best[2], best[3], best[4], best[5], best[6], held, fit_hashtag_weights.before, fit_hashtag_weights.after)
    ON CONFLICT ON CONSTRAINT hashtag_weights_pkey DO UPDATE SET similar_posts = EXCLUDED.similar_posts, words = EXCLUDED.words, niche = EXCLUDED.niche, spelt = EXCLUDED.spelt,
      joined = EXCLUDED.joined, on_platform = EXCLUDED.on_platform, posts = EXCLUDED.posts, before = EXCLUDED.before,
      after = EXCLUDED.after, fitted_at = now();
  END IF;
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION nexus.fit_hashtag_weights(text, integer) IS
  'Fits the weights of relevance to the learned posts of a platform (all where NULL): some (chosen by a hash of their number, so the same each time) are held back, the model is asked for them without knowing them, and the weights are moved in turn as long as P@1 + 1.5 R@10 of one half of them grows. Kept in nexus.hashtag_weights only where the other half, which the fit has not seen, is served better than by the shipped weights. Returns the posts held back and that figure before and after. The folds of other sessions wait meanwhile. 55000 for fewer than 20 posts, 22023 for max_posts outside 20 to 5000.';

-- P@1 + 1.5 R@10 of the half of the posts held back whose number leaves this remainder.
CREATE FUNCTION nexus.hashtag_fit_value(weights double precision[], half integer) RETURNS double precision LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (
    WITH ranked AS (
      SELECT f.post, f.golds, f.is_gold, row_number() OVER (PARTITION BY f.post ORDER BY f.shrink * (f.parts[1] * weights[1] + f.parts[2] * weights[2]
          + f.parts[3] * weights[3] + f.parts[4] * weights[4] + f.parts[5] * weights[5] + f.parts[6] * weights[6]) DESC) AS place
        FROM pg_temp.fitting f WHERE mod(f.post, 2) = half)
    SELECT coalesce(avg(value), 0) FROM (
      SELECT count(*) FILTER (WHERE place = 1 AND is_gold) + 1.5 * count(*) FILTER (WHERE place <= 10 AND is_gold) / max(golds) AS value
        FROM ranked GROUP BY post) posts);
END $$;

-- The words of a learned post, as often as they stood there, in the order of their bytes.
CREATE FUNCTION nexus.hashtag_terms_text(terms bytea) RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_hashtag_terms_text';
REVOKE EXECUTE ON FUNCTION nexus.hashtag_held_back(text, integer), nexus.fit_hashtag_weights(text, integer),
  nexus.hashtag_fit_value(double precision[], integer), nexus.hashtag_terms_text(bytea) FROM PUBLIC;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT 'fit_hashtag_weights', r FROM pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;
