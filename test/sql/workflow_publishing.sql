-- Publishing: jobs follow platform posts, attempts come before sending, outcomes are never guessed.
BEGIN;
\set QUIET on
SET LOCAL client_min_messages = warning;
SELECT FROM nexus.attach('public');
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; answer text;
BEGIN
  EXECUTE statement INTO answer;
  RETURN COALESCE(answer, 'done');
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
  RETURN concat_ws(' | ', state, regexp_replace(message, 'job \d+', 'job N'));
END $$;
INSERT INTO users (id, email, password, first_name, last_name)
VALUES ('ann', 'ann@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name, access_token)
VALUES (900001, 'ann', 'bluesky', 'a', 'A', 'cn1.k1.' || repeat('A', 60)), (900002, 'ann', 'mastodon', 'a', 'M', NULL);
INSERT INTO social_posts (id, user_id, title, caption, hashtags, content_type)
SELECT 900000 + i, 'ann', 'post ' || i, 'text ' || i, '{tag}', 'post' FROM generate_series(1, 12) i;
INSERT INTO post_media (id, social_post_id, media_type, media_url, file_name, mime_type, alt_text) VALUES (900001, 900001, 'image', 'https://example.org/i.png', 'i.png', 'image/png', 'alt');
-- A scheduled platform post for each, due a minute ago. The job of n is claimed by claim(n), as a worker would.
INSERT INTO post_schedules (id, social_post_id, account_id, platform, scheduled_at) VALUES (900003, 900003, 900001, 'bluesky', nexus.utcnow() - interval '1 minute');
INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at, schedule_id, occurrence_at)
SELECT 900000 + i, 900000 + i, 900001, 'bluesky', 'scheduled', nexus.utcnow() - interval '1 minute', CASE WHEN i = 3 THEN 900003 END, CASE WHEN i = 3 THEN nexus.utcnow() END
FROM generate_series(1, 12) i;
UPDATE post_schedules SET next_run_at = NULL WHERE id = 900003;
CREATE FUNCTION pg_temp.claim(n integer) RETURNS TABLE (job bigint, token bigint) LANGUAGE plpgsql AS $$
BEGIN
  UPDATE nexus.jobs SET run_at = CASE ref_id WHEN 900000 + n THEN now() - interval '2 minutes' ELSE now() + interval '1 hour' END
    WHERE state = 'ready' AND parked IS NULL;
  RETURN QUERY SELECT c.id, c.lease_token FROM nexus.claim_jobs('{publish}') c WHERE c.ref_id = 900000 + n;
END $$;
CREATE FUNCTION pg_temp.state(n integer) RETURNS TABLE (post text, job text, parked text, tries integer, error_class text, waits boolean, attempt integer, outcome text, open boolean)
LANGUAGE sql AS $$
  SELECT p.status, j.state, j.parked, j.attempts, p.error_class, p.next_attempt_at > nexus.utcnow(), a.attempt, a.outcome, a.ended_at IS NULL
  FROM platform_posts p LEFT JOIN LATERAL (SELECT * FROM nexus.jobs WHERE ref_id = p.id AND kind = 'publish' ORDER BY id DESC LIMIT 1) j ON true
  LEFT JOIN LATERAL (SELECT * FROM nexus.publish_attempts WHERE platform_post_id = p.id ORDER BY attempt DESC LIMIT 1) a ON true
  WHERE p.id = 900000 + n
$$;
\set QUIET off

-- Every scheduled platform post has its job, at its time.
SELECT count(*), count(DISTINCT unique_key), bool_and(run_at < now()), min(payload::text), min(max_attempts) FROM nexus.jobs WHERE kind = 'publish' AND ref_id > 900000;
UPDATE platform_posts SET scheduled_at = '2040-01-01' WHERE id = 900012;
SELECT run_at AT TIME ZONE 'UTC' AS moved FROM nexus.jobs WHERE ref_id = 900012;
UPDATE platform_posts SET status = 'draft' WHERE id = 900012;
SELECT state FROM nexus.jobs WHERE ref_id = 900012;
UPDATE platform_posts SET status = 'scheduled' WHERE id = 900012;
SELECT state, count(*) FROM nexus.jobs WHERE ref_id = 900012 GROUP BY 1 ORDER BY 1;
DELETE FROM platform_posts WHERE id = 900012;
SELECT state, count(*) FROM nexus.jobs WHERE ref_id = 900012 GROUP BY 1 ORDER BY 1;

-- What holds a post back parks its job, and the way back lets it go.
UPDATE social_posts SET review_state = 'pending' WHERE id = 900002;
SELECT parked FROM nexus.jobs WHERE ref_id = 900002;
SELECT nexus.reject_post(900002, 'no');
SELECT parked FROM nexus.jobs WHERE ref_id = 900002;
SELECT nexus.submit_post(900002), nexus.approve_post(900002, 'yes');
SELECT parked FROM nexus.jobs WHERE ref_id = 900002;
UPDATE social_posts SET caption = 'edited after approval' WHERE id = 900002;
SELECT parked, (SELECT review_state FROM social_posts WHERE id = 900002) FROM nexus.jobs WHERE ref_id = 900002;
SELECT nexus.approve_post(900002), nexus.pause_post(900002);
SELECT parked FROM nexus.jobs WHERE ref_id = 900002;
SELECT nexus.resume_post(900002), nexus.pause_account(900001, 'holiday');
SELECT parked, count(*) FROM nexus.jobs WHERE account_id = 900001 AND kind = 'publish' AND state = 'ready' GROUP BY 1;
SELECT count(*) AS claimed FROM nexus.claim_jobs('{publish}', 100);
SELECT nexus.resume_account(900001);
SELECT parked, count(*) FROM nexus.jobs WHERE account_id = 900001 AND kind = 'publish' AND state = 'ready' GROUP BY 1;
SELECT pg_temp.try(s) FROM unnest(ARRAY['SELECT nexus.approve_post(900003)', 'SELECT nexus.pause_post(999999)', 'SELECT nexus.pause_account(999999)', 'SELECT nexus.resume_account(900001)']) s;

-- A leased job of a post that is held back meanwhile: begin refuses, the job that is given back is parked.
SELECT * FROM pg_temp.claim(2) \gset
SELECT nexus.pause_post(900002);
SELECT pg_temp.try(format('SELECT nexus.begin_publish(900002, %s, %s)', :job, :token));
SELECT nexus.snooze_job(:job, :token, now());
SELECT post, job, parked, tries FROM pg_temp.state(2);
SELECT nexus.resume_post(900002);
SELECT post, job, parked, tries FROM pg_temp.state(2);

-- The way that all goes well.
SELECT * FROM pg_temp.claim(1) \gset
SELECT task - 'idempotency_key' - 'account' - 'due_at' AS task, task -> 'account' ->> 'access_token' LIKE 'cn1.%' AS sealed, task ->> 'due_at' ~ '^\d{4}-\d\d-\d\dT.*Z$' AS due_at
  FROM (SELECT nexus.publish_task(:job, :token) AS task) t;
SELECT pg_temp.try(format('SELECT nexus.begin_publish(900001, %s, -1)', :job)) ~ '^NX020' AS wrong_token,
  pg_temp.try(format('SELECT nexus.begin_publish(900002, %s, %s)', :job, :token)) ~ '^NX020' AS wrong_post,
  pg_temp.try(format('SELECT nexus.finish_publish(900001, 1, %s, ''ok'', ''r'')', :token)) AS not_begun;
SELECT nexus.begin_publish(900001, :job, :token) AS attempt;
SELECT * FROM pg_temp.state(1);
SELECT current_setting('synchronous_commit') AS durable, octet_length(payload_sha256), send_started_at IS NOT NULL AS started FROM platform_posts WHERE id = 900001;
SELECT pg_temp.try(format('SELECT nexus.begin_publish(900001, %s, %s)', :job, :token)) AS twice;
SELECT pg_temp.try('UPDATE platform_posts SET caption = ''other'' WHERE id = 900001'), pg_temp.try('UPDATE social_posts SET caption = ''other'' WHERE id = 900001') AS frozen;
SELECT pg_temp.try(format('SELECT nexus.finish_publish(900001, 1, %s, %s)', :token, o)) FROM unnest(ARRAY['''perhaps''', '''ok''', '''rejected'', error => ''{"class": "bored"}''', '''not_sent'', error => ''{"class": "unknown_outcome"}''']) o;
SELECT nexus.finish_publish(900001, 1, :token, 'ok', 'at://x/1', 'https://x/1', '{"http_status": 200}');
SELECT * FROM pg_temp.state(1);
SELECT platform_post_id, platform_url, published_at IS NOT NULL AS at FROM platform_posts WHERE id = 900001;
SELECT status FROM social_posts WHERE id = 900001;
SELECT last_published_at IS NOT NULL AS published FROM social_accounts WHERE id = 900001;
SELECT nexus.publish_outcome(900001, 1), pg_temp.try(format('SELECT nexus.finish_publish(900001, 1, %s, ''ok'', ''at://x/1'')', :token)) AS again;

-- Known not to be sent: tried again later, with the next attempt; the schedule mirrors it.
SELECT * FROM pg_temp.claim(3) \gset
SELECT nexus.begin_publish(900003, :job, :token);
SELECT status, retry_count, error_message FROM post_schedules WHERE id = 900003;
SELECT nexus.finish_publish(900003, 1, :token, 'not_sent', error => '{"message": "connection refused", "code": "ECONNREFUSED"}');
SELECT * FROM pg_temp.state(3);
SELECT status, retry_count, last_attempt_at IS NOT NULL AS tried, error_message FROM post_schedules WHERE id = 900003;
SELECT * FROM pg_temp.claim(3) \gset
SELECT nexus.begin_publish(900003, :job, :token);
SELECT nexus.finish_publish(900003, 2, :token, 'rejected', error => '{"class": "invalid", "message": "too long", "http_status": 400}');
SELECT * FROM pg_temp.state(3);
SELECT status, retry_count, error_message, occurrences_done FROM post_schedules WHERE id = 900003;
SELECT pg_temp.try('SELECT nexus.retry_post(900001)'), nexus.retry_post(900003);
SELECT post, job, tries FROM pg_temp.state(3);
SELECT status FROM post_schedules WHERE id = 900003;
SELECT * FROM pg_temp.claim(3) \gset
SELECT nexus.begin_publish(900003, :job, :token), nexus.finish_publish(900003, 3, :token, 'ok', 'at://x/3');
SELECT status, retry_count, error_message, occurrences_done FROM post_schedules WHERE id = 900003;

-- A verifier that the account keeps out waits for the account, and comes back with it; a pause of the post holds no verifier up.
SAVEPOINT auth;
SELECT * FROM pg_temp.claim(11) \gset
SELECT nexus.begin_publish(900011, :job, :token), nexus.fail_job(:job, :token, 'unknown_outcome', 'cut');
SELECT * FROM pg_temp.claim(11) \gset
SELECT nexus.fail_job(:job, :token, 'auth', 'token expired');
SELECT post, job, parked, open FROM pg_temp.state(11);
UPDATE social_posts SET paused_at = nexus.utcnow() WHERE id = 900011;
UPDATE social_accounts SET status = 'active' WHERE id = 900001;
SELECT post, job, parked, open FROM pg_temp.state(11);
ROLLBACK TO auth;

-- Limited: later, and the attempt does not count against the job.
SELECT * FROM pg_temp.claim(4) \gset
SELECT nexus.begin_publish(900004, :job, :token), nexus.finish_publish(900004, 1, :token, 'rejected', error => '{"class": "rate_limited", "retry_after": 300}');
SELECT * FROM pg_temp.state(4);
SELECT next_attempt_at > nexus.utcnow() + interval '299 s' AS after_it FROM platform_posts WHERE id = 900004;

-- A worker that goes silent while sending: the next one must verify, whatever the outcome was.
SELECT * FROM pg_temp.claim(5) \gset
SELECT nexus.begin_publish(900005, :job, :token);
SELECT :token AS zombie \gset
UPDATE nexus.jobs SET lease_until = now() - interval '1 s' WHERE id = :job;
SELECT pg_temp.try(format('SELECT nexus.finish_publish(900005, 1, %s, ''ok'', ''at://x/5'')', :zombie)) AS lease_is_over;
SELECT * FROM pg_temp.claim(5) \gset
SELECT nexus.publish_task(:job, :token) -> 'verify' ->> 'attempt' AS verify;
SELECT pg_temp.try(format('SELECT nexus.begin_publish(900005, %s, %s)', :job, :token)) AS no_blind_resend;
SELECT pg_temp.try(format('SELECT nexus.finish_publish(900005, 1, %s, ''ok'', ''at://x/5'')', :token)) AS not_its_own;
SELECT pg_temp.try(format('SELECT nexus.finish_publish(900005, 1, %s, ''ok'', ''at://x/5'')', :zombie)) AS zombie;
SELECT nexus.finish_publish(900005, 1, :token, 'verified_absent');
SELECT * FROM pg_temp.state(5);
SELECT nexus.begin_publish(900005, :job, :token);
UPDATE nexus.jobs SET lease_until = now() - interval '1 s' WHERE id = :job;
SELECT * FROM pg_temp.claim(5) \gset
SELECT nexus.finish_publish(900005, 2, :token, 'verified_present', 'at://x/5');
SELECT * FROM pg_temp.state(5);

-- Not to be verified: unconfirmed, and only somebody who has looked sends it again.
SELECT * FROM pg_temp.claim(6) \gset
SELECT nexus.begin_publish(900006, :job, :token), nexus.finish_publish(900006, 1, :token, 'unknown', error => '{"message": "cut"}');
SELECT * FROM pg_temp.state(6);
SELECT pg_temp.try('SELECT nexus.retry_post(900006)');
SELECT nexus.retry_post(900006, verified_absent => true);
SELECT post, job FROM pg_temp.state(6);

-- A token that is no longer taken: the account expires, all its jobs wait, and go on after the reconnect.
SELECT * FROM pg_temp.claim(7) \gset
SELECT nexus.begin_publish(900007, :job, :token), nexus.finish_publish(900007, 1, :token, 'rejected', error => '{"class": "auth", "message": "ExpiredToken"}');
SELECT * FROM pg_temp.state(7);
SELECT status, status_reason FROM social_accounts WHERE id = 900001;
SELECT parked, count(*) FROM nexus.jobs WHERE account_id = 900001 AND kind = 'publish' AND state = 'ready' GROUP BY 1;
UPDATE social_accounts SET status = 'active', token_version = token_version + 1 WHERE id = 900001;
SELECT parked, count(*) FROM nexus.jobs WHERE account_id = 900001 AND kind = 'publish' AND state = 'ready' GROUP BY 1;

-- A thread: children wait for their parent, and are cancelled when it fails; a retry takes them along.
INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at, thread_parent_id, thread_position)
VALUES (900021, 900008, 900001, 'bluesky', 'scheduled', nexus.utcnow(), 900008, 1);
INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at, thread_parent_id, thread_position)
VALUES (900022, 900008, 900001, 'bluesky', 'scheduled', nexus.utcnow(), 900021, 2);
SELECT ref_id, parked FROM nexus.jobs WHERE ref_id IN (900021, 900022) ORDER BY 1;
SELECT * FROM pg_temp.claim(8) \gset
SELECT nexus.begin_publish(900008, :job, :token), nexus.finish_publish(900008, 1, :token, 'rejected', error => '{"message": "no"}');
SELECT id, status, error_message FROM platform_posts WHERE id IN (900008, 900021, 900022) ORDER BY id;
SELECT nexus.retry_post(900008);
SELECT id, status FROM platform_posts WHERE id IN (900008, 900021, 900022) ORDER BY id;
SELECT * FROM pg_temp.claim(8) \gset
SELECT nexus.begin_publish(900008, :job, :token), nexus.finish_publish(900008, 2, :token, 'ok', 'at://x/8', 'https://x/8');
SELECT ref_id, parked, state FROM nexus.jobs WHERE ref_id IN (900021, 900022) AND state = 'ready' ORDER BY 1;
SELECT * FROM pg_temp.claim(21) \gset
SELECT nexus.publish_task(:job, :token) -> 'reply_to' ->> 'parent_id' AS reply_to, jsonb_array_length(nexus.publish_task(:job, :token) #> '{payload,media}') AS media;

-- Cancel while it is being sent: the worker is asked to stop; what was not sent is cancelled then.
SELECT * FROM pg_temp.claim(9) \gset
SELECT nexus.begin_publish(900009, :job, :token);
SELECT nexus.cancel_post(900009);
SELECT cancel_requested FROM nexus.heartbeat_jobs(ARRAY[:job], ARRAY[:token]);
SELECT nexus.finish_publish(900009, 1, :token, 'not_sent');
SELECT post, job, outcome FROM pg_temp.state(9);

-- The sweep: a due post without a job gets one, an attempt that nobody will verify becomes unconfirmed, a given-up job is a reason.
DELETE FROM nexus.jobs WHERE ref_id = 900010;
SELECT platform_post_id FROM nexus.due_without_job();
SELECT * FROM pg_temp.claim(11) \gset
SELECT nexus.begin_publish(900011, :job, :token);
UPDATE nexus.jobs SET state = 'dead', lease_token = NULL, lease_until = NULL, finished_at = now() WHERE id = :job;
SELECT nexus.sweep_publishing();
SELECT post, job, outcome FROM pg_temp.state(10);
SELECT post, job, outcome FROM pg_temp.state(11);
UPDATE nexus.jobs SET state = 'leased', lease_token = 1, lease_until = now() WHERE ref_id = 900010;
UPDATE nexus.jobs SET state = 'dead', lease_token = NULL, lease_until = NULL, finished_at = now(), last_error = '{"message": "the worker crashed"}' WHERE ref_id = 900010;
SELECT nexus.sweep_publishing(), nexus.sweep_publishing() AS again;
SELECT error_message FROM platform_posts WHERE id = 900010;
SELECT count(*) AS due_without_job FROM nexus.due_without_job();
SELECT nexus.retry_post(900010);
SELECT post, job, error_class FROM pg_temp.state(10);
SELECT count(*) AS open_attempts FROM nexus.publish_backlog;

-- Who may: the worker publishes, end users plan.
SELECT r, has_function_privilege(r, 'nexus.begin_publish(integer, bigint, bigint)', 'EXECUTE') AS publish, has_function_privilege(r, 'nexus.tick()', 'EXECUTE') AS tick,
  has_function_privilege(r, 'nexus.sync_publish_jobs(integer[], boolean)', 'EXECUTE') AS sync, has_function_privilege(r, 'nexus.retry_post(integer, integer, boolean)', 'EXECUTE') AS retry
  FROM unnest(ARRAY['nexus_worker', 'nexus_owner', 'nexus_app', 'nexus_anon']) r;
ROLLBACK;
