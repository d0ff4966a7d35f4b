-- Counters of published posts: asked of the platforms that answer (jobs on the lane metrics, densely while a post is
-- young), or pushed by receivers of webhooks. Both end in ingest_metrics().
--
-- content_metrics hangs on content and platform, and several posts may share both: two accounts, or a schedule that
-- repeats. Its cumulative counters are therefore the sums over all of them, so that they never fall because another post
-- was looked at; what each post stood at last is kept here.

-- Platforms that can be asked, and how many posts with one request. The publisher has an adapter for each.
CREATE TABLE nexus.metric_pull_platforms (
  platform text PRIMARY KEY,
  batch integer NOT NULL CHECK (batch BETWEEN 1 AND 100),
  custom boolean NOT NULL DEFAULT true         -- false for rows that come with the extension
);
INSERT INTO nexus.metric_pull_platforms (platform, batch, custom) VALUES ('bluesky', 25, false), ('mastodon', 1, false);
SELECT pg_catalog.pg_extension_config_dump('nexus.metric_pull_platforms', 'WHERE custom');

-- How often, by age; older than the last row's is over. Rows of one's own replace the ones that come with the extension.
CREATE TABLE nexus.metric_pull_steps (
  until_age interval NOT NULL CHECK (until_age > interval '0'),
  every interval NOT NULL CHECK (every >= interval '10 s'),
  custom boolean NOT NULL DEFAULT true,
  PRIMARY KEY (until_age, custom)
);
INSERT INTO nexus.metric_pull_steps (until_age, every, custom) VALUES
  ('1 hour', '5 minutes', false), ('6 hours', '15 minutes', false), ('1 day', '1 hour', false),
  ('7 days', '6 hours', false), ('30 days', '1 day', false), ('90 days', '7 days', false);
SELECT pg_catalog.pg_extension_config_dump('nexus.metric_pull_steps', 'WHERE custom');

-- Published posts that are measured.
CREATE TABLE nexus.measured_posts (
  platform_post_id integer PRIMARY KEY,
  account_id integer NOT NULL,
  published_at timestamptz NOT NULL,
  counters jsonb NOT NULL DEFAULT '{}',        -- as last known
  measured_at timestamptz,
  next_at timestamptz,                         -- when it is asked for next; NULL: not, or no more
  ended text CHECK (ended IN ('gone', 'old')),
  ended_at timestamptz,
  last_error text
) WITH (fillfactor = 70);
CREATE INDEX measured_posts_due ON nexus.measured_posts (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX measured_posts_account ON nexus.measured_posts (account_id, next_at) WHERE next_at IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('nexus.measured_posts', '');

CREATE FUNCTION nexus.next_metric_pull(published_at timestamptz, at timestamptz) RETURNS timestamptz LANGUAGE sql VOLATILE
  SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT next_metric_pull.at + s.every * (0.9 + 0.2 * random()) FROM nexus.metric_pull_steps s
  WHERE s.until_age > next_metric_pull.at - next_metric_pull.published_at
    AND s.custom = EXISTS (SELECT FROM nexus.metric_pull_steps o WHERE o.custom)
  ORDER BY s.until_age LIMIT 1;
END;
COMMENT ON FUNCTION nexus.next_metric_pull(timestamptz, timestamptz) IS
  'When a post that was measured (or published) at a time is measured next: after the interval of nexus.metric_pull_steps for its age, give or take a tenth, so that what was published together does not come together for ever. NULL when it is too old.';

CREATE FUNCTION nexus.measured_posts_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM nexus.measured_posts m USING old_rows o WHERE m.platform_post_id = o.id;
  ELSIF NEW.platform_post_id IS NOT NULL AND isfinite(NEW.published_at)
    AND EXISTS (SELECT FROM nexus.metric_pull_platforms p WHERE p.platform = NEW.platform) AND NOT nexus.is_importing()
  THEN
    INSERT INTO nexus.measured_posts (platform_post_id, account_id, published_at, next_at)
      SELECT NEW.id, NEW.account_id, t.at, t.next FROM (SELECT p.at, nexus.next_metric_pull(p.at, GREATEST(p.at, clock_timestamp())) AS next
        FROM (SELECT NEW.published_at AT TIME ZONE 'UTC' AS at) AS p) AS t WHERE t.next IS NOT NULL
      ON CONFLICT (platform_post_id) DO NOTHING;
    PERFORM nexus.sync_metric_pulls(ARRAY[NEW.account_id]);
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.measured_posts_trigger() IS
  'A post that becomes published on a platform that can be asked is measured from then on, until it is old, gone or deleted.';
INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('platform_posts', 'measure_published', 'AFTER INSERT OR UPDATE OF status ON %1$s FOR EACH ROW WHEN (NEW.status = ''published'')',
    'nexus.measured_posts_trigger()'),
  ('platform_posts', 'measure_deleted', 'AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT', 'nexus.measured_posts_trigger()');

CREATE FUNCTION nexus.adopt_published_posts(max_posts integer DEFAULT 10000) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  adopted bigint;
BEGIN
  EXECUTE format($sql$
    WITH unknown AS MATERIALIZED (
      SELECT p.id, p.account_id, p.published_at AT TIME ZONE 'UTC' AS at FROM %I.platform_posts p
      WHERE p.status = 'published' AND p.platform_post_id IS NOT NULL AND isfinite(p.published_at)
        AND p.platform IN (SELECT o.platform FROM nexus.metric_pull_platforms o)
        AND p.published_at > nexus.utcnow() - (SELECT max(s.until_age) FROM nexus.metric_pull_steps s
          WHERE s.custom = EXISTS (SELECT FROM nexus.metric_pull_steps c WHERE c.custom))
        AND NOT EXISTS (SELECT FROM nexus.measured_posts m WHERE m.platform_post_id = p.id)
      ORDER BY p.id LIMIT $1)
    INSERT INTO nexus.measured_posts (platform_post_id, account_id, published_at, next_at)
    SELECT u.id, u.account_id, u.at, now() + (n.next - now()) * random() FROM unknown u CROSS JOIN LATERAL (SELECT nexus.next_metric_pull(u.at, now()) AS next) AS n
    WHERE n.next IS NOT NULL ORDER BY u.id
    ON CONFLICT (platform_post_id) DO NOTHING
  $sql$, nexus.attached_schema()) USING max_posts;
  GET DIAGNOSTICS adopted = ROW_COUNT;
  RETURN adopted;
END $$;
COMMENT ON FUNCTION nexus.adopt_published_posts(integer) IS
  'A task of tick(): posts that were published before the extension was attached, or imported, are measured too while they are young enough; their first turns are spread. Returns how many came in.';

CREATE FUNCTION nexus.sync_metric_pulls(account_ids integer[] DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
  made bigint;
  moved bigint;
BEGIN
  EXECUTE format($sql$
    WITH RECURSIVE busy AS (
      -- of each account the post that is first: one look into the index for each
      (SELECT m.account_id, m.next_at FROM nexus.measured_posts m WHERE m.next_at IS NOT NULL AND $1 IS NULL ORDER BY m.account_id, m.next_at LIMIT 1)
      UNION ALL
      SELECT n.account_id, n.next_at FROM busy b CROSS JOIN LATERAL (
        SELECT m.account_id, m.next_at FROM nexus.measured_posts m WHERE m.next_at IS NOT NULL AND m.account_id > b.account_id ORDER BY m.account_id, m.next_at LIMIT 1) AS n),
    asked AS (
      SELECT u.id AS account_id, (SELECT min(m.next_at) FROM nexus.measured_posts m WHERE m.account_id = u.id AND m.next_at IS NOT NULL) AS next_at
      FROM unnest($1) AS u(id)),
    wanted AS MATERIALIZED (
      SELECT w.account_id, w.next_at, a.platform, nexus.metric_pull_hold(a.is_active, a.status::text) AS hold, j.id AS job_id, j.state
      FROM (TABLE busy UNION ALL TABLE asked) AS w JOIN %I.social_accounts a ON a.id = w.account_id
      LEFT JOIN LATERAL (SELECT o.* FROM nexus.jobs o    -- one look for each, whatever the statistics say
        WHERE o.kind = 'metrics_pull' AND o.unique_key = 'account:' || w.account_id AND o.state IN ('ready', 'leased') LIMIT 1) AS j ON true
      WHERE w.next_at IS NOT NULL AND (j.id IS NULL OR j.state = 'ready'
        AND (j.parked IS DISTINCT FROM nexus.metric_pull_hold(a.is_active, a.status::text) OR j.parked IS NULL AND j.run_at > w.next_at))),
    moved AS (
      UPDATE nexus.jobs j SET parked = w.hold, run_at = LEAST(j.run_at, w.next_at) FROM wanted w WHERE j.id = w.job_id AND j.state = 'ready' RETURNING 1),
    made AS (
      INSERT INTO nexus.jobs (kind, ref_id, account_id, lane, run_at, parked, unique_key, payload, max_attempts)
      SELECT 'metrics_pull', w.account_id, w.account_id, 'metrics', w.next_at, w.hold, 'account:' || w.account_id, jsonb_build_object('platform', w.platform), 5
      FROM wanted w WHERE w.job_id IS NULL ORDER BY w.account_id
      ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL AND state IN ('ready', 'leased') DO NOTHING RETURNING 1)
    SELECT (SELECT count(*) FROM made), (SELECT count(*) FROM moved)
  $sql$, nexus.attached_schema()) INTO made, moved USING account_ids;
  IF made + moved > 0 THEN
    PERFORM pg_notify('nexus_jobs', 'metrics');
  END IF;
  RETURN jsonb_build_object('jobs_made', made, 'moved', moved);
END $$;
COMMENT ON FUNCTION nexus.sync_metric_pulls(integer[]) IS
$$Each of these accounts (all where NULL, as a task of tick()) with posts that are to be measured has one open job metrics_pull on the lane metrics (unique key account:ID), due with the first of them, parked with the reason while the account is not active.
One job is one request to the platform, so the account's and the app's rate buckets count requests; after it the job waits for the next post, or comes back at once while more is due.$$;

CREATE FUNCTION nexus.metric_pulls_hold_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM nexus.sync_metric_pulls(ARRAY[NEW.id]);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.metric_pulls_hold_trigger() IS 'An account that is not active parks its job for counters; the way back lets it go.';
INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('social_accounts', 'sync_metric_pulls', 'AFTER UPDATE OF status, is_active ON %1$s FOR EACH ROW WHEN ((OLD.status, OLD.is_active) IS DISTINCT FROM (NEW.status, NEW.is_active))',
    'nexus.metric_pulls_hold_trigger()');

CREATE FUNCTION nexus.metric_pull_hold(is_active boolean, status text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  RETURN CASE WHEN is_active IS FALSE THEN 'account inactive' WHEN status <> 'active' THEN 'account ' || status END;
COMMENT ON FUNCTION nexus.metric_pull_hold(boolean, text) IS 'Why the posts of an account are not measured now; NULL when they are.';

CREATE FUNCTION nexus.metrics_pull_task(job_id bigint, lease_token bigint) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
  account integer;
  posts jsonb;
BEGIN
  SELECT j.account_id INTO account FROM nexus.jobs j WHERE j.id = job_id AND j.lease_token = metrics_pull_task.lease_token
    AND j.state IN ('leased', '') AND j.kind = 'metrics_pull';
  IF account IS NULL THEN
    RAISE EXCEPTION 'the lease of job % is lost', job_id USING ERRCODE = 'NX020', HINT = 'Claim again.';
  END IF;
  EXECUTE format($sql$
    SELECT jsonb_agg(jsonb_build_object('platform_post_id', d.id, 'remote_id', d.remote_id) ORDER BY d.next_at, d.id) FROM (
      SELECT pp.id, pp.platform_post_id AS remote_id, m.next_at FROM nexus.measured_posts m
      JOIN %1$I.platform_posts pp ON pp.id = m.platform_post_id JOIN %1$I.social_posts p ON p.id = pp.social_post_id
      JOIN %1$I.social_accounts a ON a.id = m.account_id AND nexus.metric_pull_hold(a.is_active, a.status::text) IS NULL
      JOIN nexus.metric_pull_platforms f ON f.platform = a.platform
      WHERE m.account_id = $1 AND m.next_at <= clock_timestamp() + interval '1 minute' AND p.content_id IS NOT NULL
      ORDER BY m.next_at, m.platform_post_id
      LIMIT (SELECT f.batch FROM nexus.metric_pull_platforms f JOIN %1$I.social_accounts a ON a.platform = f.platform WHERE a.id = $1)) AS d
  $sql$, nexus.attached_schema()) INTO posts USING account;
  RETURN CASE WHEN posts IS NOT NULL THEN jsonb_build_object('account', nexus.account_tokens(account), 'posts', posts) END;
END $$;
COMMENT ON FUNCTION nexus.metrics_pull_task(bigint, bigint) IS
  'What a worker asks the platform for one leased job: {account (with its sealed tokens), posts: [{platform_post_id, remote_id}]}, as many as one request takes; what is due within a minute comes along. NULL when there is nothing to ask for, or the account is not active: finish with an empty list. NX020 when the lease is lost.';

CREATE FUNCTION nexus.record_counters(measured jsonb, source text) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  touched integer[];
  owners integer[];
  linked bigint;
  samples jsonb;
  outcome record;
BEGIN
  -- One at a time for each content: its sums see each other's parts, and what comes later is later.
  EXECUTE format($sql$
    SELECT array_agg(l.id) FROM (SELECT c.id FROM %1$I.content c WHERE c.id IN (
        SELECT p.content_id FROM jsonb_array_elements($1) AS e(m) JOIN %1$I.platform_posts pp ON pp.id = (e.m ->> 'platform_post_id')::integer
        JOIN %1$I.social_posts p ON p.id = pp.social_post_id) ORDER BY c.id FOR NO KEY UPDATE) AS l
  $sql$, attached) INTO owners USING measured;
  WITH newest AS (
    SELECT DISTINCT ON (1) (e.m ->> 'platform_post_id')::integer AS id, COALESCE((e.m ->> 'measured_at')::timestamptz, clock_timestamp()) AS at,
      jsonb_strip_nulls(e.m -> 'counters') AS counters
    FROM jsonb_array_elements(measured) WITH ORDINALITY AS e(m, n) WHERE jsonb_typeof(e.m -> 'counters') = 'object' ORDER BY 1, 2 DESC, e.n DESC),
  changed AS (
    UPDATE nexus.measured_posts m SET counters = m.counters || n.counters, measured_at = n.at, last_error = NULL
    FROM newest n WHERE m.platform_post_id = n.id AND (m.measured_at IS NULL OR m.measured_at < n.at) RETURNING m.platform_post_id)
  SELECT array_agg(platform_post_id) INTO touched FROM changed;
  IF touched IS NULL THEN
    RETURN jsonb_build_object('recorded', 0, 'inserted', 0, 'updated', 0, 'without_content', 0, 'errors', '[]'::jsonb);
  END IF;
  EXECUTE format($sql$
    WITH counted AS (
      SELECT DISTINCT p.content_id, pp.platform FROM unnest($1) AS u(id) JOIN %1$I.platform_posts pp ON pp.id = u.id
      JOIN %1$I.social_posts p ON p.id = pp.social_post_id WHERE p.content_id IS NOT NULL),
    parts AS (
      SELECT c.content_id, c.platform, m.platform_post_id, m.measured_at, m.counters FROM counted c
      JOIN %1$I.social_posts p ON p.content_id = c.content_id JOIN %1$I.platform_posts pp ON pp.social_post_id = p.id AND pp.platform = c.platform
      JOIN nexus.measured_posts m ON m.platform_post_id = pp.id AND m.measured_at IS NOT NULL),
    sums AS (
      SELECT s.content_id, s.platform, jsonb_object_agg(s.key, s.value) AS counters FROM (
        SELECT t.content_id, t.platform, k.key, sum(k.value::numeric) AS value FROM parts t CROSS JOIN LATERAL jsonb_each_text(t.counters) AS k GROUP BY 1, 2, 3) AS s
      GROUP BY 1, 2)
    SELECT jsonb_agg(s.counters || jsonb_strip_nulls(jsonb_build_object('content_id', s.content_id, 'platform', s.platform, 'source', $2,
        'captured_at', to_char(g.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'platform_post_row_id', g.only_one)) ORDER BY s.content_id, s.platform)
    FROM sums s JOIN (SELECT content_id, platform, max(measured_at) AS at, CASE WHEN count(*) = 1 THEN min(platform_post_id) END AS only_one
      FROM parts GROUP BY 1, 2) AS g USING (content_id, platform)
  $sql$, attached) INTO samples USING touched, source;
  SELECT * INTO outcome FROM nexus.ingest_metrics(COALESCE(samples, '[]'));
  EXECUTE format($sql$
    UPDATE %1$I.content c SET last_measured_at = l.at FROM (
      SELECT p.content_id, max(m.measured_at) AT TIME ZONE 'UTC' AS at FROM unnest($1) AS u(id) JOIN nexus.measured_posts m ON m.platform_post_id = u.id
      JOIN %1$I.platform_posts pp ON pp.id = u.id JOIN %1$I.social_posts p ON p.id = pp.social_post_id GROUP BY 1) AS l
    WHERE c.id = l.content_id AND (c.last_measured_at IS NULL OR c.last_measured_at < l.at)
  $sql$, attached) USING touched;
  EXECUTE format($sql$
    UPDATE %1$I.social_accounts a SET last_measured_at = l.at FROM (
      SELECT m.account_id, max(m.measured_at) AT TIME ZONE 'UTC' AS at FROM unnest($1) AS u(id) JOIN nexus.measured_posts m ON m.platform_post_id = u.id
      GROUP BY 1 ORDER BY 1) AS l
    WHERE a.id = l.account_id AND (a.last_measured_at IS NULL OR a.last_measured_at < l.at)
  $sql$, attached) USING touched;
  EXECUTE format('SELECT count(*) FROM %1$I.platform_posts pp JOIN %1$I.social_posts p ON p.id = pp.social_post_id
    WHERE pp.id = ANY ($1) AND p.content_id IS NOT NULL', attached) INTO linked USING touched;
  RETURN jsonb_build_object('recorded', cardinality(touched), 'inserted', outcome.inserted, 'updated', outcome.updated,
    'without_content', cardinality(touched) - linked, 'errors', outcome.errors);
END $$;
COMMENT ON FUNCTION nexus.record_counters(jsonb, text) IS
$$Part of measuring: takes [{platform_post_id, counters, measured_at}] where it is newer than what is known, and hands the sums over all posts of the same content and platform to ingest_metrics(), with the row of the platform post where there is only one. last_measured_at of content and account follow.$$;

-- The leased job, after what everybody locks before jobs: the platform posts that will be written to, and the account.
CREATE FUNCTION nexus.metrics_pull_job(job_id bigint, lease_token bigint, platform_post_ids integer[]) RETURNS nexus.jobs LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('SELECT FROM %I.platform_posts WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE', nexus.attached_schema()) USING platform_post_ids;
  EXECUTE format('SELECT FROM %I.social_accounts WHERE id = (SELECT j.account_id FROM nexus.jobs j WHERE j.id = $1) FOR NO KEY UPDATE', nexus.attached_schema()) USING job_id;
  RETURN nexus.leased_job(job_id, lease_token);
END $$;
COMMENT ON FUNCTION nexus.metrics_pull_job(bigint, bigint, integer[]) IS 'Part of measuring: the job that a lease token holds, all locked.';

CREATE FUNCTION nexus.finish_metrics_pull(job_id bigint, lease_token bigint, measured jsonb) RETURNS jsonb
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  attached constant name := nexus.attached_schema();
  gone integer[] := ARRAY(SELECT (e.m ->> 'platform_post_id')::integer FROM jsonb_array_elements(measured) AS e(m) WHERE (e.m ->> 'gone')::boolean);
  job nexus.jobs := nexus.metrics_pull_job(job_id, finish_metrics_pull.lease_token, gone);
  outcome jsonb;
  first_at timestamptz;
  now_ constant timestamptz := clock_timestamp();
BEGIN
  -- what belongs to no content has nowhere to be counted: its turn passes, and it says so
  EXECUTE format($sql$
    WITH looked AS (
      SELECT m.platform_post_id AS id, (e.m ->> 'gone')::boolean IS TRUE AS is_gone, e.m ->> 'error' AS error FROM jsonb_array_elements($2) AS e(m)
      JOIN nexus.measured_posts m ON m.platform_post_id = (e.m ->> 'platform_post_id')::integer WHERE m.account_id = $1
      UNION ALL
      SELECT m.platform_post_id, false, 'its social post belongs to no content, on which metrics hang' FROM nexus.measured_posts m
      JOIN %1$I.platform_posts pp ON pp.id = m.platform_post_id JOIN %1$I.social_posts p ON p.id = pp.social_post_id
      WHERE m.account_id = $1 AND m.next_at <= $3 AND p.content_id IS NULL),
    later AS (
      SELECT l.*, CASE WHEN NOT l.is_gone THEN nexus.next_metric_pull(m.published_at, $3) END AS next FROM looked l JOIN nexus.measured_posts m ON m.platform_post_id = l.id)
    UPDATE nexus.measured_posts m SET next_at = l.next, ended = CASE WHEN l.is_gone THEN 'gone' WHEN l.next IS NULL THEN 'old' END,
      ended_at = CASE WHEN l.next IS NULL THEN $3 END, last_error = COALESCE(left(l.error, 500), m.last_error)
    FROM later l WHERE m.platform_post_id = l.id
  $sql$, attached) USING job.account_id, measured, now_;
  -- published is final: that the platform has it no more is a note
  EXECUTE format($sql$
    WITH noted AS (
      UPDATE %1$I.platform_posts pp SET metadata = COALESCE(pp.metadata, '{}') || jsonb_build_object('remote_deleted_at', to_char($3 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
      WHERE pp.id = ANY ($1) AND pp.account_id = $2 RETURNING pp.id, pp.social_post_id)
    SELECT count(nexus.notify_user(p.user_id, 'post_gone', 'A post is gone from its platform', p.title, 1, 'platform_posts', n.id, format('platform_posts:%%s:gone', n.id)))
    FROM noted n JOIN %1$I.social_posts p ON p.id = n.social_post_id
  $sql$, attached) USING gone, job.account_id, now_;
  outcome := nexus.record_counters((SELECT COALESCE(jsonb_agg(e.m - 'measured_at'), '[]') FROM jsonb_array_elements(measured) AS e(m)), 'api')
    || jsonb_build_object('gone', cardinality(gone));
  SELECT min(m.next_at) INTO first_at FROM nexus.measured_posts m WHERE m.account_id = job.account_id AND m.next_at IS NOT NULL;
  IF first_at IS NULL OR job.cancel_requested THEN
    PERFORM nexus.complete_job(job.id, finish_metrics_pull.lease_token, outcome);
  ELSE
    UPDATE nexus.jobs j SET state = 'ready', run_at = first_at, attempts = 0, lease_token = NULL, lease_until = NULL, result = outcome, last_error = NULL
      WHERE j.id = job.id;
    PERFORM nexus.sync_metric_pulls(ARRAY[job.account_id]);    -- parked, where the account was switched off meanwhile
  END IF;
  RETURN outcome;
END $$;
COMMENT ON FUNCTION nexus.finish_metrics_pull(bigint, bigint, jsonb) IS
$$Ends a request for counters, in one transaction: measured is [{platform_post_id, counters} | {platform_post_id, gone: true} | {platform_post_id, error}], the counters by the columns of content_metrics. What is gone is noted in the platform post's metadata (remote_deleted_at), told its owner and asked for no more.
Returns {recorded, inserted, updated, without_content, gone, errors}. The job is ready again, due with the account's next post, and done where there is none. NX020 when the lease is lost: nothing is written.$$;

CREATE FUNCTION nexus.fail_metrics_pull(job_id bigint, lease_token bigint, class text, message text, retry_after interval DEFAULT NULL)
  RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  job constant nexus.jobs := nexus.metrics_pull_job(job_id, lease_token, '{}');
  state constant text := nexus.fail_job(job_id, lease_token, class, message, retry_after);
  again constant timestamptz := (SELECT j.run_at FROM nexus.jobs j WHERE j.id = job_id);
BEGIN
  -- the posts wait as their job does; one that is given up takes this turn with it, and the next comes by their age
  WITH due AS (
    SELECT m.platform_post_id AS id, CASE WHEN state = 'dead' THEN nexus.next_metric_pull(m.published_at, clock_timestamp()) ELSE GREATEST(m.next_at, again) END AS next
    FROM nexus.measured_posts m WHERE m.account_id = job.account_id AND m.next_at <= clock_timestamp() + interval '1 minute')
  UPDATE nexus.measured_posts m SET last_error = left(message, 500), next_at = d.next, ended = CASE WHEN d.next IS NULL THEN 'old' END,
    ended_at = CASE WHEN d.next IS NULL THEN clock_timestamp() END
  FROM due d WHERE m.platform_post_id = d.id;
  PERFORM nexus.sync_metric_pulls(ARRAY[job.account_id]);
  RETURN state;
END $$;
COMMENT ON FUNCTION nexus.fail_metrics_pull(bigint, bigint, text, text, interval) IS
  'Ends a request for counters that failed, by class as fail_job(): rate_limited comes back after retry_after, auth parks the job and marks the account expired, a job that is given up leaves its posts to their next turn, with a new job. Returns the job''s new state.';

CREATE FUNCTION nexus.push_metrics(account_id integer, posts jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  attached constant name := nexus.attached_schema();
  judged jsonb;
  result jsonb;
BEGIN
  IF jsonb_typeof(posts) IS DISTINCT FROM 'array' OR jsonb_array_length(posts) > 1000 THEN
    RAISE EXCEPTION 'posts must be an array of at most 1000 objects' USING ERRCODE = '22023',
      HINT = 'Each has the id of a post, captured_at and its counters by the names of content_metrics'' columns.';
  END IF;
  EXECUTE format($sql$
    WITH given AS MATERIALIZED (
      SELECT e.m, e.n::integer - 1 AS index, CASE WHEN jsonb_typeof(e.m -> 'id') = 'string' THEN e.m ->> 'id' END AS id FROM jsonb_array_elements($2) WITH ORDINALITY AS e(m, n)),
    read AS MATERIALIZED (
      SELECT s.index, s.fault_message, s.captured_at AT TIME ZONE 'UTC' AS at, jsonb_strip_nulls(jsonb_build_object('views', s.views, 'likes', s.likes,
          'comments', s.comments, 'shares', s.shares, 'saves', s.saves, 'reach', s.reach, 'clicks', s.clicks, 'watch_time_seconds', s.watch_time_seconds,
          'impressions', s.impressions, 'followers_gained', s.followers_gained)) AS counters
      FROM nexus.metric_samples((SELECT COALESCE(jsonb_agg(CASE jsonb_typeof(g.m) WHEN 'object' THEN (g.m - 'id') || '{"content_id": 1, "platform": "webhook", "source": "webhook"}' ELSE g.m END
        ORDER BY g.index), '[]') FROM given g)) AS s),
    found AS MATERIALIZED (
      SELECT g.index, (SELECT pp.id FROM %1$I.platform_posts pp WHERE pp.account_id = $1 AND pp.status = 'published'
        AND (pp.platform_post_id = g.id OR pp.idempotency_key::text = g.id) ORDER BY pp.id DESC LIMIT 1) AS post FROM given g)
    SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('index', r.index, 'platform_post_id', f.post, 'measured_at', r.at, 'fault', CASE
        WHEN r.fault_message IS NOT NULL THEN r.fault_message WHEN f.post IS NULL THEN 'id names no published post of this account'
        WHEN r.at > clock_timestamp() + interval '5 minutes' THEN 'captured_at lies in the future' END)) || jsonb_build_object('counters', r.counters) ORDER BY r.index)
    FROM read r JOIN found f USING (index)
  $sql$, attached) INTO judged USING account_id, posts;
  judged := COALESCE(judged, '[]');
  EXECUTE format($sql$
    INSERT INTO nexus.measured_posts (platform_post_id, account_id, published_at)
    SELECT DISTINCT pp.id, pp.account_id, pp.published_at AT TIME ZONE 'UTC' FROM jsonb_array_elements($1) AS e(m) JOIN %1$I.platform_posts pp ON pp.id = (e.m ->> 'platform_post_id')::integer
    WHERE NOT e.m ? 'fault' ORDER BY pp.id ON CONFLICT (platform_post_id) DO NOTHING
  $sql$, attached) USING judged;
  result := nexus.record_counters((SELECT COALESCE(jsonb_agg(e.m), '[]') FROM jsonb_array_elements(judged) AS e(m) WHERE NOT e.m ? 'fault'), 'webhook');
  RETURN result || jsonb_build_object('unchanged', (SELECT count(*) FROM jsonb_array_elements(judged) AS e(m) WHERE NOT e.m ? 'fault') - (result ->> 'recorded')::bigint,
    'errors', (SELECT COALESCE(jsonb_agg(jsonb_build_object('index', e.m -> 'index', 'message', e.m -> 'fault') ORDER BY (e.m ->> 'index')::integer), '[]')
      FROM jsonb_array_elements(judged) AS e(m) WHERE e.m ? 'fault'), 'rejected', result -> 'errors');
END $$;
COMMENT ON FUNCTION nexus.push_metrics(integer, jsonb) IS
$$Counters that a receiver of webhooks tells of posts of an account: [{id, captured_at, views, likes, ...}], id as the receiver answered it or the Idempotency-Key, captured_at an instant, at most 1000. Whoever calls it has verified the signature.
Idempotent: what is not newer than what is known of a post changes nothing. Returns {recorded, unchanged, inserted, updated, without_content, errors: [{index, message}], rejected}, the last as errors of ingest_metrics().$$;

CREATE FUNCTION nexus.content_for_post(social_post_id integer) RETURNS integer LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  post record;
  made integer;
BEGIN
  EXECUTE format($sql$
    SELECT p.*, (SELECT pp.platform FROM %1$I.platform_posts pp WHERE pp.social_post_id = p.id AND pp.status <> 'cancelled' ORDER BY pp.status <> 'published', pp.id LIMIT 1) AS platform,
      (SELECT m.media_type FROM %1$I.post_media m WHERE m.social_post_id = p.id AND m.status <> 'deleted' ORDER BY m.media_type <> 'video', m.position, m.id LIMIT 1) AS media
    FROM %1$I.social_posts p WHERE p.id = $1 FOR NO KEY UPDATE
  $sql$, attached) INTO post USING social_post_id;
  IF post.id IS NULL THEN
    RAISE EXCEPTION 'social post % does not exist', content_for_post.social_post_id USING ERRCODE = 'P0002', TABLE = 'social_posts',
      HINT = 'It is another user''s or was never there.';
  END IF;
  IF post.content_id IS NOT NULL THEN
    RETURN post.content_id;
  END IF;
  IF post.platform IS NULL THEN
    RAISE EXCEPTION 'social post % goes to no platform yet', content_for_post.social_post_id USING ERRCODE = '55000', HINT = 'Schedule it first.';
  END IF;
  EXECUTE format($sql$
    INSERT INTO %I.content (user_id, project_id, title, description, platform, content_type, tags, ai_generated)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id
  $sql$, attached) INTO made USING post.user_id, post.project_id, post.title, post.caption, post.platform,
    CASE WHEN post.content_type IN ('reel', 'short', 'video') THEN post.content_type WHEN post.media IN ('video', 'image') THEN post.media ELSE 'text' END,
    post.hashtags, post.ai_generated;
  -- linked first: content that a post points to is taught by it alone
  EXECUTE format('UPDATE %I.social_posts SET content_id = $2 WHERE id = $1', attached) USING social_post_id, made;
  IF post.status = 'published' THEN
    EXECUTE format('UPDATE %I.content SET status = ''published'', published_at = $2 WHERE id = $1', attached) USING made, post.published_at;
  END IF;
  RETURN made;
END $$;
COMMENT ON FUNCTION nexus.content_for_post(integer) IS
$$The content of a social post, made from it (title, caption, hashtags, platform, type) where there is none: metrics hang on content, and those of a post without one are not asked for. Returns its id, also the second time.
P0002 for a post that is not the caller's, 55000 for one that goes to no platform yet.$$;

CREATE VIEW nexus.metric_pulls AS
  SELECT m.platform_post_id, m.account_id, m.published_at, m.measured_at, m.counters, m.next_at, m.ended, m.ended_at, m.last_error,
    j.id AS job_id, j.state AS job_state, j.parked
  FROM nexus.measured_posts m
  LEFT JOIN nexus.jobs j ON j.kind = 'metrics_pull' AND j.unique_key = 'account:' || m.account_id AND j.state IN ('ready', 'leased') AND m.next_at IS NOT NULL;
COMMENT ON VIEW nexus.metric_pulls IS
  'Published posts that are measured: what their counters last stood at and when, when they are asked for next or why no more (gone from the platform, old), the last error, and the account''s job with the reason while it is parked.';

INSERT INTO nexus.tick_tasks (name, function_name, every, needs_attachment, position) VALUES
  ('metric_pulls', 'sync_metric_pulls', '1 minute', true, 72), ('metric_adopt', 'adopt_published_posts', '1 hour', true, 73);
DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'nexus'::pg_catalog.regnamespace AND p.proname IN (
      'measured_posts_trigger', 'adopt_published_posts', 'sync_metric_pulls', 'metric_pulls_hold_trigger', 'metrics_pull_task', 'metrics_pull_job', 'record_counters',
      'finish_metrics_pull', 'fail_metrics_pull', 'push_metrics')
  LOOP
    EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, r FROM pg_catalog.unnest(ARRAY['adopt_published_posts', 'sync_metric_pulls', 'metrics_pull_task', 'finish_metrics_pull', 'fail_metrics_pull',
  'push_metrics']) AS f, pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;
INSERT INTO nexus.attached_views (view_name, role_name) VALUES ('metric_pulls', 'nexus_worker'), ('metric_pulls', 'nexus_owner');
