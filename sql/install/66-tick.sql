-- tick(): what the database does by itself, one task after the other. The background worker calls it, and so can cron or
-- the bridge; everything here may run at any time and as often as one likes.

-- When each ran last, and with what result. Not dumped: after a restore everything is due.
CREATE TABLE nexus.tick_runs (
  name text PRIMARY KEY,
  last_run_at timestamptz NOT NULL,
  took interval NOT NULL,
  result jsonb,
  error text
);

CREATE FUNCTION nexus.sweep_publishing(max_posts integer DEFAULT 1000) RETURNS jsonb LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  orphans integer[];
  lost integer[];
  given_up bigint;
  made bigint;
  one integer;
BEGIN
  -- due, and nobody will come: the job is made; where a job was given up already, the post says so
  EXECUTE format($sql$
    SELECT array_agg(pp.id) FROM (
      SELECT pp.id FROM %I.platform_posts pp WHERE pp.status = 'scheduled' AND pp.scheduled_at <= nexus.utcnow() + interval '1 minute'
        AND NOT EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'publish' AND j.unique_key = 'platform_post:' || pp.id AND j.state IN ('ready', 'leased'))
        AND NOT EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'publish' AND j.ref_id = pp.id AND j.state = 'dead')
      ORDER BY pp.scheduled_at, pp.id LIMIT $1) AS pp
  $sql$, attached) INTO orphans USING max_posts;
  made := nexus.sync_publish_jobs(orphans);
  EXECUTE format($sql$
    UPDATE %1$I.platform_posts pp SET error_class = 'transient', error_code = 'given_up', error_message = 'given up: ' || COALESCE(j.last_error ->> 'message', 'its job is dead')
    FROM nexus.jobs j WHERE pp.status = 'scheduled' AND pp.scheduled_at <= nexus.utcnow() + interval '1 minute' AND j.kind = 'publish' AND j.ref_id = pp.id
      AND j.state = 'dead' AND pp.error_code IS DISTINCT FROM 'given_up'
      AND NOT EXISTS (SELECT FROM nexus.jobs o WHERE o.kind = 'publish' AND o.unique_key = 'platform_post:' || pp.id AND o.state IN ('ready', 'leased'))
  $sql$, attached);
  GET DIAGNOSTICS given_up = ROW_COUNT;
  -- an attempt that was left open and has no job any more: nobody will verify it
  SELECT array_agg(DISTINCT a.platform_post_id) INTO lost FROM (
    SELECT a.platform_post_id FROM nexus.publish_attempts a WHERE a.ended_at IS NULL
      AND NOT EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'publish' AND j.unique_key = 'platform_post:' || a.platform_post_id AND j.state IN ('ready', 'leased'))
    ORDER BY a.platform_post_id LIMIT max_posts) AS a;
  FOREACH one IN ARRAY COALESCE(lost, '{}') LOOP
    EXECUTE format('UPDATE %I.platform_posts SET status = ''unconfirmed'', error_class = ''unknown_outcome'',
      error_message = ''its worker went silent while sending, and so did those after it'' WHERE id = $1 AND status = ''publishing''', attached) USING one;
    UPDATE nexus.publish_attempts a SET outcome = 'unknown', ended_at = clock_timestamp() WHERE a.platform_post_id = one AND a.ended_at IS NULL;
    EXECUTE format('SELECT nexus.settle_schedule(schedule_id) FROM %I.platform_posts WHERE id = $1', attached) USING one;
  END LOOP;
  RETURN jsonb_build_object('jobs_made', made, 'given_up', given_up, 'unconfirmed', COALESCE(cardinality(lost), 0));
END $$;
COMMENT ON FUNCTION nexus.sweep_publishing(integer) IS
  'Heals what must not be: a due platform post without an open job gets one (or, where its job was given up, says why), an open attempt that nobody will verify becomes unconfirmed. Returns the counts, all 0 when all is well.';

CREATE FUNCTION nexus.due_without_job() RETURNS TABLE (platform_post_id integer, due_at timestamptz) LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
  RETURN QUERY EXECUTE format($sql$
    SELECT pp.id, pp.scheduled_at AT TIME ZONE 'UTC' FROM %I.platform_posts pp WHERE pp.status = 'scheduled' AND pp.scheduled_at <= nexus.utcnow()
      AND pp.error_code IS DISTINCT FROM 'given_up'
      AND NOT EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'publish' AND j.unique_key = 'platform_post:' || pp.id AND j.state IN ('ready', 'leased'))
    ORDER BY pp.scheduled_at, pp.id
  $sql$, nexus.attached_schema());
END $$;
COMMENT ON FUNCTION nexus.due_without_job() IS 'Platform posts that are due and have neither an open job nor a reason; none after a sweep.';

CREATE FUNCTION nexus.materialise_due() RETURNS jsonb LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  total jsonb;
  part record;
  schedules bigint := 0; inserted bigint := 0; missed bigint := 0;
BEGIN
  FOR n IN 1 .. 4 LOOP    -- the next tick goes on
    SELECT * INTO part FROM nexus.materialise_schedules();
    schedules := schedules + part.schedules; inserted := inserted + part.inserted; missed := missed + part.missed;
    EXIT WHEN part.schedules < 5000;
  END LOOP;
  RETURN jsonb_build_object('schedules', schedules, 'inserted', inserted, 'missed', missed);
END $$;
COMMENT ON FUNCTION nexus.materialise_due() IS 'A task of tick(): the platform posts of the next 24 hours.';

CREATE FUNCTION nexus.expire_missed(max_posts integer DEFAULT 1000) RETURNS bigint LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
  expired bigint;
BEGIN
  -- Only what no worker holds, and what was never tried: a retry may come late.
  EXECUTE format($sql$
    WITH late AS MATERIALIZED (
      SELECT pp.id, s.missed_policy FROM %1$I.platform_posts pp JOIN %1$I.post_schedules s ON s.id = pp.schedule_id
      WHERE pp.status = 'scheduled' AND pp.scheduled_at < nexus.utcnow() - interval '1 minute' AND pp.attempt_count = 0
        AND pp.scheduled_at < nexus.utcnow() - CASE s.missed_policy WHEN 'publish_late' THEN s.missed_grace ELSE interval '10 minutes' END
        AND NOT EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'publish' AND j.unique_key = 'platform_post:' || pp.id AND j.state = 'leased')
        AND COALESCE(pp.next_attempt_at, pp.scheduled_at) < nexus.utcnow() - interval '1 minute'
      ORDER BY pp.scheduled_at LIMIT $1 FOR NO KEY UPDATE OF pp SKIP LOCKED),
    missed AS (
      UPDATE %1$I.platform_posts pp SET status = CASE late.missed_policy WHEN 'ask' THEN 'draft' ELSE 'cancelled' END, error_class = 'cancelled',
        error_message = 'missed: it was still waiting long after its time' FROM late WHERE pp.id = late.id RETURNING pp.id, pp.social_post_id, pp.scheduled_at, pp.schedule_id)
    SELECT count(nexus.notify_user(p.user_id, 'schedule_missed', 'A scheduled time was missed', p.title, 1, 'platform_posts', m.id,
      format('platform_posts:%%s:missed:%%s', m.id, m.scheduled_at))) + 0 * count(*) FROM missed m JOIN %1$I.social_posts p ON p.id = m.social_post_id
  $sql$, nexus.attached_schema()) INTO expired USING max_posts;
  RETURN expired;
END $$;
COMMENT ON FUNCTION nexus.expire_missed(integer) IS
  'A task of tick(): what is due for longer than its schedule''s missed_grace, because nothing was publishing or it was held back, is not sent any more but cancelled, or a draft again (missed_policy ask), and its owner told.';

CREATE FUNCTION nexus.settle_schedules(max_schedules integer DEFAULT 1000) RETURNS bigint LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  settled bigint;
BEGIN
  EXECUTE format($sql$
    SELECT count(nexus.settle_schedule(id)) FROM (
      SELECT s.id FROM %1$I.post_schedules s WHERE s.status IN ('pending', 'processing') AND s.next_run_at IS NULL
        AND NOT EXISTS (SELECT FROM %1$I.platform_posts pp WHERE pp.schedule_id = s.id AND pp.status IN ('scheduled', 'publishing', 'draft'))
        AND EXISTS (SELECT FROM %1$I.platform_posts pp WHERE pp.schedule_id = s.id)
      LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED) AS over
  $sql$, nexus.attached_schema()) INTO settled USING max_schedules;
  RETURN settled;
END $$;
COMMENT ON FUNCTION nexus.settle_schedules(integer) IS 'A task of tick(): schedules of which nothing is left to come are completed or failed.';

CREATE FUNCTION nexus.purge_notifications(max_rows integer DEFAULT 10000) RETURNS bigint LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  purged bigint;
BEGIN
  EXECUTE format('DELETE FROM %1$I.notifications WHERE id IN (SELECT id FROM %1$I.notifications WHERE expires_at < nexus.utcnow() ORDER BY expires_at LIMIT $1)',
    nexus.attached_schema()) USING max_rows;
  GET DIAGNOSTICS purged = ROW_COUNT;
  RETURN purged;
END $$;
COMMENT ON FUNCTION nexus.purge_notifications(integer) IS 'A task of tick(): deletes notifications whose expires_at has passed.';

CREATE FUNCTION nexus.tick() RETURNS jsonb LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  task record;
  began timestamptz;
  outcome jsonb;
  done jsonb := '{}';
  attached constant boolean := EXISTS (SELECT FROM nexus.attachment);
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('nexus.tick')) THEN
    RETURN jsonb_build_object('skipped', 'another tick is running');
  END IF;
  FOR task IN
    SELECT t.* FROM nexus.tick_tasks t LEFT JOIN nexus.tick_runs r USING (name)
    WHERE (attached OR NOT t.needs_attachment) AND (r.name IS NULL OR r.last_run_at + t.every <= clock_timestamp())
    ORDER BY t.position, t.name
  LOOP
    -- A task of an engine that is not installed yet is none.
    CONTINUE WHEN NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'nexus'::regnamespace AND p.proname = task.function_name
      AND p.pronargs = p.pronargdefaults);
    began := clock_timestamp();
    BEGIN
      EXECUTE format('SELECT to_jsonb(x) FROM nexus.%I() AS x', task.function_name) INTO outcome;
      INSERT INTO nexus.tick_runs AS r VALUES (task.name, began, clock_timestamp() - began, outcome, NULL)
        ON CONFLICT (name) DO UPDATE SET last_run_at = EXCLUDED.last_run_at, took = EXCLUDED.took, result = EXCLUDED.result, error = NULL;
      done := done || jsonb_build_object(task.name, outcome);
    EXCEPTION WHEN query_canceled OR admin_shutdown THEN
      RAISE;
    WHEN OTHERS THEN
      -- One task that fails holds none of the others up.
      INSERT INTO nexus.tick_runs AS r VALUES (task.name, began, clock_timestamp() - began, NULL, SQLERRM)
        ON CONFLICT (name) DO UPDATE SET last_run_at = EXCLUDED.last_run_at, took = EXCLUDED.took, error = EXCLUDED.error;
      done := done || jsonb_build_object(task.name, jsonb_build_object('error', SQLSTATE || ' ' || SQLERRM));
    END;
  END LOOP;
  RETURN done;
END $$;
COMMENT ON FUNCTION nexus.tick() IS
$$Runs the tasks of nexus.tick_tasks whose time has come and returns what each did, as an object by their names; a task that fails is undone alone and gives {"error": ...}.
A second call at the same time returns {"skipped": ...} at once. Call it every second or so where the background worker is not loaded.$$;

CREATE FUNCTION nexus.next_tick_at() RETURNS timestamptz LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  earliest timestamptz;
BEGIN
  SELECT min(COALESCE(r.last_run_at + t.every, clock_timestamp())) INTO earliest FROM nexus.tick_tasks t LEFT JOIN nexus.tick_runs r USING (name)
    WHERE t.every > interval '0' AND (EXISTS (SELECT FROM nexus.attachment) OR NOT t.needs_attachment)
      AND EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'nexus'::regnamespace AND p.proname = t.function_name);
  RETURN LEAST(earliest, (SELECT min(j.lease_until) FROM nexus.jobs j WHERE j.state = 'leased') + interval '1 ms');
END $$;
COMMENT ON FUNCTION nexus.next_tick_at() IS 'When tick() has something to do again: its next task, or the end of the next lease.';

INSERT INTO nexus.tick_tasks (name, function_name, every, needs_attachment, position) VALUES
  ('reap_leases', 'reap_leases', '0', false, 10),
  ('materialise', 'materialise_due', '1 s', true, 20),
  ('sweep', 'sweep_publishing', '5 s', true, 30),
  ('missed', 'expire_missed', '30 s', true, 40),
  ('settle', 'settle_schedules', '30 s', true, 50),
  ('tokens', 'watch_tokens', '1 minute', true, 60),
  ('hashtags_fold', 'fold_hashtag_stats', '5 s', false, 70),
  ('metrics_fold', 'fold_metrics', '10 s', true, 71),
  ('hashtag_suggestions', 'refresh_hashtag_suggestions', '1 hour', true, 80),
  ('purge_jobs', 'purge_jobs', '1 minute', false, 90),
  ('purge_notifications', 'purge_notifications', '10 minutes', true, 91);

DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'nexus'::pg_catalog.regnamespace AND p.proname IN (
      'sweep_publishing', 'materialise_due', 'expire_missed', 'settle_schedules', 'purge_notifications', 'due_without_job', 'tick', 'next_tick_at')
  LOOP
    EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    EXECUTE pg_catalog.format('ALTER FUNCTION %s SECURITY DEFINER', f);
  END LOOP;
END $$;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, r FROM pg_catalog.unnest(ARRAY['tick', 'next_tick_at', 'due_without_job']) AS f, pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;
