-- What the tables say after a post was learned: numbers that come later, and hashtags that the application bans.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT nexus.attach('public');
SET LOCAL nexus.import_mode = on;
SET LOCAL nexus.hashtag_min_authors = 1;
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('u1', 'u1@example.org', '$argon2id$v=19$m=19456,t=2,p=1$' || repeat('A', 22) || '$' || repeat('A', 43), 'A', 'B');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (1, 'u1', 'x', 'a', 'A');
INSERT INTO content (id, user_id, title, description, platform, content_type, tags, status, published_at)
SELECT i, 'u1', 't', 'the river', 'x', 'text', ARRAY['Usual'], 'published', '2026-01-01'::timestamp + i * interval '1 day' FROM generate_series(1, 5) i;
INSERT INTO content (id, user_id, title, description, platform, content_type, tags, status, published_at)
VALUES (6, 'u1', 't', 'the river', 'x', 'text', '{Good}', 'published', '2026-02-01'), (7, 'u1', 't', 'never learned', 'x', 'video', '{No}', 'published', '2026-02-02');
INSERT INTO social_posts (id, user_id, title, caption, hashtags, content_type, content_id) VALUES (1, 'u1', 'p', 'by the river', '{Good}', 'video', 7);
INSERT INTO platform_posts (id, social_post_id, platform, account_id, status, published_at, platform_post_id) VALUES (1, 1, 'x', 1, 'published', '2026-02-03', 'r1');
SELECT nexus.fold_hashtag_stats();
CREATE TEMP VIEW lesson AS
  SELECT source, source_id AS id, impressions, engagements, lift IS NOT NULL AS has_lift FROM (
    SELECT post, source, source_id, impressions, engagements, lift FROM nexus.hashtag_posts UNION ALL SELECT post, source, source_id, impressions, engagements, lift FROM nexus.hashtag_delta) l
   WHERE NOT EXISTS (SELECT FROM nexus.hashtag_retractions r WHERE r.post = l.post) ORDER BY source, source_id;
SELECT nexus.learn_hashtag_engagement() AS nothing_measured;
SELECT count(*) AS lessons, count(engagements) AS measured FROM lesson;

INSERT INTO content_metrics (content_id, platform, captured_at, source, views, likes, comments, shares, saves, reach, platform_post_row_id) VALUES
  (1, 'x', '2026-03-01', 'api', 100, 3, 1, NULL, NULL, NULL, NULL), (2, 'x', '2026-03-01', 'api', 100, 4, 0, 0, 0, 80, NULL),
  (3, 'x', '2026-03-01', 'api', NULL, NULL, NULL, NULL, NULL, NULL, NULL), (4, 'x', '2026-03-01', 'api', 100, 4, 0, 0, 0, NULL, NULL), (5, 'x', '2026-03-01', 'api', 100, 4, 0, 0, 0, NULL, NULL),
  (6, 'x', '2026-03-01', 'api', 1000, 10, 0, 0, 0, NULL, NULL), (6, 'x', '2026-03-02', 'api', 1000, 90, 5, 3, 2, NULL, NULL), (6, 'bluesky', '2026-03-03', 'api', 1, 1, 1, 1, 1, NULL, NULL),
  (7, 'x', '2026-03-03', 'api', 5000, 400, 0, 0, 0, NULL, 1), (7, 'x', '2026-03-04', 'api', 1, 1, 1, 1, 1, NULL, NULL);
DELETE FROM content_metrics WHERE content_id = 7 AND platform_post_row_id IS NULL;
-- In small batches, each from where the last one ended; then from the start again, and nothing moves any more.
DELETE FROM nexus.hashtag_engagement_walk;
SELECT nexus.learn_hashtag_engagement(2) AS first, nexus.learn_hashtag_engagement(2) AS second, nexus.learn_hashtag_engagement(3) AS third, nexus.learn_hashtag_engagement(9) AS fourth;
SELECT * FROM lesson;
SELECT nexus.fold_hashtag_stats() > 0 AS folded;
SELECT nexus.learn_hashtag_engagement() + nexus.learn_hashtag_engagement() AS again;
SELECT hashtag, engagement > 0 AS engaging FROM nexus.suggest_hashtags('river') ORDER BY hashtag;
-- A little more is nothing new, much more is; an edit keeps the numbers; a number that is gone stays.
UPDATE content_metrics SET likes = likes + 2 WHERE content_id = 6 AND captured_at = '2026-03-02' AND platform = 'x';
SELECT nexus.learn_hashtag_engagement() + nexus.learn_hashtag_engagement() AS a_little;
INSERT INTO content_metrics (content_id, platform, captured_at, source, likes) VALUES (6, 'x', '2026-03-05', 'api', 500);
SELECT nexus.learn_hashtag_engagement() + nexus.learn_hashtag_engagement() AS much;
UPDATE content SET description = 'the long river' WHERE id = 6;
SELECT nexus.fold_hashtag_stats() > 0 AS folded;
SELECT * FROM lesson WHERE id = 6;
DELETE FROM content_metrics WHERE content_id = 6;
SELECT nexus.learn_hashtag_engagement() + nexus.learn_hashtag_engagement() AS gone;
-- The counts are those of the lessons.
CREATE TEMP VIEW model AS SELECT md5(string_agg(r, E'\n' ORDER BY r COLLATE "C")) AS digest FROM (
  SELECT feature || posts || tags::text AS r FROM nexus.hashtag_features UNION ALL SELECT t::text FROM nexus.hashtag_tags t WHERE posts > 0
  UNION ALL SELECT h::text FROM nexus.hashtag_hours h UNION ALL SELECT a::text FROM nexus.hashtag_authors a) rows;
SELECT digest FROM model \gset
SELECT nexus.rebuild_hashtag_model() = (SELECT count(*) FROM lesson) AS all_counted, digest = :'digest' AS same FROM model;
SELECT (SELECT sum(lift_posts) FROM nexus.hashtag_tags) = (SELECT count(lift) FROM nexus.hashtag_posts) AS lifts_counted;
SAVEPOINT s;
SELECT nexus.learn_hashtag_engagement(0);
ROLLBACK TO s;
SELECT nexus.learn_hashtag_engagement(max_looks => NULL);
ROLLBACK TO s;

-- A niche called like all of them together, a platform that no application knows, and names in capitals.
SAVEPOINT s;
SELECT count(nexus.learn_post('far away', '{Rocket}', now(), 'MARS', 'v' || i, 'General')::text) FROM generate_series(1, 3) i;
SELECT nexus.fold_hashtag_stats();
SELECT nexus.refresh_hashtag_suggestions('Mars') AS written, nexus.refresh_hashtag_suggestions() > 0 AS rest, nexus.refresh_hashtag_suggestions() AS again;
SELECT platform, category, hashtag, usage_count FROM hashtag_suggestions WHERE platform = 'mars';
SELECT count(*) AS before FROM nexus.suggest_hashtags('far away', 'Mars') WHERE hashtag = 'Rocket';
INSERT INTO nexus.hashtag_lists VALUES ('Rocket', 'MARS', 'banned');
SELECT count(*) AS banned FROM nexus.suggest_hashtags('far away', 'Mars') WHERE hashtag = 'Rocket';
ROLLBACK TO s;
-- A deleted user leaves nothing behind: neither lessons without a row, nor decisions.
SELECT nexus.learn_post('mine', '{Mine}', user_id => 'u1'), nexus.learn_post('mine', '{Mine}', user_id => 'other');
SELECT nexus.fold_hashtag_stats();
SELECT nexus.learn_post('mine', '{Mine}', user_id => 'u1');
INSERT INTO nexus.hashtag_feedback (author, tag, accepted) VALUES (nexus.hashtag_author('u1'), 'mine', true), (nexus.hashtag_author('other'), 'mine', true);
DELETE FROM users WHERE id = 'u1';
SET CONSTRAINTS ALL IMMEDIATE;
SELECT nexus.fold_hashtag_stats() > 0 AS folded;
SELECT count(*) AS lessons, count(*) FILTER (WHERE author = nexus.hashtag_author('u1')) AS of_the_user FROM nexus.hashtag_posts;
SELECT count(*) AS decisions FROM nexus.hashtag_feedback;
SELECT string_agg(canonical, ' ') AS tags FROM nexus.hashtag_tags;
ROLLBACK TO s;

-- Bans. One row bans a hashtag on its platform, in any category and spelling.
CREATE FUNCTION pg_temp.shown() RETURNS TABLE (x text, bluesky text, completed text) LANGUAGE sql AS $$
  SELECT (SELECT string_agg(hashtag, ' ' ORDER BY hashtag) FROM nexus.suggest_hashtags('river', 'x')), (SELECT string_agg(hashtag, ' ' ORDER BY hashtag) FROM nexus.suggest_hashtags('river', 'bluesky')),
    (SELECT string_agg(hashtag, ' ') FROM nexus.complete_hashtag('go', 'x')) $$;
SELECT * FROM pg_temp.shown();
INSERT INTO hashtag_suggestions (id, platform, category, hashtag, is_banned) VALUES (1, 'x', 'nature', 'GOOD', true), (2, 'x', 'food', 'usual', false);
SELECT * FROM pg_temp.shown();
UPDATE hashtag_suggestions SET is_banned = NOT is_banned;
SELECT * FROM pg_temp.shown();
UPDATE hashtag_suggestions SET platform = 'bluesky' WHERE id = 2;
SELECT * FROM pg_temp.shown();
DELETE FROM hashtag_suggestions WHERE id = 2;
SELECT * FROM pg_temp.shown();
-- A banned hashtag keeps its own row, and comes into no other category; rows that no trigger has seen are found at the next refresh.
ALTER TABLE hashtag_suggestions DISABLE TRIGGER USER;
UPDATE hashtag_suggestions SET is_banned = true WHERE id = 1;
ALTER TABLE hashtag_suggestions ENABLE TRIGGER USER;
SELECT nexus.refresh_hashtag_suggestions() AS written;
SELECT category, hashtag, is_banned, usage_count FROM hashtag_suggestions ORDER BY category COLLATE "C", hashtag;
SELECT * FROM pg_temp.shown();
ALTER TABLE hashtag_suggestions DISABLE TRIGGER USER;
DELETE FROM hashtag_suggestions WHERE id = 1;
ALTER TABLE hashtag_suggestions ENABLE TRIGGER USER;
SELECT nexus.refresh_hashtag_suggestions() AS written;
SELECT * FROM pg_temp.shown();
ROLLBACK;
