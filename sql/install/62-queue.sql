-- The queue: claim with a lease and a fencing token, heartbeat, complete, fail, snooze, cancel, redrive.
-- It runs in the name of the extension's owner; nexus_worker may call it, end users may not.
--
-- A job that is known by its id is asked for as state IN ('leased', ''): no index over leased jobs fits that. With
-- state = 'leased' the planner may read such an index as a whole, which looks cheap while the statistics know of no lease.

CREATE TYPE nexus.job AS (
  id bigint, kind text, lane text, ref_id integer, account_id integer, priority integer, attempts integer,
  max_attempts integer, run_at timestamptz, lease_until timestamptz, lease_token bigint, payload jsonb);

-- Lanes that are not claimed from at present.
CREATE TABLE nexus.paused_lanes (
  lane text PRIMARY KEY,
  reason text,
  paused_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
SELECT pg_catalog.pg_extension_config_dump('nexus.paused_lanes', '');

CREATE FUNCTION nexus.enqueue_job(
  kind text, ref_id integer DEFAULT NULL, lane text DEFAULT 'default', run_at timestamptz DEFAULT now(),
  priority integer DEFAULT 100, account_id integer DEFAULT NULL, unique_key text DEFAULT NULL, payload jsonb DEFAULT '{}',
  max_attempts integer DEFAULT 8)
  RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  made bigint;
  earliest timestamptz;
BEGIN
  IF enqueue_job.priority IS NULL OR enqueue_job.priority NOT BETWEEN 0 AND 32767 THEN
    RAISE EXCEPTION 'priority must be from 0 to 32767, not %', enqueue_job.priority
      USING ERRCODE = '22023', HINT = 'The smallest number goes first; the default is 100.';
  END IF;
  IF enqueue_job.max_attempts IS NULL OR enqueue_job.max_attempts < 1 THEN
    RAISE EXCEPTION 'max_attempts must be at least 1' USING ERRCODE = '22023';
  END IF;
  IF enqueue_job.run_at IS NULL OR NOT isfinite(enqueue_job.run_at) THEN
    RAISE EXCEPTION 'run_at must be a finite time' USING ERRCODE = '22023';
  END IF;
  IF length(enqueue_job.lane) NOT BETWEEN 1 AND 64 OR enqueue_job.lane IS NULL THEN
    RAISE EXCEPTION 'lane must have 1 to 64 characters' USING ERRCODE = '22023';
  END IF;
  SELECT j.run_at INTO earliest FROM nexus.jobs j
    WHERE j.state = 'ready' AND j.parked IS NULL AND j.lane = enqueue_job.lane AND j.priority = enqueue_job.priority
    ORDER BY j.run_at LIMIT 1;
  LOOP
    INSERT INTO nexus.jobs (kind, ref_id, lane, run_at, priority, account_id, unique_key, payload, max_attempts)
      VALUES (enqueue_job.kind, enqueue_job.ref_id, enqueue_job.lane, enqueue_job.run_at, enqueue_job.priority,
        enqueue_job.account_id, enqueue_job.unique_key, COALESCE(enqueue_job.payload, '{}'), enqueue_job.max_attempts)
      ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL AND state IN ('ready', 'leased') DO NOTHING
      RETURNING id INTO made;
    EXIT WHEN made IS NOT NULL;
    SELECT id INTO made FROM nexus.jobs j WHERE j.kind = enqueue_job.kind AND j.unique_key = enqueue_job.unique_key
      AND j.state IN ('ready', 'leased');
    IF made IS NOT NULL THEN
      RETURN made;
    END IF;    -- the other one ended between the two statements
  END LOOP;
  IF earliest IS NULL OR enqueue_job.run_at < earliest THEN
    PERFORM pg_notify('nexus_jobs', enqueue_job.lane);    -- equal ones of a transaction are sent once
  END IF;
  RETURN made;
END $$;
COMMENT ON FUNCTION nexus.enqueue_job(text, integer, text, timestamptz, integer, integer, text, jsonb, integer) IS
$$Puts a job on a lane and returns its id. With a unique_key the id of the open job of that kind and key comes back where there is one, unchanged.
kind is one of publish verify ai_task media token_refresh metrics_pull notify webhook materialise. 22023 for a priority outside 0 to 32767. A job that becomes the first of its lane and priority notifies the channel nexus_jobs with the lane's name.$$;

CREATE FUNCTION nexus.retry_delay(attempts integer) RETURNS interval LANGUAGE sql VOLATILE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  RETURN LEAST(5 * power(2.0, LEAST(GREATEST(attempts, 1), 20) - 1), 3600) * (0.75 + 0.5 * random()) * interval '1 second';
COMMENT ON FUNCTION nexus.retry_delay(integer) IS
  'How long a job waits after its attempts-th attempt: 5 s, doubled with each one up to an hour, give or take a quarter, so that jobs that failed together do not come back together.';

-- How many leases in a row may end without a word from their worker: a deployment or a machine that goes down is no fault
-- of the job, but one that takes its worker down each time must not do so for ever. A job of one attempt starts once.
CREATE FUNCTION nexus.max_lapses(max_attempts integer) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  RETURN 5 * (max_attempts - 1)::bigint;
COMMENT ON FUNCTION nexus.max_lapses(integer) IS
  'How many leases in a row a job survives whose workers go silent: five for each attempt after the first, so none for a job of one attempt.';

-- Jobs whose worker went silent: ready again, or dead when that has been so too often.
CREATE FUNCTION nexus.reap_leases(max_jobs integer DEFAULT 1000) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  due timestamptz := clock_timestamp();
  reaped bigint;
BEGIN
  WITH expired AS MATERIALIZED (
    SELECT j.id FROM nexus.jobs j WHERE j.state = 'leased' AND j.lease_until < due
    ORDER BY j.lease_until LIMIT max_jobs FOR UPDATE SKIP LOCKED)
  UPDATE nexus.jobs j SET
    state = CASE WHEN j.cancel_requested THEN 'cancelled' WHEN j.lapses >= nexus.max_lapses(j.max_attempts) THEN 'dead' ELSE 'ready' END,
    finished_at = CASE WHEN j.cancel_requested OR j.lapses >= nexus.max_lapses(j.max_attempts) THEN due END,
    attempts = j.attempts - 1, lapses = j.lapses + 1,
    run_at = CASE WHEN j.lapses < 3 THEN LEAST(j.run_at, due) ELSE due + nexus.retry_delay(j.lapses - 2) END,
    lease_token = NULL, lease_until = NULL,
    last_error = jsonb_build_object('class', 'transient', 'code', 'lease_expired',
      'message', 'the worker did not report before its lease ended', 'worker', j.worker, 'at', due)
  FROM expired WHERE j.id = expired.id;
  GET DIAGNOSTICS reaped = ROW_COUNT;
  RETURN reaped;
END $$;
COMMENT ON FUNCTION nexus.reap_leases(integer) IS
$$Takes back the jobs whose lease has ended: ready again, cancelled where that was asked for. Returns how many. claim_jobs does it too, so nothing depends on a background process.
It counts as a lapse, not as an attempt. From the fourth lapse in a row on the job comes back after a growing delay, and after five for each attempt that it has beyond the first (nexus.max_lapses) it is dead: a job of one attempt at once, which is how to ask for at most one start.$$;

CREATE FUNCTION nexus.claim_jobs(
  lanes text[] DEFAULT NULL, max_jobs integer DEFAULT 1, lease interval DEFAULT '30 s', worker text DEFAULT NULL,
  kinds text[] DEFAULT NULL)
  RETURNS SETOF nexus.job LANGUAGE c VOLATILE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'nexus_claim_jobs';
COMMENT ON FUNCTION nexus.claim_jobs(text[], integer, interval, text, text[]) IS
$$Leases up to max_jobs due jobs (1 to 10000) to a worker: of the named lanes in that order, or of all; the smallest priority first; within a priority fairly over accounts while more is due than is asked for, each session going round. kinds leaves other kinds where they are.
Each job carries a lease_token that completing or failing it must show; it is lost when the lease (1 second to 1 day) ends without a heartbeat. Jobs of an account or app whose rate bucket is empty move on to when it has refilled. READ COMMITTED only.$$;

-- Of the picked rows those that may run now; the others move on to when their bucket will have a token for them.
CREATE FUNCTION nexus.take_tokens(picked tid[], due timestamptz) RETURNS tid[] LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  bucket nexus.rate_buckets;
  allowed tid[] := picked;
  mine tid[];
  granted integer;
  refilled double precision;
BEGIN
  -- account:... sorts before app:..., and everybody locks in this order: the app's row is held shortest
  FOR bucket IN
    SELECT b.* FROM nexus.rate_buckets b WHERE b.scope IN (
      SELECT s.scope FROM nexus.jobs j CROSS JOIN LATERAL unnest(ARRAY['account:' || j.account_id, 'app:' || (j.payload ->> 'platform')]) AS s(scope)
      WHERE j.ctid = ANY (picked))
    ORDER BY b.scope FOR UPDATE
  LOOP
    SELECT array_agg(j.ctid ORDER BY j.run_at, j.id) INTO mine FROM nexus.jobs j
      WHERE j.ctid = ANY (allowed) AND bucket.scope IN ('account:' || j.account_id, 'app:' || (j.payload ->> 'platform'));
    CONTINUE WHEN mine IS NULL;
    refilled := LEAST(bucket.capacity,
      bucket.tokens + bucket.per_second * GREATEST(0, extract(epoch FROM clock_timestamp() - bucket.updated_at)::double precision));
    granted := CASE WHEN bucket.blocked_until > due THEN 0 ELSE LEAST(floor(refilled)::integer, cardinality(mine)) END;
    UPDATE nexus.rate_buckets b SET tokens = refilled - granted, updated_at = clock_timestamp() WHERE b.scope = bucket.scope;
    IF granted < cardinality(mine) THEN
      UPDATE nexus.jobs j SET run_at = GREATEST(COALESCE(bucket.blocked_until, due), due)
          + (u.n - granted) / bucket.per_second * interval '1 second'
        FROM unnest(mine) WITH ORDINALITY AS u(t, n) WHERE j.ctid = u.t AND u.n > granted;
      allowed := ARRAY(SELECT unnest(allowed) EXCEPT SELECT u.t FROM unnest(mine) WITH ORDINALITY AS u(t, n) WHERE u.n > granted);
    END IF;
  END LOOP;
  RETURN allowed;
END $$;
COMMENT ON FUNCTION nexus.take_tokens(tid[], timestamptz) IS 'Part of claim_jobs: takes one token of the account''s and one of the app''s bucket for each job.';

CREATE FUNCTION nexus.set_rate_limit(scope text, capacity double precision, per_second double precision) RETURNS void
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  IF set_rate_limit.scope !~ '^(account:[0-9]{1,10}|app:[a-z][a-z0-9_]{0,31})$' THEN
    RAISE EXCEPTION 'scope must be account:ID or app:PLATFORM' USING ERRCODE = '22023';
  END IF;
  IF set_rate_limit.capacity IS NULL OR set_rate_limit.per_second IS NULL THEN
    DELETE FROM nexus.rate_buckets b WHERE b.scope = set_rate_limit.scope;
    RETURN;
  END IF;
  IF set_rate_limit.capacity < 1 OR set_rate_limit.per_second <= 0 THEN
    RAISE EXCEPTION 'capacity must be at least 1 and per_second above 0' USING ERRCODE = '22023';
  END IF;
  INSERT INTO nexus.rate_buckets AS b (scope, capacity, per_second, tokens)
    VALUES (set_rate_limit.scope, set_rate_limit.capacity, set_rate_limit.per_second, set_rate_limit.capacity)
    ON CONFLICT (scope) DO UPDATE SET capacity = EXCLUDED.capacity, per_second = EXCLUDED.per_second,
      tokens = LEAST(b.tokens, EXCLUDED.capacity);
END $$;
COMMENT ON FUNCTION nexus.set_rate_limit(text, double precision, double precision) IS
  'Limits how often jobs of an account (account:ID) or of a platform''s app (app:PLATFORM, as payload.platform says) are handed out: a bucket of capacity tokens, refilled at per_second. NULL lifts the limit.';

CREATE FUNCTION nexus.heartbeat_jobs(ids bigint[], lease_tokens bigint[], lease interval DEFAULT '30 s')
  RETURNS TABLE (id bigint, alive boolean, cancel_requested boolean) LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 10
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
  IF cardinality(ids) IS DISTINCT FROM cardinality(lease_tokens) THEN
    RAISE EXCEPTION 'ids and lease_tokens must have the same length' USING ERRCODE = '22023';
  END IF;
  IF lease IS NULL OR lease < interval '1 s' OR lease > interval '1 day' THEN
    RAISE EXCEPTION 'lease must be from one second to one day' USING ERRCODE = '22023';
  END IF;
  RETURN QUERY WITH asked AS MATERIALIZED (
      SELECT u.id, u.token FROM unnest(ids, lease_tokens) AS u(id, token)),
    locked AS MATERIALIZED (
      SELECT j.id FROM asked JOIN nexus.jobs j ON j.id = asked.id AND j.lease_token = asked.token AND j.state IN ('leased', '')
      ORDER BY j.id FOR UPDATE OF j),    -- in one order: two heartbeats cannot wait for each other
    extended AS (
      UPDATE nexus.jobs j SET lease_until = clock_timestamp() + lease FROM locked
      WHERE j.id = locked.id RETURNING j.id, j.lease_token, j.cancel_requested)
    SELECT asked.id, e.id IS NOT NULL, COALESCE(e.cancel_requested, false)
    FROM asked LEFT JOIN extended e ON e.id = asked.id AND e.lease_token = asked.token;
END $$;
COMMENT ON FUNCTION nexus.heartbeat_jobs(bigint[], bigint[], interval) IS
  'Renews leases, from now on. alive is false where the token no longer holds the job: stop working on it. cancel_requested asks the worker to stop and report.';

CREATE FUNCTION nexus.complete_jobs(ids bigint[], lease_tokens bigint[]) RETURNS SETOF bigint
  LANGUAGE c VOLATILE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'nexus_complete_jobs';
COMMENT ON FUNCTION nexus.complete_jobs(bigint[], bigint[]) IS
  'Completes jobs in one statement and returns those it completed; a job whose lease was lost is left out, and its new owner goes on with it.';

-- The job that a token holds, locked; NX020 where it no longer does.
CREATE FUNCTION nexus.leased_job(id bigint, lease_token bigint) RETURNS nexus.jobs LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  job nexus.jobs;
BEGIN
  SELECT * INTO job FROM nexus.jobs j
    WHERE j.id = leased_job.id AND j.lease_token = leased_job.lease_token AND j.state IN ('leased', '') FOR UPDATE;
  IF job.id IS NULL THEN
    RAISE EXCEPTION 'the lease of job % is lost', leased_job.id
      USING ERRCODE = 'NX020', HINT = 'Stop working on it: another worker has it, or it has ended.';
  END IF;
  RETURN job;
END $$;
COMMENT ON FUNCTION nexus.leased_job(bigint, bigint) IS 'Part of the queue: the job that a lease token holds, locked for the transaction.';

CREATE FUNCTION nexus.complete_job(id bigint, lease_token bigint, result jsonb DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  UPDATE nexus.jobs j SET state = 'done', finished_at = clock_timestamp(), lease_token = NULL, lease_until = NULL,
      result = complete_job.result
    WHERE j.id = complete_job.id AND j.lease_token = complete_job.lease_token AND j.state IN ('leased', '');
  IF NOT FOUND THEN
    PERFORM nexus.leased_job(complete_job.id, complete_job.lease_token);
  END IF;
END $$;
COMMENT ON FUNCTION nexus.complete_job(bigint, bigint, jsonb) IS
  'Ends a job with its result; NX020 when the lease is lost, and nothing is written then.';

CREATE FUNCTION nexus.fail_job(id bigint, lease_token bigint, class text, message text, retry_after interval DEFAULT NULL)
  RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  job nexus.jobs;
  next_state text := 'ready';
  counts boolean := true;
  wait interval;
  park text;
  ended timestamptz := clock_timestamp();
BEGIN
  IF class IS NULL OR class NOT IN ('transient', 'rate_limited', 'auth', 'invalid', 'media', 'unknown_outcome') THEN
    RAISE EXCEPTION '%', format('"%s" is no class of failure', left(class, 60)) USING ERRCODE = '22023',
      HINT = 'It is one of transient, rate_limited, auth, invalid, media, unknown_outcome.';
  END IF;
  IF retry_after < interval '0' OR retry_after > interval '30 days' THEN
    RAISE EXCEPTION 'retry_after must be from 0 to 30 days' USING ERRCODE = '22023';
  END IF;
  job := nexus.leased_job(fail_job.id, fail_job.lease_token);
  CASE class
    WHEN 'invalid', 'media' THEN
      next_state := 'dead';
    WHEN 'rate_limited' THEN
      counts := false;
      wait := COALESCE(retry_after, interval '1 minute') * (1 + 0.1 * random());
      UPDATE nexus.rate_buckets b SET blocked_until = GREATEST(b.blocked_until, ended + retry_after), failures = b.failures + 1
        WHERE b.scope = 'account:' || job.account_id;
    WHEN 'auth' THEN
      counts := job.account_id IS NULL;
      park := CASE WHEN job.account_id IS NOT NULL THEN 'account' END;
      wait := nexus.retry_delay(job.attempts);
      -- tokens that cannot be renewed end here: whoever connects the account again brings new ones
      next_state := CASE job.kind WHEN 'token_refresh' THEN 'dead' ELSE 'ready' END;
    WHEN 'unknown_outcome' THEN
      wait := GREATEST(COALESCE(retry_after, nexus.retry_delay(job.attempts)), interval '5 s');    -- a platform may show a post late
    ELSE
      wait := COALESCE(retry_after, nexus.retry_delay(job.attempts));
  END CASE;
  IF job.cancel_requested THEN
    next_state := 'cancelled';
  ELSIF counts AND job.attempts >= job.max_attempts THEN
    next_state := 'dead';
  END IF;
  UPDATE nexus.jobs j SET state = next_state, lease_token = NULL, lease_until = NULL,
      attempts = j.attempts - (NOT counts)::integer, lapses = 0, parked = CASE WHEN next_state = 'ready' THEN park END,
      run_at = CASE WHEN next_state = 'ready' THEN ended + wait ELSE j.run_at END,
      finished_at = CASE WHEN next_state <> 'ready' THEN ended END,
      last_error = jsonb_build_object('class', class, 'message', left(fail_job.message, 2000), 'worker', j.worker, 'at', ended)
    WHERE j.id = job.id;
  IF park IS NOT NULL THEN
    PERFORM nexus.expire_account(job.account_id, fail_job.message);
  ELSIF next_state = 'ready' AND job.kind = 'publish' THEN
    PERFORM nexus.park_publish_job(job.id);
  END IF;
  RETURN next_state;
END $$;
COMMENT ON FUNCTION nexus.fail_job(bigint, bigint, text, text, interval) IS
$$Ends an attempt that failed and returns the job's new state. By class: transient and unknown_outcome come back after a growing delay (unknown_outcome after 5 s at least), rate_limited after retry_after and without counting the attempt, auth parks the job (one of kind token_refresh is dead) and marks its account expired, invalid and media are dead at once.
The last attempt makes it dead; redrive_job brings it back. NX020 when the lease is lost.$$;

-- A publish job that is given back may belong to a post that has been held back meanwhile.
CREATE FUNCTION nexus.park_publish_job(id bigint) RETURNS void LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM nexus.attachment) THEN
    UPDATE nexus.jobs j SET parked = h.hold FROM nexus.publish_holds(ARRAY[(SELECT q.ref_id FROM nexus.jobs q WHERE q.id = park_publish_job.id)]) h
      WHERE j.id = park_publish_job.id AND j.state = 'ready' AND h.status = 'scheduled';
  END IF;
END $$;
COMMENT ON FUNCTION nexus.park_publish_job(bigint) IS 'Part of snooze_job and fail_job: a publish job whose post may not go out waits parked.';

CREATE FUNCTION nexus.expire_account(account_id integer, message text) RETURNS void LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached name := (SELECT schema_name FROM nexus.attachment);
BEGIN
  IF attached IS NOT NULL THEN
    EXECUTE format('UPDATE %I.social_accounts SET status = ''expired'', status_reason = $2 WHERE id = $1 AND status = ''active''', attached)
      USING account_id, left(message, 500);
  END IF;
END $$;
COMMENT ON FUNCTION nexus.expire_account(integer, text) IS 'Part of fail_job: the platform no longer takes the account''s tokens.';

CREATE FUNCTION nexus.snooze_job(id bigint, lease_token bigint, until timestamptz) RETURNS void
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  job nexus.jobs;
BEGIN
  IF until IS NULL OR NOT isfinite(until) THEN
    RAISE EXCEPTION 'until must be a finite time' USING ERRCODE = '22023';
  END IF;
  job := nexus.leased_job(snooze_job.id, snooze_job.lease_token);
  UPDATE nexus.jobs j SET state = CASE WHEN j.cancel_requested THEN 'cancelled' ELSE 'ready' END, run_at = until,
      attempts = j.attempts - 1, lapses = 0, lease_token = NULL, lease_until = NULL,
      finished_at = CASE WHEN j.cancel_requested THEN clock_timestamp() END
    WHERE j.id = job.id;
  IF job.kind = 'publish' THEN
    PERFORM nexus.park_publish_job(job.id);
  END IF;
END $$;
COMMENT ON FUNCTION nexus.snooze_job(bigint, bigint, timestamptz) IS
  'Gives a leased job back until a later time; the attempt does not count. NX020 when the lease is lost.';

CREATE FUNCTION nexus.cancel_job(id bigint) RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  new_state text;
BEGIN
  UPDATE nexus.jobs j SET state = CASE j.state WHEN 'ready' THEN 'cancelled' ELSE j.state END,
      cancel_requested = true, finished_at = CASE j.state WHEN 'ready' THEN clock_timestamp() END
    WHERE j.id = cancel_job.id AND j.state IN ('ready', 'leased') RETURNING j.state INTO new_state;
  RETURN COALESCE(new_state, (SELECT j.state FROM nexus.jobs j WHERE j.id = cancel_job.id));
END $$;
COMMENT ON FUNCTION nexus.cancel_job(bigint) IS
  'Cancels a job that waits; one that is running learns it by its next heartbeat. Returns the job''s state, NULL for a job that is not there; a job that has ended stays as it is.';

CREATE FUNCTION nexus.redrive_job(id bigint) RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  new_state text;
  earlier jsonb;
BEGIN
  UPDATE nexus.jobs j SET state = 'ready', run_at = clock_timestamp(), attempts = 0, lapses = 0, finished_at = NULL, cancel_requested = false
    WHERE j.id = redrive_job.id AND j.state = 'dead' RETURNING j.state INTO new_state;
  IF new_state IS NULL THEN
    RAISE EXCEPTION 'job % is not dead', redrive_job.id USING ERRCODE = 'NX002', HINT = 'Only a dead job can be driven again.';
  END IF;
  RETURN new_state;
EXCEPTION WHEN unique_violation THEN
  RAISE EXCEPTION 'another job with the key of job % is open', redrive_job.id
    USING ERRCODE = '23505', HINT = 'That one does the work already.';
END $$;
COMMENT ON FUNCTION nexus.redrive_job(bigint) IS
  'A dead job becomes ready with all its attempts anew: NX002 for a job in another state, 23505 where its unique key has an open job already.';

CREATE FUNCTION nexus.pause_lane(lane text, reason text DEFAULT NULL) RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  INSERT INTO nexus.paused_lanes (lane, reason) VALUES (pause_lane.lane, pause_lane.reason) ON CONFLICT DO NOTHING;
END;
COMMENT ON FUNCTION nexus.pause_lane(text, text) IS 'No job of the lane is claimed until resume_lane; running ones go on.';

CREATE FUNCTION nexus.resume_lane(lane text) RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  DELETE FROM nexus.paused_lanes p WHERE p.lane = resume_lane.lane;
END;
COMMENT ON FUNCTION nexus.resume_lane(text) IS 'Takes back pause_lane.';

CREATE FUNCTION nexus.next_job_at(lanes text[] DEFAULT NULL) RETURNS timestamptz LANGUAGE plpgsql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  earliest timestamptz := (SELECT min(lease_until) FROM nexus.jobs WHERE state = 'leased');
  one_lane text := '';
  level integer;
  at timestamptz;
BEGIN
  FOR n IN 1 .. COALESCE(cardinality(lanes), 1000) LOOP
    IF lanes IS NOT NULL THEN
      one_lane := lanes[n];
    ELSE
      SELECT j.lane INTO one_lane FROM nexus.jobs j WHERE j.state = 'ready' AND j.parked IS NULL AND j.lane > one_lane ORDER BY j.lane LIMIT 1;
      EXIT WHEN one_lane IS NULL;
    END IF;
    CONTINUE WHEN EXISTS (SELECT FROM nexus.paused_lanes p WHERE p.lane = one_lane);
    level := -1;
    LOOP
      SELECT j.priority, j.run_at INTO level, at FROM nexus.jobs j
        WHERE j.state = 'ready' AND j.parked IS NULL AND j.lane = one_lane AND j.priority > level
        ORDER BY j.priority, j.run_at LIMIT 1;
      EXIT WHEN level IS NULL;
      earliest := LEAST(earliest, at);
    END LOOP;
  END LOOP;
  RETURN earliest;
END $$;
COMMENT ON FUNCTION nexus.next_job_at(text[]) IS
  'When the next job of these lanes (NULL: of all) becomes due or the next lease ends, whichever is first; a worker sleeps until then or until the channel nexus_jobs speaks. NULL when there is nothing.';

CREATE FUNCTION nexus.purge_jobs(
  done_after interval DEFAULT '7 days', dead_after interval DEFAULT '90 days', max_jobs integer DEFAULT 10000)
  RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  purged bigint;
BEGIN
  WITH old AS MATERIALIZED (
    SELECT j.id FROM nexus.jobs j WHERE j.state IN ('done', 'dead', 'cancelled')
      AND j.finished_at < clock_timestamp() - CASE j.state WHEN 'dead' THEN dead_after ELSE done_after END
      AND j.finished_at < clock_timestamp() - LEAST(done_after, dead_after)
    ORDER BY j.finished_at LIMIT max_jobs FOR UPDATE SKIP LOCKED)
  DELETE FROM nexus.jobs j USING old WHERE j.id = old.id;
  GET DIAGNOSTICS purged = ROW_COUNT;
  RETURN purged;
END $$;
COMMENT ON FUNCTION nexus.purge_jobs(interval, interval, integer) IS
  'Deletes jobs that ended long ago, and no others: done and cancelled ones after done_after, dead ones after dead_after, at most max_jobs at a time. Returns how many.';

-- What an operator asks first.
CREATE VIEW nexus.queue_lanes AS
  SELECT lane, count(*) FILTER (WHERE state = 'ready' AND parked IS NULL AND run_at <= now()) AS due,
    count(*) FILTER (WHERE state = 'ready' AND parked IS NULL AND run_at > now()) AS waiting,
    count(*) FILTER (WHERE state = 'ready' AND parked IS NOT NULL) AS parked,
    count(*) FILTER (WHERE state = 'leased') AS leased,
    now() - min(run_at) FILTER (WHERE state = 'ready' AND parked IS NULL AND run_at <= now()) AS oldest_due_age,
    EXISTS (SELECT FROM nexus.paused_lanes p WHERE p.lane = j.lane) AS is_paused
  FROM nexus.jobs j WHERE state IN ('ready', 'leased') GROUP BY lane;
COMMENT ON VIEW nexus.queue_lanes IS 'Each lane''s open jobs, and for how long the oldest due one has waited.';

CREATE VIEW nexus.dead_jobs AS
  SELECT id, kind, lane, ref_id, account_id, attempts, lapses, finished_at, last_error FROM nexus.jobs WHERE state = 'dead';
COMMENT ON VIEW nexus.dead_jobs IS 'Jobs that were given up, with their last error; redrive_job brings one back.';

CREATE VIEW nexus.leases AS
  SELECT id, kind, lane, ref_id, account_id, worker, attempts, lease_until, lease_until - now() AS remaining, cancel_requested
  FROM nexus.jobs WHERE state = 'leased';
COMMENT ON VIEW nexus.leases IS 'Jobs at work, by whom and for how long still; a negative remainder awaits the next reap.';

DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'nexus'::pg_catalog.regnamespace AND p.proname IN (
      'enqueue_job', 'reap_leases', 'claim_jobs', 'take_tokens', 'set_rate_limit', 'heartbeat_jobs', 'complete_jobs',
      'leased_job', 'complete_job', 'fail_job', 'park_publish_job', 'expire_account', 'snooze_job', 'cancel_job', 'redrive_job', 'pause_lane',
      'resume_lane', 'next_job_at', 'purge_jobs')
  LOOP
    EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, r FROM pg_catalog.unnest(ARRAY['enqueue_job', 'reap_leases', 'claim_jobs', 'set_rate_limit', 'heartbeat_jobs', 'complete_jobs',
  'complete_job', 'fail_job', 'snooze_job', 'cancel_job', 'redrive_job', 'pause_lane', 'resume_lane', 'next_job_at', 'purge_jobs']) AS f,
  pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;
INSERT INTO nexus.attached_views (view_name, role_name)
SELECT v, r FROM pg_catalog.unnest(ARRAY['queue_lanes', 'dead_jobs', 'leases']) AS v, pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;
