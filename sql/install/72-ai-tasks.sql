-- AI tasks: every pending row of ai_generation_tasks has a job on the lane ai, a worker outside PostgreSQL asks a model,
-- and what it brings back is taken only as far as it has the shape that its type demands. Without a provider for its type
-- a task waits and says so; nothing is ever invented. Tokens and cost are booked in the transaction that ends the attempt.

-- Endpoints that speak the OpenAI HTTP API. Keys stay with the worker, by the provider's name.
CREATE TABLE nexus.ai_providers (
  name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_-]{0,31}$'),
  base_url text NOT NULL CHECK (base_url ~ '^https?://[^[:space:]]+$'),
  model text NOT NULL CHECK (length(model) BETWEEN 1 AND 200),
  task_types text[] NOT NULL,
  priority smallint NOT NULL DEFAULT 100,      -- of several for a type the smallest goes first
  input_price_micros bigint NOT NULL DEFAULT 0 CHECK (input_price_micros >= 0),     -- for a million tokens, in millionths of the currency
  output_price_micros bigint NOT NULL DEFAULT 0 CHECK (output_price_micros >= 0),
  is_active boolean NOT NULL DEFAULT true
);
SELECT pg_catalog.pg_extension_config_dump('nexus.ai_providers', '');

-- The shape of a result by type of task, and what each becomes.
CREATE TABLE nexus.ai_results (
  task_type text PRIMARY KEY,
  schema jsonb NOT NULL CHECK (nexus.jsonschema_valid(schema, '{}') IS NOT NULL),
  suggestion_type text,                        -- of ai_content_suggestions; NULL: the result stays with its task
  path text NOT NULL DEFAULT '',               -- the list whose elements become suggestions
  custom boolean NOT NULL DEFAULT true         -- false for rows that come with the extension
);
INSERT INTO nexus.ai_results (task_type, suggestion_type, path, custom, schema) VALUES
  ('caption', 'caption', 'captions', false, '{"type": "object", "required": ["captions"], "additionalProperties": false, "properties": {"captions": {"type": "array", "minItems": 1, "maxItems": 20,
    "items": {"type": "object", "required": ["text"], "additionalProperties": false, "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 10000}, "confidence": {"type": "number", "minimum": 0, "maximum": 1}}}}}}'),
  ('hashtags', 'hashtags', 'hashtags', false, '{"type": "object", "required": ["hashtags"], "additionalProperties": false, "properties": {"hashtags": {"type": "array", "minItems": 1, "maxItems": 20,
    "items": {"type": "object", "required": ["tags"], "additionalProperties": false, "properties": {"tags": {"type": "array", "minItems": 1, "maxItems": 50, "items": {"type": "string", "minLength": 1, "maxLength": 140}}, "confidence": {"type": "number", "minimum": 0, "maximum": 1}}}}}}'),
  ('content_idea', 'content_idea', 'ideas', false, '{"type": "object", "required": ["ideas"], "additionalProperties": false, "properties": {"ideas": {"type": "array", "minItems": 1, "maxItems": 20,
    "items": {"type": "object", "required": ["text"], "additionalProperties": false, "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 10000}, "confidence": {"type": "number", "minimum": 0, "maximum": 1}}}}}}'),
  ('script', NULL, '', false, '{"type": "object", "required": ["text"], "additionalProperties": false, "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 200000}}}'),
  ('translation', NULL, '', false, '{"type": "object", "required": ["text"], "additionalProperties": false, "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 200000}}}');
SELECT pg_catalog.pg_extension_config_dump('nexus.ai_results', 'WHERE custom');

CREATE FUNCTION nexus.ai_hold(task_type text) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN CASE
    WHEN NOT EXISTS (SELECT FROM nexus.ai_results r WHERE r.task_type = ai_hold.task_type) THEN 'no worker knows how to do ' || task_type
    WHEN NOT EXISTS (SELECT FROM nexus.ai_providers p WHERE p.is_active AND ai_hold.task_type = ANY (p.task_types))
      THEN 'no AI provider is configured for ' || task_type END;
COMMENT ON FUNCTION nexus.ai_hold(text) IS 'Why tasks of a type wait; NULL when a provider takes them.';

CREATE FUNCTION nexus.sync_ai_jobs(task_ids integer[] DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  made bigint;
BEGIN
  -- why it waits stands with the task, for its owner to see
  EXECUTE format($sql$
    UPDATE %1$I.ai_generation_tasks t SET error_code = CASE WHEN h.hold IS NULL THEN NULL ELSE 'waiting' END, error_message = h.hold
    FROM (SELECT types.task_type, nexus.ai_hold(types.task_type) AS hold FROM (SELECT DISTINCT o.task_type FROM %1$I.ai_generation_tasks o
        WHERE o.status = 'pending' AND ($1 IS NULL OR o.id = ANY ($1))) AS types) AS h
    WHERE t.task_type = h.task_type AND t.status = 'pending' AND ($1 IS NULL OR t.id = ANY ($1))
      AND (t.error_code = 'waiting' OR h.hold IS NOT NULL) AND t.error_message IS DISTINCT FROM h.hold
  $sql$, attached) USING task_ids;
  EXECUTE format($sql$
    WITH wanted AS (
      SELECT t.id, t.task_type::text, nexus.ai_hold(t.task_type) AS hold FROM %1$I.ai_generation_tasks t
      WHERE t.status = 'pending' AND ($1 IS NULL OR t.id = ANY ($1))),
    parked AS (
      UPDATE nexus.jobs j SET parked = w.hold FROM wanted w WHERE j.kind = 'ai_task' AND j.unique_key = 'ai_task:' || w.id AND j.state = 'ready'
        AND j.parked IS DISTINCT FROM w.hold),
    made AS (
      INSERT INTO nexus.jobs (kind, ref_id, lane, parked, unique_key, payload, max_attempts)
      SELECT 'ai_task', w.id, 'ai', w.hold, 'ai_task:' || w.id, jsonb_build_object('task_type', w.task_type), 5 FROM wanted w ORDER BY w.id
      ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL AND state IN ('ready', 'leased') DO NOTHING RETURNING 1)
    SELECT count(*) FROM made
  $sql$, attached) INTO made USING task_ids;
  PERFORM pg_notify('nexus_jobs', 'ai');
  RETURN made;
END $$;
COMMENT ON FUNCTION nexus.sync_ai_jobs(integer[]) IS
  'Gives each pending AI task (all where NULL) its job on the lane ai, parked with the reason where no provider takes its type. Returns how many jobs were made.';

CREATE FUNCTION nexus.ai_jobs_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  pending integer[];
  ended integer[];
  unwanted integer[];
BEGIN
  IF nexus.is_importing() THEN
    RETURN NULL;    -- sync_ai_jobs() of the next tick finds them
  END IF;
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(id) INTO pending FROM new_rows WHERE status = 'pending';
  ELSIF TG_OP = 'UPDATE' THEN
    SELECT array_agg(n.id) FILTER (WHERE n.status = 'pending'), array_agg(n.id) FILTER (WHERE n.status IN ('completed', 'failed')),
        array_agg(n.id) FILTER (WHERE n.status = 'cancelled') INTO pending, ended, unwanted
      FROM new_rows n JOIN old_rows o USING (id) WHERE n.status <> o.status;
  ELSE
    SELECT array_agg(id) INTO unwanted FROM old_rows;
  END IF;
  IF pending IS NOT NULL THEN
    PERFORM nexus.sync_ai_jobs(pending);
  END IF;
  -- One that is done by other means than a worker of ours leaves no job that waits.
  PERFORM nexus.cancel_job(j.id) FROM nexus.jobs j WHERE j.kind = 'ai_task' AND (
    j.unique_key IN (SELECT 'ai_task:' || u.id FROM unnest(unwanted) AS u(id)) AND j.state IN ('ready', 'leased')
    OR j.unique_key IN (SELECT 'ai_task:' || u.id FROM unnest(ended) AS u(id)) AND j.state = 'ready');
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.ai_jobs_trigger() IS 'Whoever writes AI tasks, their jobs follow: a pending one gets one, that of one that is cancelled, deleted or done by other means is cancelled.';
CREATE FUNCTION nexus.ai_waiting_trigger() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.error_code := NULL;
  IF NEW.error_message IS NOT DISTINCT FROM OLD.error_message THEN
    NEW.error_message := NULL;
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION nexus.ai_waiting_trigger() IS 'Why a task waited is forgotten once it waits no more.';
INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('ai_generation_tasks', 'ai_waiting', 'BEFORE UPDATE OF status ON %1$s FOR EACH ROW WHEN (OLD.status = ''pending'' AND NEW.status <> ''pending'' AND NEW.error_code = ''waiting'')',
    'nexus.ai_waiting_trigger()'),
  ('ai_generation_tasks', 'ai_jobs_insert', 'AFTER INSERT ON %1$s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT', 'nexus.ai_jobs_trigger()'),
  ('ai_generation_tasks', 'ai_jobs_update', 'AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT', 'nexus.ai_jobs_trigger()'),
  ('ai_generation_tasks', 'ai_jobs_delete', 'AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT', 'nexus.ai_jobs_trigger()');

CREATE FUNCTION nexus.ai_providers_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM nexus.attachment) THEN
    PERFORM nexus.sync_ai_jobs();
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.ai_providers_trigger() IS 'A provider that comes lets the tasks go that waited for it.';
-- A restore brings the jobs themselves. Every dump sets row_security off.
CREATE TRIGGER sync_ai_jobs AFTER INSERT OR UPDATE OR DELETE ON nexus.ai_providers FOR EACH STATEMENT
  WHEN (pg_catalog.current_setting('row_security') = 'on') EXECUTE FUNCTION nexus.ai_providers_trigger();

CREATE FUNCTION nexus.start_ai_task(job_id bigint, lease_token bigint) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  job nexus.jobs := nexus.leased_job(job_id, lease_token);
  task jsonb;
BEGIN
  EXECUTE format($sql$
    UPDATE %1$I.ai_generation_tasks t SET status = 'processing', started_at = COALESCE(t.started_at, nexus.utcnow()), attempt_count = t.attempt_count + 1,
      error_code = NULL, error_message = NULL
    WHERE t.id = $1 AND t.status IN ('pending', 'processing')
    RETURNING jsonb_build_object('id', t.id, 'task_type', t.task_type, 'prompt', t.prompt, 'parameters', t.parameters, 'model', t.model,
      'attempt', t.attempt_count, 'schema', (SELECT r.schema FROM nexus.ai_results r WHERE r.task_type = t.task_type),
      'content', (SELECT jsonb_build_object('title', c.title, 'description', c.description, 'platform', c.platform) FROM %1$I.content c WHERE c.id = t.content_id),
      'provider', (SELECT to_jsonb(p) FROM nexus.ai_providers p WHERE p.is_active AND t.task_type = ANY (p.task_types) ORDER BY p.priority, p.name LIMIT 1))
  $sql$, attached) INTO task USING job.ref_id;
  IF task IS NULL THEN
    RAISE EXCEPTION 'AI task % is not open any more', job.ref_id USING ERRCODE = 'NX002', HINT = 'Complete the job: there is nothing left to do.';
  END IF;
  RETURN task;
END $$;
COMMENT ON FUNCTION nexus.start_ai_task(bigint, bigint) IS
$$A worker begins with the AI task of a job it has claimed: {id, task_type, prompt, parameters, model, attempt, schema, content, provider}. What it brings back must fit schema.
NX020 when the lease is lost, NX002 when the task has been cancelled or is over.$$;

CREATE FUNCTION nexus.progress_ai_task(job_id bigint, lease_token bigint, progress integer, lease interval DEFAULT '30 s') RETURNS boolean
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  beat record;
BEGIN
  IF progress IS NULL OR progress NOT BETWEEN 0 AND 100 THEN
    RAISE EXCEPTION 'progress must be from 0 to 100' USING ERRCODE = '22023';
  END IF;
  SELECT * INTO beat FROM nexus.heartbeat_jobs(ARRAY[job_id], ARRAY[lease_token], lease);
  IF beat.alive IS NOT TRUE THEN
    PERFORM nexus.leased_job(job_id, lease_token);
  END IF;
  EXECUTE format('UPDATE %I.ai_generation_tasks t SET progress = $2 WHERE t.id = (SELECT j.ref_id FROM nexus.jobs j WHERE j.id = $1) AND t.status = ''processing''
    AND t.progress <> $2', nexus.attached_schema()) USING job_id, progress::smallint;
  RETURN NOT beat.cancel_requested;
END $$;
COMMENT ON FUNCTION nexus.progress_ai_task(bigint, bigint, integer, interval) IS
  'A worker''s sign of life: keeps the lease and shows how far a task is, in per cent. False when the task has been cancelled and the worker should stop. NX020 when the lease is lost.';
