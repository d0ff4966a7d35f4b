-- The parts of a score beside relevance, each against plain SQL: trend, engagement, competition, affinity with decisions,
-- the order by marginal relevance; and that what is taken back leaves no trace.
SET extra_float_digits = 0;
BEGIN;
SET LOCAL nexus.hashtag_min_authors = 1;
SET LOCAL nexus.as_of = '2026-03-01 12:30:00+00';
CREATE TEMP TABLE posts (no integer PRIMARY KEY, at timestamptz, author text, tags text[], impressions bigint, engagements bigint, gone boolean DEFAULT false);
-- 240 posts of 20 authors and some without, over 40 days: #steady all the time, #burst by many today, #bot by one every
-- ten minutes, #good always does better than its authors' usual posts.
INSERT INTO posts
SELECT i, '2026-03-01 12:00+00'::timestamptz - (240 - i) * interval '4 hours', CASE WHEN i % 11 > 0 THEN 'author ' || i * 7 % 20 END,
       ARRAY['steady'] || CASE WHEN i % 3 = 0 THEN ARRAY['good'] ELSE '{}' END || CASE WHEN i % 4 = 0 THEN ARRAY['pair', 'twin'] ELSE '{}' END,
       100 * (i % 20), CASE WHEN i % 5 > 0 THEN (i * 37 % 50) * CASE WHEN i % 3 = 0 THEN 4 ELSE 1 END END
  FROM generate_series(1, 240) i;
INSERT INTO posts
SELECT 1000 + i, '2026-03-01 11:00+00'::timestamptz - i * interval '35 minutes', 'author ' || i, ARRAY['burst'], NULL, NULL FROM generate_series(1, 14) i;
INSERT INTO posts
SELECT 2000 + i, '2026-03-01 11:00+00'::timestamptz - i * interval '10 minutes', 'one', ARRAY['bot'], NULL, NULL FROM generate_series(1, 60) i;
INSERT INTO posts VALUES (3000, '2026-03-02 10:00+00', 'author 3', '{tomorrow,steady}', NULL, NULL);
INSERT INTO posts SELECT 4000 + i, '2026-02-28 10:00+00'::timestamptz + i * interval '1 hour', 'author ' || i % 5, '{burst,wrong,good}', 7, 1000 * i FROM generate_series(1, 20) i;
SELECT count(nexus.learn_source_post('the word', tags, at, 'x', author, NULL, impressions, engagements, 'test', no)::text)
  FROM (SELECT * FROM posts ORDER BY at, no) p;

CREATE TEMP VIEW live AS SELECT * FROM posts WHERE NOT gone;
CREATE TEMP VIEW use AS
  SELECT t, author, no, at FROM live, unnest(tags) t UNION ALL SELECT '', author, no, at FROM live;
CREATE TEMP VIEW trend AS
  SELECT t, coalesce(sum(1) FILTER (WHERE hour > now_hour - interval '24 hours'), 0)::float8 AS day,
         coalesce(sum(1) FILTER (WHERE hour > now_hour - interval '168 hours'), 0)::float8 AS week,
         ln((coalesce(sum(2 ^ (-age / 6)) * ln(2::float8) / 6, 0) + 1.0 / 168) / (coalesce(sum(2 ^ (-age / 168)) * ln(2::float8) / 168, 0) + 1.0 / 168)) AS ratio
    FROM (SELECT DISTINCT t FROM use) tags
    LEFT JOIN (
      SELECT t, hour, extract(epoch FROM current_setting('nexus.as_of')::timestamptz - hour)::float8 / 3600 AS age,
             date_trunc('hour', current_setting('nexus.as_of')::timestamptz) AS now_hour
        FROM (SELECT t, date_trunc('hour', max(at)) AS hour FROM use GROUP BY t, coalesce(author, no::text)) last
       WHERE hour <= current_setting('nexus.as_of')::timestamptz
         AND hour > date_trunc('hour', current_setting('nexus.as_of')::timestamptz) - interval '672 hours') recent USING (t)
   GROUP BY t;
-- Lifts are those of the time of learning: of posts that are gone, too.
CREATE TEMP TABLE lift AS
  SELECT no, round(1e6 * (ln(1 + engagements::float8) - median))::integer AS lift
    FROM posts p CROSS JOIN LATERAL (
      SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ln(1 + engagements::float8)) AS median, count(*) AS known
        FROM (SELECT engagements FROM posts o WHERE o.author = p.author AND o.at < p.at AND o.engagements IS NOT NULL ORDER BY o.at DESC, o.no DESC LIMIT 50) last) m
   WHERE engagements IS NOT NULL AND author IS NOT NULL AND known >= 3;
SELECT count(*) AS lifts FROM lift;
CREATE FUNCTION pg_temp.faults(asked_by text) RETURNS TABLE (hashtag text, what text) LANGUAGE sql AS $$
  WITH got AS (SELECT * FROM nexus.suggest_hashtags('word', 'x', asked_by, max_count => 50)),
  reach AS (SELECT coalesce(
      (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY impressions::float8) FROM
         (SELECT impressions FROM live WHERE author = asked_by AND impressions IS NOT NULL ORDER BY at DESC, no DESC LIMIT 50) own),
      (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY impressions::float8) FROM
         (SELECT impressions FROM live WHERE impressions IS NOT NULL ORDER BY at DESC, no DESC LIMIT 500) latest)) AS reach),
  wanted AS (
    SELECT t, CASE WHEN day < 3 THEN 0 ELSE day / (day + 10) * ratio END AS trend,
           CASE WHEN day < 3 THEN 0 ELSE day / (day + 10) * (ratio - (SELECT ratio FROM trend WHERE t = '')) END AS excess,
           (SELECT sum(lift) / 1e6::float8 / (count(*) + 10) FROM lift JOIN use USING (no) WHERE use.t = trend.t) AS engagement,
           CASE WHEN week = 0 THEN 0 ELSE week / 168 / (week / 168 + reach / 1000) END AS competition,
           (SELECT count(DISTINCT coalesce(author, no::text)) FROM use WHERE use.t = trend.t) AS authors,
           (SELECT count(*) FROM use WHERE use.t = trend.t) AS uses,
           (SELECT sum(2 ^ (-greatest(0, extract(epoch FROM current_setting('nexus.as_of')::timestamptz - at)) / 86400 / 30)) FROM use WHERE use.t = trend.t AND author = asked_by) AS h
      FROM trend, reach WHERE t <> '')
  SELECT coalesce(w.t, g.hashtag), fault FROM wanted w FULL JOIN got g ON g.hashtag = w.t
   CROSS JOIN LATERAL (VALUES
     ('missing', g.hashtag IS NULL), ('invented', w.t IS NULL), ('uses', g.uses <> w.uses), ('authors', (g.evidence->>'authors')::bigint <> w.authors),
     ('trend', abs(g.trend - w.trend) > 1e-9), ('excess', abs((g.evidence#>>'{trend,excess}')::float8 - w.excess) > 1e-9),
     ('engagement', abs(g.engagement - w.engagement) > 1e-9 OR (g.engagement IS NULL) <> (w.engagement IS NULL)),
     ('competition', abs(g.competition - w.competition) > 1e-9),
     ('affinity', abs(g.affinity - coalesce(h / (h + 2), 0)) > 1e-9),
     ('score', abs(g.score - (g.relevance + 0.3 * coalesce(g.affinity, 0) + 0.05 * w.excess + 0.05 * coalesce(w.engagement, 0) - 0.05 * w.competition)) > 1e-9)) f(fault, is_so)
   WHERE is_so
$$;
SELECT f.*, a FROM unnest(ARRAY['author 3', 'author 7', 'one', 'nobody']) a, pg_temp.faults(a) f;
SELECT hashtag, trend > 0.3 AS trending, trend = 0 AS quiet, engagement > 0.2 AS engaging FROM nexus.suggest_hashtags('word', max_count => 50) ORDER BY hashtag;
SELECT nexus.fold_hashtag_stats();
SELECT f.*, a FROM unnest(ARRAY['author 3', 'nobody']) a, pg_temp.faults(a) f;

-- Taken back, before, in the middle of and after a fold; twice is once.
SET LOCAL extra_float_digits = 3;
CREATE FUNCTION pg_temp.answers() RETURNS text LANGUAGE sql AS $$
  SELECT md5(string_agg(a || s::text, E'\n')) FROM unnest(ARRAY['author 3', 'author 7', 'one']) a, nexus.suggest_hashtags('word', 'x', a, NULL, 200) s $$;
UPDATE posts SET gone = true WHERE no > 4000 AND no % 2 = 0 OR no % 17 = 0;
SELECT count(*) FROM posts, nexus.retract_source_post('test', no) r, nexus.retract_source_post('test', no) again WHERE gone;
DELETE FROM lift USING posts WHERE posts.no = lift.no AND gone;
SELECT f.*, a FROM unnest(ARRAY['author 3', 'author 7', 'nobody']) a, pg_temp.faults(a) f;
SELECT pg_temp.answers() AS taken_back \gset
SELECT count(*) FROM nexus.hashtag_retractions;
SAVEPOINT before_fold;
SELECT nexus.fold_hashtag_stats();
SELECT pg_temp.answers() = :'taken_back' AS folded;
SELECT nexus.rebuild_hashtag_model() = (SELECT count(*) FROM posts WHERE NOT gone) AS all_counted, pg_temp.answers() = :'taken_back' AS rebuilt;
ROLLBACK TO before_fold;
SELECT pg_temp.answers() = :'taken_back' AS fold_undone;
-- A post learned and taken back before any fold.
SELECT nexus.learn_source_post('the word', '{never}', now(), 'x', 'author 3', NULL, NULL, NULL, 'test', 5000);
SELECT count(*) FROM nexus.suggest_hashtags('word', max_count => 50) WHERE hashtag = 'never';
SELECT nexus.retract_source_post('test', 5000);
SELECT pg_temp.answers() = :'taken_back' AS as_before;
SELECT nexus.fold_hashtag_stats() > 0 AS folded;
SELECT pg_temp.answers() = :'taken_back' AS answers,
       (SELECT count(*) FROM nexus.hashtag_delta) AS waiting, (SELECT count(*) FROM nexus.hashtag_retractions) AS to_be_taken_back;
-- All of it.
SELECT count(*) > 0 AS all_gone FROM posts, nexus.retract_source_post('test', no) WHERE NOT gone;
SELECT count(*) FROM nexus.suggest_hashtags('word', 'x', 'author 3');
SELECT nexus.fold_hashtag_stats() > 0 AS folded;
SELECT (SELECT count(*) FROM nexus.hashtag_features) + (SELECT count(*) FROM nexus.hashtag_postings)
  + (SELECT count(*) FROM nexus.hashtag_authors) + (SELECT count(*) FROM nexus.hashtag_hours) + (SELECT count(*) FROM nexus.hashtag_spellings)
  + (SELECT count(*) FROM nexus.hashtag_posts) AS rows_left, (SELECT posts + length_sum FROM nexus.hashtag_model) AS posts_left,
  (SELECT count(*) FROM nexus.hashtag_tags) AS tags_left;
ROLLBACK;

-- Marginal relevance: each place by its own rule, from the overlaps of the tags' posts.
BEGIN;
SET LOCAL nexus.hashtag_min_authors = 1;
SELECT count(nexus.learn_post('alpha', ARRAY['a', 'b'] || CASE WHEN i < 9 THEN ARRAY['c'] ELSE ARRAY['d', 'e'] END)::text) FROM generate_series(1, 12) i;
SELECT count(nexus.learn_post('alpha', ARRAY['f'])::text) FROM generate_series(1, 3) i;
CREATE FUNCTION pg_temp.order_by_rule(diversity float8) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  taken text[] := '{}';
  best text;
BEGIN
  PERFORM set_config('nexus.hashtag_diversity', '0', true);
  CREATE TEMP TABLE plain ON COMMIT DROP AS SELECT hashtag AS t, score FROM nexus.suggest_hashtags('alpha', max_count => 50);
  CREATE TEMP TABLE tagged ON COMMIT DROP AS
    SELECT i, unnest(ARRAY['a', 'b'] || CASE WHEN i < 9 THEN ARRAY['c'] ELSE ARRAY['d', 'e'] END) AS t FROM generate_series(1, 12) i
    UNION ALL SELECT 100 + i, 'f' FROM generate_series(1, 3) i;
  FOR step IN 1 .. (SELECT count(*) FROM plain) LOOP
    SELECT p.t INTO best FROM plain p WHERE p.t <> ALL (taken)
     ORDER BY (1 - diversity) * score / (SELECT max(score) FROM plain) - diversity * coalesce((
       SELECT max((SELECT count(*) FROM tagged x JOIN tagged y USING (i) WHERE x.t = p.t AND y.t = s)::float8
                  / (SELECT count(DISTINCT i) FROM tagged WHERE t IN (p.t, s))) FROM unnest(taken) s), 0) DESC, score DESC, p.t LIMIT 1;
    taken := taken || best;
  END LOOP;
  DROP TABLE plain, tagged;
  PERFORM set_config('nexus.hashtag_diversity', diversity::text, true);
  RETURN taken;
END $$;
SELECT diversity, pg_temp.order_by_rule(diversity) = ARRAY(SELECT hashtag FROM nexus.suggest_hashtags('alpha', max_count => 50 + 0 * diversity::integer)) AS same
  FROM unnest(ARRAY[0, 0.05, 0.2, 0.5, 1]::float8[]) diversity;
SET LOCAL nexus.hashtag_diversity = 0.5;
SELECT string_agg(hashtag, ' ') AS diverse FROM nexus.suggest_hashtags('alpha', max_count => 50);
SET LOCAL nexus.hashtag_diversity = 0;
SELECT string_agg(hashtag, ' ') AS by_score FROM nexus.suggest_hashtags('alpha', max_count => 50);
ROLLBACK;

-- Lists, seeds, decisions, the platform's maximum, tags written in the text, completion.
BEGIN;
SET LOCAL nexus.hashtag_min_authors = 2;
SELECT nexus.learn_post('market day #Bazaar and #2024 at https://example.org/#No', '{Food}', now(), 'x', 'ann', 'Street Food');
SELECT nexus.learn_post('market day', '{food,BAZAAR,Secret,gossip}', now(), 'x', 'ben', 'street food');
SELECT nexus.learn_post('market day', '{gossip,Bazaar,foodie}', now(), 'x', 'eve', 'street food');
SELECT hashtag, uses FROM nexus.suggest_hashtags('market') ORDER BY hashtag;
INSERT INTO nexus.hashtag_lists VALUES ('#GOSSIP', 'x', 'review', 'unkind'), ('Bazaar', DEFAULT, 'banned', NULL);
SELECT platform, asked_by, string_agg(hashtag, ' ' ORDER BY hashtag) FROM (VALUES ('x', 'ben'), ('x', 'zoe'), ('bluesky', 'zoe')) a(platform, asked_by),
  nexus.suggest_hashtags('market', a.platform, asked_by) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT p, string_agg(hashtag || ' ' || uses, ', ') FROM unnest(ARRAY['#FOO', 'g', 'se', 'baz', '']) p, nexus.complete_hashtag(p, 'x') GROUP BY 1 ORDER BY 1;
SELECT string_agg(hashtag || ' ' || uses, ', ') AS elsewhere FROM nexus.complete_hashtag('g', 'bluesky');
SELECT nexus.fold_hashtag_stats();
SELECT p, string_agg(hashtag || ' ' || uses, ', ') FROM unnest(ARRAY['#FOO', 'g', 'se', 'baz', '']) p, nexus.complete_hashtag(p, 'x') GROUP BY 1 ORDER BY 1;
SELECT nexus.complete_hashtag('a', max_count => 0);
ROLLBACK;
BEGIN;
INSERT INTO nexus.hashtag_seeds (niche, tag) VALUES ('Gardening', '#Roses'), ('gardening', 'Compost'), ('sailing', 'Wind');
SELECT hashtag, uses, round(relevance::numeric, 6) AS relevance FROM nexus.suggest_hashtags('', niche => 'GARDENING');
SELECT count(nexus.learn_post('my roses', '{Roses}', niche => 'gardening')::text) FROM generate_series(1, 4);
SELECT hashtag, uses, evidence->'niche' AS niche, round(relevance::numeric, 6) AS relevance, round((CASE hashtag WHEN 'Roses' THEN 9 / 10.0 * 0.245 ELSE 5 / 6.0 * 0.245 * sqrt(5 / 9.0) END)::numeric, 6) AS wanted FROM nexus.suggest_hashtags('', niche => 'GARDENING');
INSERT INTO nexus.hashtag_seeds (niche, tag) VALUES ('x', 'not one');
ROLLBACK;
BEGIN;
SET LOCAL nexus.hashtag_min_authors = 1;
SELECT count(nexus.learn_post('market', ARRAY['tag' || i], platform => 'threads')::text) FROM generate_series(1, 9) i;
SELECT platform, draft, count(*) FROM (VALUES ('threads', 'x'), ('threads', 'x #written'), ('x', 'x'), ('mars', 'x')) a(platform, draft), nexus.suggest_hashtags('market ' || draft, a.platform)
 GROUP BY 1, 2 ORDER BY 1, 2;
ROLLBACK;
BEGIN;
SET LOCAL nexus.hashtag_min_authors = 1;
CREATE ROLE nexus_test_user;
INSERT INTO nexus.login_users VALUES ('nexus_test_user', 'ann');
GRANT EXECUTE ON FUNCTION nexus.record_hashtag_feedback(text, boolean) TO nexus_test_user;
SELECT nexus.learn_post('bread and butter', '{Bread,Butter,Jam}', user_id => 'ann');
INSERT INTO nexus.hashtag_feedback (author, tag, accepted, decided_at) VALUES
  (nexus.hashtag_author('ann'), 'bread', true, now()), (nexus.hashtag_author('ann'), 'jam', false, now()), (nexus.hashtag_author('ann'), 'jam', false, now() - interval '30 days');
SELECT hashtag, affinity, evidence->'own' AS own FROM nexus.suggest_hashtags('bread and butter', user_id => 'ann') ORDER BY hashtag;
SAVEPOINT s;
SELECT nexus.record_hashtag_feedback('Bread', true);
ROLLBACK TO s;
ROLLBACK;

-- Weights: fitted on posts held back, kept where the other half gains; the model is as before. Two posts
-- share each word and have different tags, the niche tells the tag: its weight must grow.
BEGIN;
SELECT count(nexus.learn_post('word' || i / 2, ARRAY['tag' || i % 6], niche => 'niche ' || i % 6, platform => 'x')::text) FROM generate_series(1, 300) i;
SELECT nexus.fold_hashtag_stats();
SET LOCAL nexus.hashtag_min_authors = 1;
CREATE FUNCTION pg_temp.model() RETURNS text LANGUAGE sql AS $$
  SELECT md5(string_agg(f.feature || f.posts || f.tags::text, E'\n' ORDER BY f.feature)) || (SELECT count(*) FROM nexus.hashtag_posts) FROM nexus.hashtag_features f $$;
SELECT pg_temp.model() AS before, (SELECT relevance FROM nexus.suggest_hashtags('word3', niche => 'niche 1', platform => 'x') LIMIT 1) AS relevance \gset
INSERT INTO nexus.hashtag_weights VALUES ('', 0, 1, 0, 0, 0, 0);
SELECT hashtag, round((relevance / (uses / (uses + 1.0)))::numeric ^ 2, 9) = round((evidence#>>'{words,value}')::numeric, 9) AS words_alone FROM nexus.suggest_hashtags('word3', niche => 'niche 1') LIMIT 1;
DELETE FROM nexus.hashtag_weights;
SELECT posts, before < after AS better, kept FROM nexus.fit_hashtag_weights('x', 120);
SELECT platform, niche > 0.245 AS niche_grew, words FROM nexus.hashtag_weights;
SELECT pg_temp.model() = :'before' AS model_as_before, (SELECT count(*) FROM nexus.hashtag_retractions) AS retractions;
DELETE FROM nexus.hashtag_weights;
SELECT abs(relevance - :relevance) < 1e-12 AS as_before FROM nexus.suggest_hashtags('word3', niche => 'niche 1', platform => 'x') LIMIT 1;
SELECT nexus.fit_hashtag_weights('nowhere');
ROLLBACK;
