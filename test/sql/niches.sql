-- Niches: what is computed of them from learned posts, what a person wrote, and which niches a draft belongs to.
BEGIN;
\set QUIET on
SET LOCAL client_min_messages = warning;
SELECT FROM nexus.attach('public');
SET LOCAL nexus.as_of = '2026-06-01 00:00:00+00';
DELETE FROM niches;
DELETE FROM nexus.hashtag_posts; DELETE FROM nexus.hashtag_delta;
SELECT FROM nexus.rebuild_hashtag_model();
INSERT INTO niches (id, name, slug, category, difficulty, profitability, trend_score, keywords) VALUES
  (900001, 'Bread at home', 'bread', 'food', 'hard', 'low', 0, NULL), (900002, 'Tea', NULL, 'food', 'medium', 'low', 50, '{Matcha,"oolong leaf"}'),
  (900003, 'Empty', NULL, 'food', 'easy', 'low', NULL, '{}'), (900004, 'Hot', NULL, 'food', 'easy', 'low', 0, NULL);
-- Bread: 12 posts of 6 authors with #Rye, 4 of them with #Baking. Tea: 8 posts of 4 authors with #Matcha, 2 with #Baking.
SELECT count(nexus.learn_post('rye loaf number ' || i, CASE WHEN i <= 4 THEN '{Rye,Baking}'::text[] ELSE '{Rye}' END, '2026-05-10 12:00+00'::timestamptz + i * interval '1 day',
  'x', 'a' || i % 6, CASE WHEN i % 2 = 0 THEN 'BREAD' ELSE 'Bread at home' END, 100, 10)::text) FROM generate_series(1, 12) i;
SELECT count(nexus.learn_post('green leaf', CASE WHEN i <= 2 THEN '{Matcha,Baking}'::text[] ELSE '{Matcha}' END, '2026-05-10 12:00+00', 'x', 'b' || i % 4, 'tea')::text) FROM generate_series(1, 8) i;
-- of last year, and of a time to come: not looked at
SELECT count(nexus.learn_post('old crust', '{Crust}', '2025-05-10 12:00+00', 'x', 'c' || i, 'bread')::text) FROM generate_series(1, 4) i;
SELECT nexus.fold_hashtag_stats() > 0 AS folded;
\set QUIET off
SELECT nexus.refresh_niches(3);
SELECT nexus.refresh_niches(3);
SELECT nexus.refresh_niches(3) AS an_hour_later_again;
-- N = 24 posts. rye, loaf, number: 12 ln(25/12) = 8.81; baking: 4 ln(25/6) = 5.71 (tag and word alike). Numbers are none, and so are words in fewer than three posts.
-- 12 posts in 720 hours are 1/60 an hour; (1/60) / (1/60 + 0.1) = 1/7: easy, but difficulty was a person's.
SELECT id, trend_score, difficulty, keywords FROM niches ORDER BY id;
SELECT niche_id, posts, authors, tags, round(competition::numeric, 6) AS competition, round(engagement_rate::numeric, 6) AS engagement_rate, written FROM nexus.niche_stats ORDER BY niche_id;
-- Handed over it is computed; written by a person it is a person's again.
SELECT nexus.compute_niche(900001), nexus.compute_niche(900002, '{difficulty,keywords}');
SELECT nexus.refresh_niche(900001) AS bread, nexus.refresh_niche(900002) AS tea, nexus.refresh_niche(900002) AS again;
SELECT id, trend_score, difficulty, keywords FROM niches WHERE id <= 900002 ORDER BY id;
UPDATE niches SET keywords = '{Sourdough}' WHERE id = 900001;
SELECT nexus.refresh_niche(900001), nexus.refresh_niche(900001) AS again;
SELECT keywords FROM niches WHERE id = 900001;
UPDATE niches SET keywords = NULL WHERE id = 900001;
SELECT nexus.refresh_niche(900001);
SELECT keywords FROM niches WHERE id = 900001;
-- What fewer authors use than may be shown is not.
SET LOCAL nexus.hashtag_min_authors = 5;
SELECT nexus.refresh_niche(900001);
SELECT keywords FROM niches WHERE id = 900001;
SET LOCAL nexus.hashtag_min_authors = 3;
SELECT nexus.refresh_niche(900001);
-- A niche trends as its hashtags do.
SELECT count(nexus.learn_post('warm', '{Hot}', '2026-05-31 23:30+00', 'x', 'd' || i, 'hot')::text) FROM generate_series(1, 5) i;
SELECT nexus.fold_hashtag_stats();
SELECT nexus.refresh_niche(900004);
SELECT n.trend_score > 0 AS trends, n.trend_score = round(100 * (1 - exp(-r.trend))) AS as_its_tag FROM niches n, nexus.hashtag_tags t, nexus.hashtag_trends(ARRAY[t.tag_id]) r WHERE n.id = 900004 AND t.canonical = 'hot';
-- Competition by reach: 5 posts are too few; 12 posts an hour's 60th against 10 readers are 0.625, against 5 they are 0.769.
DO $$ BEGIN PERFORM nexus.compute_niche(900004); END $$;
SELECT difficulty FROM niches WHERE id = 900004;
SELECT count(nexus.learn_post('warm', '{Hot}', '2026-05-20 12:00+00', 'x', 'e' || i, 'hot', 10, 1)::text) FROM generate_series(1, 7) i;
SELECT nexus.fold_hashtag_stats();
SELECT nexus.refresh_niche(900004);
SELECT s.competition, n.difficulty FROM nexus.niche_stats s JOIN niches n ON n.id = s.niche_id WHERE n.id = 900004;
UPDATE nexus.hashtag_posts SET impressions = 10 WHERE niche = 'hot';
SELECT nexus.refresh_niche(900004);
SELECT round(s.competition::numeric, 6) AS competition, n.difficulty FROM nexus.niche_stats s JOIN niches n ON n.id = s.niche_id WHERE n.id = 900004;
UPDATE nexus.hashtag_posts SET impressions = 5 WHERE niche = 'hot';
SELECT nexus.refresh_niche(900004);
SELECT round(s.competition::numeric, 6) AS competition, n.difficulty FROM nexus.niche_stats s JOIN niches n ON n.id = s.niche_id WHERE n.id = 900004;
-- Which niches a draft belongs to. Keywords alone: one of the niche's words is 1/3, two are 1/2.
UPDATE niches SET keywords = '{Gyokuro,"first flush"}' WHERE id = 900002;
SELECT niche_id, name, score, evidence FROM nexus.classify_niche('a gyokuro is no first one');
SELECT niche_id, name, score, evidence FROM nexus.classify_niche('gyokuro of the first flush');
-- With hashtags: beside what the counts above give by hand.
WITH texts(body) AS (VALUES ('a loaf of rye #baking'), ('#baking'), ('green leaf for all'), ('#Matcha #Rye')),
counts(niche, tag, uses) AS (VALUES (900001, 'rye', 12), (900001, 'baking', 4), (900002, 'matcha', 8), (900002, 'baking', 2), (900004, 'hot', 12)),
words(niche, keyword) AS (SELECT 900001, unnest('{loaf,number,rye,baking}'::text[]) UNION ALL VALUES (900004, 'warm'), (900004, 'hot')),
draft AS (
  SELECT body, h AS tag, 1::float8 AS relevance FROM texts, unnest(nexus.hashtags(body)) h
  UNION ALL SELECT body, lower(s.hashtag), s.relevance FROM texts, nexus.suggest_hashtags(body, max_count => 30) s WHERE s.relevance > 0),
tags AS (
  SELECT d.body, c.niche, sum(d.relevance * c.uses / (1 + (SELECT sum(o.uses) FROM counts o WHERE o.tag = c.tag))) / (SELECT sum(e.relevance) FROM draft e WHERE e.body = d.body) AS t
  FROM draft d JOIN counts c USING (tag) GROUP BY d.body, c.niche),
hits AS (SELECT body, niche, count(*)::float8 / (count(*) + 2) AS w FROM texts, words WHERE keyword IN (SELECT term FROM nexus.hashtag_terms(body)) GROUP BY 1, 2)
SELECT texts.body, n.niche_id, round(n.score::numeric, 3) AS score, abs(n.score - (1 - (1 - coalesce(t, 0)) * (1 - coalesce(w, 0)))) < 1e-9 AS as_by_hand
FROM texts CROSS JOIN LATERAL nexus.classify_niche(body) n
LEFT JOIN tags ON (tags.body, tags.niche) = (texts.body, n.niche_id) LEFT JOIN hits ON (hits.body, hits.niche) = (texts.body, n.niche_id)
ORDER BY texts.body COLLATE "C", n.score DESC;
SELECT count(*) AS nothing_speaks_for_any FROM nexus.classify_niche('zzz qqq');
UPDATE niches SET is_active = false WHERE id = 900001;
SELECT count(*) AS inactive FROM nexus.classify_niche('a loaf of rye #rye') WHERE niche_id = 900001;
SAVEPOINT a;
SELECT nexus.classify_niche('a', 0);
ROLLBACK TO a;
SELECT nexus.compute_niche(900001, '{name}');
ROLLBACK TO a;
SELECT nexus.compute_niche(900099);
ROLLBACK TO a;
-- A published row says its niche in its metadata, and a niche takes what was computed with it.
INSERT INTO users (id, email, password, first_name, last_name)
VALUES ('ann', 'ann@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L');
SET LOCAL nexus.import_mode = on;
INSERT INTO content (id, user_id, title, description, platform, content_type, status, published_at, metadata) VALUES
  (900001, 'ann', 'a', 'tea for two', 'mastodon', 'text', 'published', '2026-05-01', '{"niche": "Tea"}'), (900002, 'ann', 'a', 'tea for three', 'mastodon', 'text', 'published', '2026-05-01', NULL);
SELECT source_id, niche FROM nexus.hashtag_delta WHERE source = 'content' AND source_id IN (900001, 900002) ORDER BY 1;
DELETE FROM niches WHERE id = 900002;
SELECT count(*) FROM nexus.niche_stats WHERE niche_id = 900002;
ROLLBACK;
