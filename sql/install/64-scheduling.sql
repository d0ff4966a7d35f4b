-- Scheduling: from a post and a time or rule to platform posts. The functions run as their caller, so row security
-- decides whose posts they see; what they change is kept true by the triggers, whoever makes the change.

-- A post that the caller sees, locked; P0002 else.
CREATE FUNCTION nexus.own_post(social_post_id integer) RETURNS void LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  seen boolean;
BEGIN
  EXECUTE format('SELECT true FROM %I.social_posts WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE', nexus.attached_schema())
    INTO seen USING social_post_id;
  IF seen IS NULL THEN
    RAISE EXCEPTION 'social post % does not exist', social_post_id USING ERRCODE = 'P0002', TABLE = 'social_posts',
      HINT = 'It is another user''s, has been deleted or was never there.';
  END IF;
END $$;
COMMENT ON FUNCTION nexus.own_post(integer) IS 'Part of scheduling: P0002 unless the caller sees this post; locks it.';

CREATE FUNCTION nexus.materialise_schedules(schedule_ids integer[] DEFAULT NULL, until timestamptz DEFAULT now() + interval '1 day',
  max_schedules integer DEFAULT 5000)
  RETURNS TABLE (schedules bigint, inserted bigint, missed bigint) LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  ids integer[];
  posts integer[];
  late jsonb;
  has_drafts boolean;
  is_thread boolean;
BEGIN
  schedules := 0; inserted := 0; missed := 0;
  EXECUTE format($sql$
    SELECT array_agg(id), array_agg(social_post_id) FROM (
      SELECT s.id, s.social_post_id FROM %1$I.post_schedules s WHERE s.status = 'pending' AND s.next_run_at <= $1 AT TIME ZONE 'UTC'
        AND ($2 IS NULL OR s.id = ANY ($2))
      ORDER BY s.next_run_at, s.id LIMIT $3 FOR UPDATE SKIP LOCKED) AS due
  $sql$, attached) INTO ids, posts USING until, schedule_ids, max_schedules;
  IF ids IS NULL THEN
    RETURN NEXT;
    RETURN;
  END IF;
  schedules := cardinality(ids);
  -- Most posts have none, and then nothing below need look for them one by one.
  EXECUTE format('SELECT EXISTS (SELECT FROM %I.platform_posts d WHERE d.social_post_id = ANY ($1) AND d.status = ''draft'' AND d.schedule_id IS NULL)', attached)
    INTO has_drafts USING posts;

  IF has_drafts THEN
    -- The drafts of a post that is published once become its platform posts.
    EXECUTE format($sql$
      UPDATE %1$I.platform_posts d SET schedule_id = s.id, occurrence_at = s.next_run_at, scheduled_at = s.next_run_at, status = 'scheduled'
      FROM unnest($1) AS u(id) JOIN %1$I.post_schedules s ON s.id = u.id JOIN %1$I.social_posts p ON p.id = s.social_post_id
      WHERE d.social_post_id = s.social_post_id AND d.status = 'draft' AND d.schedule_id IS NULL AND d.platform = s.platform
        AND (s.account_id IS NULL OR d.account_id = s.account_id) AND COALESCE(s.recurrence, 'none') = 'none'
        AND p.cancelled_at IS NULL AND p.deleted_at IS NULL AND s.next_run_at >= nexus.utcnow() - s.missed_grace
        AND (s.missed_policy = 'publish_late' OR s.next_run_at >= nexus.utcnow() - interval '1 minute')
    $sql$, attached) USING ids;
    GET DIAGNOSTICS inserted = ROW_COUNT;
  END IF;

  EXECUTE format($sql$
    WITH occurrence AS MATERIALIZED (
      SELECT s.id, s.social_post_id, s.platform, s.account_id, p.user_id, o.at AT TIME ZONE 'UTC' AS at,
        CASE WHEN o.at >= now() - interval '1 minute' THEN 'scheduled' WHEN s.missed_policy = 'ask' THEN 'draft'
          WHEN s.missed_policy = 'publish_late' AND o.at >= now() - s.missed_grace THEN 'scheduled' ELSE 'missed' END AS fate
      FROM unnest($1) AS u(id) JOIN %1$I.post_schedules s ON s.id = u.id JOIN %1$I.social_posts p ON p.id = s.social_post_id
      CROSS JOIN LATERAL nexus.schedule_instants(s.recurrence, s.rrule, s.scheduled_at, s.timezone, s.series_end_date, s.exdates,
        s.occurrence_limit, s.next_run_at AT TIME ZONE 'UTC', $2 + interval '1 microsecond') AS o(at)
      WHERE p.cancelled_at IS NULL AND p.deleted_at IS NULL),
    made AS (
      INSERT INTO %1$I.platform_posts (social_post_id, platform, account_id, caption, hashtags, emojis, metadata, scheduled_at, status,
        schedule_id, occurrence_at, thread_position)
      SELECT o.social_post_id, a.platform, a.id, d.caption, d.hashtags, d.emojis, d.metadata, o.at, o.fate, o.id, o.at, COALESCE(d.thread_position, 0)
      FROM occurrence o CROSS JOIN LATERAL (
        SELECT x.id, x.platform FROM %1$I.social_accounts x WHERE x.id = o.account_id
        UNION ALL
        SELECT x.id, x.platform FROM %1$I.social_accounts x WHERE o.account_id IS NULL AND x.user_id = o.user_id AND x.platform = o.platform
          AND x.is_active IS NOT FALSE AND x.status <> 'disabled') AS a
      LEFT JOIN %1$I.platform_posts d ON %2$s AND d.social_post_id = o.social_post_id AND d.account_id = a.id AND d.status = 'draft' AND d.schedule_id IS NULL
      WHERE o.fate <> 'missed'
      ON CONFLICT (schedule_id, account_id, occurrence_at, thread_position) WHERE schedule_id IS NOT NULL DO NOTHING
      RETURNING thread_position)
    SELECT $3 + (SELECT count(*) FROM made), (SELECT bool_or(thread_position > 0) FROM made), count(*) FILTER (WHERE fate = 'missed'),
      jsonb_agg(jsonb_build_object('id', id, 'user_id', user_id, 'at', at, 'fate', fate)) FILTER (WHERE fate <> 'scheduled')
    FROM occurrence
  $sql$, attached, has_drafts::text) INTO inserted, is_thread, missed, late USING ids, until, inserted;

  IF is_thread THEN
    -- A thread of drafts has been copied row by row: each part replies to the one before it.
    EXECUTE format($sql$
      UPDATE %1$I.platform_posts c SET thread_parent_id = p.id FROM unnest($1) AS u(id) JOIN %1$I.platform_posts p ON p.schedule_id = u.id
      WHERE c.schedule_id = p.schedule_id AND c.account_id = p.account_id AND c.occurrence_at = p.occurrence_at
        AND c.thread_position = p.thread_position + 1 AND c.thread_parent_id IS NULL AND c.status IN ('draft', 'scheduled') AND c.thread_position > 0
    $sql$, attached) USING ids;
  END IF;
  EXECUTE format($sql$
    UPDATE %1$I.post_schedules s SET next_run_at = f.next, status = CASE WHEN f.next IS NULL AND NOT f.any_post THEN 'completed' ELSE s.status END
    FROM (SELECT s.id, nexus.schedule_next(s.recurrence, s.rrule, s.scheduled_at, s.timezone, s.series_end_date, s.exdates,
        s.occurrence_limit, $2 AT TIME ZONE 'UTC') AS next,
        EXISTS (SELECT FROM %1$I.platform_posts pp WHERE pp.schedule_id = s.id) AS any_post
      FROM unnest($1) AS u(id) JOIN %1$I.post_schedules s ON s.id = u.id) AS f WHERE s.id = f.id
  $sql$, attached) USING ids, until;
  IF late IS NOT NULL THEN
    PERFORM nexus.notify_user(l ->> 'user_id', 'schedule_missed', 'A scheduled time was missed',
        CASE l ->> 'fate' WHEN 'draft' THEN 'The post waits for your decision.' ELSE 'It was too late to publish it.' END,
        1, 'post_schedules', (l ->> 'id')::integer, format('post_schedules:%s:missed:%s', l ->> 'id', l ->> 'at'))
      FROM jsonb_array_elements(late) AS l;
  END IF;
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION nexus.materialise_schedules(integer[], timestamptz, integer) IS
$$Makes the platform posts of schedules that fire up to an instant: one for each occurrence and account, so a second call makes none. Drafts of the post for an account are used for a single time, and copied for each occurrence of a series.
What is late goes by missed_policy: publish_late within missed_grace, skip never, ask leaves a draft; who is concerned is notified. Returns how many schedules were looked at (at most max_schedules), rows inserted and occurrences missed.$$;

CREATE FUNCTION nexus.schedule_post(
  social_post_id integer, at timestamptz, tz text DEFAULT 'UTC', rrule text DEFAULT 'none', account_ids integer[] DEFAULT NULL,
  series_end timestamptz DEFAULT NULL, max_occurrences integer DEFAULT NULL)
  RETURNS integer LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  alias constant boolean := COALESCE(lower(rrule), 'none') IN ('none', 'daily', 'weekdays', 'weekly', 'monthly', 'yearly');
  targets jsonb;
  made integer[];
  first_at timestamp;
  wrong jsonb;
  more bigint;
  twin record;
BEGIN
  IF at IS NULL OR NOT isfinite(at) THEN
    RAISE EXCEPTION 'at must be a finite time' USING ERRCODE = '22023';
  END IF;
  IF series_end < at THEN
    RAISE EXCEPTION 'series_end lies before at' USING ERRCODE = '22023';
  END IF;
  PERFORM nexus.own_post(social_post_id);
  IF account_ids IS NOT NULL THEN
    EXECUTE format('SELECT jsonb_agg(jsonb_build_object(''account'', id, ''platform'', platform) ORDER BY array_position($1, id))
      FROM %I.social_accounts WHERE id = ANY ($1)', attached) INTO targets USING account_ids;
    IF COALESCE(jsonb_array_length(targets), 0) <> (SELECT count(DISTINCT u) FROM unnest(account_ids) u) OR account_ids = '{}' THEN
      RAISE EXCEPTION 'account_ids names an account that is not the post''s owner''s'
        USING ERRCODE = 'NX003', HINT = 'Use ids of social_accounts of the same user.';
    END IF;
  ELSE
    EXECUTE format('SELECT jsonb_agg(DISTINCT jsonb_build_object(''account'', account_id, ''platform'', platform))
      FROM %I.platform_posts WHERE social_post_id = $1 AND status = ''draft'' AND schedule_id IS NULL', attached) INTO targets USING social_post_id;
    IF targets IS NULL THEN
      EXECUTE format('SELECT jsonb_agg(DISTINCT jsonb_build_object(''platform'', a.platform)) FROM %1$I.social_accounts a
        WHERE a.user_id = (SELECT user_id FROM %1$I.social_posts WHERE id = $1) AND a.is_active IS NOT FALSE AND a.status <> ''disabled''',
        attached) INTO targets USING social_post_id;
    END IF;
    IF targets IS NULL THEN
      RAISE EXCEPTION 'social post % has no account to go to', social_post_id
        USING ERRCODE = '55000', HINT = 'Connect an account first.';
    END IF;
  END IF;

  EXECUTE format($sql$
    WITH made AS (
      INSERT INTO %1$I.post_schedules (social_post_id, platform, account_id, scheduled_at, recurrence, rrule, timezone, series_end_date, occurrence_limit)
      SELECT $1, t ->> 'platform', (t ->> 'account')::integer, $3, $4, $5, $6, $7, $8
      FROM jsonb_array_elements($2) WITH ORDINALITY AS e(t, n) ORDER BY n RETURNING id, next_run_at)
    SELECT array_agg(id ORDER BY id), min(next_run_at) FROM made
  $sql$, attached) INTO made, first_at USING social_post_id, targets, at AT TIME ZONE 'UTC', CASE WHEN alias THEN COALESCE(lower(rrule), 'none') ELSE 'custom' END,
    CASE WHEN NOT alias THEN rrule END, tz, series_end AT TIME ZONE 'UTC', max_occurrences;
  IF first_at IS NULL OR first_at < nexus.utcnow() - interval '6 hours' THEN
    RAISE EXCEPTION 'nothing would be published: % lies in the past', CASE WHEN first_at IS NULL THEN 'every occurrence' ELSE 'the time' END
      USING ERRCODE = '22023', HINT = 'Choose a later time.';
  END IF;
  EXECUTE format('UPDATE %I.post_schedules SET metadata = COALESCE(metadata, ''{}'') || jsonb_build_object(''group'', $1[1]) WHERE id = ANY ($1)', attached)
    USING made;
  EXECUTE format($sql$
    UPDATE %1$I.social_posts SET cancelled_at = NULL, scheduled_at = CASE WHEN status = 'published' THEN scheduled_at ELSE $2 END,
      status = CASE WHEN status IN ('draft', 'failed') THEN 'scheduled' ELSE status END WHERE id = $1
  $sql$, attached) USING social_post_id, first_at;
  PERFORM nexus.materialise_schedules(made, GREATEST(now() + interval '1 day', first_at AT TIME ZONE 'UTC'));

  -- Only now is it known where the post goes, and so which rules it must meet.
  IF NOT EXISTS (SELECT FROM nexus.enforcement e WHERE e.table_name = 'social_posts' AND e.mode <> 'error') THEN
    SELECT jsonb_agg(to_jsonb(f)), count(*) - 1 INTO wrong, more FROM nexus.validate_post(social_post_id) f WHERE f.severity = 'error';
    IF wrong IS NOT NULL THEN
      RAISE EXCEPTION '%', format('social post %s is not valid: %s', social_post_id, wrong -> 0 ->> 'message') || CASE WHEN more > 0 THEN format(', and %s more', more) ELSE '' END
        USING ERRCODE = 'NX001', TABLE = 'social_posts', COLUMN = COALESCE(wrong -> 0 ->> 'field', ''), DETAIL = wrong::text, HINT = COALESCE(wrong -> 0 ->> 'hint', '');
    END IF;
  END IF;
  -- The same words to the same account on the same day are nearly always a mistake.
  EXECUTE format($sql$
    UPDATE %1$I.platform_posts SET payload_sha256 = nexus.payload_sha256(nexus.publish_payload(id)) WHERE schedule_id = ANY ($1) AND status = 'scheduled'
  $sql$, attached) USING made;
  EXECUTE format($sql$
    SELECT o.id, o.scheduled_at FROM %1$I.platform_posts n JOIN %1$I.platform_posts o ON o.account_id = n.account_id
      AND o.scheduled_at BETWEEN n.scheduled_at - interval '24 hours' AND n.scheduled_at + interval '24 hours'
      AND o.payload_sha256 = n.payload_sha256 AND o.schedule_id IS DISTINCT FROM n.schedule_id AND o.id <> n.id
      AND o.status IN ('scheduled', 'publishing', 'published', 'unconfirmed')
    WHERE n.schedule_id = ANY ($1) AND n.status = 'scheduled'
      AND NOT EXISTS (SELECT FROM %1$I.social_posts p WHERE p.id = n.social_post_id AND p.metadata ->> 'allow_duplicate' = 'true')
    LIMIT 1
  $sql$, attached) INTO twin USING made;
  IF twin.id IS NOT NULL THEN
    RAISE EXCEPTION 'the same post goes to the same account as platform post % within 24 hours', twin.id
      USING ERRCODE = '23505', TABLE = 'platform_posts', HINT = 'Change the text, or set metadata.allow_duplicate of the post to true.';
  END IF;
  RETURN made[1];
END $$;
COMMENT ON FUNCTION nexus.schedule_post(integer, timestamptz, text, text, integer[], timestamptz, integer) IS
$$Plans a post for one time, or by a rule (an alias or an RFC 5545 RRULE) that recurs in the wall time of tz; returns the id of its schedule. With account_ids each of these accounts gets a schedule of its own (metadata.group names the first one); without, the accounts of the post's drafts, or all active accounts of its owner.
P0002 for a post that is not the caller's, NX001 for one that a platform would refuse, NX003 for foreign accounts, NX010 for a bad rule, 22023 for a bad zone or a time in the past, 23505 where the same text goes to the same account within 24 hours, 55000 without an account.$$;

CREATE FUNCTION nexus.schedule_change_trigger() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF nexus.is_importing() THEN
    RETURN NULL;
  END IF;
  IF NEW.status = 'cancelled' THEN
    EXECUTE format('UPDATE %I.platform_posts SET status = ''cancelled'', error_class = ''cancelled'' WHERE schedule_id = $1 AND status IN (''draft'', ''scheduled'')',
      TG_TABLE_SCHEMA) USING NEW.id;
  ELSIF OLD.recurrence IS NOT DISTINCT FROM 'none' AND NEW.recurrence IS NOT DISTINCT FROM 'none' THEN
    EXECUTE format('UPDATE %I.platform_posts SET scheduled_at = $2, occurrence_at = $2, next_attempt_at = NULL WHERE schedule_id = $1 AND status = ''scheduled''',
      TG_TABLE_SCHEMA) USING NEW.id, NEW.scheduled_at;
    EXECUTE format('UPDATE %I.social_posts SET scheduled_at = $2 WHERE id = $1 AND status = ''scheduled''', TG_TABLE_SCHEMA)
      USING NEW.social_post_id, NEW.scheduled_at;
  ELSE
    -- They leave the schedule, so that the new rule may make the same occurrence anew.
    EXECUTE format('UPDATE %I.platform_posts SET status = ''cancelled'', error_class = ''cancelled'', error_message = ''the schedule was changed'',
      schedule_id = NULL WHERE schedule_id = $1 AND status IN (''draft'', ''scheduled'')', TG_TABLE_SCHEMA) USING NEW.id;
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.schedule_change_trigger() IS
  'What has not been sent follows its schedule: a single time moves it, another rule, zone or exdate cancels it and the new rule makes it anew, a cancelled schedule cancels it.';

CREATE FUNCTION nexus.reschedule_post(
  schedule_id integer, at timestamptz DEFAULT NULL, tz text DEFAULT NULL, rrule text DEFAULT NULL, series_end timestamptz DEFAULT NULL,
  max_occurrences integer DEFAULT NULL)
  RETURNS integer LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  changed integer[];
  alias constant boolean := lower(rrule) IN ('none', 'daily', 'weekdays', 'weekly', 'monthly', 'yearly');
BEGIN
  EXECUTE format($sql$
    WITH changed AS (
      UPDATE %1$I.post_schedules s SET scheduled_at = COALESCE($2, s.scheduled_at), timezone = COALESCE($3, s.timezone),
        recurrence = CASE WHEN $4 IS NULL THEN s.recurrence WHEN $5 THEN lower($4) ELSE 'custom' END,
        rrule = CASE WHEN $4 IS NULL THEN s.rrule WHEN NOT $5 THEN $4 END, series_end_date = COALESCE($6, s.series_end_date),
        occurrence_limit = COALESCE($7, s.occurrence_limit), error_message = NULL,
        status = CASE WHEN s.status = 'failed' THEN 'pending' ELSE s.status END
      WHERE s.status IN ('pending', 'paused', 'failed') AND s.id IN (
        SELECT g.id FROM %1$I.post_schedules a JOIN %1$I.post_schedules g ON g.social_post_id = a.social_post_id
          AND (g.id = a.id OR g.metadata -> 'group' = a.metadata -> 'group') WHERE a.id = $1)
      RETURNING s.id)
    SELECT array_agg(id ORDER BY id) FROM changed
  $sql$, nexus.attached_schema()) INTO changed USING schedule_id, at AT TIME ZONE 'UTC', tz, rrule, alias, series_end AT TIME ZONE 'UTC', max_occurrences;
  IF changed IS NULL THEN
    RAISE EXCEPTION 'schedule % cannot be moved', schedule_id USING ERRCODE = 'P0002', TABLE = 'post_schedules',
      HINT = 'It is not there, not yours, being sent at this moment, or over.';
  END IF;
  PERFORM nexus.materialise_schedules(changed);
  RETURN cardinality(changed);
END $$;
COMMENT ON FUNCTION nexus.reschedule_post(integer, timestamptz, text, text, timestamptz, integer) IS
  'Moves a schedule and those of its group; what is left out stays. Platform posts that have not been sent move along, or are made anew by the new rule. Returns how many schedules changed; P0002 where there is none to change.';

CREATE FUNCTION nexus.cancel_post(social_post_id integer) RETURNS integer LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  cancelled integer;
BEGIN
  -- Schedules are locked before the post, as everybody does.
  EXECUTE format('SELECT count(*) FROM (SELECT FROM %I.post_schedules WHERE social_post_id = $1 ORDER BY id FOR NO KEY UPDATE) AS locked', attached)
    USING social_post_id;
  EXECUTE format('UPDATE %I.platform_posts SET status = ''cancelled'', error_class = ''cancelled'' WHERE social_post_id = $1
    AND status IN (''draft'', ''scheduled'', ''failed'')', attached) USING social_post_id;
  GET DIAGNOSTICS cancelled = ROW_COUNT;
  EXECUTE format('UPDATE %I.post_schedules SET status = ''cancelled'' WHERE social_post_id = $1 AND status IN (''pending'', ''paused'')', attached)
    USING social_post_id;
  PERFORM nexus.own_post(social_post_id);
  EXECUTE format('UPDATE %1$I.social_posts p SET cancelled_at = COALESCE(p.cancelled_at, nexus.utcnow()),
      status = CASE WHEN p.status = ''scheduled'' AND NOT EXISTS (SELECT FROM %1$I.platform_posts pp WHERE pp.social_post_id = p.id
        AND pp.status = ''publishing'') THEN ''draft'' ELSE p.status END
    WHERE p.id = $1', attached) USING social_post_id;
  RETURN cancelled;
END $$;
COMMENT ON FUNCTION nexus.cancel_post(integer) IS
  'Cancels all of a post that has not been sent, with its schedules, and returns how many platform posts that were. What is being sent at this moment is asked to stop, and may still come out. P0002 for a post that is not the caller''s.';

CREATE FUNCTION nexus.publish_now(social_post_id integer, account_ids integer[] DEFAULT NULL) RETURNS integer LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  planned integer;
BEGIN
  EXECUTE format($sql$
    WITH moved AS (
      UPDATE %1$I.post_schedules SET scheduled_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE social_post_id = $1 AND status = 'pending'
        AND recurrence = 'none' AND ($2 IS NULL OR account_id = ANY ($2)) RETURNING id)
    SELECT min(id) FROM moved
  $sql$, nexus.attached_schema()) INTO planned USING social_post_id, account_ids;
  IF planned IS NULL THEN
    RETURN nexus.schedule_post(social_post_id, clock_timestamp(), account_ids => account_ids);
  END IF;
  PERFORM nexus.materialise_schedules(ARRAY[planned]);
  RETURN planned;
END $$;
COMMENT ON FUNCTION nexus.publish_now(integer, integer[]) IS
  'Publishes a post at once: its pending single times are moved to now, or it is scheduled for now as schedule_post would. Returns the schedule''s id.';

CREATE FUNCTION nexus.retry_post(social_post_id integer, platform_post_id integer DEFAULT NULL, verified_absent boolean DEFAULT false)
  RETURNS integer LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  retried integer[];
  replies integer[];
  waiting integer;
BEGIN
  PERFORM nexus.own_post(social_post_id);
  EXECUTE format($sql$
    WITH again AS (
      UPDATE %1$I.platform_posts SET status = 'scheduled', next_attempt_at = clock_timestamp() AT TIME ZONE 'UTC',
        scheduled_at = COALESCE(scheduled_at, nexus.utcnow()), error_class = NULL, error_code = NULL, error_message = NULL
      WHERE social_post_id = $1 AND ($2 IS NULL OR id = $2) AND (status = 'failed' OR status = 'unconfirmed' AND $3) RETURNING id, schedule_id),
    reopened AS (
      UPDATE %1$I.post_schedules s SET status = 'pending' FROM again WHERE s.id = again.schedule_id AND s.status = 'failed')
    SELECT array_agg(id) FROM again
  $sql$, attached) INTO retried USING social_post_id, platform_post_id, verified_absent;
  IF retried IS NOT NULL THEN
    -- replies, and replies to those, that were cancelled because this failed
    EXECUTE format($sql$
      WITH RECURSIVE replies AS (
        SELECT c.id FROM %1$I.platform_posts c WHERE c.thread_parent_id = ANY ($1) AND c.status = 'cancelled' AND c.error_code = 'parent_failed'
        UNION
        SELECT c.id FROM replies r JOIN %1$I.platform_posts c ON c.thread_parent_id = r.id WHERE c.status = 'cancelled' AND c.error_code = 'parent_failed'),
      revived AS (
        UPDATE %1$I.platform_posts c SET status = 'draft', error_class = NULL, error_code = NULL, error_message = NULL FROM replies r WHERE c.id = r.id RETURNING c.id)
      SELECT array_agg(id) FROM revived
    $sql$, attached) INTO replies USING retried;
    EXECUTE format('UPDATE %I.platform_posts SET status = ''scheduled'' WHERE id = ANY ($1) AND status = ''draft'' AND scheduled_at IS NOT NULL', attached) USING replies;
  END IF;
  -- and those whose job was given up before anything was sent
  EXECUTE format($sql$
    UPDATE %I.platform_posts SET next_attempt_at = clock_timestamp() AT TIME ZONE 'UTC', error_class = NULL,
      error_code = NULL, error_message = NULL
    WHERE social_post_id = $1 AND ($2 IS NULL OR id = $2) AND status = 'scheduled' AND error_code = 'given_up'
  $sql$, attached) USING social_post_id, platform_post_id;
  GET DIAGNOSTICS waiting = ROW_COUNT;
  IF retried IS NULL AND waiting = 0 THEN
    RAISE EXCEPTION 'social post % has nothing to retry', social_post_id USING ERRCODE = 'NX002',
      HINT = 'Only what failed is sent again; what is unconfirmed only with verified_absent, after you have looked on the platform.';
  END IF;
  RETURN COALESCE(cardinality(retried), 0) + waiting;
END $$;
COMMENT ON FUNCTION nexus.retry_post(integer, integer, boolean) IS
  'Sends again what failed of a post, or one platform post of it; returns how many. An unconfirmed one may have arrived: it is sent again only with verified_absent, by one who has looked. P0002 for a post that is not the caller''s, NX002 where there is nothing to retry.';

CREATE FUNCTION nexus.review_post(social_post_id integer, decision text, note text) RETURNS void LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM nexus.own_post(social_post_id);
  EXECUTE format('UPDATE %I.social_posts SET review_state = $2, review_note = COALESCE($3, review_note),
    reviewed_by = CASE WHEN $2 IN (''approved'', ''rejected'') THEN nexus.current_user_id() END WHERE id = $1', nexus.attached_schema())
    USING social_post_id, decision, note;
END $$;
COMMENT ON FUNCTION nexus.review_post(integer, text, text) IS 'Part of submit_post, approve_post and reject_post.';

CREATE FUNCTION nexus.submit_post(social_post_id integer, note text DEFAULT NULL) RETURNS void LANGUAGE sql VOLATILE
  SET search_path = pg_catalog, pg_temp
  RETURN nexus.review_post(social_post_id, 'pending', note);
COMMENT ON FUNCTION nexus.submit_post(integer, text) IS
  'Puts a post under review: none of it is published until it is approved. Any later edit of text, media or time sends it back here.';
CREATE FUNCTION nexus.approve_post(social_post_id integer, note text DEFAULT NULL) RETURNS void LANGUAGE sql VOLATILE
  SET search_path = pg_catalog, pg_temp
  RETURN nexus.review_post(social_post_id, 'approved', note);
COMMENT ON FUNCTION nexus.approve_post(integer, text) IS 'Approves a post in review, and lets its jobs go. NX002 for a post that is not in review.';
CREATE FUNCTION nexus.reject_post(social_post_id integer, note text DEFAULT NULL) RETURNS void LANGUAGE sql VOLATILE
  SET search_path = pg_catalog, pg_temp
  RETURN nexus.review_post(social_post_id, 'rejected', note);
COMMENT ON FUNCTION nexus.reject_post(integer, text) IS 'Rejects a post in review; its jobs stay parked. NX002 for a post that is not in review.';

CREATE FUNCTION nexus.pause_post(social_post_id integer) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM nexus.own_post(social_post_id);
  EXECUTE format('UPDATE %I.social_posts SET paused_at = nexus.utcnow() WHERE id = $1 AND paused_at IS NULL', nexus.attached_schema()) USING social_post_id;
END $$;
COMMENT ON FUNCTION nexus.pause_post(integer) IS 'Nothing of the post goes out until resume_post.';
CREATE FUNCTION nexus.resume_post(social_post_id integer) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM nexus.own_post(social_post_id);
  EXECUTE format('UPDATE %I.social_posts SET paused_at = NULL WHERE id = $1', nexus.attached_schema()) USING social_post_id;
END $$;
COMMENT ON FUNCTION nexus.resume_post(integer) IS 'Takes back pause_post; what has become due meanwhile goes out.';

CREATE FUNCTION nexus.set_account_status(account_id integer, from_state text, to_state text, reason text) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  was text;
BEGIN
  EXECUTE format('SELECT status FROM %I.social_accounts WHERE id = $1 FOR NO KEY UPDATE', nexus.attached_schema()) INTO was USING account_id;
  IF was IS NULL THEN
    RAISE EXCEPTION 'account % does not exist', account_id USING ERRCODE = 'P0002', TABLE = 'social_accounts';
  ELSIF was = from_state THEN
    EXECUTE format('UPDATE %I.social_accounts SET status = $2, status_reason = $3 WHERE id = $1', nexus.attached_schema())
      USING account_id, to_state, reason;
  ELSIF was <> to_state THEN
    RAISE EXCEPTION 'account % is %, not %', account_id, was, from_state USING ERRCODE = 'NX002', TABLE = 'social_accounts', COLUMN = 'status';
  END IF;
END $$;
COMMENT ON FUNCTION nexus.set_account_status(integer, text, text, text) IS 'Part of pause_account and resume_account.';
CREATE FUNCTION nexus.pause_account(account_id integer, reason text DEFAULT NULL) RETURNS void LANGUAGE sql VOLATILE
  SET search_path = pg_catalog, pg_temp
  RETURN nexus.set_account_status(account_id, 'active', 'disabled', COALESCE(reason, 'paused'));
COMMENT ON FUNCTION nexus.pause_account(integer, text) IS
  'Nothing goes out to the account until resume_account: its jobs are parked. NX002 for an account that is not active.';
CREATE FUNCTION nexus.resume_account(account_id integer) RETURNS void LANGUAGE sql VOLATILE
  SET search_path = pg_catalog, pg_temp
  RETURN nexus.set_account_status(account_id, 'disabled', 'active', NULL);
COMMENT ON FUNCTION nexus.resume_account(integer) IS 'Takes back pause_account; what has become due meanwhile goes out.';

CREATE FUNCTION nexus.edit_occurrence(
  schedule_id integer, occurrence_at timestamptz, at timestamptz DEFAULT NULL, caption text DEFAULT NULL, hashtags text[] DEFAULT NULL,
  skip boolean DEFAULT false)
  RETURNS integer LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  key constant timestamp := occurrence_at AT TIME ZONE 'UTC';
  edited integer;
BEGIN
  IF NOT EXISTS (SELECT FROM nexus.schedule_occurrences(schedule_id, occurrence_at - interval '1 microsecond', occurrence_at + interval '1 microsecond')) THEN
    RAISE EXCEPTION 'schedule % has no occurrence at %', schedule_id, occurrence_at USING ERRCODE = 'P0002', TABLE = 'post_schedules',
      HINT = 'nexus.schedule_occurrences lists them.';
  END IF;
  PERFORM nexus.materialise_schedules(ARRAY[schedule_id], GREATEST(now() + interval '1 day', occurrence_at));
  EXECUTE format($sql$
    UPDATE %I.platform_posts SET scheduled_at = COALESCE($3, scheduled_at), 
      caption = CASE WHEN thread_position = 0 THEN COALESCE($4, caption) ELSE caption END,
      hashtags = CASE WHEN thread_position = 0 THEN COALESCE($5, hashtags) ELSE hashtags END,
      status = CASE WHEN $6 THEN 'cancelled' ELSE status END, error_class = CASE WHEN $6 THEN 'cancelled' ELSE error_class END
    WHERE schedule_id = $1 AND occurrence_at = $2 AND status IN ('draft', 'scheduled')
  $sql$, attached) USING schedule_id, key, at AT TIME ZONE 'UTC', caption, hashtags, skip;
  GET DIAGNOSTICS edited = ROW_COUNT;
  IF edited = 0 THEN
    RAISE EXCEPTION 'the occurrence of schedule % at % is not open any more', schedule_id, occurrence_at
      USING ERRCODE = 'NX002', HINT = 'It is being sent, has been sent or was cancelled.';
  END IF;
  RETURN edited;
END $$;
COMMENT ON FUNCTION nexus.edit_occurrence(integer, timestamptz, timestamptz, text, text[], boolean) IS
  'Changes one occurrence of a schedule and no other: its time, its text or hashtags, or leaves it out (skip). Returns how many platform posts that were. P0002 where nothing recurs at that instant, NX002 where it has been sent.';

CREATE FUNCTION nexus.schedule_posts(posts jsonb)
  RETURNS TABLE (row_number integer, social_post_id integer, schedule_id integer, error jsonb) LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  item jsonb;
  state text; message text; detail text; hint text;
BEGIN
  IF posts IS NULL OR jsonb_typeof(posts) <> 'array' OR jsonb_array_length(posts) > 1000 THEN
    RAISE EXCEPTION 'posts must be an array of at most 1000 objects' USING ERRCODE = '22023';
  END IF;
  FOR item, row_number IN SELECT e.value, e.n::integer FROM jsonb_array_elements(posts) WITH ORDINALITY AS e(value, n) LOOP
    social_post_id := NULL; schedule_id := NULL; error := NULL;
    BEGIN
      IF jsonb_typeof(item) <> 'object' THEN
        RAISE EXCEPTION 'a row must be an object' USING ERRCODE = '22023';
      END IF;
      social_post_id := (item ->> 'social_post_id')::integer;
      IF social_post_id IS NULL THEN
        EXECUTE format('INSERT INTO %I.social_posts (user_id, title, caption, hashtags, content_type) VALUES ($1, $2, $3, $4, $5) RETURNING id',
          nexus.attached_schema()) INTO social_post_id
          USING COALESCE(nexus.current_user_id(), item ->> 'user_id'), COALESCE(item ->> 'title', left(item ->> 'caption', 80)), item ->> 'caption',
            CASE WHEN item ? 'hashtags' THEN ARRAY(SELECT jsonb_array_elements_text(item -> 'hashtags')) END, COALESCE(item ->> 'content_type', 'post');
      END IF;
      schedule_id := nexus.schedule_post(social_post_id, (item ->> 'at')::timestamptz, COALESCE(item ->> 'tz', 'UTC'), COALESCE(item ->> 'rrule', 'none'),
        CASE WHEN item ? 'account_ids' THEN ARRAY(SELECT v::integer FROM jsonb_array_elements_text(item -> 'account_ids') v) END,
        (item ->> 'series_end')::timestamptz, (item ->> 'max_occurrences')::integer);
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
      social_post_id := CASE WHEN item ? 'social_post_id' AND state <> '22P02' THEN social_post_id END;
      schedule_id := NULL;
      error := jsonb_strip_nulls(jsonb_build_object('code', state, 'message', message, 'details', NULLIF(detail, ''), 'hint', NULLIF(hint, '')));
    END;
    RETURN NEXT;
  END LOOP;
END $$;
COMMENT ON FUNCTION nexus.schedule_posts(jsonb) IS
$$schedule_post for up to 1000 rows at once: objects with at, and with social_post_id or the post's title, caption, hashtags, content_type; tz, rrule, account_ids, series_end, max_occurrences as in schedule_post.
Each row succeeds or fails by itself: error is NULL or an object of code, message, details and hint, and row_number counts from 1. A row that fails leaves nothing behind.$$;


INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('post_schedules', 'schedule_change', 'AFTER UPDATE OF status, scheduled_at, series_end_date, recurrence, rrule, timezone, exdates, occurrence_limit ON %1$s FOR EACH ROW WHEN (NEW.status = ''cancelled'' AND OLD.status <> ''cancelled'' OR (NEW.scheduled_at, NEW.series_end_date, NEW.recurrence, NEW.rrule, NEW.timezone, NEW.exdates, NEW.occurrence_limit) IS DISTINCT FROM (OLD.scheduled_at, OLD.series_end_date, OLD.recurrence, OLD.rrule, OLD.timezone, OLD.exdates, OLD.occurrence_limit))',
    'nexus.schedule_change_trigger()'),
  ('post_schedules', 'sync_jobs', 'AFTER UPDATE OF status ON %1$s FOR EACH ROW WHEN ((OLD.status = ''paused'') <> (NEW.status = ''paused''))',
    'nexus.publish_jobs_hold_trigger()');
