-- The queue: claim, lease, fencing, classes of failure, fairness, limits, retention, and what a claim costs.
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
  RETURN concat_ws(' | ', state, message);
END $$;
-- Ids and tokens come from sequences: j is the n-th job of this test.
CREATE TEMP TABLE j (n serial, id bigint);
CREATE FUNCTION pg_temp.job(n integer) RETURNS bigint LANGUAGE sql AS 'SELECT id FROM j WHERE j.n = job.n';
CREATE FUNCTION pg_temp.token(n integer) RETURNS bigint LANGUAGE sql AS 'SELECT lease_token FROM nexus.jobs WHERE id = pg_temp.job(n)';
CREATE FUNCTION pg_temp.add(VARIADIC jobs bigint[]) RETURNS void LANGUAGE sql AS 'INSERT INTO j (id) SELECT unnest(jobs)';
\set QUIET off

-- Arguments
SELECT pg_temp.try(s) FROM unnest(ARRAY[
  'SELECT nexus.enqueue_job(''ai_task'', priority => -1)',
  'SELECT nexus.enqueue_job(''ai_task'', priority => 32768)',
  'SELECT nexus.enqueue_job(''ai_task'', run_at => ''infinity'')',
  'SELECT nexus.enqueue_job(''ai_task'', lane => '''')',
  'SELECT nexus.enqueue_job(''ai_task'', max_attempts => 0)',
  'SELECT nexus.enqueue_job(''dance'')',
  'SELECT nexus.claim_jobs(max_jobs => 0)',
  'SELECT nexus.claim_jobs(lease => ''0 s'')',
  'SELECT nexus.complete_jobs(''{1}'', ''{}'')',
  'SELECT nexus.fail_job(1, 1, ''bored'', '''')',
  'SELECT nexus.complete_job(-1, 1)',
  'SELECT nexus.redrive_job(-1)',
  'SELECT nexus.cancel_job(-1)']) WITH ORDINALITY AS t(s, n) ORDER BY n;

-- A unique key has one open job.
SELECT FROM pg_temp.add(nexus.enqueue_job('ai_task', 1, unique_key => 'k'));
SELECT nexus.enqueue_job('ai_task', 2, unique_key => 'k') = pg_temp.job(1) AS same, nexus.enqueue_job('media', 2, unique_key => 'k', run_at => now() + interval '1 day') = pg_temp.job(1) AS other_kind;

-- Claim, heartbeat, complete; a token that is not the job's does nothing.
SELECT kind, ref_id, lane, priority, attempts, max_attempts, lease_until > clock_timestamp() AS leased, lease_token IS NOT NULL AS token
  FROM nexus.claim_jobs(worker => 'w');
SELECT count(*) AS nothing_more FROM nexus.claim_jobs();
SELECT alive, cancel_requested FROM nexus.heartbeat_jobs(ARRAY[pg_temp.job(1), pg_temp.job(1)], ARRAY[pg_temp.token(1), -1]);
SELECT pg_temp.try(format('SELECT nexus.%s', f)) ~ '^NX020' AS lost FROM unnest(ARRAY[format('complete_job(%s, -1)', pg_temp.job(1)),
  format('fail_job(%s, -1, ''transient'', ''m'')', pg_temp.job(1)), format('snooze_job(%s, -1, now())', pg_temp.job(1))]) f;
SELECT count(*) AS others FROM nexus.complete_jobs(ARRAY[pg_temp.job(1)], ARRAY[-1]);
SELECT nexus.complete_job(pg_temp.job(1), pg_temp.token(1), '{"x": 1}');
SELECT state, result, finished_at IS NOT NULL AS ended, lease_token FROM nexus.jobs WHERE id = pg_temp.job(1);
SELECT nexus.enqueue_job('ai_task', 2, unique_key => 'k') > pg_temp.job(1) AS key_is_free;
UPDATE nexus.jobs SET state = 'cancelled' WHERE state = 'ready';

-- Failure by class: the new state, what the attempt counts, how long it waits.
SELECT FROM pg_temp.add(VARIADIC ARRAY(SELECT nexus.enqueue_job('ai_task', i, account_id => 5, max_attempts => 2) FROM generate_series(1, 6) i));
SELECT count(*) AS claimed FROM nexus.claim_jobs(max_jobs => 10);
SELECT class, nexus.fail_job(pg_temp.job(n), pg_temp.token(n), class, 'm', after) FROM (VALUES
  (2, 'transient', NULL), (3, 'rate_limited', interval '100 s'), (4, 'auth', NULL), (5, 'invalid', NULL), (6, 'media', NULL), (7, 'unknown_outcome', NULL)) v(n, class, after) ORDER BY n;
SELECT last_error ->> 'class' AS class, state, attempts, parked, CASE WHEN state = 'ready' THEN CASE WHEN run_at - clock_timestamp() < interval '9 s'
    THEN 'seconds' WHEN run_at - clock_timestamp() >= interval '60 s' THEN 'minutes' ELSE '?' END END AS waits
  FROM nexus.jobs WHERE id >= pg_temp.job(2) ORDER BY id;
-- the second attempt is the last one
UPDATE nexus.jobs SET run_at = now() WHERE id = pg_temp.job(2);
SELECT attempts FROM nexus.claim_jobs();
SELECT nexus.fail_job(pg_temp.job(2), pg_temp.token(2), 'transient', 'again');
SELECT count(*) FROM nexus.dead_jobs WHERE account_id = 5;
SELECT nexus.redrive_job(pg_temp.job(2));
SELECT attempts, state FROM nexus.jobs WHERE id = pg_temp.job(2);
SELECT pg_temp.try(format('SELECT nexus.redrive_job(%s)', pg_temp.job(2))) ~ '^NX002' AS not_dead;
SELECT bool_and(nexus.retry_delay(n) BETWEEN 0.74 * d AND 1.26 * d) AS delays FROM (VALUES (1, interval '5 s'), (2, '10 s'), (5, '80 s'), (30, '1 hour')) v(n, d);

-- Snooze, cancel while it waits and while it runs.
SELECT count(*) AS claimed FROM nexus.claim_jobs();
SELECT nexus.snooze_job(pg_temp.job(2), pg_temp.token(2), now() + interval '1 hour');
SELECT state, attempts, run_at > now() + interval '50 minutes' AS later FROM nexus.jobs WHERE id = pg_temp.job(2);
SELECT nexus.cancel_job(pg_temp.job(2)), nexus.cancel_job(pg_temp.job(2)) AS again;
SELECT FROM pg_temp.add(nexus.enqueue_job('ai_task', 8));
SELECT count(*) AS claimed FROM nexus.claim_jobs();
SELECT nexus.cancel_job(pg_temp.job(8));
SELECT alive, cancel_requested FROM nexus.heartbeat_jobs(ARRAY[pg_temp.job(8)], ARRAY[pg_temp.token(8)]);
SELECT nexus.fail_job(pg_temp.job(8), pg_temp.token(8), 'transient', 'stopped');

-- A lease that ended: the next claim takes the job, and the old token is worth nothing.
SELECT FROM pg_temp.add(nexus.enqueue_job('ai_task', 9), nexus.enqueue_job('ai_task', 10, max_attempts => 1), nexus.enqueue_job('ai_task', 11));
SELECT count(*) AS claimed FROM nexus.claim_jobs(max_jobs => 3);
SELECT pg_temp.token(9) AS old \gset
SELECT nexus.cancel_job(pg_temp.job(11));
UPDATE nexus.jobs SET lease_until = now() - interval '1 s' WHERE state = 'leased';
SELECT ref_id, attempts FROM nexus.claim_jobs(max_jobs => 3);
SELECT j.n, q.state, q.last_error ->> 'code' AS code FROM nexus.jobs q JOIN j USING (id) WHERE j.n > 8 ORDER BY 1;
SELECT pg_temp.try(format('SELECT nexus.complete_job(%s, %s)', pg_temp.job(9), :old)) ~ '^NX020' AS zombie_is_refused;
SELECT worker, remaining > '0' AS alive FROM nexus.leases;
UPDATE nexus.jobs SET state = 'cancelled', lease_token = NULL, lease_until = NULL WHERE state = 'leased';

-- A worker that goes silent is no failure of the job: that counts apart, comes back at once thrice and then ever later, and
-- ends after five for each attempt beyond the first. A word from a worker starts the count anew.
CREATE FUNCTION pg_temp.lapse() RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text;
BEGIN
  UPDATE nexus.jobs SET run_at = now() - interval '1 s' WHERE ref_id = 12 AND state = 'ready';
  PERFORM nexus.claim_jobs('{lapse}');
  UPDATE nexus.jobs SET lease_until = now() - interval '1 s' WHERE ref_id = 12 AND state = 'leased';
  PERFORM nexus.reap_leases();
  SELECT format('%s, %s attempts, %s lapses%s', state, attempts, lapses, CASE WHEN state = 'ready' AND run_at > clock_timestamp() + interval '3 s' THEN ', later' END)
    INTO said FROM nexus.jobs WHERE ref_id = 12;
  RETURN said;
END $$;
SELECT FROM pg_temp.add(nexus.enqueue_job('ai_task', 12, 'lapse', max_attempts => 2));
SELECT n, pg_temp.lapse() FROM generate_series(1, 4) n;
UPDATE nexus.jobs SET run_at = now() - interval '1 s' WHERE id = pg_temp.job(12);
SELECT attempts FROM nexus.claim_jobs('{lapse}');
SELECT nexus.fail_job(pg_temp.job(12), pg_temp.token(12), 'transient', 'a word');
SELECT n, pg_temp.lapse() FROM generate_series(1, 6) n;
SELECT lapses, last_error ->> 'code' AS code FROM nexus.dead_jobs WHERE id = pg_temp.job(12);
SELECT nexus.redrive_job(pg_temp.job(12));
SELECT pg_temp.lapse();
SELECT nexus.cancel_job(pg_temp.job(12));
SELECT nexus.max_lapses(1) AS one, nexus.max_lapses(2147483647) AS most;

-- Lanes, kinds, priorities, pauses.
SELECT FROM (SELECT nexus.enqueue_job('ai_task', 1, 'a', priority => 200), nexus.enqueue_job('media', 2, 'a', priority => 50), nexus.enqueue_job('media', 3, 'b'),
  nexus.enqueue_job('media', 4, 'a', run_at => now() + interval '1 minute', priority => 1)) AS made;
SELECT nexus.pause_lane('b', 'maintenance');
SELECT nexus.next_job_at('{b}') AS paused, nexus.next_job_at('{a}') <= now() AS due;
SELECT ref_id, lane, priority FROM nexus.claim_jobs('{b,a}', 10, kinds => '{media}');
SELECT nexus.resume_lane('b');
SELECT ref_id, lane, priority FROM nexus.claim_jobs(max_jobs => 10);
SELECT lane, due, waiting, parked, leased, oldest_due_age, is_paused FROM nexus.queue_lanes WHERE lane IN ('a', 'b') ORDER BY 1;
UPDATE nexus.jobs SET state = 'cancelled', lease_token = NULL, lease_until = NULL WHERE state IN ('ready', 'leased');

-- Fair: an account with 900 older jobs delays 50 others by no more than two rounds of 10.
INSERT INTO nexus.jobs (kind, ref_id, lane, account_id, run_at) SELECT 'ai_task', i, 'fair', 1, now() - interval '1 hour' FROM generate_series(1, 900) i;
INSERT INTO nexus.jobs (kind, ref_id, lane, account_id, run_at) SELECT 'ai_task', i, 'fair', i + 1, now() - interval '1 minute' FROM generate_series(1, 49) i;
CREATE TEMP TABLE rounds AS SELECT round, c.account_id FROM generate_series(1, 12) round, LATERAL nexus.claim_jobs('{fair}', 10 + 0 * round) c;
SELECT count(DISTINCT account_id) AS served, max(round) FILTER (WHERE account_id > 1) <= 7 AS in_time, count(*) AS claimed,
  count(*) FILTER (WHERE account_id = 1) > 40 AS rest_is_used FROM rounds;
-- also when only one is claimed at a time
UPDATE nexus.jobs SET state = 'cancelled', lease_token = NULL, lease_until = NULL WHERE state IN ('ready', 'leased');
INSERT INTO nexus.jobs (kind, lane, account_id, run_at) SELECT 'ai_task', 'one', 1 + i / 100, now() - interval '1 hour' FROM generate_series(0, 119) i;
SELECT string_agg(c.account_id::text, ' ' ORDER BY r) AS turns FROM generate_series(1, 6) r, LATERAL nexus.claim_jobs('{one}', 1 + 0 * r) c;
UPDATE nexus.jobs SET state = 'cancelled', lease_token = NULL, lease_until = NULL WHERE state IN ('ready', 'leased');
-- a row is taken once: when the round of accounts comes back to where it began, and when a lane is named twice
SAVEPOINT again;
INSERT INTO nexus.jobs (kind, lane, account_id, run_at) SELECT 'ai_task', 'again', 1 + i % 3, now() - interval '1 hour' FROM generate_series(0, 29) i;
SELECT account_id FROM nexus.claim_jobs('{again}');
SELECT count(*) AS claimed, count(DISTINCT id) AS jobs FROM nexus.claim_jobs('{again}', 5);
SELECT count(*) AS claimed, count(DISTINCT id) AS jobs FROM nexus.claim_jobs('{again,again}', 30);
ROLLBACK TO again;

-- Limits: a bucket of 3 for an account and one of 4 for the app; the others move on.
SELECT nexus.set_rate_limit('account:7', 3, 1), nexus.set_rate_limit('app:x', 4, 0.5);
SELECT pg_temp.try('SELECT nexus.set_rate_limit(''user:7'', 3, 1)');
INSERT INTO nexus.jobs (kind, ref_id, lane, account_id, payload) SELECT 'publish', i, 'limit', 7 + i / 6, '{"platform": "x"}' FROM generate_series(1, 10) i;
SELECT clock_timestamp() AS claimed \gset
SELECT account_id, count(*) FROM nexus.claim_jobs('{limit}', 20) GROUP BY 1 ORDER BY 1;
SELECT account_id, count(*) AS waiting, round(extract(epoch FROM min(run_at) - :'claimed')) AS first, round(extract(epoch FROM max(run_at) - :'claimed')) AS last, max(attempts) AS attempts
  FROM nexus.jobs WHERE lane = 'limit' AND state = 'ready' GROUP BY 1 ORDER BY 1;
UPDATE nexus.rate_buckets SET blocked_until = now() + interval '1 hour', tokens = 3, updated_at = clock_timestamp() WHERE scope = 'account:7';
UPDATE nexus.jobs SET run_at = now() WHERE state = 'ready' AND account_id = 7;
SELECT count(*) AS blocked FROM nexus.claim_jobs('{limit}', 20);
SELECT bool_and(run_at > now() + interval '59 minutes') AS after_the_block FROM nexus.jobs WHERE state = 'ready' AND account_id = 7;
SELECT nexus.set_rate_limit('account:7', NULL, NULL), nexus.set_rate_limit('app:x', NULL, NULL);
SELECT count(*) AS left FROM nexus.rate_buckets;

-- Retention takes what ended long ago and no open job, however old.
UPDATE nexus.jobs SET finished_at = COALESCE(finished_at, now()) - interval '30 days', created_at = now() - interval '1 year' WHERE state IN ('done', 'dead', 'cancelled');
UPDATE nexus.jobs SET created_at = now() - interval '1 year', run_at = now() - interval '1 year' WHERE state IN ('ready', 'leased');
SELECT state, count(*) AS before FROM nexus.jobs WHERE state IN ('ready', 'leased', 'dead') GROUP BY 1 ORDER BY 1;
SELECT nexus.purge_jobs() > 0 AS purged;
SELECT state, count(*) AS after FROM nexus.jobs GROUP BY 1 ORDER BY 1;

-- A claim among 200,000 jobs of the future and 100,000 that ended reads what it reads in an empty table: a few pages
-- for each lane and priority.
CREATE FUNCTION pg_temp.pages() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT json) SELECT * FROM nexus.claim_jobs(max_jobs => 50)' INTO plan;
  RETURN (plan #>> '{0,Plan,Shared Hit Blocks}')::bigint + (plan #>> '{0,Plan,Shared Read Blocks}')::bigint;
END $$;
SELECT count(*) AS claimed FROM nexus.claim_jobs(max_jobs => 50);
DELETE FROM nexus.jobs;
SELECT pg_temp.pages() AS empty \gset
INSERT INTO nexus.jobs (kind, lane, account_id, run_at, priority) SELECT 'ai_task', 'future', i % 5000, now() + interval '1 day', 100 + i % 3 FROM generate_series(1, 200000) i;
SET LOCAL nexus.import_mode = on;
INSERT INTO nexus.jobs (kind, lane, account_id, run_at, state, finished_at) SELECT 'ai_task', 'future', i % 5000, now() - interval '1 day', 'done', now() FROM generate_series(1, 100000) i;
SET LOCAL nexus.import_mode = off;
ANALYZE nexus.jobs;
SELECT count(*) AS claimed FROM nexus.claim_jobs(max_jobs => 50);
SELECT CASE WHEN n <= :empty + 60 THEN 'few' ELSE n || ' after ' || :empty END AS pages FROM pg_temp.pages() n;
INSERT INTO nexus.jobs (kind, ref_id, lane, account_id) VALUES ('ai_task', 1, 'future', 3);
SELECT ref_id FROM nexus.claim_jobs(max_jobs => 50);
SELECT CASE WHEN n <= :empty + 60 THEN 'few' ELSE n || ' after ' || :empty END AS pages FROM pg_temp.pages() n;

-- Rights: end users have nothing to do here.
SELECT has_function_privilege(r, 'nexus.claim_jobs(text[], integer, interval, text, text[])', 'EXECUTE') AS claim,
  has_function_privilege(r, 'nexus.enqueue_job(text, integer, text, timestamptz, integer, integer, text, jsonb, integer)', 'EXECUTE') AS enqueue,
  has_table_privilege(r, 'nexus.jobs', 'SELECT') AS jobs, has_table_privilege(r, 'nexus.queue_lanes', 'SELECT') AS lanes
  FROM unnest(ARRAY['nexus_worker', 'nexus_owner', 'nexus_app', 'nexus_anon']) r;
ROLLBACK;
