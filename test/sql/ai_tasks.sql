-- AI tasks: wait for a provider, run once, are booked once, become suggestions only as far as they may be used.
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
SELECT u, u || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'F', 'L' FROM unnest(ARRAY['ann', 'bob']) u;
CREATE FUNCTION pg_temp.task(n integer) RETURNS TABLE (status text, progress smallint, attempts integer, code text, message text, tokens text, ended boolean, job text, parked text) LANGUAGE sql AS $$
  SELECT t.status, t.progress, t.attempt_count, t.error_code, t.error_message, concat_ws('/', t.input_tokens, t.output_tokens, t.cost_micros), t.completed_at IS NOT NULL, j.state, j.parked
  FROM ai_generation_tasks t LEFT JOIN LATERAL (SELECT * FROM nexus.jobs j WHERE j.kind = 'ai_task' AND j.ref_id = t.id ORDER BY j.id DESC LIMIT 1) j ON true WHERE t.id = n $$;
\set claim 'SELECT id AS job, lease_token AS token FROM nexus.claim_jobs(''{ai}'') \\gset'
\set QUIET off

-- Nobody to ask: it waits, and says why.
INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt, parameters) VALUES (900001, 'ann', 'caption', 'A caption about tea', '{"platform": "bluesky"}'), (900002, 'ann', 'voiceover', 'Say it', '{}');
SELECT * FROM pg_temp.task(900001) UNION ALL SELECT * FROM pg_temp.task(900002);
SELECT count(*) AS claimed FROM nexus.claim_jobs('{ai}');
-- A provider comes, and goes, and comes.
INSERT INTO nexus.ai_providers (name, base_url, model, task_types) VALUES ('local', 'http://localhost:9/v1', 'small', '{caption,hashtags,content_idea,script}');
SELECT * FROM pg_temp.task(900001) UNION ALL SELECT * FROM pg_temp.task(900002);
UPDATE nexus.ai_providers SET is_active = false;
SELECT * FROM pg_temp.task(900001);
UPDATE nexus.ai_providers SET is_active = true;

-- It runs: a result of another shape, one that no platform takes, and a good one.
:claim
SELECT jsonb_pretty(nexus.start_ai_task(:job, :token) - 'id' #- '{schema,properties}');
SELECT nexus.progress_ai_task(:job, :token, 40), pg_temp.try(format('SELECT nexus.progress_ai_task(%s, %s, 101)', :job, :token)), pg_temp.try(format('SELECT nexus.progress_ai_task(%s, 0, 50)', :job));
SELECT * FROM pg_temp.task(900001);
SELECT nexus.finish_ai_task(:job, :token, '{"captions": "tea"}', 100, 20, 5);
SELECT * FROM pg_temp.task(900001);
SELECT pg_temp.try(format('SELECT nexus.finish_ai_task(%s, %s, ''{"captions": [{"text": "tea"}]}'', 100, 20, 5)', :job, :token)) AS too_late;
UPDATE nexus.jobs SET run_at = now() - interval '1 s' WHERE kind = 'ai_task' AND ref_id = 900001;
:claim
SELECT nexus.start_ai_task(:job, :token) ->> 'attempt' AS attempt;
SELECT nexus.finish_ai_task(:job, :token, jsonb_build_object('captions', jsonb_build_array(jsonb_build_object('text', repeat('tea ', 100)))), 100, 20, 5);
UPDATE nexus.jobs SET run_at = now() - interval '1 s' WHERE kind = 'ai_task' AND ref_id = 900001;
:claim
SELECT nexus.start_ai_task(:job, :token) ->> 'attempt' AS attempt;
SELECT nexus.finish_ai_task(:job, :token, jsonb_build_object('captions', jsonb_build_array(jsonb_build_object('text', repeat('tea ', 100)), '{"text": "Tea, at last.", "confidence": 0.8}'::jsonb)), 100, 30, 5, 'small-2');
SELECT * FROM pg_temp.task(900001);
SELECT suggestion_type, platform, content, confidence, status, metadata, task_id FROM ai_content_suggestions WHERE user_id = 'ann';

-- Hashtags: what is none, what is banned and what is double is left out.
INSERT INTO nexus.hashtag_lists (tag, platform, status) VALUES ('spam', '', 'banned');
INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt) VALUES (900003, 'ann', 'hashtags', 'Tags for tea');
:claim
SELECT FROM nexus.start_ai_task(:job, :token);
SELECT nexus.finish_ai_task(:job, :token, '{"hashtags": [{"tags": ["#Tea", "tea", "green tea", "spam", "GreenTea"]}]}');
SELECT content FROM ai_content_suggestions WHERE task_id = 900003;

-- An answer that its worker could not read: its cost is booked, the reason is told.
INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt) VALUES (900007, 'ann', 'script', 'A script');
:claim
SELECT FROM nexus.start_ai_task(:job, :token);
SELECT nexus.finish_ai_task(:job, :token, NULL, 11, 3, 2, 'small-2', fault => 'the answer was cut off');
SELECT * FROM pg_temp.task(900007);
SELECT nexus.cancel_ai_task(900007);

-- Cancelled while it runs: its worker learns it, its result is not taken, what it cost is booked.
INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt) VALUES (900004, 'ann', 'script', 'A script');
:claim
SELECT FROM nexus.start_ai_task(:job, :token);
SELECT nexus.cancel_ai_task(900004);
SELECT nexus.progress_ai_task(:job, :token, 50) AS go_on;
SELECT nexus.finish_ai_task(:job, :token, '{"text": "Too late"}', 7, 7, 7);
SELECT * FROM pg_temp.task(900004);
SELECT pg_temp.try('SELECT nexus.cancel_ai_task(900004)'), pg_temp.try('SELECT nexus.retry_ai_task(900004)');

-- Its workers die: after too many of them it fails, and can be tried again.
INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt) VALUES (900005, 'ann', 'script', 'A script');
UPDATE nexus.jobs SET lapses = nexus.max_lapses(max_attempts) WHERE kind = 'ai_task' AND ref_id = 900005;
:claim
SELECT FROM nexus.start_ai_task(:job, :token);
UPDATE nexus.jobs SET lease_until = now() - interval '1 s' WHERE id = :job;
SELECT nexus.reap_leases();
SELECT nexus.sweep_ai_tasks();
SELECT * FROM pg_temp.task(900005);
SELECT pg_temp.try(format('SELECT nexus.finish_ai_task(%s, %s, ''{"text": "x"}'')', :job, :token)) AS zombie;
SELECT nexus.retry_ai_task(900005);
SELECT * FROM pg_temp.task(900005);
:claim
SELECT FROM nexus.start_ai_task(:job, :token);
SELECT nexus.fail_ai_task(:job, :token, 'invalid', 'the provider refuses the prompt');
SELECT * FROM pg_temp.task(900005);
SELECT nexus.sweep_ai_tasks();

-- Done by an application's own worker: no job is left, and no reason why it waited.
UPDATE nexus.ai_providers SET is_active = false;
INSERT INTO ai_generation_tasks (id, user_id, task_type, prompt) VALUES (900006, 'ann', 'script', 'A script');
UPDATE ai_generation_tasks SET status = 'processing' WHERE id = 900006;
UPDATE ai_generation_tasks SET status = 'completed', result = 'done', completed_at = nexus.utcnow() WHERE id = 900006;
SELECT * FROM pg_temp.task(900006);

-- Only workers may work; users see and cancel their own.
INSERT INTO nexus.login_users VALUES ('nexus_test_bob', 'bob');
CREATE ROLE nexus_test_bob LOGIN IN ROLE nexus_app;
SET SESSION AUTHORIZATION nexus_test_bob;
SELECT pg_temp.try(s) FROM unnest(ARRAY['SELECT nexus.start_ai_task(1, 1)', 'SELECT nexus.finish_ai_task(1, 1, ''{}'')', 'SELECT nexus.fail_ai_task(1, 1, ''x'', ''x'')',
  'SELECT nexus.cancel_ai_task(900002)', 'SELECT nexus.retry_ai_task(900005)', 'SELECT count(*) FROM nexus.ai_providers', 'SELECT nexus.sync_ai_jobs()',
  'INSERT INTO ai_generation_tasks (user_id, task_type, prompt) VALUES (''bob'', ''script'', ''Mine'') RETURNING error_message']) s;
RESET SESSION AUTHORIZATION;
DELETE FROM ai_generation_tasks WHERE id = 900002;
SELECT state, count(*) FROM nexus.jobs WHERE kind = 'ai_task' GROUP BY 1 ORDER BY 1;
ROLLBACK;
