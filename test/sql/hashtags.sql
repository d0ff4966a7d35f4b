-- Hashtag suggestions: words, learning, each part of the score against plain SQL, who sees what, and that no answer
-- depends on the fold.
SET extra_float_digits = 0;

SELECT * FROM nexus.hashtag_terms('Acqua alta in #Venezia! See https://example.org/a?b=c, www.example.org, me@example.org or @someone_x. Straße ＡＢＣ ΌΣΟΣ a 7 42');
SELECT term FROM nexus.hashtag_terms('東京大学 한국어 ไทย 我');
SELECT count(*) FROM nexus.hashtag_terms('');
SELECT nexus.hashtag_terms(repeat('word ', 60000));

BEGIN;
CREATE TEMP TABLE corpus (no integer PRIMARY KEY, body text, tags text[], author text, platform text, niche text, age interval);
INSERT INTO corpus VALUES
  (1, 'High water in the old town, the flood is rising', '{#Flood,Venice}', 'ann', 'x', 'Weather', '1 day'),
  (2, 'Flood warning: the river is rising fast', '{flood,Storm}', 'ben', 'x', 'weather', '2 days'),
  (3, 'The storm brings rain, rain and more rain', '{storm,Rain}', 'cat', 'bluesky', 'weather', '3 days'),
  (4, 'A quiet day by the river, no rain', '{Venice,calm}', 'ann', 'x', 'travel', '960 hours'),
  (5, 'Bread from the old oven, the town is waiting', '{Baking,bread}', 'dan', 'x', 'food', '5 days'),
  (6, 'Sourdough bread and a slow oven', '{baking,Sourdough}', 'eve', 'bluesky', 'food', '6 days'),
  (7, 'Flood water in the oven: no bread today', '{FLOOD,baking}', NULL, NULL, NULL, '7 days'),
  (8, 'My secret project', '{ProjectX}', 'ann', 'x', NULL, '8 days'),
  (9, 'The flood of news', '{FLOOD,news}', NULL, 'x', 'news', '9 days'),
  (10, '', '{}', 'fay', NULL, NULL, '10 days'),
  (11, 'Old town, old bread', '{Flood,baking,venice}', 'ben', 'x', 'food', '11 days');
SELECT count(nexus.learn_post(body, tags, now() - age, platform, author, niche)::text) FROM (SELECT * FROM corpus ORDER BY no) c;
SELECT count(*) AS waiting FROM nexus.hashtag_delta;

-- The same counts, by SQL alone.
CREATE TEMP VIEW word AS
  SELECT no, w, count(*) AS tf FROM corpus, regexp_split_to_table(lower(body), '[^a-z0-9]+') w WHERE length(w) >= 2 GROUP BY no, w;
CREATE TEMP VIEW tag AS SELECT no, author, lower(ltrim(t, '#')) AS t, ltrim(t, '#') AS spelling FROM corpus, unnest(tags) t;
CREATE TEMP VIEW post AS SELECT no, coalesce(sum(tf), 0)::float8 AS length FROM corpus LEFT JOIN word USING (no) GROUP BY no;
CREATE FUNCTION pg_temp.expected(draft text, platform_name text, user_name text, niche_name text)
  RETURNS TABLE (t text, spelling text, similar_posts float8, words float8, niche float8, spelt float8, joined float8, platform float8, affinity float8, uses bigint, authors bigint)
  LANGUAGE sql AS $$
  WITH ordered AS (SELECT w, row_number() OVER (ORDER BY i) AS i FROM regexp_split_to_table(lower(draft), '[^a-z0-9]+') WITH ORDINALITY x(w, i) WHERE w <> ''),
  q AS (SELECT DISTINCT w FROM regexp_split_to_table(lower(draft), '[^a-z0-9]+') w WHERE length(w) >= 2),
  n AS (SELECT count(*)::float8 AS n, avg(length) AS average FROM post),
  df AS (SELECT w, count(*)::float8 AS df FROM word JOIN q USING (w) GROUP BY w),
  likeness AS (
    SELECT no, sum(ln(1 + (n - df + 0.5) / (df + 0.5)) * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length / average))) AS s
      FROM word JOIN df USING (w) JOIN post USING (no), n GROUP BY no ORDER BY s DESC, no LIMIT 200),
  bm25 AS (
    SELECT no, s * CASE WHEN lower(niche) = lower(niche_name) THEN 3 ELSE 1 END AS s FROM likeness JOIN corpus USING (no) ORDER BY s DESC, no LIMIT 50),
  votes AS (SELECT t, sum(s * s) / (SELECT sum(s * s) FROM bm25 JOIN tag USING (no)) AS v FROM bm25 JOIN tag USING (no) GROUP BY t),
  c AS (
    SELECT t, count(*)::float8 AS c, (count(*) FILTER (WHERE author IS NULL) + count(DISTINCT author)) AS authors,
           (SELECT s.spelling FROM tag s WHERE s.t = tag.t GROUP BY s.spelling ORDER BY count(*) DESC, s.spelling COLLATE "C" LIMIT 1) AS spelling
      FROM tag GROUP BY t),
  pair AS (SELECT w, t, count(*)::float8 AS shared FROM word JOIN q USING (w) JOIN tag USING (no) GROUP BY w, t),
  evidence AS (
    SELECT t, sum(ln(n / df + 1) ^ 2 * shared / sqrt((df + 1.5) * (c + 3))) / (SELECT sum(ln(n / df + 1) ^ 2) FROM df, n) AS e
      FROM pair JOIN df USING (w) JOIN c USING (t), n GROUP BY t),
  niches AS (SELECT t, count(*) / ((SELECT count(*) FROM corpus WHERE lower(niche) = lower(niche_name)) + 5.0)::float8 AS p
      FROM tag JOIN corpus USING (no) WHERE lower(niche) = lower(niche_name) GROUP BY t),
  platforms AS (SELECT t, count(*) / ((SELECT count(*) FROM corpus WHERE platform = platform_name) + 5.0)::float8 AS p
      FROM tag JOIN corpus USING (no) WHERE platform = platform_name GROUP BY t),
  own AS (SELECT t, sum(2 ^ (-extract(epoch FROM age) / (30 * 86400.0))::float8) AS h
      FROM tag JOIN corpus USING (no) WHERE corpus.author = user_name GROUP BY t)
  SELECT c.t, spelling, coalesce(v, 0), coalesce(e, 0), coalesce(niches.p, 0), CASE WHEN q.w IS NULL THEN 0 ELSE 1 END,
         CASE WHEN EXISTS (SELECT FROM ordered a, ordered b WHERE b.i BETWEEN a.i + 1 AND a.i + 3 AND c.t IN
           (SELECT string_agg(w, s ORDER BY i) FROM ordered o, unnest(ARRAY['', '_']) s WHERE o.i BETWEEN a.i AND b.i GROUP BY s)) THEN 1 ELSE 0 END,
         coalesce(platforms.p, 0),
         CASE WHEN user_name IS NULL THEN NULL ELSE coalesce(h / (h + 2), 0) END, c.c::bigint, authors
    FROM c LEFT JOIN votes USING (t) LEFT JOIN evidence USING (t) LEFT JOIN niches USING (t) LEFT JOIN platforms USING (t) LEFT JOIN own USING (t)
    LEFT JOIN q ON q.w = c.t
$$;
CREATE TEMP TABLE drafts (id integer, draft text, platform text, author text, niche text);
INSERT INTO drafts VALUES
  (1, 'the flood in our town', NULL, NULL, NULL), (2, 'rain, rain, rain', 'x', NULL, 'Weather'), (3, 'fresh bread from my oven', 'bluesky', 'ann', 'food'),
  (4, '', NULL, 'ben', 'weather'), (5, 'nothing known xyzzy', NULL, NULL, NULL), (6, 'calm river news', 'x', 'ann', NULL), (7, NULL, 'x', NULL, NULL), (8, 'sour dough and bak-ing', NULL, NULL, NULL);
CREATE FUNCTION pg_temp.faults() RETURNS TABLE (id integer, hashtag text, what text) LANGUAGE sql AS $$
  WITH expected AS (
    SELECT d.id, e.*, uses / (uses + 1.0) * (0.17 * sqrt(similar_posts) + 0.55 * sqrt(words) + 0.245 * sqrt(e.niche) + 0.055 * spelt + 0.15 * joined + 0.01 * sqrt(e.platform)) AS relevance
      FROM drafts d, pg_temp.expected(d.draft, d.platform, d.author, d.niche) e),
  got AS (
    SELECT d.id, s.*, row_number() OVER (PARTITION BY d.id ORDER BY score DESC, lower(hashtag) COLLATE "C") AS right_place
      FROM drafts d, nexus.suggest_hashtags(d.draft, d.platform, d.author, d.niche, 200) WITH ORDINALITY
        s(hashtag, score, relevance, trend, engagement, affinity, competition, uses, evidence, place))
  SELECT coalesce(e.id, g.id), coalesce(e.spelling, g.hashtag), fault
    FROM (SELECT * FROM expected WHERE similar_posts + words + niche + spelt + joined + platform + coalesce(affinity, 0) > 0) e
    FULL JOIN got g ON g.id = e.id AND lower(g.hashtag) = e.t
   CROSS JOIN LATERAL (VALUES
     ('missing', g.id IS NULL), ('invented', e.id IS NULL), ('spelling', g.hashtag <> e.spelling), ('uses', g.uses <> e.uses),
     ('place', g.place <> g.right_place), ('authors', (g.evidence->>'authors')::bigint <> e.authors),
     ('similar', abs((g.evidence#>>'{similar,value}')::float8 - e.similar_posts) > 1e-9),
     ('words', abs((g.evidence#>>'{words,value}')::float8 - e.words) > 1e-9),
     ('relevance', abs(g.relevance - e.relevance) > 1e-9),
     ('affinity', abs(g.affinity - e.affinity) > 1e-9 OR (g.affinity IS NULL) <> (e.affinity IS NULL)),
     ('score', abs(g.score - e.relevance - 0.3 * coalesce(e.affinity, 0)) > 1e-9)) f(fault, is_so)
   WHERE is_so
$$;
SET LOCAL nexus.hashtag_min_authors = 1;
SET LOCAL nexus.hashtag_diversity = 0;
SELECT * FROM pg_temp.faults();
SELECT id, count(*) AS suggestions FROM drafts d, nexus.suggest_hashtags(d.draft, d.platform, d.author, d.niche, 200) GROUP BY id ORDER BY id;
SELECT hashtag, round(score::numeric, 9) AS score, round(relevance::numeric, 9) AS relevance, uses, evidence->'words'->'best' AS words
  FROM nexus.suggest_hashtags('the flood in our town', max_count => 3);

-- Before, during and after the fold, and counted anew: the same answers to the last bit.
SET LOCAL extra_float_digits = 3;
CREATE FUNCTION pg_temp.answers() RETURNS text LANGUAGE sql AS $$
  SELECT md5(string_agg(d.id || s::text, E'\n')) FROM drafts d, nexus.suggest_hashtags(d.draft, d.platform, d.author, d.niche, 200) s $$;
SELECT pg_temp.answers() AS unfolded \gset
SELECT nexus.fold_hashtag_stats();
SELECT nexus.fold_hashtag_stats();
SELECT pg_temp.answers() = :'unfolded' AS folded, (SELECT count(*) FROM pg_temp.faults()) AS faults, (SELECT count(*) FROM nexus.hashtag_delta) AS waiting;
INSERT INTO corpus VALUES (12, 'Storm and flood: the oven is cold', '{STORM,New}', 'ann', 'x', 'weather', '1 hour'), (13, 'Rain', '{STORM}', NULL, NULL, 'Weather', '1 hour');
SELECT count(nexus.learn_post(body, tags, now() - age, platform, author, niche)::text) FROM (SELECT * FROM corpus WHERE no > 11 ORDER BY no) c;
SELECT pg_temp.answers() AS half_folded \gset
SELECT count(*) AS faults FROM pg_temp.faults();
SAVEPOINT before_fold;
SELECT nexus.fold_hashtag_stats();
SELECT pg_temp.answers() = :'half_folded' AS folded;
ROLLBACK TO before_fold;
SELECT pg_temp.answers() = :'half_folded' AS fold_undone;
SELECT nexus.fold_hashtag_stats();
SELECT nexus.rebuild_hashtag_model();
SELECT pg_temp.answers() = :'half_folded' AS rebuilt, (SELECT count(*) FROM pg_temp.faults()) AS faults;
SELECT posts, waiting, words, niches, platforms, tags, spellings, disk_bytes > 0 AS on_disk FROM nexus.hashtag_model_stats();
SAVEPOINT before_damage;
UPDATE nexus.hashtag_features SET tags = '\x80' WHERE feature = 'wflood';
UPDATE nexus.hashtag_model SET generation = nextval('nexus.hashtag_generation');
UPDATE nexus.hashtag_features SET generation = (SELECT generation FROM nexus.hashtag_model) WHERE feature = 'wflood';
\set VERBOSITY sqlstate
SELECT hashtag FROM nexus.suggest_hashtags('flood');
ROLLBACK TO before_damage;
\set VERBOSITY default

-- Who sees what. Three authors make a tag public; the own tags are seen by their author.
RESET extra_float_digits;
SET LOCAL nexus.hashtag_min_authors = 3;
SELECT hashtag, evidence->'authors' AS authors FROM nexus.suggest_hashtags('my secret project in the old town with flood and bread', max_count => 200);
SELECT hashtag FROM nexus.suggest_hashtags('my secret project', user_id => 'ann') WHERE hashtag ~* 'project';
SELECT hashtag FROM nexus.suggest_hashtags('my secret project', user_id => 'ben') WHERE hashtag ~* 'project';
-- Neither what the draft says already, nor what the caller excludes.
SELECT hashtag FROM nexus.suggest_hashtags('#FLOOD in the old town', exclude => '{＃Baking}');
-- The time at which uses are aged.
SET LOCAL nexus.as_of = '2100-01-01 00:00:00+00';
SELECT max(affinity) < 1e-9 AS aged FROM nexus.suggest_hashtags('bread', user_id => 'ann');
SET LOCAL nexus.as_of = '';
-- Others' history, and the tables, are closed; teaching is not for everybody.
CREATE ROLE nexus_test_reader;
GRANT EXECUTE ON FUNCTION nexus.suggest_hashtags(text, text, text, text, integer, text[]) TO nexus_test_reader;
SET LOCAL ROLE nexus_test_reader;
SAVEPOINT s;
SELECT count(*) > 0 AS answered FROM nexus.suggest_hashtags('old bread');
SELECT nexus.suggest_hashtags('old bread', user_id => 'ann');
ROLLBACK TO s;
SELECT nexus.learn_post('x', '{y}');
ROLLBACK TO s;
SELECT count(*) FROM nexus.hashtag_posts;
ROLLBACK TO s;
SET LOCAL nexus.hashtag_min_authors = 1;
ROLLBACK;

-- Nothing is left of what was rolled back, in the tables or in the session's memory.
SELECT hashtag FROM nexus.suggest_hashtags('flood bread', user_id => 'ann', max_count => 200);

-- What is refused.
SELECT nexus.suggest_hashtags('x', max_count => 0);
SELECT nexus.suggest_hashtags('x', max_count => NULL);
SELECT nexus.suggest_hashtags('x', niche => repeat('n', 201));
SELECT nexus.suggest_hashtags('x', exclude => ARRAY['a', NULL]);
SELECT nexus.learn_post('x', '{ok,not ok}');
SELECT nexus.learn_post('x', ARRAY[E'bidi\u202Etrick']);
SELECT nexus.learn_post('x', '{2024}');
SELECT nexus.learn_post('x', NULL);
SELECT nexus.learn_post('x', '{a}', posted_at => 'infinity');
SELECT nexus.learn_post('x', '{a}', impressions => -1);
SELECT nexus.learn_post('x', ARRAY(SELECT 't' || i FROM generate_series(1, 101) i));
SET nexus.as_of = 'tomorrow';
BEGIN;
SET LOCAL nexus.hashtag_max_unfolded = 1;
SELECT nexus.learn_post('one', '{a}'), nexus.learn_post('two', '{a}');
SAVEPOINT refused;
SELECT nexus.suggest_hashtags('one');
ROLLBACK TO refused;
SET LOCAL nexus.hashtag_max_unfolded = 2;
SET LOCAL nexus.hashtag_min_authors = 1;
SELECT hashtag, uses FROM nexus.suggest_hashtags('one');
ROLLBACK;
-- A row that another server wrote, with a transaction number of its own, is as new as its restoring.
BEGIN;
INSERT INTO nexus.hashtag_delta (xact, posted_at, length, terms, tags, spellings)
VALUES ('1', now(), 0, '', '{a}', '{a}'), ('9000000000000000000', now(), 0, '', '{a}', '{a}'), (DEFAULT, now(), 0, '', '{a}', '{a}')
RETURNING xact = pg_current_xact_id() AS of_now;
ROLLBACK;
SELECT count(*) FROM nexus.hashtag_delta;

-- Learning by trigger. What is published teaches once; content with a social post leaves that to the platform posts.
SELECT nexus.is_hashtag(t), t FROM unnest(ARRAY['#Flood', 'café_2', '2024', 'two words', '', '#']) t;
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT nexus.attach('public');
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('u1', 'u1@example.org', '$argon2id$v=19$m=19456,t=2,p=1$' || repeat('A', 22) || '$' || repeat('A', 43), 'A', 'B');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (1, 'u1', 'x', 'a', 'A'), (2, 'u1', 'bluesky', 'b', 'B');
INSERT INTO content (id, user_id, title, description, platform, content_type, tags) VALUES
  (1, 'u1', 'alone', 'the old oven', 'x', 'text', '{Bread,"two words",2024}'), (2, 'u1', 'with a post', 'never learned', 'x', 'text', '{Other}'),
  (3, 'u1', 'stays a draft', 'never learned', 'x', 'text', '{Other}');
INSERT INTO social_posts (id, user_id, title, caption, hashtags, content_type, content_id) VALUES (1, 'u1', 'p', 'rain on the river', '{Storm}', 'video', 2);
UPDATE content SET status = 'published', published_at = '2026-01-01 10:00' WHERE id < 3;
UPDATE content SET tags = '{Bread,Oven}' WHERE id = 1;
SET LOCAL nexus.import_mode = on;
INSERT INTO platform_posts (social_post_id, platform, account_id, caption, hashtags, status, scheduled_at, published_at, platform_post_id) VALUES
  (1, 'x', 1, NULL, NULL, 'published', NULL, '2026-01-02 10:00', 'r1'), (1, 'bluesky', 2, 'its own words', '{Own}', 'publishing', '2026-01-03 09:00', NULL, NULL);
INSERT INTO content (id, user_id, title, description, platform, content_type, tags, status, published_at) VALUES
  (4, 'u1', 'imported', 'never learned', 'x', 'text', '{Other}', 'published', '2026-01-01 10:00');
UPDATE platform_posts SET status = 'published', published_at = '2026-01-03 10:00', platform_post_id = 'r2' WHERE platform = 'bluesky';
UPDATE platform_posts SET status = 'published', metadata = '{}' WHERE platform = 'x';
SET LOCAL nexus.import_mode = off;
CREATE TEMP VIEW learned AS
  SELECT source, platform, to_char(posted_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI') AS posted_at, length, spellings, author IS NOT NULL AS has_author
    FROM nexus.hashtag_delta d WHERE NOT EXISTS (SELECT FROM nexus.hashtag_retractions r WHERE r.post = d.post) ORDER BY post;
TABLE learned;
-- Edits, links and deletes take back what they gave.
UPDATE content SET description = 'the new #Oven is warm', metadata = '{}' WHERE id = 1;
SELECT source, length, spellings FROM learned WHERE source = 'content';
INSERT INTO social_posts (id, user_id, title, caption, content_type, content_id) VALUES (2, 'u1', 'p', 'words', 'video', 4);
SELECT count(*) FROM learned WHERE source = 'content';
UPDATE social_posts SET content_id = NULL WHERE id = 2;
SELECT count(*) FROM learned WHERE source = 'content';
SELECT nexus.fold_hashtag_stats() > 0 AS folded;
-- The table for browsing is kept from what is folded, and only where something changed.
SET LOCAL nexus.hashtag_min_authors = 1;
INSERT INTO niches (name, category, difficulty, profitability, trend_score) VALUES ('Rivers', 'nature', 'easy', 'low', 7);
INSERT INTO hashtag_suggestions (platform, category, hashtag, is_banned) VALUES ('x', 'general', 'STORM', true);
SELECT count(nexus.learn_post('up the river', '{Storm,Boat}', now(), 'x', 'v' || i, 'rivers')::text) FROM generate_series(1, 20) i;
INSERT INTO nexus.hashtag_lists VALUES ('oven', 'x', 'banned');
SELECT nexus.fold_hashtag_stats();
SELECT nexus.refresh_hashtag_suggestions('bluesky') AS bluesky, nexus.refresh_hashtag_suggestions() AS rest, nexus.refresh_hashtag_suggestions() AS again;
SELECT platform, category, hashtag, usage_count, trend_score > 0 AS trending, round(score::numeric, 2) > 0 AS scored, computed_at IS NOT NULL AS computed, is_banned
  FROM hashtag_suggestions ORDER BY platform COLLATE "C", category COLLATE "C", lower(hashtag) COLLATE "C";
SELECT count(nexus.compute_niche(id)::text) FROM niches WHERE name = 'Rivers';
SELECT nexus.refresh_niche(id) AS changed FROM niches WHERE name = 'Rivers';
SELECT trend_score > 7 AS niche_trends FROM niches WHERE name = 'Rivers';
-- Decisions on suggestions, and second thoughts.
INSERT INTO ai_content_suggestions (id, user_id, suggestion_type, platform, content) VALUES (1, 'u1', 'hashtags', 'x', '#Boat, Storm 2024'), (2, 'u1', 'caption', 'x', '#Boat');
UPDATE ai_content_suggestions SET status = 'dismissed', decided_at = now();
SELECT tag, accepted, author = nexus.hashtag_author('u1') AS own FROM nexus.hashtag_feedback ORDER BY tag;
UPDATE ai_content_suggestions SET status = 'new', decided_at = NULL;
SELECT count(*) FROM nexus.hashtag_feedback;
CREATE TEMP VIEW live AS SELECT source, spellings FROM nexus.hashtag_posts p WHERE NOT EXISTS (SELECT FROM nexus.hashtag_retractions r WHERE r.post = p.post) AND source IS NOT NULL ORDER BY post;
DELETE FROM content WHERE id = 4;
SELECT * FROM live;
DELETE FROM platform_posts WHERE platform = 'x';
SELECT * FROM live;
DELETE FROM users WHERE id = 'u1';
SET CONSTRAINTS ALL IMMEDIATE;
SELECT * FROM live;
SELECT nexus.fold_hashtag_stats() > 0 AS folded;
SELECT count(*) AS posts FROM nexus.hashtag_posts WHERE source IS NOT NULL;
SELECT count(*) AS waiting FROM nexus.hashtag_delta;
SELECT count(*) AS to_take_back FROM nexus.hashtag_retractions;
-- A table of somebody's own teaches nothing.
CREATE TEMP TABLE content (LIKE public.content);
CREATE TRIGGER mine AFTER INSERT ON pg_temp.content FOR EACH ROW EXECUTE FUNCTION nexus.learn_published_trigger();
INSERT INTO pg_temp.content (id, user_id, title, description, platform, content_type, tags, status) VALUES (9, 'u1', 'x', 'poison', 'x', 'text', '{Poison}', 'published');
SELECT count(*) FROM nexus.hashtag_delta;
ROLLBACK;
