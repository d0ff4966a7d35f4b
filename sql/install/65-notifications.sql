-- Notifications: one row for each change, by its dedupe key; the channel nexus_notifications carries ids only, once for
-- each transaction and user.

-- What a user does not want to hear of. No row means yes.
CREATE TABLE nexus.notification_preferences (
  user_id text NOT NULL CHECK (user_id <> ''),
  type text NOT NULL CHECK (type ~ '^[a-z][a-z0-9_]{1,63}$'),
  enabled boolean NOT NULL,
  PRIMARY KEY (user_id, type)
);
SELECT pg_catalog.pg_extension_config_dump('nexus.notification_preferences', '');

CREATE FUNCTION nexus.notify_user(
  user_id text, type text, title text, message text, priority integer DEFAULT 0, entity_type text DEFAULT NULL,
  entity_id integer DEFAULT NULL, dedupe_key text DEFAULT NULL, metadata jsonb DEFAULT NULL, expires_at timestamptz DEFAULT NULL)
  RETURNS integer LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made integer;
BEGIN
  EXECUTE format($sql$
    INSERT INTO %I.notifications (user_id, type, title, message, priority, entity_type, entity_id, dedupe_key, metadata, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (user_id, dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING RETURNING id
  $sql$, nexus.attached_schema()) INTO made
    USING user_id, type, title, message, priority, entity_type, entity_id, dedupe_key, metadata, expires_at AT TIME ZONE 'UTC';
  RETURN made;
END $$;
COMMENT ON FUNCTION nexus.notify_user(text, text, text, text, integer, text, integer, text, jsonb, timestamptz) IS
  'Tells a user something, unless the user turned this type off or has been told (same dedupe_key); returns the notification''s id, or NULL. Runs as its caller: an end user can only write to the own list.';

CREATE FUNCTION nexus.filter_notification_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM nexus.notification_preferences p WHERE p.user_id = NEW.user_id AND p.type = NEW.type AND NOT p.enabled) THEN
    RETURN NULL;
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION nexus.filter_notification_trigger() IS 'Notifications of a type that the user turned off are not stored, whoever makes them.';

CREATE FUNCTION nexus.set_notification_preference(type text, enabled boolean) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF nexus.current_user_id() IS NULL THEN
    RAISE EXCEPTION 'no user is signed in' USING ERRCODE = '42501';
  END IF;
  INSERT INTO nexus.notification_preferences AS p VALUES (nexus.current_user_id(), set_notification_preference.type, set_notification_preference.enabled)
    ON CONFLICT ON CONSTRAINT notification_preferences_pkey DO UPDATE SET enabled = EXCLUDED.enabled;
END $$;
COMMENT ON FUNCTION nexus.set_notification_preference(text, boolean) IS
  'Turns a type of notification on or off for the signed-in user (42501 without one). Types: post_published, post_failed, post_unconfirmed, schedule_missed, account_expired, account_error, token_expiring, ai_complete, ai_failed, media_refused, and those that an application makes.';

CREATE FUNCTION nexus.notification_preference(type text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  RETURN NOT EXISTS (SELECT FROM nexus.notification_preferences p
    WHERE p.user_id = nexus.current_user_id() AND p.type = notification_preference.type AND NOT p.enabled);
COMMENT ON FUNCTION nexus.notification_preference(text) IS 'Whether the signed-in user hears of this type.';

CREATE FUNCTION nexus.unread_count(user_id text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  unread bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM %I.notifications WHERE user_id = $1 AND is_read IS NOT TRUE', nexus.attached_schema())
    INTO unread USING COALESCE(user_id, nexus.current_user_id());
  RETURN unread;
END $$;
COMMENT ON FUNCTION nexus.unread_count(text) IS 'How many notifications a user, by default the signed-in one, has not read. Row security applies.';

CREATE FUNCTION nexus.mark_notifications_read(ids integer[] DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  marked bigint;
BEGIN
  EXECUTE format('UPDATE %I.notifications SET is_read = true WHERE user_id = $1 AND is_read IS NOT TRUE AND ($2 IS NULL OR id = ANY ($2))', nexus.attached_schema())
    USING nexus.current_user_id(), ids;
  GET DIAGNOSTICS marked = ROW_COUNT;
  RETURN marked;
END $$;
COMMENT ON FUNCTION nexus.mark_notifications_read(integer[]) IS 'Marks notifications of the signed-in user read, NULL all of them; returns how many changed.';

CREATE FUNCTION nexus.notification_event_trigger() RETURNS trigger LANGUAGE c
  AS 'MODULE_PATHNAME', 'nexus_notification_event_trigger';
COMMENT ON FUNCTION nexus.notification_event_trigger() IS
  'Sends {"user": ..., "id": ...} on the channel nexus_notifications, once for each transaction and user: the first id; whoever listens reads from there on.';

CREATE FUNCTION nexus.notify_change_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF nexus.is_importing() THEN
    RETURN NULL;
  END IF;
  CASE TG_TABLE_NAME
    WHEN 'platform_posts' THEN
      EXECUTE format($sql$
        SELECT nexus.notify_user(p.user_id, 'post_' || n.status, CASE n.status WHEN 'published' THEN 'Published on ' || n.platform
              WHEN 'failed' THEN 'Publishing on ' || n.platform || ' failed' ELSE 'Nobody knows whether ' || n.platform || ' took the post' END,
            left(concat_ws(': ', p.title, n.error_message), 500), CASE n.status WHEN 'published' THEN 0 ELSE 2 END, 'platform_posts', n.id,
            format('platform_posts:%%s:%%s:%%s', n.id, n.status, n.attempt_count), jsonb_strip_nulls(jsonb_build_object('url', n.platform_url, 'error_class', n.error_class)))
        FROM new_rows n JOIN old_rows o USING (id) JOIN %I.social_posts p ON p.id = n.social_post_id
        WHERE n.status <> o.status AND n.status IN ('published', 'failed', 'unconfirmed')
        ORDER BY n.id
      $sql$, TG_TABLE_SCHEMA);
    WHEN 'ai_generation_tasks' THEN
      PERFORM nexus.notify_user(NEW.user_id, CASE NEW.status WHEN 'completed' THEN 'ai_complete' ELSE 'ai_failed' END,
        format('%s %s', initcap(replace(NEW.task_type, '_', ' ')), CASE NEW.status WHEN 'completed' THEN 'is ready' ELSE 'failed' END),
        COALESCE(NEW.error_message, left(NEW.prompt, 200)), CASE NEW.status WHEN 'completed' THEN 0 ELSE 1 END, 'ai_generation_tasks', NEW.id,
        format('ai_generation_tasks:%s:%s:%s', NEW.id, NEW.status, NEW.attempt_count));
    ELSE
      IF NEW.is_active IS FALSE THEN
        RETURN NULL;    -- who disconnects an account knows
      END IF;
      PERFORM nexus.notify_user(NEW.user_id, CASE NEW.status WHEN 'error' THEN 'account_error' ELSE 'account_expired' END,
        format('%s needs to be connected again', NEW.account_name), COALESCE(NEW.status_reason, 'The platform no longer accepts its tokens.'), 2,
        'social_accounts', NEW.id, format('social_accounts:%s:%s:%s', NEW.id, NEW.status, NEW.token_version));
  END CASE;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.notify_change_trigger() IS
  'Tells the owner of a platform post that was published, failed or is unconfirmed, of an AI task that ended and of an account that must be connected again; once for each state and attempt.';

CREATE FUNCTION nexus.watch_tokens(ahead interval DEFAULT '10 minutes', warn interval DEFAULT '3 days') RETURNS bigint LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  made bigint;
BEGIN
  EXECUTE format($sql$
    SELECT count(nexus.enqueue_job('token_refresh', a.id, 'accounts', account_id => a.id, unique_key => 'social_account:' || a.id,
        payload => jsonb_build_object('token_version', a.token_version)))
    FROM %I.social_accounts a WHERE a.token_expiry <= nexus.utcnow() + $1 AND a.is_active AND a.status = 'active' AND a.refresh_token IS NOT NULL
      AND NOT EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'token_refresh' AND j.unique_key = 'social_account:' || a.id AND j.state IN ('ready', 'leased'))
  $sql$, attached) INTO made USING ahead;
  EXECUTE format($sql$
    SELECT count(nexus.notify_user(a.user_id, 'token_expiring', a.account_name || ' must be connected again soon',
      'Its access ends at ' || to_char(a.token_expiry, 'YYYY-MM-DD HH24:MI') || ' UTC and cannot be renewed.', 1, 'social_accounts', a.id,
      format('social_accounts:%%s:token_expiring:%%s', a.id, a.token_version)))
    FROM %I.social_accounts a WHERE a.token_expiry BETWEEN nexus.utcnow() AND nexus.utcnow() + $1 AND a.is_active AND a.status = 'active' AND a.refresh_token IS NULL
  $sql$, attached) USING warn;
  RETURN made;
END $$;
COMMENT ON FUNCTION nexus.watch_tokens(interval, interval) IS
  'Makes a token_refresh job on lane accounts for each account whose token ends within ahead and can be renewed, and warns the owner of one that cannot. Returns how many jobs.';
REVOKE EXECUTE ON FUNCTION nexus.watch_tokens(interval, interval), nexus.set_notification_preference(text, boolean),
  nexus.notification_preference(text) FROM PUBLIC;
INSERT INTO nexus.attached_functions (function_name, role_name) VALUES ('watch_tokens', 'nexus_worker'), ('watch_tokens', 'nexus_owner'),
  ('set_notification_preference', 'nexus_app'), ('notification_preference', 'nexus_app');

INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('notifications', 'filter_notification', 'BEFORE INSERT ON %1$s FOR EACH ROW', 'nexus.filter_notification_trigger()'),
  ('notifications', 'notification_event', 'AFTER INSERT ON %1$s FOR EACH ROW', 'nexus.notification_event_trigger()'),
  ('platform_posts', 'notify_change', 'AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT',
    'nexus.notify_change_trigger()'),
  ('ai_generation_tasks', 'notify_change', 'AFTER UPDATE OF status ON %1$s FOR EACH ROW WHEN (NEW.status <> OLD.status AND (NEW.status = ''completed'' OR NEW.status = ''failed''))',
    'nexus.notify_change_trigger()'),
  ('social_accounts', 'notify_change', 'AFTER UPDATE OF status ON %1$s FOR EACH ROW WHEN (NEW.status <> OLD.status AND (NEW.status = ''expired'' OR NEW.status = ''error'' OR NEW.status = ''revoked''))',
    'nexus.notify_change_trigger()');
