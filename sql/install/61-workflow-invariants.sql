-- The invariants that triggers keep on the application's tables, and which trigger stands on which table.

CREATE FUNCTION nexus.updated_at_trigger() RETURNS trigger LANGUAGE c
  AS 'MODULE_PATHNAME', 'nexus_updated_at_trigger';
COMMENT ON FUNCTION nexus.updated_at_trigger() IS
  'updated_at is the database''s: it moves with every UPDATE that changes a row, only then, and never to a client''s '
  'value (but with the setting nexus.import_mode). The arguments are columns that background work marks: a change of them '
  'alone is no edit.';

CREATE FUNCTION nexus.owner_agreement_trigger() RETURNS trigger LANGUAGE c
  AS 'MODULE_PATHNAME', 'nexus_owner_agreement_trigger';
COMMENT ON FUNCTION nexus.owner_agreement_trigger() IS
  'A row refers to rows of its own owner only: NX003, in the same words for a row that is not there and one of another '
  'user. The owner of a row cannot change, and a session of nexus_app writes in its own user''s name only.';

CREATE FUNCTION nexus.is_importing() RETURNS boolean LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_is_importing';
COMMENT ON FUNCTION nexus.is_importing() IS
  'True while the setting nexus.import_mode is on. Ask this function, not current_setting: before the library is loaded '
  'anybody may set a parameter of this name.';

CREATE FUNCTION nexus.read_pair_trigger() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.is_read := NEW.is_read IS TRUE OR NEW.read_at IS NOT NULL;
    NEW.read_at := CASE WHEN NEW.is_read THEN COALESCE(NEW.read_at, nexus.utcnow()) END;
  ELSIF NEW.is_read IS DISTINCT FROM OLD.is_read THEN
    NEW.read_at := CASE WHEN NEW.is_read THEN COALESCE(NEW.read_at, nexus.utcnow()) END;
  ELSIF NEW.read_at IS DISTINCT FROM OLD.read_at THEN
    NEW.is_read := NEW.read_at IS NOT NULL;
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION nexus.read_pair_trigger() IS
  'Of is_read and read_at, setting one fills the other; unread clears read_at.';

CREATE FUNCTION nexus.revise_post_trigger() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  edited boolean := (NEW.title, NEW.caption, NEW.hashtags, NEW.emojis, NEW.content_type, NEW.thumbnail_url, NEW.media_urls,
      NEW.scheduled_at, NEW.revision)
    IS DISTINCT FROM (OLD.title, OLD.caption, OLD.hashtags, OLD.emojis, OLD.content_type, OLD.thumbnail_url, OLD.media_urls,
      OLD.scheduled_at, OLD.revision);
BEGIN
  NEW.revision := OLD.revision + edited::integer;
  IF edited AND OLD.review_state = 'approved' THEN
    NEW.review_state := 'pending';
  END IF;
  IF NEW.review_state NOT IN ('approved', 'rejected') THEN
    NEW.reviewed_at := NULL;
    NEW.reviewed_by := NULL;
  ELSIF NEW.review_state IS DISTINCT FROM OLD.review_state THEN
    NEW.reviewed_at := COALESCE(NEW.reviewed_at, nexus.utcnow());
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION nexus.revise_post_trigger() IS
  'An edit of a post (text, media or time) makes the next revision and sends an approved post back to review; the '
  'revision moves by one, whatever a client writes there. reviewed_at follows review_state.';

CREATE FUNCTION nexus.frozen_post_trigger() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  sent integer;
BEGIN
  IF TG_TABLE_NAME = 'platform_posts' THEN
    IF NEW.idempotency_key IS DISTINCT FROM OLD.idempotency_key THEN
      RAISE EXCEPTION 'platform_posts.idempotency_key cannot change'
        USING ERRCODE = '23514', TABLE = 'platform_posts', COLUMN = 'idempotency_key', SCHEMA = TG_TABLE_SCHEMA;
    END IF;
    IF OLD.status NOT IN ('publishing', 'published', 'unconfirmed') OR
      (NEW.caption, NEW.hashtags, NEW.emojis, NEW.platform, NEW.account_id, NEW.social_post_id)
        IS NOT DISTINCT FROM (OLD.caption, OLD.hashtags, OLD.emojis, OLD.platform, OLD.account_id, OLD.social_post_id)
    THEN
      RETURN NEW;
    END IF;
    sent := OLD.id;
  ELSE
    IF (NEW.caption, NEW.hashtags, NEW.emojis, NEW.thumbnail_url, NEW.media_urls)
      IS NOT DISTINCT FROM (OLD.caption, OLD.hashtags, OLD.emojis, OLD.thumbnail_url, OLD.media_urls)
    THEN
      RETURN NEW;
    END IF;
    EXECUTE format('SELECT id FROM %I.platform_posts WHERE social_post_id = $1
        AND status IN (''publishing'', ''published'', ''unconfirmed'') LIMIT 1', TG_TABLE_SCHEMA)
      INTO sent USING OLD.id;
    IF sent IS NULL AND OLD.status <> 'published' THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION '%', format('the content of %s %s is frozen: sending has begun', TG_TABLE_NAME, OLD.id)
    USING ERRCODE = 'NX002', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
      DETAIL = CASE WHEN sent IS NOT NULL THEN format('Its platform post %s is being or has been published.', sent)
        ELSE 'It has been published.' END,
      HINT = 'Make a new post; a resend must carry the same text, media and account.';
END $$;
COMMENT ON FUNCTION nexus.frozen_post_trigger() IS
  'From the moment of sending on, the text, media and account of a platform post and of its social post stay as they '
  'are (NX002): a resend with the same idempotency key must carry the same payload. The key itself never changes (23514).';

CREATE FUNCTION nexus.frozen_media_trigger() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  touched constant text := CASE TG_OP
    WHEN 'INSERT' THEN 'SELECT social_post_id FROM new_rows'
    WHEN 'DELETE' THEN 'SELECT social_post_id FROM old_rows'
    ELSE 'SELECT unnest(ARRAY[n.social_post_id, o.social_post_id]) FROM new_rows n JOIN old_rows o USING (id)
      WHERE (n.media_type, n.media_url, n.position, n.alt_text, n.social_post_id)
        IS DISTINCT FROM (o.media_type, o.media_url, o.position, o.alt_text, o.social_post_id)' END;
  sent integer;
BEGIN
  IF nexus.is_importing() THEN
    RETURN NULL;
  END IF;
  EXECUTE format('SELECT social_post_id FROM %I.platform_posts WHERE social_post_id IN (%s)
      AND status IN (''publishing'', ''published'', ''unconfirmed'') LIMIT 1', TG_TABLE_SCHEMA, touched) INTO sent;
  IF sent IS NOT NULL THEN
    RAISE EXCEPTION '%', format('the content of social_posts %s is frozen: sending has begun', sent)
      USING ERRCODE = 'NX002', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
        HINT = 'Make a new post; a resend must carry the same text, media and account.';
  END IF;
  EXECUTE format('UPDATE %I.social_posts SET revision = revision + 1 WHERE id IN (%s) AND (review_state <> ''none'' OR status <> ''draft'')',
    TG_TABLE_SCHEMA, touched);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.frozen_media_trigger() IS
  'Media are part of the post: frozen with it (NX002), and their change is an edit of a post that is planned or in '
  'review. What processing writes (status, storage, remote references) is no change.';

CREATE FUNCTION nexus.transition_to_publishing_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT FROM nexus.publish_attempts a JOIN nexus.jobs j ON j.kind = 'publish' AND j.unique_key = 'platform_post:' || NEW.id
      AND j.state IN ('ready', 'leased') AND j.lease_token = a.lease_token
    WHERE a.platform_post_id = NEW.id AND a.outcome = 'sent' AND a.ended_at IS NULL
      AND j.ref_id = NEW.id AND j.lease_until > clock_timestamp())
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '%', format('platform post %s has no live lease for publishing', NEW.id)
    USING ERRCODE = 'NX020', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = 'status',
      HINT = 'Publishing begins with a leased job and its attempt, never by writing the status.';
END $$;
COMMENT ON FUNCTION nexus.transition_to_publishing_trigger() IS
  'A platform post becomes publishing only while an open attempt holds the live lease of its publish job: NX020 else. '
  'It reads the machinery tables in the name of the extension''s owner and answers nothing but yes or no.';

CREATE FUNCTION nexus.seal_account_trigger() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  -- key id, then base64url of nonce (24 bytes), ciphertext and tag (16 bytes): at least 40 bytes
  sealed constant text := '^cn1\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{54,}$';
  bad text;
BEGIN
  NEW.access_token := NULLIF(NEW.access_token, '');
  NEW.refresh_token := NULLIF(NEW.refresh_token, '');
  IF TG_OP = 'UPDATE' THEN
    bad := CASE WHEN NEW.platform IS DISTINCT FROM OLD.platform THEN 'platform'
      WHEN NEW.account_id IS DISTINCT FROM OLD.account_id THEN 'account_id' END;
    IF bad IS NOT NULL THEN
      RAISE EXCEPTION '%', format('social_accounts.%s cannot change', bad)
        USING ERRCODE = '23514', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = bad,
          HINT = 'The tokens are sealed to this account: connect the other one as an account of its own.';
    END IF;
    -- A reconnect often comes without a refresh token; only a disconnect takes the stored one away.
    IF NEW.refresh_token IS NULL AND NEW.is_active IS NOT FALSE THEN
      NEW.refresh_token := OLD.refresh_token;
    END IF;
  END IF;
  bad := CASE
    WHEN (TG_OP = 'INSERT' OR NEW.access_token IS DISTINCT FROM OLD.access_token) AND NEW.access_token !~ sealed THEN 'access_token'
    WHEN (TG_OP = 'INSERT' OR NEW.refresh_token IS DISTINCT FROM OLD.refresh_token) AND NEW.refresh_token !~ sealed THEN 'refresh_token' END;
  IF bad IS NOT NULL THEN
    RAISE EXCEPTION '%', format('social_accounts.%s is not a sealed token', bad)
      USING ERRCODE = '22023', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = bad,
        HINT = 'Seal it first: cn1.<key id>.<base64url>. The database never sees tokens in clear.';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION nexus.seal_account_trigger() IS
  'Tokens are stored sealed only (22023, and the message never shows the value); an empty refresh token never replaces a '
  'stored one unless the account becomes inactive; platform and account_id of an account never change (23514).';

CREATE FUNCTION nexus.seal_password_trigger() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  argon2id text[] := regexp_match(NEW.password,
    '^\$argon2id\$v=19\$m=(\d{1,9}),t=(\d{1,9}),p=[1-9]\d{0,8}\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}$');
BEGIN
  -- 19 MiB twice or 46 MiB once; bcrypt from cost 10 on, which applications that are attached later may bring along
  IF argon2id[1]::integer >= 19456 AND argon2id[2]::integer >= 2 OR argon2id[1]::integer >= 47104 AND argon2id[2]::integer >= 1
    OR NEW.password ~ '^\$2[aby]\$(1[0-9]|2[0-9]|3[01])\$[./A-Za-z0-9]{53}$'
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'users.password is not the hash of a password, or too weak a one'
    USING ERRCODE = '22023', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = 'password',
      HINT = 'Store $argon2id$v=19$m=19456,t=2,p=1$... or stronger, made outside the database.';
END $$;
COMMENT ON FUNCTION nexus.seal_password_trigger() IS
  'Passwords are stored as hashes only: argon2id with at least m=19456,t=2 or m=47104,t=1, or bcrypt of cost 10 or more; '
  'anything else is 22023, and the message never shows the value.';

CREATE FUNCTION nexus.schedule_rule_trigger() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong record;
  changed boolean := true;
  kind constant text := COALESCE(NEW.recurrence, 'none');
  series constant boolean := kind <> 'none';
BEGIN
  IF NOT nexus.is_timezone(NEW.timezone) THEN
    RAISE EXCEPTION '%', format('"%s" is not a time zone', left(NEW.timezone, 60))
      USING ERRCODE = '22023', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = 'timezone',
        HINT = 'Use a name of pg_timezone_names, such as Europe/Berlin or UTC.';
  END IF;
  IF NOT isfinite(NEW.scheduled_at) OR NOT isfinite(NEW.series_end_date) THEN
    RAISE EXCEPTION 'a schedule begins and ends at a finite time'
      USING ERRCODE = '22023', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
        COLUMN = CASE WHEN isfinite(NEW.scheduled_at) THEN 'series_end_date' ELSE 'scheduled_at' END,
        HINT = 'A series without an end has series_end_date NULL.';
  END IF;
  IF NEW.series_end_date < NEW.scheduled_at THEN
    RAISE EXCEPTION 'post_schedules.series_end_date lies before scheduled_at'
      USING ERRCODE = '23514', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = 'series_end_date',
        HINT = 'It is the last instant at which the series may fire; both are UTC.';
  END IF;
  IF NEW.occurrence_limit < 1 THEN
    RAISE EXCEPTION 'post_schedules.occurrence_limit is %', NEW.occurrence_limit
      USING ERRCODE = '23514', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = 'occurrence_limit',
        HINT = 'A series fires at least once; one without a limit has occurrence_limit NULL.';
  END IF;
  IF kind NOT IN ('none', 'daily', 'weekdays', 'weekly', 'monthly', 'yearly', 'custom') THEN
    RAISE EXCEPTION '%', format('"%s" is not a recurrence', left(NEW.recurrence, 60))
      USING ERRCODE = 'NX010', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = 'recurrence',
        HINT = 'It is one of none, daily, weekdays, weekly, monthly, yearly, or custom with an RRULE in column rrule.';
  END IF;
  IF (kind = 'custom') <> (NEW.rrule IS NOT NULL) THEN
    RAISE EXCEPTION 'post_schedules.rrule goes with the recurrence custom, and only with it'
      USING ERRCODE = 'NX010', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = 'rrule',
        HINT = 'Set recurrence to custom and rrule to an RRULE, or rrule to NULL.';
  END IF;
  IF NEW.rrule IS NOT NULL THEN
    SELECT e.message, e.hint INTO wrong FROM nexus.rrule_errors(NEW.rrule) e WHERE e.severity = 'error' LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION '%', wrong.message
        USING ERRCODE = 'NX010', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = 'rrule', HINT = COALESCE(wrong.hint, '');
    END IF;
  END IF;
  IF nexus.is_importing() THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    changed := (NEW.scheduled_at, NEW.series_end_date, NEW.recurrence, NEW.rrule, NEW.timezone, NEW.exdates, NEW.occurrence_limit)
      IS DISTINCT FROM (OLD.scheduled_at, OLD.series_end_date, OLD.recurrence, OLD.rrule, OLD.timezone, OLD.exdates, OLD.occurrence_limit);
  END IF;
  IF changed THEN
    -- A single time is kept however late it comes: missed_policy judges it. Of a series the past is past, but for what
    -- is still due, or was missed within the grace by a schedule that has just been made.
    NEW.next_run_at := nexus.schedule_next(NEW.recurrence, NEW.rrule, NEW.scheduled_at, NEW.timezone, NEW.series_end_date,
      NEW.exdates, NEW.occurrence_limit, CASE
        WHEN NOT series AND (TG_OP = 'INSERT' OR NEW.scheduled_at IS DISTINCT FROM OLD.scheduled_at) THEN NULL
        WHEN TG_OP = 'INSERT' THEN nexus.utcnow() - NEW.missed_grace
        ELSE LEAST(OLD.next_run_at, nexus.utcnow()) END, true);
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION nexus.schedule_rule_trigger() IS
  'A schedule has a time zone of the tz database and finite times (22023), and a recurrence that can be expanded: a name, or custom with a '
  'valid rrule (NX010). next_run_at is computed for a new row, and anew when any of this changes.';

CREATE FUNCTION nexus.rollup_posts_trigger() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  posts integer[];  -- whose platform posts changed; a draft that comes and a cancelled one that goes decide nothing
BEGIN
  CASE TG_OP
    WHEN 'INSERT' THEN
      SELECT array_agg(DISTINCT social_post_id) INTO posts FROM new_rows WHERE status NOT IN ('draft', 'cancelled');
    WHEN 'DELETE' THEN
      SELECT array_agg(DISTINCT social_post_id) INTO posts FROM old_rows WHERE status <> 'cancelled';
    ELSE
      SELECT array_agg(social_post_id) INTO posts FROM (
        SELECT social_post_id FROM (
          SELECT id, social_post_id, status FROM new_rows EXCEPT SELECT id, social_post_id, status FROM old_rows) AS now
        UNION
        SELECT social_post_id FROM (
          SELECT id, social_post_id FROM old_rows EXCEPT SELECT id, social_post_id FROM new_rows) AS gone) AS touched;
  END CASE;
  IF posts IS NULL THEN
    RETURN NULL;
  END IF;
  -- Locked in the order of their keys, then counted in a new snapshot: of two that end the last platform posts of a
  -- post at the same time the second one sees both, and they cannot wait for each other.
  EXECUTE format('SELECT count(*) FROM (SELECT FROM %I.social_posts WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE) AS locked',
    TG_TABLE_SCHEMA) USING posts;
  -- published and failed stand aside where the state machine has no way there: a published post stays published.
  EXECUTE format($sql$
    UPDATE %1$I.social_posts p SET status = r.status,
      scheduled_at = CASE WHEN r.status = 'scheduled' THEN COALESCE(p.scheduled_at, r.scheduled_at) ELSE p.scheduled_at END,
      published_at = CASE WHEN r.status = 'published' THEN COALESCE(r.published_at, p.published_at) ELSE p.published_at END,
      metadata = CASE WHEN r.partial IS NOT NULL
        THEN CASE WHEN jsonb_typeof(p.metadata) = 'object' THEN p.metadata ELSE '{}' END || jsonb_build_object('partial', r.partial)
        ELSE p.metadata - 'partial' END
    FROM (
      SELECT social_post_id, status, published_at, scheduled_at, CASE WHEN status = 'failed' AND published > 0
          THEN jsonb_build_object('published', published, 'failed', failed) END AS partial
      FROM (
        SELECT social_post_id, CASE WHEN in_flight > 0 THEN 'scheduled'
            WHEN published = alive THEN 'published'
            WHEN failed > 0 AND failed + published = alive THEN 'failed' END AS status,
          published, failed, published_at, scheduled_at
        FROM (
          SELECT social_post_id, count(*) AS alive, count(*) FILTER (WHERE status IN ('publishing', 'scheduled')) AS in_flight,
            count(*) FILTER (WHERE status = 'published') AS published,
            count(*) FILTER (WHERE status IN ('failed', 'unconfirmed')) AS failed,
            max(published_at) AS published_at, min(scheduled_at) AS scheduled_at
          FROM %1$I.platform_posts
          WHERE status <> 'cancelled' AND social_post_id = ANY ($1)
          GROUP BY social_post_id) AS counted) AS rolled) AS r
    WHERE p.id = r.social_post_id AND (
      p.status = 'failed' AND r.status = 'failed' AND p.metadata -> 'partial' IS DISTINCT FROM r.partial
      OR p.status <> r.status AND EXISTS (SELECT FROM nexus.transitions t
        WHERE t.tbl = 'social_posts.status' AND t.from_state = p.status AND t.to_state = r.status))
  $sql$, TG_TABLE_SCHEMA) USING posts;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.rollup_posts_trigger() IS
  'social_posts.status follows its platform posts that are not cancelled: any scheduled or publishing makes it scheduled, '
  'all published make it published, failed or unconfirmed ones make it failed once none is in flight; a mixed end is failed, with '
  'the counts in metadata.partial.';

CREATE FUNCTION nexus.delete_project_trigger() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  sending integer;
BEGIN
  -- A user's deletion takes everything along; by then the user's row is gone.
  EXECUTE format('SELECT pp.id FROM %1$I.social_posts p JOIN %1$I.platform_posts pp ON pp.social_post_id = p.id
      WHERE p.project_id = $1 AND pp.status = ''publishing'' AND EXISTS (SELECT FROM %1$I.users u WHERE u.id = $2) LIMIT 1',
    TG_TABLE_SCHEMA) INTO sending USING OLD.id, OLD.user_id;
  IF sending IS NOT NULL THEN
    RAISE EXCEPTION '%', format('project %s cannot be deleted while its platform post %s is being published', OLD.id, sending)
      USING ERRCODE = '55006', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, HINT = 'Wait until sending has ended.';
  END IF;
  RETURN OLD;
END $$;
COMMENT ON FUNCTION nexus.delete_project_trigger() IS 'A project stays while a post of it is being published (55006).';

CREATE FUNCTION nexus.delete_attempts_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM nexus.publish_attempts WHERE platform_post_id IN (SELECT id FROM old_rows);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.delete_attempts_trigger() IS
  'The attempts of a platform post go with it; no foreign key leads out of the extension.';

INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name)
SELECT t, 'updated_at', 'BEFORE INSERT OR UPDATE ON %1$s FOR EACH ROW', pg_catalog.format('nexus.updated_at_trigger(%s)', CASE t
  WHEN 'content' THEN '''last_measured_at'''
  WHEN 'social_accounts' THEN '''last_measured_at'', ''last_refreshed_at'', ''last_published_at'''
  WHEN 'post_schedules' THEN '''next_run_at''' END)
FROM pg_catalog.unnest(ARRAY['users', 'projects', 'content', 'social_accounts', 'niches', 'templates', 'social_posts',
  'platform_posts', 'post_schedules', 'hashtag_suggestions', 'ai_generation_tasks']) AS t;

INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name)
SELECT t, 'transition_state', pg_catalog.format('BEFORE INSERT OR UPDATE OF %s ON %%1$s FOR EACH ROW', columns),
  pg_catalog.format('nexus.transition_state_trigger(%s)', machines)
FROM (VALUES
  ('projects', 'status', '''projects.status'''),
  ('content', 'status', '''content.status'''),
  ('social_accounts', 'status', '''social_accounts.status'''),
  ('social_posts', 'status, review_state, title, caption, hashtags, emojis, content_type, thumbnail_url, media_urls, scheduled_at, revision',
    '''social_posts.status'', ''social_posts.review_state'''),
  ('platform_posts', 'status', '''platform_posts.status'''),
  ('post_media', 'status', '''post_media.status'''),
  ('post_schedules', 'status', '''post_schedules.status'''),
  ('ai_generation_tasks', 'status', '''ai_generation_tasks.status'''),
  ('ai_content_suggestions', 'status', '''ai_content_suggestions.status''')
) AS v(t, columns, machines);

-- Triggers of one event fire in the order of their names.
INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('projects', 'owner_agreement', 'BEFORE INSERT OR UPDATE ON %1$s FOR EACH ROW',
    'nexus.owner_agreement_trigger(''user_id'', ''required'')'),
  ('content', 'owner_agreement', 'BEFORE INSERT OR UPDATE ON %1$s FOR EACH ROW',
    'nexus.owner_agreement_trigger(''user_id'', ''required'', ''project_id'', ''projects'', '''')'),
  ('social_accounts', 'owner_agreement', 'BEFORE INSERT OR UPDATE OF user_id ON %1$s FOR EACH ROW',
    'nexus.owner_agreement_trigger(''user_id'', '''')'),
  ('templates', 'owner_agreement', 'BEFORE INSERT OR UPDATE OF user_id ON %1$s FOR EACH ROW',
    'nexus.owner_agreement_trigger(''user_id'', '''')'),
  ('notifications', 'owner_agreement', 'BEFORE INSERT OR UPDATE OF user_id ON %1$s FOR EACH ROW',
    'nexus.owner_agreement_trigger(''user_id'', '''')'),
  ('social_posts', 'owner_agreement', 'BEFORE INSERT OR UPDATE OF user_id, project_id, content_id ON %1$s FOR EACH ROW',
    'nexus.owner_agreement_trigger(''user_id'', '''', ''project_id'', ''projects'', '''', ''content_id'', ''content'', '''')'),
  ('ai_generation_tasks', 'owner_agreement', 'BEFORE INSERT OR UPDATE OF user_id, project_id, content_id ON %1$s FOR EACH ROW',
    'nexus.owner_agreement_trigger(''user_id'', '''', ''project_id'', ''projects'', '''', ''content_id'', ''content'', '''')'),
  ('ai_content_suggestions', 'owner_agreement',
    'BEFORE INSERT OR UPDATE OF user_id, project_id, content_id, task_id ON %1$s FOR EACH ROW',
    'nexus.owner_agreement_trigger(''user_id'', '''', ''project_id'', ''projects'', '''', ''content_id'', ''content'', '''', ''task_id'', ''ai_generation_tasks'', '''')'),
  ('content_metrics', 'owner_agreement', 'BEFORE INSERT OR UPDATE OF content_id, platform_post_row_id ON %1$s FOR EACH ROW',
    'nexus.owner_agreement_trigger('''', '''', ''content_id'', ''content'', '''', ''platform_post_row_id'', ''platform_posts'', '''')'),
  ('post_media', 'owner_agreement', 'BEFORE INSERT OR UPDATE OF social_post_id ON %1$s FOR EACH ROW',
    'nexus.owner_agreement_trigger('''', '''', ''social_post_id'', ''social_posts'', '''')'),
  ('post_schedules', 'owner_agreement', 'BEFORE INSERT OR UPDATE OF social_post_id, account_id, platform ON %1$s FOR EACH ROW',
    'nexus.owner_agreement_trigger('''', '''', ''social_post_id'', ''social_posts'', '''', ''account_id'', ''social_accounts'', ''platform'')'),
  ('platform_posts', 'owner_agreement',
    'BEFORE INSERT OR UPDATE OF social_post_id, account_id, platform, schedule_id, thread_parent_id ON %1$s FOR EACH ROW',
    'nexus.owner_agreement_trigger('''', '''', ''social_post_id'', ''social_posts'', '''', ''account_id'', ''social_accounts'', ''platform'', ''schedule_id'', ''post_schedules'', ''social_post_id'', ''thread_parent_id'', ''platform_posts'', '''')'),
  ('notifications', 'read_pair', 'BEFORE INSERT OR UPDATE OF is_read, read_at ON %1$s FOR EACH ROW', 'nexus.read_pair_trigger()'),
  ('social_posts', 'revise_post', 'BEFORE UPDATE ON %1$s FOR EACH ROW', 'nexus.revise_post_trigger()'),
  ('social_posts', 'frozen_post', 'BEFORE UPDATE OF caption, hashtags, emojis, thumbnail_url, media_urls ON %1$s FOR EACH ROW',
    'nexus.frozen_post_trigger()'),
  ('platform_posts', 'frozen_post',
    'BEFORE UPDATE OF caption, hashtags, emojis, platform, account_id, social_post_id, idempotency_key ON %1$s FOR EACH ROW',
    'nexus.frozen_post_trigger()'),
  ('platform_posts', 'transition_to_publishing',
    'BEFORE UPDATE OF status ON %1$s FOR EACH ROW WHEN (NEW.status = ''publishing'' AND OLD.status IS DISTINCT FROM NEW.status)',
    'nexus.transition_to_publishing_trigger()'),
  ('post_media', 'frozen_media_insert', 'AFTER INSERT ON %1$s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT',
    'nexus.frozen_media_trigger()'),
  ('post_media', 'frozen_media_update', 'AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT',
    'nexus.frozen_media_trigger()'),
  ('post_media', 'frozen_media_delete', 'AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT',
    'nexus.frozen_media_trigger()'),
  ('platform_posts', 'rollup_posts_insert', 'AFTER INSERT ON %1$s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT',
    'nexus.rollup_posts_trigger()'),
  ('platform_posts', 'rollup_posts_update', 'AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT',
    'nexus.rollup_posts_trigger()'),
  ('platform_posts', 'rollup_posts_delete', 'AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT',
    'nexus.rollup_posts_trigger()'),
  ('platform_posts', 'delete_attempts', 'AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT',
    'nexus.delete_attempts_trigger()'),
  ('projects', 'delete_project', 'BEFORE DELETE ON %1$s FOR EACH ROW', 'nexus.delete_project_trigger()'),
  ('social_accounts', 'seal_account', 'BEFORE INSERT OR UPDATE OF platform, account_id, access_token, refresh_token ON %1$s FOR EACH ROW',
    'nexus.seal_account_trigger()'),
  ('users', 'seal_password', 'BEFORE INSERT OR UPDATE OF password ON %1$s FOR EACH ROW', 'nexus.seal_password_trigger()'),
  ('post_schedules', 'schedule_rule', 'BEFORE INSERT OR UPDATE OF scheduled_at, series_end_date, recurrence, rrule, timezone, exdates, occurrence_limit ON %1$s FOR EACH ROW',
    'nexus.schedule_rule_trigger()');
