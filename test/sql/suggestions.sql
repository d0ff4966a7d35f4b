-- Suggestions of the engines: made from what is known, kept up to date, never asked twice.
BEGIN;
\set QUIET on
SET LOCAL client_min_messages = warning;
SELECT FROM nexus.attach('public');
SET LOCAL nexus.hashtag_min_authors = 1;
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; answer text;
BEGIN
  EXECUTE statement INTO answer;
  RETURN COALESCE(answer, 'done');
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
  RETURN concat_ws(' | ', state, regexp_replace(message, 'suggestion \d+', 'suggestion N'));
END $$;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT u, u || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L' FROM unnest(ARRAY['ann', 'bob']) u;
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (900001, 'ann', 'bluesky', 'a', 'A'), (900002, 'bob', 'bluesky', 'b', 'B');
INSERT INTO projects (id, user_id, name, type) VALUES (900001, 'ann', 'p', 'video'), (900002, 'bob', 'p', 'video');
SET LOCAL nexus.import_mode = on;
-- Tuesdays at 18:00 in Berlin do well, Mondays at 8:00 do not.
INSERT INTO content (id, user_id, project_id, title, platform, content_type, status, published_at)
SELECT 900000 + i, 'ann', 900001, 'published ' || i, 'bluesky', 'text', 'published',
  (timestamp '2026-03-03 18:10' + (i / 2) * interval '7 days' - CASE WHEN i % 2 = 1 THEN interval '1 day 10 hours' ELSE interval '0' END) AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'UTC' FROM generate_series(2, 13) i;
SET LOCAL nexus.import_mode = off;
SELECT FROM nexus.ingest_metrics((SELECT jsonb_agg(jsonb_build_object('content_id', 900000 + i, 'platform', 'bluesky', 'captured_at', '2026-06-01T00:00:00Z', 'source', 'import', 'views', 1000, 'likes', CASE WHEN i % 2 = 0 THEN 90 ELSE 10 END)) FROM generate_series(2, 13) i));
SELECT FROM nexus.set_metrics_zone('ann', 'Europe/Berlin');
SELECT nexus.learn_post('fresh green tea from the hills ' || i, '{greentea}', '2026-05-01'::timestamptz, 'bluesky', 'ann') FROM generate_series(1, 6) i;
INSERT INTO content (id, user_id, project_id, title, description, platform, content_type) VALUES (900101, 'ann', 900001, 'green tea', 'from the hills', 'bluesky', 'text');
\set QUIET off
SELECT nexus.refresh_user_suggestions('ann') > 0 AS written;
SELECT suggestion_type, platform, content, confidence, metadata ->> 'timezone' AS zone, metadata ->> 'posts' AS posts, content_id, status FROM ai_content_suggestions WHERE user_id = 'ann' ORDER BY suggestion_type, confidence DESC, content;
SELECT nexus.refresh_user_suggestions('ann') AS again;
-- Decided once and for all; what no longer holds expires.
SELECT id AS best FROM ai_content_suggestions WHERE user_id = 'ann' AND suggestion_type = 'best_time' AND content LIKE 'Tuesday%' \gset
SELECT id AS tags FROM ai_content_suggestions WHERE user_id = 'ann' AND suggestion_type = 'hashtags' \gset
SELECT nexus.decide_suggestion(:best, 'dismissed');
SELECT nexus.refresh_user_suggestions('ann') AS again;
UPDATE content SET status = 'stopped' WHERE id = 900101;
SELECT nexus.refresh_user_suggestions('ann') > 0 AS changed;
SELECT suggestion_type, content, status, decided_at IS NOT NULL AS decided FROM ai_content_suggestions WHERE id IN (:best, :tags) ORDER BY 1;
SELECT pg_temp.try(format('SELECT nexus.decide_suggestion(%s, %L)', i, d)) FROM (VALUES (1, :tags, 'accepted'), (2, :best, 'new'), (3, :best, 'maybe'), (4, 0, 'accepted')) AS v(n, i, d) ORDER BY n;
-- tick() comes to everybody in turn, and ends what has run out.
INSERT INTO ai_content_suggestions (id, user_id, suggestion_type, platform, content, expires_at) VALUES (900900, 'bob', 'content_idea', 'bluesky', 'old', nexus.utcnow() - interval '1 s');
DELETE FROM nexus.suggestion_runs;
SELECT (nexus.refresh_suggestions(1) - 'written') AS first, (nexus.refresh_suggestions(100) -> 'users')::integer > 0 AS then, (nexus.refresh_suggestions(100) -> 'users') AS done;
SELECT status FROM ai_content_suggestions WHERE id = 900900;
-- One's own only.
INSERT INTO nexus.login_users VALUES ('nexus_test_bob', 'bob');
CREATE ROLE nexus_test_bob LOGIN IN ROLE nexus_app;
SET SESSION AUTHORIZATION nexus_test_bob;
SELECT pg_temp.try(format('SELECT nexus.decide_suggestion(%s, ''accepted'')', :best)), pg_temp.try('SELECT nexus.refresh_user_suggestions(''bob'')'), (SELECT count(*) FROM ai_content_suggestions WHERE user_id = 'ann') AS seen;
RESET SESSION AUTHORIZATION;
ROLLBACK;
