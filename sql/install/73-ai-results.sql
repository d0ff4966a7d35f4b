-- What AI tasks bring back: checked by the schema of its type, then by the engines that know better than a model.

-- One suggestion's text: NULL where nothing of it may be shown.
CREATE FUNCTION nexus.ai_suggestion_text(suggestion_type text, item jsonb, platform text) RETURNS text LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF suggestion_type = 'hashtags' THEN
    RETURN (SELECT string_agg(ltrim(t, '#'), ' ' ORDER BY n) FROM (
      SELECT DISTINCT ON (nexus.canonical_hashtag(t)) t, n FROM jsonb_array_elements_text(item -> 'tags') WITH ORDINALITY AS e(t, n)
      WHERE nexus.is_hashtag(t) AND NOT EXISTS (SELECT FROM nexus.hashtag_lists l WHERE l.tag = nexus.canonical_hashtag(t) AND l.platform IN ('', COALESCE(ai_suggestion_text.platform, '')))
      ORDER BY nexus.canonical_hashtag(t), n) AS tags);
  END IF;
  IF suggestion_type = 'caption' AND EXISTS (SELECT FROM nexus.platforms p WHERE p.slug = platform OR platform = ANY (p.aliases))
    AND EXISTS (SELECT FROM nexus.validate(jsonb_build_object('caption', item ->> 'text'), ARRAY[platform]) f
      WHERE f.severity = 'error' AND f.field = 'caption') THEN
    RETURN NULL;
  END IF;
  RETURN item ->> 'text';
END $$;
COMMENT ON FUNCTION nexus.ai_suggestion_text(text, jsonb, text) IS
  'Part of finish_ai_task: hashtags that are none or that are banned are left out, a caption that the platform would refuse is NULL.';

CREATE FUNCTION nexus.finish_ai_task(job_id bigint, lease_token bigint, result jsonb, input_tokens integer DEFAULT 0, output_tokens integer DEFAULT 0,
  cost_micros bigint DEFAULT 0, model text DEFAULT NULL, fault text DEFAULT NULL) RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  job nexus.jobs := nexus.leased_job(job_id, lease_token);
  task record;
  kind nexus.ai_results;
  wrong text := finish_ai_task.fault;
  made bigint := 0;
BEGIN
  IF LEAST(input_tokens, output_tokens, cost_micros) < 0 OR num_nulls(input_tokens, output_tokens, cost_micros) > 0 THEN
    RAISE EXCEPTION 'tokens and cost must not be negative' USING ERRCODE = '22023';
  END IF;
  EXECUTE format($sql$
    UPDATE %I.ai_generation_tasks t SET input_tokens = COALESCE(t.input_tokens, 0) + $2, output_tokens = COALESCE(t.output_tokens, 0) + $3,
      cost_micros = COALESCE(t.cost_micros, 0) + $4, model = COALESCE($5, t.model)
    WHERE t.id = $1 RETURNING t.*
  $sql$, attached) INTO task USING job.ref_id, input_tokens, output_tokens, cost_micros, model;
  IF task.id IS NULL OR task.status <> 'processing' THEN
    PERFORM nexus.complete_job(job_id, lease_token, jsonb_build_object('status', task.status));
    RETURN COALESCE(task.status, 'deleted');
  END IF;
  SELECT * INTO kind FROM nexus.ai_results r WHERE r.task_type = task.task_type;
  IF wrong IS NULL THEN
    SELECT left(concat_ws(' ', 'the result is not what was asked for:', NULLIF(e.instance_path, ''), e.message), 500) INTO wrong
      FROM nexus.jsonschema_errors(kind.schema, result) e LIMIT 1;
  END IF;
  IF result IS NULL THEN
    wrong := COALESCE(wrong, 'the result is empty');
  END IF;
  IF wrong IS NULL AND kind.suggestion_type IS NOT NULL THEN
    EXECUTE format($sql$
      WITH target AS (SELECT COALESCE($3, (SELECT c.platform FROM %1$I.content c WHERE c.id = $6)) AS platform)
      INSERT INTO %1$I.ai_content_suggestions (user_id, project_id, content_id, task_id, suggestion_type, platform, content, confidence, metadata, expires_at)
      SELECT $4, $5, $6, $7, $1, COALESCE(t.platform, 'general'), s.text, COALESCE((e.item ->> 'confidence')::numeric(3,2), 0),
        jsonb_build_object('source', 'ai', 'model', $8), nexus.utcnow() + interval '30 days'
      FROM target t, jsonb_array_elements($2) WITH ORDINALITY AS e(item, n), nexus.ai_suggestion_text($1, e.item, t.platform) AS s(text)
      WHERE s.text IS NOT NULL ORDER BY e.n
    $sql$, attached) USING kind.suggestion_type, result -> kind.path, task.parameters ->> 'platform', task.user_id, task.project_id, task.content_id, task.id, task.model;
    GET DIAGNOSTICS made = ROW_COUNT;
    IF made = 0 THEN
      wrong := 'nothing of the result may be used on its platform';
    END IF;
  END IF;
  IF wrong IS NOT NULL THEN
    RETURN nexus.fail_ai_task(job_id, lease_token, 'transient', wrong);
  END IF;
  EXECUTE format($sql$
    UPDATE %I.ai_generation_tasks t SET status = 'completed', progress = 100, completed_at = nexus.utcnow(), result_json = $2,
      result = COALESCE($2 ->> 'text', t.result), error_code = NULL, error_message = NULL WHERE t.id = $1
  $sql$, attached) USING task.id, result;
  PERFORM nexus.complete_job(job_id, lease_token, jsonb_build_object('suggestions', made));
  RETURN 'completed';
END $$;
COMMENT ON FUNCTION nexus.finish_ai_task(bigint, bigint, jsonb, integer, integer, bigint, text, text) IS
$$Ends an attempt at an AI task with its result, its tokens and its cost (millionths), which are booked with it, once. The result must fit the schema of its type; captions, hashtags and ideas become rows of ai_content_suggestions, without captions that the platform would refuse, and hashtags that are none or banned. A result that the worker could not even read is NULL, and fault says why: what it cost is booked all the same.
Returns the task's status: completed, pending where the result was no good and another attempt is left, failed after the last one, cancelled where nobody wants it any more. NX020 when the lease is lost: nothing is written then.$$;

CREATE FUNCTION nexus.fail_ai_task(job_id bigint, lease_token bigint, class text, message text, retry_after interval DEFAULT NULL) RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  task integer := (nexus.leased_job(job_id, lease_token)).ref_id;
  job_state text := nexus.fail_job(job_id, lease_token, class, message, retry_after);
  new_status constant text := CASE job_state WHEN 'ready' THEN 'pending' WHEN 'cancelled' THEN 'cancelled' ELSE 'failed' END;
BEGIN
  EXECUTE format($sql$
    UPDATE %I.ai_generation_tasks t SET status = $2, progress = 0, completed_at = CASE WHEN $2 <> 'pending' THEN nexus.utcnow() END,
      error_code = $3, error_message = left($4, 2000) WHERE t.id = $1 AND t.status = 'processing'
  $sql$, nexus.attached_schema()) USING task, new_status, class, message;
  RETURN new_status;
END $$;
COMMENT ON FUNCTION nexus.fail_ai_task(bigint, bigint, text, text, interval) IS
  'Ends an attempt at an AI task that failed; classes and their effect as in fail_job. Returns the task''s status: pending where it will be tried again, failed, or cancelled. NX020 when the lease is lost.';

CREATE FUNCTION nexus.retry_ai_task(task_id integer) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  changed bigint;
BEGIN
  EXECUTE format('UPDATE %I.ai_generation_tasks SET status = ''pending'', completed_at = NULL, error_code = NULL, error_message = NULL WHERE id = $1 AND status = ''failed''',
    nexus.attached_schema()) USING task_id;
  GET DIAGNOSTICS changed = ROW_COUNT;
  IF changed = 0 THEN
    RAISE EXCEPTION 'AI task % has nothing to retry', task_id USING ERRCODE = 'NX002', TABLE = 'ai_generation_tasks', HINT = 'Only a task that failed can be tried again.';
  END IF;
END $$;
COMMENT ON FUNCTION nexus.retry_ai_task(integer) IS 'Tries a failed AI task again with all its attempts anew. NX002 for a task that has not failed or is not the caller''s.';

CREATE FUNCTION nexus.cancel_ai_task(task_id integer) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  changed bigint;
BEGIN
  EXECUTE format('UPDATE %I.ai_generation_tasks SET status = ''cancelled'', completed_at = nexus.utcnow() WHERE id = $1 AND status IN (''pending'', ''processing'')',
    nexus.attached_schema()) USING task_id;
  GET DIAGNOSTICS changed = ROW_COUNT;
  IF changed = 0 THEN
    RAISE EXCEPTION 'AI task % cannot be cancelled', task_id USING ERRCODE = 'NX002', TABLE = 'ai_generation_tasks', HINT = 'It is over, or not there.';
  END IF;
END $$;
COMMENT ON FUNCTION nexus.cancel_ai_task(integer) IS
  'Cancels an AI task that waits or runs; its worker learns it by its next sign of life, and its result is not taken. NX002 for a task that is over or not the caller''s.';

-- A part of tick(): tasks without a job get one, and tasks whose job was given up say so.
CREATE FUNCTION nexus.sweep_ai_tasks() RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  made bigint;
  given_up bigint;
BEGIN
  EXECUTE format($sql$
    UPDATE %1$I.ai_generation_tasks t SET status = 'failed', completed_at = nexus.utcnow(), error_code = 'given_up',
      error_message = COALESCE((SELECT j.last_error ->> 'message' FROM nexus.jobs j WHERE j.kind = 'ai_task' AND j.ref_id = t.id AND j.state = 'dead' ORDER BY j.id DESC LIMIT 1),
        'its worker went silent, and so did those after it')
    WHERE t.status IN ('pending', 'processing') AND EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'ai_task' AND j.ref_id = t.id AND j.state = 'dead')
      AND NOT EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'ai_task' AND j.unique_key = 'ai_task:' || t.id AND j.state IN ('ready', 'leased'))
  $sql$, attached);
  GET DIAGNOSTICS given_up = ROW_COUNT;
  EXECUTE format($sql$
    SELECT nexus.sync_ai_jobs(array_agg(t.id)) FROM %1$I.ai_generation_tasks t WHERE t.status = 'pending'
      AND NOT EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'ai_task' AND j.unique_key = 'ai_task:' || t.id AND j.state IN ('ready', 'leased'))
    HAVING count(*) > 0
  $sql$, attached) INTO made;
  RETURN jsonb_build_object('jobs_made', COALESCE(made, 0), 'given_up', given_up);
END $$;
COMMENT ON FUNCTION nexus.sweep_ai_tasks() IS 'A task of tick(): a pending AI task without a job gets one, and one whose job was given up fails with the reason.';
INSERT INTO nexus.tick_tasks (name, function_name, every, needs_attachment, position) VALUES ('ai_tasks', 'sweep_ai_tasks', '10 s', true, 35);

REVOKE EXECUTE ON FUNCTION nexus.sync_ai_jobs(integer[]), nexus.ai_jobs_trigger(), nexus.ai_providers_trigger(), nexus.start_ai_task(bigint, bigint),
  nexus.progress_ai_task(bigint, bigint, integer, interval), nexus.finish_ai_task(bigint, bigint, jsonb, integer, integer, bigint, text, text),
  nexus.fail_ai_task(bigint, bigint, text, text, interval), nexus.sweep_ai_tasks() FROM PUBLIC;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, r FROM pg_catalog.unnest(ARRAY['sync_ai_jobs', 'start_ai_task', 'progress_ai_task', 'finish_ai_task', 'fail_ai_task']) AS f, pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;
