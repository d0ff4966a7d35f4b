-- Measuring published posts: whose turn it is, one job for each account, sums on content, what is gone, what is pushed.
BEGIN;
\set QUIET on
SET LOCAL client_min_messages = warning;
SELECT FROM nexus.attach('public');
SET LOCAL nexus.import_mode = on;
INSERT INTO users (id, email, password, first_name, last_name)
VALUES ('ann', 'ann@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L'),
  ('bob', 'bob@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (900001, 'ann', 'bluesky', 'a', 'A'), (900002, 'ann', 'mastodon', 'm', 'M'),
  (900003, 'ann', 'webhook', 'w', 'W'), (900004, 'ann', 'linkedin', 'l', 'L'), (900005, 'ann', 'bluesky', 'b', 'B'), (900006, 'bob', 'webhook', 'o', 'O');
INSERT INTO content (id, user_id, title, platform, content_type) VALUES (900001, 'ann', 'a', 'bluesky', 'text'), (900002, 'ann', 'w', 'webhook', 'text');
INSERT INTO social_posts (id, user_id, title, caption, content_type, content_id) VALUES (900001, 'ann', 'a', 'text', 'post', 900001), (900002, 'ann', 'none', 'text', 'post', NULL),
  (900003, 'ann', 'w', 'text', 'post', 900002), (900004, 'bob', 'w', 'text', 'post', NULL);
SET LOCAL nexus.import_mode = off;
-- a post that is published the long way, by state
CREATE FUNCTION pg_temp.published(id integer, post integer, account integer, remote text, at timestamp DEFAULT nexus.utcnow()) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('nexus.import_mode', 'on', true);
  INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at) SELECT published.id, post, a.id, a.platform, 'publishing', at FROM social_accounts a WHERE a.id = account;
  PERFORM set_config('nexus.import_mode', 'off', true);
  UPDATE platform_posts p SET status = 'published', published_at = at, platform_post_id = remote WHERE p.id = published.id;
END $$;
\set QUIET off
-- How often, by age: 5 minutes in the first hour, ..., nothing after 90 days; give or take a tenth.
SELECT age, min(n) >= 0.9 * every AS not_before, max(n) <= 1.1 * every AS not_after, max(n) > min(n) AS spread
FROM (VALUES (interval '0', interval '5 minutes'), ('59 minutes', '5 minutes'), ('1 hour', '15 minutes'), ('5 hours', '15 minutes'), ('6 hours', '1 hour'),
    ('2 days', '6 hours'), ('7 days', '1 day'), ('89 days', '7 days'), ('90 days', NULL)) AS v(age, every),
  generate_series(1, 50) i, LATERAL (SELECT nexus.next_metric_pull(now() - age + i * interval '0', now()) - now() AS n) AS s GROUP BY age, every ORDER BY age;
-- Rows of one's own replace them all.
SAVEPOINT a;
INSERT INTO nexus.metric_pull_steps (until_age, every) VALUES ('2 hours', '1 minute');
SELECT nexus.next_metric_pull(now(), now()) - now() BETWEEN '54 s' AND '66 s' AS mine, nexus.next_metric_pull(now() - interval '2 hours', now()) AS over;
ROLLBACK TO a;
-- Published on a platform that can be asked: measured. A webhook tells by itself, LinkedIn has no adapter.
SELECT pg_temp.published(900001, 900001, 900001, 'at://a/app.bsky.feed.post/1'), pg_temp.published(900002, 900001, 900002, '17'), pg_temp.published(900003, 900003, 900003, 'sink-1'),
  pg_temp.published(900004, 900001, 900004, 'l1'), pg_temp.published(900005, 900001, 900005, 'at://b/app.bsky.feed.post/1'), pg_temp.published(900006, 900002, 900001, 'at://a/app.bsky.feed.post/2'),
  pg_temp.published(900007, 900001, 900001, 'at://a/app.bsky.feed.post/3', nexus.utcnow() - interval '91 days');
SELECT platform_post_id, account_id, next_at - published_at BETWEEN '270 s' AND '390 s' AS in_5_minutes, ended FROM nexus.measured_posts ORDER BY 1;
-- Each account has its job, due with the first of its posts.
SELECT kind, lane, account_id, unique_key, payload, parked, run_at = (SELECT min(next_at) FROM nexus.measured_posts m WHERE m.account_id = j.account_id) AS with_its_post FROM nexus.jobs j WHERE kind = 'metrics_pull' ORDER BY account_id;
SELECT nexus.sync_metric_pulls();
UPDATE nexus.measured_posts SET next_at = now() WHERE next_at IS NOT NULL;
SELECT nexus.sync_metric_pulls();
SELECT nexus.sync_metric_pulls() AS again;
DELETE FROM nexus.jobs WHERE kind = 'metrics_pull' AND account_id = 900002;
SELECT nexus.sync_metric_pulls() AS lost_one;
-- An account that is not active: its job waits and says why, and goes on when it is.
UPDATE social_accounts SET status = 'expired' WHERE id = 900005;
SELECT parked FROM nexus.jobs WHERE kind = 'metrics_pull' AND account_id = 900005;
UPDATE social_accounts SET status = 'active' WHERE id = 900005;
SELECT parked FROM nexus.jobs WHERE kind = 'metrics_pull' AND account_id = 900005;
-- The rate bucket of the account counts requests: one token, one job of the two that come at once.
SAVEPOINT a;
SELECT nexus.set_rate_limit('app:bluesky', 1, 0.001);
SELECT count(*) FROM nexus.claim_jobs('{metrics}', 10, kinds => '{metrics_pull}') WHERE payload ->> 'platform' = 'bluesky';
ROLLBACK TO a;
CREATE TEMP TABLE job AS SELECT * FROM nexus.claim_jobs('{metrics}', 10, '30 s', 'w');
SELECT j.account_id, t -> 'account' ->> 'platform' AS platform, t -> 'posts' AS posts FROM job j, nexus.metrics_pull_task(j.id, j.lease_token) t ORDER BY 1;
-- Two accounts at one platform with the same content: its counters are the sums.
SELECT nexus.finish_metrics_pull(id, lease_token, '[{"platform_post_id": 900001, "counters": {"likes": 10, "comments": 2, "shares": 3, "saves": null}}]') FROM job WHERE account_id = 900001;
SELECT nexus.finish_metrics_pull(id, lease_token, '[{"platform_post_id": 900005, "counters": {"likes": 5, "comments": 0, "shares": 1}}]') FROM job WHERE account_id = 900005;
SELECT nexus.finish_metrics_pull(id, lease_token, '[{"platform_post_id": 900002, "counters": {"likes": 7, "comments": 1, "shares": 0}}]') FROM job WHERE account_id = 900002;
SELECT platform, source, views, likes, comments, shares, saves, platform_post_row_id FROM content_metrics WHERE content_id = 900001 ORDER BY platform, captured_at;
SELECT platform, likes, comments, shares FROM nexus.metrics_latest(900001);
SELECT c.last_measured_at = max(m.captured_at) AS content_follows, count(*) FROM content c JOIN content_metrics m ON m.content_id = c.id WHERE c.id = 900001 GROUP BY c.last_measured_at;
SELECT id, last_measured_at IS NOT NULL AS measured FROM social_accounts WHERE id BETWEEN 900001 AND 900004 ORDER BY 1;
SELECT account_id, state, attempts, run_at > now() + interval '4 minutes' AS later, result ->> 'recorded' AS recorded FROM nexus.jobs WHERE kind = 'metrics_pull' ORDER BY 1;
-- What belongs to no content is not asked for: its turn passes.
SELECT last_error, next_at > now() AS later FROM nexus.metric_pulls WHERE platform_post_id = 900006;
SELECT platform_post_id, next_at > now() + interval '4 minutes' AS later FROM nexus.measured_posts WHERE platform_post_id IN (900001, 900002, 900005) ORDER BY 1;
-- The lease is lost: nothing is written.
SAVEPOINT a;
\set VERBOSITY sqlstate
SELECT nexus.finish_metrics_pull(id, lease_token, '[]') FROM job WHERE account_id = 900001;
\set VERBOSITY terse
ROLLBACK TO a;
-- One request takes one status of Mastodon and 25 posts of Bluesky; while more is due the job comes back.
SELECT count(pg_temp.published(900100 + i, 900001, 900002, 'm' || i)), count(pg_temp.published(900200 + i, 900001, 900001, 'at://a/app.bsky.feed.post/n' || i)) FROM generate_series(1, 30) i;
UPDATE nexus.measured_posts SET next_at = now() WHERE platform_post_id > 900100;
SELECT nexus.sync_metric_pulls();
DROP TABLE job;
CREATE TEMP TABLE job AS SELECT * FROM nexus.claim_jobs('{metrics}', 10, '30 s', 'w');
SELECT j.account_id, jsonb_array_length(t -> 'posts') AS posts FROM job j, nexus.metrics_pull_task(j.id, j.lease_token) t ORDER BY 1;
-- Gone: noted, told, and asked for no more.
SELECT nexus.finish_metrics_pull(id, lease_token, (SELECT jsonb_agg(jsonb_build_object('platform_post_id', m.platform_post_id, 'gone', true)) FROM nexus.measured_posts m WHERE m.platform_post_id BETWEEN 900201 AND 900225)) FROM job WHERE account_id = 900001;
SELECT state, attempts FROM nexus.jobs WHERE id = (SELECT id FROM job WHERE account_id = 900001);
SELECT ended, next_at, metadata ? 'remote_deleted_at' AS noted, status FROM nexus.metric_pulls JOIN platform_posts p ON p.id = metric_pulls.platform_post_id WHERE p.id = 900201;
SELECT type, entity_id FROM notifications WHERE type = 'post_gone' ORDER BY id LIMIT 1;
SELECT likes FROM nexus.metrics_latest(900001) WHERE platform = 'bluesky';
-- Failures by class.
SELECT nexus.fail_metrics_pull(id, lease_token, 'rate_limited', 'slow down', '5 minutes') FROM job WHERE account_id = 900002;
SELECT state, attempts, run_at > now() + interval '5 minutes' AS later FROM nexus.jobs WHERE id = (SELECT id FROM job WHERE account_id = 900002);
SELECT nexus.sync_metric_pulls() AS waits_as_it_was_told;
UPDATE nexus.jobs SET run_at = now() WHERE kind = 'metrics_pull' AND state = 'ready';
DROP TABLE job;
CREATE TEMP TABLE job AS SELECT * FROM nexus.claim_jobs('{metrics}', 10, '30 s', 'w');
SELECT nexus.fail_metrics_pull(id, lease_token, 'auth', 'the token was refused') FROM job WHERE account_id = 900002;
SELECT status, status_reason FROM social_accounts WHERE id = 900002;
SELECT state, parked FROM nexus.jobs WHERE id = (SELECT id FROM job WHERE account_id = 900002);
SELECT nexus.fail_metrics_pull(id, lease_token, 'invalid', 'no such method') FROM job WHERE account_id = 900001;
SELECT last_error, min(next_at) > now() + interval '4 minutes' AS their_next_turn FROM nexus.measured_posts WHERE account_id = 900001 AND platform_post_id > 900225 GROUP BY 1;
SELECT run_at > now() + interval '4 minutes' AS no_hot_loop, parked FROM nexus.jobs WHERE kind = 'metrics_pull' AND account_id = 900001 AND state = 'ready';
-- Deleted here: nothing is left of it.
DELETE FROM platform_posts WHERE id = 900005;
SELECT count(*) FROM nexus.measured_posts WHERE platform_post_id = 900005;
-- Pushed by a webhook's receiver: by its id or our key, idempotent, never backwards.
SELECT nexus.push_metrics(900003, '[{"id": "sink-1", "captured_at": "2026-03-01T10:00:00Z", "views": 40, "likes": 4}]');
SELECT nexus.push_metrics(900003, '[{"id": "sink-1", "captured_at": "2026-03-01T10:00:00Z", "views": 40, "likes": 4}]') AS replayed;
SELECT nexus.push_metrics(900003, jsonb_build_array(jsonb_build_object('id', idempotency_key, 'captured_at', '2026-03-01T11:00:00+01:00', 'views', 1), jsonb_build_object('id', idempotency_key, 'captured_at', '2026-03-02T10:00:00Z', 'views', 55)))
  FROM platform_posts WHERE id = 900003;
SELECT captured_at, source, views, likes, platform_post_row_id FROM content_metrics WHERE content_id = 900002 ORDER BY captured_at;
SELECT next_at, measured_at FROM nexus.measured_posts WHERE platform_post_id = 900003;
SELECT nexus.push_metrics(900003, '[{"id": "sink-2", "captured_at": "2026-03-01T10:00:00Z"}, {"id": "sink-1", "captured_at": "yesterday", "views": 1}, {"id": "sink-1", "captured_at": "2026-03-03T10:00:00Z", "views": -1}, 7,
  {"id": "sink-1", "captured_at": "2199-01-01T00:00:00Z", "views": 1}, {"id": "sink-1", "captured_at": "2026-03-03T10:00:00Z", "viewers": 1}]');
SELECT nexus.push_metrics(900006, '[{"id": "sink-1", "captured_at": "2026-03-05T10:00:00Z", "views": 1}]') AS of_another_account;
SAVEPOINT a;
SELECT nexus.push_metrics(900003, '{}');
ROLLBACK TO a;
-- A post without content: kept, and counted once it has one.
SELECT pg_temp.published(900300, 900004, 900006, 'sink-9');
SELECT nexus.push_metrics(900006, '[{"id": "sink-9", "captured_at": "2026-03-05T10:00:00Z", "views": 3}]');
SELECT nexus.content_for_post(900004) = nexus.content_for_post(900004) AS made_once;
SELECT c.title, c.description, c.platform, c.content_type, c.status FROM content c JOIN social_posts p ON p.content_id = c.id WHERE p.id = 900004;
SELECT nexus.push_metrics(900006, '[{"id": "sink-9", "captured_at": "2026-03-05T11:00:00Z", "views": 4}]') - 'errors';
SELECT m.views FROM content_metrics m JOIN social_posts p USING (content_id) WHERE p.id = 900004;
SAVEPOINT a;
SELECT nexus.content_for_post(900099);
ROLLBACK TO a;
-- What was there before the extension was attached, or imported, comes in while it is young.
DELETE FROM nexus.measured_posts WHERE platform_post_id IN (900001, 900007);
SELECT nexus.adopt_published_posts();
SELECT platform_post_id, next_at <= now() + interval '6 minutes' AS soon FROM nexus.measured_posts WHERE platform_post_id IN (900001, 900007);
-- Not for end users.
SELECT p.proname, has_function_privilege('nexus_app', p.oid, 'EXECUTE') AS app, has_function_privilege('nexus_worker', p.oid, 'EXECUTE') AS worker FROM pg_proc p
WHERE p.pronamespace = 'nexus'::regnamespace AND p.proname IN ('push_metrics', 'record_counters', 'finish_metrics_pull', 'metrics_pull_task', 'sync_metric_pulls', 'content_for_post') ORDER BY 1;
ROLLBACK;
