-- The 16 tables: every foreign key has an index that serves it, and frequent queries use the index made for them.

-- An index serves a foreign key if it begins with the key's columns and leaves out no row but those where they are NULL.
CREATE TEMP VIEW not_served AS
SELECT c.conrelid::regclass AS table_name, c.conname AS foreign_key
  FROM pg_constraint c
 WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace
   AND NOT EXISTS (
     SELECT FROM pg_index i
      WHERE i.indrelid = c.conrelid AND i.indisvalid AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
        AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) IN (
          SELECT format('(%I IS NOT NULL)', a.attname) FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey))))
 ORDER BY 1, 2;
SELECT * FROM not_served;
BEGIN;
DROP INDEX social_posts_owner_idx; -- the other index on user_id leaves out deleted posts
SELECT * FROM not_served;
ROLLBACK;
DROP VIEW not_served;
SELECT count(*) AS foreign_keys FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace;

-- No index repeats another.
SELECT a.indexrelid::regclass, b.indexrelid::regclass
  FROM pg_index a JOIN pg_index b ON a.indrelid = b.indrelid AND a.indexrelid < b.indexrelid
   AND a.indkey::text = b.indkey::text AND a.indclass::text = b.indclass::text AND a.indoption::text = b.indoption::text
   AND a.indexprs::text IS NOT DISTINCT FROM b.indexprs::text AND a.indpred::text IS NOT DISTINCT FROM b.indpred::text
  JOIN pg_class c ON c.oid = a.indrelid AND c.relnamespace = 'public'::regnamespace;

-- The mistakes that the rules are there for.
BEGIN;
SET LOCAL session_replication_role = replica;
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  rule text;
BEGIN
  EXECUTE statement;
  RETURN 'accepted';
EXCEPTION WHEN integrity_constraint_violation THEN
  GET STACKED DIAGNOSTICS rule = CONSTRAINT_NAME;
  RETURN SQLSTATE || ' ' || rule;
END $$;
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('u', 'u@example.org', 'x', 'U', 'U');
SELECT statement, pg_temp.refused(statement) FROM (VALUES
  (1, $$INSERT INTO users (id, email, password, first_name, last_name) VALUES ('v', 'U@Example.org', 'x', 'V', 'V')$$),
  (2, $$INSERT INTO users (id, email, password, first_name, last_name) VALUES ('v', 'no address', 'x', 'V', 'V')$$),
  (3, $$INSERT INTO content (user_id, title, platform, content_type, status) VALUES ('u', 't', 'x', 'text', 'gone')$$),
  (4, $$INSERT INTO content (user_id, title, platform, content_type) VALUES ('u', 't', 'X!', 'text')$$),
  (5, $$INSERT INTO content (user_id, title, platform, content_type) VALUES ('u', 't', 'x', 'text')$$),
  (6, $$INSERT INTO post_schedules (social_post_id, platform, scheduled_at, timezone) VALUES (1, 'x', '2026-01-01', 'XXX99YYY')$$),
  (7, $$INSERT INTO post_schedules (social_post_id, platform, scheduled_at, recurrence) VALUES (1, 'x', '2026-01-01', 'custom')$$),
  (8, $$INSERT INTO hashtag_suggestions (platform, category, hashtag) VALUES ('x', 'c', '#tag')$$),
  (9, $$INSERT INTO content_metrics (content_id, platform, views) VALUES (1, 'x', -1)$$),
  (10, $$INSERT INTO content_metrics (content_id, platform, views) VALUES (1, 'x', 3000000000)$$),
  (11, $$INSERT INTO content_metrics (content_id, platform, captured_at) VALUES (1, 'y', '2026-01-01'), (1, 'y', '2026-01-01')$$),
  (12, $$INSERT INTO platform_posts (social_post_id, platform, account_id, schedule_id, occurrence_at)
         VALUES (1, 'x', 1, 1, '2026-01-01'), (1, 'x', 1, 1, '2026-01-01')$$),
  (13, $$INSERT INTO post_media (social_post_id, media_type, media_url, file_name, file_size) VALUES (1, 'image', 'u', 'f', 3000000000)$$)
) AS v(place, statement) ORDER BY place;
ROLLBACK;

-- Plans. One user owns a fiftieth of the rows and many users the others, so that the right index is cheaper than a wrong one;
-- sequential scans are dear, so that one that is left means no index will do.
BEGIN;
SET LOCAL session_replication_role = replica;
CREATE FUNCTION pg_temp.owner(n integer) RETURNS text LANGUAGE sql RETURN CASE WHEN n % 50 = 0 THEN 'u7' ELSE 'u' || (n % 400 + 10) END;
INSERT INTO users (id, email, password, first_name, last_name)
  SELECT 'u' || u, u || '@example.org', 'x', 'U', 'U' FROM generate_series(1, 410) u;
INSERT INTO projects (id, user_id, name, type) SELECT p, pg_temp.owner(p), 'p', 'video' FROM generate_series(1, 500) p;
INSERT INTO content (id, user_id, project_id, title, platform, content_type, tags, created_at)
  SELECT c, pg_temp.owner(c), c % 500 + 1, 't', 'x', 'text', ARRAY['tag' || c % 300], '2025-01-01'::timestamp + c * interval '1 hour'
    FROM generate_series(1, 3000) c;
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name, token_expiry, refresh_token)
  SELECT a, pg_temp.owner(a), 'x', a, 'a', '2026-01-01'::timestamp + a * interval '1 hour', 'cn1.x' FROM generate_series(1, 500) a;
INSERT INTO social_posts (id, user_id, project_id, title, content_type, status, scheduled_at, review_state)
  SELECT p, pg_temp.owner(p), p % 500 + 1, 't', 'post', CASE WHEN p % 2 = 0 THEN 'scheduled' ELSE 'draft' END,
         CASE WHEN p % 2 = 0 THEN '2026-01-01'::timestamp + p * interval '1 hour' END, CASE WHEN p % 20 = 0 THEN 'pending' ELSE 'none' END
    FROM generate_series(1, 20000) p;
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, next_run_at, status)
  SELECT s, s, 'x', '2026-01-01', '2026-01-01'::timestamp + s * interval '1 hour', CASE WHEN s % 4 = 0 THEN 'pending' ELSE 'completed' END
    FROM generate_series(1, 5000) s;
INSERT INTO platform_posts (id, social_post_id, platform, account_id, scheduled_at, status, updated_at)
  SELECT p, p, 'x', p % 500 + 1, '2026-01-01'::timestamp + p * interval '1 hour',
         CASE p % 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'scheduled' ELSE 'draft' END, '2026-01-01'::timestamp + p * interval '1 hour'
    FROM generate_series(1, 5000) p;
INSERT INTO post_media (social_post_id, media_type, media_url, file_name) SELECT p, 'image', 'u', 'f' FROM generate_series(1, 5000) p;
INSERT INTO content_metrics (content_id, platform, captured_at, views)
  SELECT m % 300 + 1, 'x', '2026-01-01'::timestamp + m * interval '1 minute', m FROM generate_series(1, 9000) m;
INSERT INTO notifications (id, user_id, type, title, message, is_read, read_at)
  SELECT n, pg_temp.owner(n), 'note', 't', 'm', n % 7 > 0, '2026-01-01' FROM generate_series(1, 20000) n;
INSERT INTO sessions (sid, sess, expire)
  SELECT s, jsonb_build_object('userId', pg_temp.owner(s)), '2026-01-01'::timestamp + s * interval '1 minute' FROM generate_series(1, 3000) s;
INSERT INTO hashtag_suggestions (platform, category, hashtag, score, trend_score)
  SELECT 'x', 'c' || h % 10, 'tag' || h, h, h % 100 FROM generate_series(1, 5000) h;
INSERT INTO templates (title, description, category, type, downloads)
  SELECT 't', 'd', (ARRAY['video', 'thumbnail', 'script', 'branding', 'social'])[t % 5 + 1], 'x', t FROM generate_series(1, 3000) t;
INSERT INTO ai_generation_tasks (user_id, task_type, prompt, status, created_at, completed_at, result)
  SELECT pg_temp.owner(t), 'caption', 'p', CASE WHEN t % 20 = 0 THEN 'pending' ELSE 'completed' END,
         '2026-01-01'::timestamp + t * interval '1 minute', CASE WHEN t % 20 > 0 THEN '2026-02-01'::timestamp END, 'r' FROM generate_series(1, 20000) t;
INSERT INTO ai_content_suggestions (user_id, suggestion_type, platform, content)
  SELECT pg_temp.owner(s), CASE WHEN s % 3 = 0 THEN 'caption' ELSE 'hashtags' END, 'x', 'c' FROM generate_series(1, 20000) s;
INSERT INTO nexus.jobs (kind, lane, priority, account_id, ref_id, unique_key, run_at)
  SELECT 'publish', 'default', j % 3, j % 500 + 1, j, j, '2026-01-01'::timestamptz + j * interval '1 minute' FROM generate_series(1, 5000) j;
INSERT INTO nexus.jobs (kind, state, lease_token, lease_until, ref_id)
  SELECT 'verify', 'leased', j, '2026-01-01'::timestamptz + j * interval '1 minute', j FROM generate_series(1, 300) j;
ANALYZE users, projects, content, social_accounts, social_posts, post_schedules, platform_posts, post_media, content_metrics,
  notifications, sessions, hashtag_suggestions, templates, ai_generation_tasks, ai_content_suggestions, nexus.jobs;

CREATE TEMP TABLE frequent (number text, query text, wanted text[]) ON COMMIT DROP;
INSERT INTO frequent VALUES
  ('1 calendar', $$SELECT * FROM social_posts WHERE user_id = 'u7' AND deleted_at IS NULL
     AND scheduled_at >= '2026-02-01' AND scheduled_at < '2026-02-08'$$, '{social_posts_calendar_idx}'),
  ('2 post list', $$SELECT * FROM social_posts WHERE user_id = 'u7' AND deleted_at IS NULL AND id < 16000 ORDER BY id DESC LIMIT 50$$,
     '{social_posts_user_idx}'),
  ('3 post with all', $$SELECT to_jsonb(p), (SELECT jsonb_agg(m) FROM post_media m WHERE m.social_post_id = p.id),
     (SELECT jsonb_agg(q) FROM platform_posts q WHERE q.social_post_id = p.id),
     (SELECT jsonb_agg(s) FROM post_schedules s WHERE s.social_post_id = p.id) FROM social_posts p WHERE p.id = 77$$,
     '{post_media_order_key, platform_posts_post_idx, post_schedules_post_idx}'),
  ('4 claim', $$SELECT j.id FROM generate_series(0, 2) p CROSS JOIN LATERAL (SELECT id FROM nexus.jobs WHERE state = 'ready' AND parked IS NULL
     AND lane = 'default' AND priority = p AND run_at <= '2026-01-01 01:00Z' ORDER BY run_at, id LIMIT 5) j$$, '{jobs_ready}'),
  ('5 claim fairly', $$SELECT j.id FROM generate_series(1, 20) a CROSS JOIN LATERAL (SELECT id FROM nexus.jobs WHERE state = 'ready' AND parked IS NULL
     AND lane = 'default' AND priority = 100 AND COALESCE(account_id, 0) = a AND run_at <= '2026-01-05Z' ORDER BY run_at, id LIMIT 1) j$$, '{jobs_ready_account}'),
  ('6 expired leases', $$SELECT id FROM nexus.jobs WHERE state = 'leased' AND lease_until < '2026-01-01 00:10Z'$$, '{jobs_lease}'),
  ('7 due schedules', $$SELECT id FROM post_schedules WHERE status = 'pending' AND next_run_at <= '2026-01-03' ORDER BY next_run_at, id$$,
     '{post_schedules_due_idx}'),
  ('8 due without job', $$SELECT p.id FROM platform_posts p WHERE p.status = 'scheduled' AND p.scheduled_at <= '2026-01-10' AND NOT EXISTS
     (SELECT FROM nexus.jobs j WHERE j.kind = 'publish' AND j.unique_key = p.id::text AND j.state IN ('ready', 'leased') OFFSET 0)$$,
     '{platform_posts_due_idx, jobs_unique_open}'),
  ('9 unread', $$SELECT count(*) FROM notifications WHERE user_id = 'u7' AND is_read IS NOT TRUE$$, '{notifications_unread_idx}'),
  ('9 first page', $$SELECT * FROM notifications WHERE user_id = 'u7' AND is_read IS NOT TRUE ORDER BY id DESC LIMIT 20$$,
     '{notifications_unread_idx}'),
  ('10 feed since', $$SELECT * FROM notifications WHERE user_id = 'u7' AND id > 18000 ORDER BY id LIMIT 100$$, '{notifications_feed_idx}'),
  ('11 tokens to refresh', $$SELECT id FROM social_accounts WHERE is_active AND status = 'active' AND refresh_token IS NOT NULL
     AND token_expiry < '2026-01-01 05:00'$$, '{social_accounts_refresh_idx}'),
  ('12 session', $$SELECT sess FROM sessions WHERE sid = '17' AND expire >= '2026-01-01'$$, '{sessions_pkey}'),
  ('12 prune', $$DELETE FROM sessions WHERE expire < '2026-01-01 00:30'$$, '{IDX_session_expire}'),
  ('13 revoke sessions', $$DELETE FROM sessions WHERE user_id = 'u7'$$, '{sessions_user_idx}'),
  ('14 latest metrics', $$SELECT DISTINCT ON (platform) * FROM content_metrics WHERE content_id = 7 ORDER BY platform, captured_at DESC$$,
     '{content_metrics_key}'),
  ('15 metrics of a project', $$SELECT m.* FROM content c JOIN content_metrics m ON m.content_id = c.id AND m.platform = 'x'
     AND m.captured_at >= '2026-01-02' AND m.captured_at < '2026-01-04' WHERE c.project_id = 7$$, '{content_project_idx, content_metrics_key}'),
  ('16 top hashtags', $$SELECT hashtag FROM hashtag_suggestions WHERE platform = 'x' AND category = 'c3' AND is_active AND NOT is_banned
     ORDER BY score DESC NULLS LAST, trend_score DESC LIMIT 20$$, '{hashtag_suggestions_top_idx}'),
  ('17 completion', $$SELECT hashtag FROM hashtag_suggestions WHERE platform = 'x' AND lower(hashtag) LIKE 'tag49%'$$,
     '{hashtag_suggestions_prefix_idx}'),
  ('18 templates', $$SELECT * FROM templates WHERE category = 'video' AND is_active ORDER BY is_featured DESC, downloads DESC, id LIMIT 20$$,
     '{templates_browse_idx}'),
  ('19 content by tag', $$SELECT id FROM content WHERE tags @> '{tag7}'$$, '{content_tags_gin}'),
  ('20 tasks of a user', $$SELECT * FROM ai_generation_tasks WHERE user_id = 'u7' ORDER BY id DESC LIMIT 20$$, '{ai_tasks_user_idx}'),
  ('20 open tasks', $$SELECT id FROM ai_generation_tasks WHERE status IN ('pending', 'processing') ORDER BY created_at LIMIT 20$$,
     '{ai_tasks_open_idx}'),
  ('21 new suggestions', $$SELECT * FROM ai_content_suggestions WHERE user_id = 'u7' AND status = 'new' AND suggestion_type = 'caption'
     ORDER BY id DESC LIMIT 20$$, '{ai_sugg_user_idx}'),
  ('22 attention', $$SELECT id FROM platform_posts WHERE status IN ('failed', 'unconfirmed') ORDER BY updated_at DESC LIMIT 20$$,
     '{platform_posts_attention_idx}'),
  ('23 same payload', $$SELECT id FROM platform_posts WHERE account_id = 7 AND scheduled_at > '2026-02-01' AND scheduled_at < '2026-02-20'
     AND payload_sha256 = '\x00'$$, '{platform_posts_account_idx}');

CREATE FUNCTION pg_temp.plan(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN plan;
END $$;
SET LOCAL enable_seqscan = off;
SET LOCAL random_page_cost = 1.1; -- memory and flash, not a turning disk
-- Each line: the index that is wanted is used, and nothing is read from end to end.
SELECT f.number, f.wanted,
       CASE WHEN f.wanted <@ used.indexes AND NOT plan @? '$.**."Node Type" ? (@ == "Seq Scan")' THEN 'used'
            ELSE 'NOT used: ' || jsonb_pretty(plan) END AS index
  FROM frequent f
 CROSS JOIN LATERAL pg_temp.plan(f.query) AS plan
 CROSS JOIN LATERAL (SELECT array_agg(DISTINCT n #>> '{}') AS indexes FROM jsonb_path_query(plan, '$.**."Index Name"') n) used
 ORDER BY split_part(f.number, ' ', 1)::integer, f.number;

-- Row security adds its condition and leaves the index alone.
GRANT SELECT ON frequent TO nexus_app;
SET LOCAL ROLE nexus_app;
SELECT f.number, f.wanted <@ used.indexes AND NOT plan @? '$.**."Node Type" ? (@ == "Seq Scan")' AS used
  FROM frequent f
 CROSS JOIN LATERAL pg_temp.plan(f.query) AS plan
 CROSS JOIN LATERAL (SELECT array_agg(DISTINCT n #>> '{}') AS indexes FROM jsonb_path_query(plan, '$.**."Index Name"') n) used
 WHERE f.number IN ('1 calendar', '2 post list', '9 first page', '10 feed since', '20 tasks of a user', '21 new suggestions')
 ORDER BY split_part(f.number, ' ', 1)::integer, f.number;
RESET ROLE;

-- Deleting a user touches every table by index.
SELECT DISTINCT c.conrelid::regclass AS table_name, plan @? '$.**."Node Type" ? (@ == "Seq Scan")' AS scanned
  FROM pg_constraint c
  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
 CROSS JOIN LATERAL pg_temp.plan(format('DELETE FROM %s WHERE %I = %L', c.conrelid::regclass, a.attname, 'u7')) AS plan
 WHERE c.confrelid = 'users'::regclass AND c.connamespace = 'public'::regnamespace
 ORDER BY 1;
ROLLBACK;
VACUUM ANALYZE users, projects, content, social_accounts, social_posts, post_schedules, platform_posts, post_media, content_metrics,
  notifications, sessions, hashtag_suggestions, templates, ai_generation_tasks, ai_content_suggestions, nexus.jobs;
