-- Publishing: every scheduled platform post has its job, every attempt is written before it begins, and no outcome is
-- guessed. A worker claims from the lane publish, reads the task, verifies what an earlier worker left open, begins,
-- sends and finishes; each step is fenced by its lease. Everybody locks in this order: schedule, platform post, social
-- post, account, job.

CREATE INDEX publish_attempts_open ON nexus.publish_attempts (platform_post_id) WHERE ended_at IS NULL;

CREATE FUNCTION nexus.publish_hold(
  paused_at timestamp, review_state text, cancelled_at timestamp, deleted_at timestamp, account_active boolean,
  account_status text, schedule_status text, parent_id integer, parent_status text)
  RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  RETURN CASE
    WHEN cancelled_at IS NOT NULL OR deleted_at IS NOT NULL THEN 'post cancelled'
    WHEN paused_at IS NOT NULL THEN 'post paused'
    WHEN review_state IN ('pending', 'rejected') THEN 'review ' || review_state
    WHEN account_active IS FALSE THEN 'account inactive'
    WHEN account_status <> 'active' THEN 'account ' || account_status
    WHEN schedule_status = 'paused' THEN 'schedule paused'
    WHEN parent_id IS NOT NULL AND parent_status IS DISTINCT FROM 'published' THEN 'thread parent not published'
  END;
COMMENT ON FUNCTION nexus.publish_hold(timestamp, text, timestamp, timestamp, boolean, text, text, integer, text) IS
  'Why a scheduled platform post may not go out now, from its social post, account, schedule and thread parent; NULL when it may.';

CREATE FUNCTION nexus.publish_holds(platform_post_ids integer[])
  RETURNS TABLE (platform_post_id integer, status text, account_id integer, platform text, run_at timestamptz, hold text, max_attempts integer)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
  RETURN QUERY EXECUTE format($sql$
    SELECT pp.id, pp.status::text, pp.account_id, pp.platform::text, COALESCE(pp.next_attempt_at, pp.scheduled_at) AT TIME ZONE 'UTC',
      CASE WHEN p.cancelled_at IS NOT NULL OR p.deleted_at IS NOT NULL OR p.paused_at IS NOT NULL OR p.review_state <> 'none'
          OR a.is_active IS FALSE OR a.status <> 'active' OR s.status = 'paused' OR pp.thread_parent_id IS NOT NULL
        THEN nexus.publish_hold(p.paused_at, p.review_state::text, p.cancelled_at, p.deleted_at, a.is_active, a.status::text, s.status::text,
          pp.thread_parent_id, (SELECT t.status::text FROM %1$I.platform_posts t WHERE t.id = pp.thread_parent_id))
        WHEN EXISTS (SELECT FROM %1$I.post_media m WHERE m.social_post_id = p.id AND m.status NOT IN ('ready', 'deleted')) AND pp.thread_position = 0
        THEN 'media not ready' END,
      COALESCE(s.max_retries, 5) + 1
    FROM unnest($1) AS u(id) JOIN %1$I.platform_posts pp ON pp.id = u.id JOIN %1$I.social_posts p ON p.id = pp.social_post_id
    JOIN %1$I.social_accounts a ON a.id = pp.account_id LEFT JOIN %1$I.post_schedules s ON s.id = pp.schedule_id
  $sql$, nexus.attached_schema()) USING platform_post_ids;
END $$;
COMMENT ON FUNCTION nexus.publish_holds(integer[]) IS 'Part of publishing: what the jobs of these platform posts must look like.';

CREATE FUNCTION nexus.sync_publish_jobs(platform_post_ids integer[], fresh boolean DEFAULT false) RETURNS bigint
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
  changed bigint := 0;
  made bigint;
BEGIN
  IF NOT fresh THEN
    WITH open AS MATERIALIZED (
      -- what has been sent already, perhaps, is looked up whatever holds the post back, but not with an account that cannot
      SELECT j.id AS job_id, w.status, w.account_id, w.run_at,
        CASE WHEN w.status = 'scheduled' OR w.hold LIKE 'account %' THEN w.hold END AS hold, w.hold IS NOT DISTINCT FROM 'post cancelled' AS is_cancelled
      FROM nexus.publish_holds(platform_post_ids) w
      JOIN nexus.jobs j ON j.kind = 'publish' AND j.unique_key = 'platform_post:' || w.platform_post_id AND j.state IN ('ready', 'leased')
      ORDER BY j.id FOR UPDATE OF j)
    UPDATE nexus.jobs j SET
      run_at = CASE WHEN j.state = 'ready' AND o.status = 'scheduled' THEN o.run_at ELSE j.run_at END,
      parked = CASE WHEN j.state = 'ready' THEN o.hold ELSE j.parked END,
      account_id = o.account_id,
      cancel_requested = j.cancel_requested OR o.status IN ('draft', 'cancelled') OR j.state = 'leased' AND o.is_cancelled,
      finished_at = CASE WHEN j.state = 'ready' AND o.status NOT IN ('scheduled', 'publishing') THEN clock_timestamp() END,
      state = CASE WHEN j.state = 'ready' AND o.status NOT IN ('scheduled', 'publishing') THEN 'cancelled' ELSE j.state END
    FROM open o WHERE j.id = o.job_id AND CASE j.state
      WHEN 'ready' THEN o.status NOT IN ('scheduled', 'publishing')
        OR (j.parked, j.account_id) IS DISTINCT FROM (o.hold, o.account_id) OR o.status = 'scheduled' AND j.run_at IS DISTINCT FROM o.run_at
      ELSE (o.status IN ('draft', 'cancelled') OR o.is_cancelled) AND NOT j.cancel_requested END;
    GET DIAGNOSTICS changed = ROW_COUNT;
  END IF;
  INSERT INTO nexus.jobs (kind, ref_id, lane, account_id, run_at, parked, unique_key, payload, max_attempts)
    SELECT 'publish', w.platform_post_id, 'publish', w.account_id, w.run_at, w.hold, 'platform_post:' || w.platform_post_id,
      jsonb_build_object('platform', w.platform), w.max_attempts
    FROM nexus.publish_holds(platform_post_ids) w WHERE w.status = 'scheduled' ORDER BY w.platform_post_id
    ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL AND state IN ('ready', 'leased') DO NOTHING;
  GET DIAGNOSTICS made = ROW_COUNT;
  IF changed + made > 0 THEN
    PERFORM pg_notify('nexus_jobs', 'publish');
  END IF;
  RETURN made;
END $$;
COMMENT ON FUNCTION nexus.sync_publish_jobs(integer[], boolean) IS
  'Brings the publish jobs of these platform posts in line with them: a scheduled one has an open job at its time, parked with the reason while it may not go out; of the others none waits. Returns how many jobs were made.';

CREATE FUNCTION nexus.publish_jobs_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  touched integer[];
  children integer[];
BEGIN
  IF nexus.is_importing() THEN
    RETURN NULL;    -- the sweep finds what is due
  END IF;
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(id) INTO touched FROM new_rows WHERE status = 'scheduled';
  ELSE
    SELECT array_agg(n.id), array_agg(n.id) FILTER (WHERE n.status <> o.status AND n.status IN ('published', 'failed', 'cancelled'))
      INTO touched, children FROM new_rows n JOIN old_rows o USING (id)
      WHERE (n.status, n.scheduled_at, n.next_attempt_at, n.account_id, n.thread_parent_id)
        IS DISTINCT FROM (o.status, o.scheduled_at, o.next_attempt_at, o.account_id, o.thread_parent_id);
    IF children IS NOT NULL THEN
      -- No reply without what it replies to; a retry of the parent brings its children back with it.
      EXECUTE format($sql$
        UPDATE %1$I.platform_posts c SET status = 'cancelled', error_class = 'cancelled',
            error_code = 'parent_failed', error_message = 'the post it replies to was not published'
          FROM %1$I.platform_posts p WHERE c.thread_parent_id = p.id AND p.id = ANY ($1) AND p.status IN ('failed', 'cancelled')
          AND c.status IN ('draft', 'scheduled')
      $sql$, TG_TABLE_SCHEMA) USING children;
      EXECUTE format('SELECT $2 || array_agg(c.id) FROM %I.platform_posts c WHERE c.thread_parent_id = ANY ($1) AND c.status = ''scheduled''',
        TG_TABLE_SCHEMA) INTO children USING children, touched;
      touched := COALESCE(children, touched);
    END IF;
  END IF;
  IF touched IS NOT NULL THEN
    PERFORM nexus.sync_publish_jobs(touched, TG_OP = 'INSERT');
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.publish_jobs_trigger() IS
  'Whoever writes platform posts, their jobs follow. Of a thread the children wait for their parent, and are cancelled when it fails.';

CREATE FUNCTION nexus.publish_jobs_hold_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  touched integer[];
BEGIN
  EXECUTE format('SELECT array_agg(id) FROM %I.platform_posts WHERE %I = $1 AND status IN (''scheduled'', ''publishing'')', TG_TABLE_SCHEMA,
    CASE TG_TABLE_NAME WHEN 'social_accounts' THEN 'account_id' WHEN 'post_schedules' THEN 'schedule_id' ELSE 'social_post_id' END) INTO touched USING NEW.id;
  IF touched IS NOT NULL THEN
    PERFORM nexus.sync_publish_jobs(touched);
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.publish_jobs_hold_trigger() IS
  'A post that is paused, in review or deleted, or an account that cannot publish, parks its jobs; the way back lets them go.';

CREATE FUNCTION nexus.delete_jobs_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
BEGIN
  UPDATE nexus.jobs j SET cancel_requested = true, state = CASE j.state WHEN 'ready' THEN 'cancelled' ELSE j.state END,
      finished_at = CASE j.state WHEN 'ready' THEN clock_timestamp() END
    FROM old_rows o WHERE j.kind = 'publish' AND j.unique_key = 'platform_post:' || o.id AND j.state IN ('ready', 'leased');
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.delete_jobs_trigger() IS 'The jobs of a platform post end with it.';

CREATE FUNCTION nexus.publish_payload(platform_post_id integer) RETURNS jsonb LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  payload jsonb;
BEGIN
  EXECUTE format($sql$
    SELECT jsonb_build_object('platform', pp.platform, 'account_id', pp.account_id, 'title', p.title, 'content_type', p.content_type,
      'caption', COALESCE(pp.caption, p.caption), 'hashtags', to_jsonb(COALESCE(pp.hashtags, p.hashtags, '{}')),
      'emojis', to_jsonb(COALESCE(pp.emojis, p.emojis, '{}')), 'metadata', COALESCE(pp.metadata, '{}'),
      'media', COALESCE((SELECT jsonb_agg(jsonb_build_object('id', m.id, 'media_type', m.media_type, 'media_url', m.media_url,
          'mime_type', m.mime_type, 'alt_text', m.alt_text, 'storage_key', m.storage_key, 'sha256', encode(m.sha256, 'hex'),
          'dimensions', m.dimensions, 'duration', m.duration) ORDER BY m.position, m.id)
        FROM %1$I.post_media m WHERE m.social_post_id = p.id AND m.status <> 'deleted' AND pp.thread_position = 0), '[]'))
    FROM %1$I.platform_posts pp JOIN %1$I.social_posts p ON p.id = pp.social_post_id WHERE pp.id = $1
  $sql$, nexus.attached_schema()) INTO payload USING platform_post_id;
  RETURN payload;
END $$;
COMMENT ON FUNCTION nexus.publish_payload(integer) IS
  'What a platform post will say: its own caption, hashtags and emojis where it has them, else those of its social post, and the media. NULL for one that is not there or not the caller''s.';

CREATE FUNCTION nexus.payload_sha256(payload jsonb) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  RETURN sha256(convert_to((payload - 'metadata')::text, 'UTF8'));
COMMENT ON FUNCTION nexus.payload_sha256(jsonb) IS 'The fingerprint of a payload, as in platform_posts.payload_sha256.';

-- The live publish job of a platform post that a token holds; the rows it belongs to are locked first, in the one order.
CREATE FUNCTION nexus.publish_job(platform_post_id integer, lease_token bigint) RETURNS nexus.jobs LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  job nexus.jobs;
  attached constant name := nexus.attached_schema();
BEGIN
  EXECUTE format('SELECT FROM %1$I.post_schedules WHERE id = (SELECT schedule_id FROM %1$I.platform_posts WHERE id = $1) FOR NO KEY UPDATE',
    attached) USING platform_post_id;
  EXECUTE format('SELECT FROM %I.platform_posts WHERE id = $1 FOR NO KEY UPDATE', attached) USING platform_post_id;
  EXECUTE format('SELECT FROM %1$I.social_posts WHERE id = (SELECT social_post_id FROM %1$I.platform_posts WHERE id = $1) FOR NO KEY UPDATE',
    attached) USING platform_post_id;
  EXECUTE format('SELECT FROM %1$I.social_accounts WHERE id = (SELECT account_id FROM %1$I.platform_posts WHERE id = $1) FOR NO KEY UPDATE',
    attached) USING platform_post_id;
  SELECT * INTO job FROM nexus.jobs j WHERE j.kind = 'publish' AND j.unique_key = 'platform_post:' || publish_job.platform_post_id
    AND j.state IN ('ready', 'leased') AND j.lease_token = publish_job.lease_token AND j.ref_id = publish_job.platform_post_id
    AND j.lease_until > clock_timestamp() FOR UPDATE;
  IF job.id IS NULL THEN
    RAISE EXCEPTION 'the lease on platform post % is lost', platform_post_id
      USING ERRCODE = 'NX020', HINT = 'Do nothing more: its next owner verifies what was sent.';
  END IF;
  RETURN job;
END $$;
COMMENT ON FUNCTION nexus.publish_job(integer, bigint) IS 'Part of publishing: the live job of a platform post that a lease token holds, all locked.';

CREATE FUNCTION nexus.publish_task(job_id bigint, lease_token bigint) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  post integer;
  task jsonb;
BEGIN
  SELECT j.ref_id INTO post FROM nexus.jobs j WHERE j.id = job_id AND j.lease_token = publish_task.lease_token
    AND j.state IN ('leased', '') AND j.kind = 'publish';
  IF post IS NULL THEN
    RAISE EXCEPTION 'the lease of job % is lost', job_id USING ERRCODE = 'NX020', HINT = 'Claim again.';
  END IF;
  EXECUTE format($sql$
    SELECT jsonb_build_object('platform_post_id', pp.id, 'social_post_id', pp.social_post_id, 'status', pp.status,
      'idempotency_key', pp.idempotency_key, 'due_at', to_char(pp.scheduled_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'payload', nexus.publish_payload(pp.id),
      'account', jsonb_build_object('id', a.id, 'account_id', a.account_id, 'handle', a.handle, 'instance_url', a.instance_url,
        'access_token', a.access_token, 'refresh_token', a.refresh_token, 'token_version', a.token_version,
        'token_expiry', a.token_expiry, 'metadata', a.metadata, 'provider', nexus.oauth_provider(a.platform, a.instance_url)),
      'reply_to', (SELECT jsonb_build_object('parent_id', t.platform_post_id, 'parent_url', t.platform_url, 'metadata', t.metadata)
        FROM %1$I.platform_posts t WHERE t.id = pp.thread_parent_id),
      'verify', (SELECT jsonb_build_object('attempt', x.attempt, 'remote_key', x.remote_key, 'started_at', x.started_at)
        FROM nexus.publish_attempts x WHERE x.platform_post_id = pp.id AND x.ended_at IS NULL))
    FROM %1$I.platform_posts pp JOIN %1$I.social_accounts a ON a.id = pp.account_id WHERE pp.id = $1
  $sql$, nexus.attached_schema()) INTO task USING post;
  RETURN task;
END $$;
COMMENT ON FUNCTION nexus.publish_task(bigint, bigint) IS
$$All that a worker needs to publish the post of a leased job: payload, account with its sealed tokens, idempotency_key, due_at, reply_to in a thread. Where verify is not null an earlier attempt is open: look it up on the platform and finish_publish it as verified_present, verified_absent or unknown before begin_publish.
NULL when the post is gone; NX020 when the lease is lost.$$;

CREATE FUNCTION nexus.begin_publish(platform_post_id integer, job_id bigint, lease_token bigint) RETURNS integer
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  attached constant name := nexus.attached_schema();
  job nexus.jobs := nexus.publish_job(begin_publish.platform_post_id, begin_publish.lease_token);
  post record;
  held text;
  open_attempt integer;
  next_attempt integer;
BEGIN
  IF job.id IS DISTINCT FROM job_id THEN
    RAISE EXCEPTION 'the lease token is not that of job %', job_id USING ERRCODE = 'NX020';
  END IF;
  -- What follows is sent only if this is on disk first, whatever the session's setting.
  PERFORM set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true);
  SELECT a.attempt INTO open_attempt FROM nexus.publish_attempts a
    WHERE a.platform_post_id = begin_publish.platform_post_id AND a.ended_at IS NULL;
  IF open_attempt IS NOT NULL THEN
    RAISE EXCEPTION 'attempt % of platform post % is open', open_attempt, begin_publish.platform_post_id
      USING ERRCODE = '55000', HINT = 'Look on the platform whether it arrived, and finish_publish that attempt first.';
  END IF;
  EXECUTE format('SELECT status, idempotency_key, schedule_id FROM %I.platform_posts WHERE id = $1', attached) INTO post USING begin_publish.platform_post_id;
  SELECT h.hold INTO held FROM nexus.publish_holds(ARRAY[begin_publish.platform_post_id]) h;
  IF held IS NOT NULL OR job.cancel_requested THEN
    RAISE EXCEPTION 'platform post % may not go out: %', begin_publish.platform_post_id, COALESCE(held, 'cancelled')
      USING ERRCODE = '55000', HINT = 'Give the job back with snooze_job; it waits until this has changed.';
  END IF;
  IF post.status IS DISTINCT FROM 'scheduled' THEN
    RAISE EXCEPTION 'platform post % is %, not scheduled', begin_publish.platform_post_id, COALESCE(post.status, 'gone')
      USING ERRCODE = 'NX002', HINT = 'Complete the job: there is nothing to send.';
  END IF;
  SELECT COALESCE(max(a.attempt), 0) + 1 INTO next_attempt FROM nexus.publish_attempts a
    WHERE a.platform_post_id = begin_publish.platform_post_id;
  INSERT INTO nexus.publish_attempts (platform_post_id, attempt, lease_token, idempotency_key)
    VALUES (begin_publish.platform_post_id, next_attempt, begin_publish.lease_token, post.idempotency_key);
  EXECUTE format($sql$
    UPDATE %I.platform_posts SET status = 'publishing', attempt_count = $2, send_started_at = clock_timestamp() AT TIME ZONE 'UTC',
      payload_sha256 = nexus.payload_sha256(nexus.publish_payload(id)) WHERE id = $1
  $sql$, attached) USING begin_publish.platform_post_id, next_attempt;
  PERFORM nexus.settle_schedule(post.schedule_id);
  RETURN next_attempt;
END $$;
COMMENT ON FUNCTION nexus.begin_publish(integer, bigint, bigint) IS
$$Writes a new attempt, durably, and makes the platform post publishing; returns the attempt's number. Commit before the first byte leaves; from then on the payload is frozen.
NX020 when the lease is lost, 55000 when an earlier attempt is open (verify it first) or the post may not go out now (paused, in review, account not active, parent not published, cancelled), NX002 when the post is not scheduled.$$;

CREATE FUNCTION nexus.finish_publish(
  platform_post_id integer, attempt integer, lease_token bigint, outcome text, remote_id text DEFAULT NULL,
  remote_url text DEFAULT NULL, error jsonb DEFAULT NULL)
  RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  attached constant name := nexus.attached_schema();
  job nexus.jobs := nexus.publish_job(finish_publish.platform_post_id, finish_publish.lease_token);
  made nexus.publish_attempts;
  class text := error ->> 'class';
  message text := left(error ->> 'message', 2000);
  wait interval := CASE WHEN jsonb_typeof(error -> 'retry_after') = 'number' THEN (error ->> 'retry_after')::double precision * interval '1 second' END;
  job_state text := 'done';
  new_status text;
  again timestamptz;
  schedule integer;
BEGIN
  IF outcome IS NULL OR outcome NOT IN ('ok', 'rejected', 'not_sent', 'unknown', 'verified_present', 'verified_absent') THEN
    RAISE EXCEPTION '%', format('"%s" is no outcome', left(outcome, 60)) USING ERRCODE = '22023',
      HINT = 'It is one of ok, rejected, not_sent, unknown, verified_present, verified_absent.';
  END IF;
  IF outcome IN ('ok', 'verified_present') AND COALESCE(remote_id, '') = '' THEN
    RAISE EXCEPTION 'a published post has a remote_id' USING ERRCODE = '22023';
  END IF;
  SELECT * INTO made FROM nexus.publish_attempts a
    WHERE a.platform_post_id = finish_publish.platform_post_id AND a.attempt = finish_publish.attempt FOR UPDATE;
  IF made.id IS NULL OR made.ended_at IS NOT NULL THEN
    RAISE EXCEPTION 'attempt % of platform post % %', finish_publish.attempt, finish_publish.platform_post_id,
      CASE WHEN made.id IS NULL THEN 'does not exist' ELSE 'has ended as ' || made.outcome END
      USING ERRCODE = '55000', HINT = 'An attempt is finished once, after begin_publish.';
  END IF;
  IF made.lease_token <> finish_publish.lease_token AND outcome NOT IN ('verified_present', 'verified_absent', 'unknown') THEN
    RAISE EXCEPTION 'attempt % was made under another lease: its outcome can only be verified', finish_publish.attempt
      USING ERRCODE = '55000', HINT = 'Finish it as verified_present, verified_absent or unknown.';
  END IF;
  class := COALESCE(class, CASE outcome WHEN 'rejected' THEN 'invalid' WHEN 'not_sent' THEN 'transient' WHEN 'unknown' THEN 'unknown_outcome' END);
  IF class IS NOT NULL AND class NOT IN ('transient', 'rate_limited', 'auth', 'invalid', 'media', 'unknown_outcome')
    OR outcome IN ('rejected', 'not_sent') AND class = 'unknown_outcome'
  THEN
    RAISE EXCEPTION '%', format('"%s" is no class of an attempt that ended as %s', left(class, 60), outcome) USING ERRCODE = '22023',
      HINT = 'error.class is one of transient, rate_limited, auth, invalid, media.';
  END IF;
  UPDATE nexus.publish_attempts a SET outcome = finish_publish.outcome, ended_at = clock_timestamp(), error = finish_publish.error,
      http_status = CASE WHEN jsonb_typeof(finish_publish.error -> 'http_status') = 'number' THEN (finish_publish.error ->> 'http_status')::integer END
    WHERE a.id = made.id;

  CASE outcome
    WHEN 'ok', 'verified_present' THEN
      new_status := 'published';
    WHEN 'unknown' THEN
      new_status := 'unconfirmed';
    WHEN 'verified_absent' THEN
      new_status := 'scheduled';
      job_state := 'leased';    -- begin_publish may follow at once
    ELSE
      job_state := nexus.fail_job(job.id, finish_publish.lease_token, class, COALESCE(message, outcome), wait);
      new_status := CASE job_state WHEN 'dead' THEN 'failed' ELSE 'scheduled' END;
      IF job_state = 'ready' THEN
        SELECT j.run_at INTO again FROM nexus.jobs j WHERE j.id = job.id;
      END IF;
  END CASE;
  IF job_state = 'done' THEN
    UPDATE nexus.jobs j SET state = 'done', finished_at = clock_timestamp(), lease_token = NULL, lease_until = NULL,
        result = jsonb_strip_nulls(jsonb_build_object('outcome', outcome, 'remote_id', remote_id)) WHERE j.id = job.id;
  END IF;
  EXECUTE format($sql$
    UPDATE %I.platform_posts SET status = $2, next_attempt_at = $3,
      published_at = CASE $2 WHEN 'published' THEN clock_timestamp() AT TIME ZONE 'UTC' END,
      platform_post_id = CASE $2 WHEN 'published' THEN $4 END, platform_url = CASE $2 WHEN 'published' THEN $5 END,
      error_class = $6, error_code = $7, error_message = $8
    WHERE id = $1 RETURNING schedule_id
  $sql$, attached) INTO schedule USING finish_publish.platform_post_id, new_status, again AT TIME ZONE 'UTC', remote_id, remote_url,
    CASE WHEN new_status <> 'published' AND outcome <> 'verified_absent' THEN class END,
    CASE WHEN new_status <> 'published' THEN left(error ->> 'code', 200) END,
    CASE WHEN new_status <> 'published' AND outcome <> 'verified_absent' THEN COALESCE(message, outcome) END;
  IF job_state = 'cancelled' THEN
    EXECUTE format('UPDATE %I.platform_posts SET status = ''cancelled'', error_class = ''cancelled'' WHERE id = $1 AND status = ''scheduled''', attached)
      USING finish_publish.platform_post_id;
    new_status := 'cancelled';
  END IF;
  IF new_status = 'published' THEN
    EXECUTE format('UPDATE %1$I.social_accounts SET last_published_at = clock_timestamp() AT TIME ZONE ''UTC''
      WHERE id = (SELECT account_id FROM %1$I.platform_posts WHERE id = $1)', attached) USING finish_publish.platform_post_id;
  END IF;
  PERFORM nexus.settle_schedule(schedule);
  RETURN new_status;
END $$;
COMMENT ON FUNCTION nexus.finish_publish(integer, integer, bigint, text, text, text, jsonb) IS
$$Closes an attempt and returns the platform post's new status, all in one commit with the job, the roll-up and the notification. outcome: ok and verified_present (both with remote_id) make it published; unknown makes it unconfirmed, and nothing sends it again by itself; verified_absent makes it scheduled again while the job stays leased; rejected and not_sent go by error.class (transient, rate_limited with error.retry_after in seconds, auth, invalid, media) to scheduled or failed.
error may carry class, code, message, http_status and retry_after. NX020 when the lease is lost: write nothing, the next owner verifies.$$;

CREATE FUNCTION nexus.publish_outcome(platform_post_id integer, attempt integer)
  RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT a.outcome FROM nexus.publish_attempts a
    WHERE a.platform_post_id = publish_outcome.platform_post_id AND a.attempt = publish_outcome.attempt;
END;
COMMENT ON FUNCTION nexus.publish_outcome(integer, integer) IS
  'The stored outcome of an attempt, for a worker that lost the answer to its COMMIT: sent while the attempt is open, NULL when there is none.';

CREATE FUNCTION nexus.settle_schedule(schedule_id integer) RETURNS void LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF schedule_id IS NULL THEN
    RETURN;
  END IF;
  EXECUTE format($sql$
    UPDATE %1$I.post_schedules s SET status = f.next, occurrences_done = f.published, retry_count = f.retries,
      last_attempt_at = COALESCE(f.last_attempt_at, s.last_attempt_at), error_message = f.error_message
    FROM (
      SELECT CASE WHEN s.status IN ('paused', 'cancelled', 'completed') THEN s.status
          WHEN publishing > 0 THEN 'processing'
          WHEN waiting > 0 OR s.next_run_at IS NOT NULL THEN 'pending'
          WHEN s.status = 'processing' AND newest.status IN ('failed', 'unconfirmed') THEN 'failed'
          WHEN published + ended > 0 AND s.status <> 'failed' THEN 'completed'
          ELSE s.status END AS next, c.published, newest.error_message, newest.send_started_at AS last_attempt_at,
        GREATEST(COALESCE(newest.attempt_count, 0) - 1, 0) AS retries
      FROM %1$I.post_schedules s CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE status = 'publishing') AS publishing, count(*) FILTER (WHERE status = 'scheduled') AS waiting,
          count(DISTINCT occurrence_at) FILTER (WHERE status = 'published') AS published,
          count(*) FILTER (WHERE status IN ('failed', 'unconfirmed', 'cancelled')) AS ended
        FROM %1$I.platform_posts WHERE schedule_id = $1) AS c
      LEFT JOIN LATERAL (
        SELECT status, error_message, send_started_at, attempt_count FROM %1$I.platform_posts
        WHERE schedule_id = $1 AND send_started_at IS NOT NULL ORDER BY send_started_at DESC LIMIT 1) AS newest ON true
      WHERE s.id = $1) AS f
    WHERE s.id = $1 AND (s.status, s.occurrences_done, s.retry_count, s.error_message, s.last_attempt_at)
      IS DISTINCT FROM (f.next, f.published, f.retries, f.error_message, COALESCE(f.last_attempt_at, s.last_attempt_at))
  $sql$, nexus.attached_schema()) USING schedule_id;
END $$;
COMMENT ON FUNCTION nexus.settle_schedule(integer) IS
  'Part of publishing: a schedule tells the truth about its platform posts: processing while one is being sent, pending while some are to come, then completed or failed; retry_count, last_attempt_at and error_message are those of the latest attempt.';

CREATE VIEW nexus.publish_backlog AS
  SELECT a.platform_post_id, a.attempt, a.outcome, a.started_at, j.id AS job_id, j.state AS job_state, j.worker, j.lease_until
  FROM nexus.publish_attempts a
  LEFT JOIN nexus.jobs j ON j.kind = 'publish' AND j.unique_key = 'platform_post:' || a.platform_post_id AND j.state IN ('ready', 'leased')
  WHERE a.ended_at IS NULL;
COMMENT ON VIEW nexus.publish_backlog IS 'Attempts that are open: being sent, or left by a worker that went silent and to be verified by the next one.';

DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'nexus'::pg_catalog.regnamespace AND p.proname IN (
      'publish_holds', 'sync_publish_jobs', 'publish_job', 'publish_task', 'begin_publish', 'finish_publish', 'publish_outcome', 'settle_schedule')
  LOOP
    EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, r FROM pg_catalog.unnest(ARRAY['publish_task', 'begin_publish', 'finish_publish', 'publish_outcome']) AS f, pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;

INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('platform_posts', 'sync_jobs_insert', 'AFTER INSERT ON %1$s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT',
    'nexus.publish_jobs_trigger()'),
  ('platform_posts', 'sync_jobs_update', 'AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT',
    'nexus.publish_jobs_trigger()'),
  ('platform_posts', 'sync_jobs_delete', 'AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT',
    'nexus.delete_jobs_trigger()'),
  ('social_posts', 'sync_jobs', 'AFTER UPDATE OF paused_at, review_state, cancelled_at, deleted_at, title, caption, hashtags, scheduled_at, revision ON %1$s FOR EACH ROW WHEN ((OLD.paused_at, OLD.review_state, OLD.cancelled_at, OLD.deleted_at) IS DISTINCT FROM (NEW.paused_at, NEW.review_state, NEW.cancelled_at, NEW.deleted_at))',
    'nexus.publish_jobs_hold_trigger()'),
  ('social_accounts', 'sync_jobs', 'AFTER UPDATE OF status, is_active ON %1$s FOR EACH ROW WHEN ((OLD.status, OLD.is_active) IS DISTINCT FROM (NEW.status, NEW.is_active))',
    'nexus.publish_jobs_hold_trigger()');
INSERT INTO nexus.attached_views (view_name, role_name) VALUES ('publish_backlog', 'nexus_worker'), ('publish_backlog', 'nexus_owner');
