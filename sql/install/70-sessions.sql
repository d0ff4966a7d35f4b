-- Signing in: what the bridge asks of the tables users and sessions. The bridge makes tokens and verifies passwords; here
-- are only hashes. A session is a row in the shape that session libraries use: sid "nexus:" and the hash of its token,
-- sess {"userId", "kind": "nexus", "idle": seconds, "ends": UTC time}, expire the sooner of both limits.
--
-- The bridge's login calls these as nexus_worker, which may see all rows of both tables; nobody else may call them.

-- The context statement of a request asks for the claims before it takes the role of the user.
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, r FROM pg_catalog.unnest(ARRAY['sign_in_user', 'sign_up', 'start_session', 'session_claims', 'rotate_session',
    'end_session', 'end_sessions']) AS f, pg_catalog.unnest(ARRAY['nexus_bridge', 'nexus_worker']) AS r;

CREATE FUNCTION nexus.refuse_session() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE SQLSTATE 'PGRST' USING
    MESSAGE = '{"code": "PGRST303", "message": "The session is unknown or has ended"}',
    DETAIL = '{"status": 401, "headers": {"WWW-Authenticate": "Bearer error=\"invalid_token\", error_description=\"The session is unknown or has ended\""}}';
END $$;

CREATE FUNCTION nexus.sign_in_user(email text) RETURNS TABLE(user_id text, password text) LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY EXECUTE format(
    'SELECT u.id::text, u.password FROM %I.users u WHERE lower(u.email) = lower($1) AND u.is_active', nexus.attached_schema())
    USING email;
END $$;
COMMENT ON FUNCTION nexus.sign_in_user(text) IS
  'The active user with that e-mail address and the hash of the password, or no row. For the bridge.';

CREATE FUNCTION nexus.sign_up(email text, password text, first_name text, last_name text) RETURNS text LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made text := gen_random_uuid()::text;
BEGIN
  EXECUTE format('INSERT INTO %I.users (id, email, password, first_name, last_name) VALUES ($1, $2, $3, $4, $5)',
    nexus.attached_schema()) USING made, email, password, first_name, last_name;
  RETURN made;
EXCEPTION WHEN unique_violation THEN
  RAISE EXCEPTION 'there is an account with this e-mail address already' USING ERRCODE = '23505';
END $$;
COMMENT ON FUNCTION nexus.sign_up(text, text, text, text) IS
  'Adds a user and returns the id. password is a hash, never the clear text. 23505 when the e-mail address is taken. For the bridge.';

CREATE FUNCTION nexus.start_session(user_id text, session_id text, idle interval, absolute interval) RETURNS timestamptz
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  app name := nexus.attached_schema();
  ends timestamp := nexus.utcnow() + absolute;
  expires timestamp := least(nexus.utcnow() + idle, ends);
BEGIN
  EXECUTE format('INSERT INTO %I.sessions (sid, sess, expire, created_at, last_seen_at) VALUES ($1, $2, $3, $4, $4)', app)
    USING session_id, jsonb_build_object('userId', user_id, 'kind', 'nexus', 'idle', extract(epoch FROM idle), 'ends', ends),
      expires, nexus.utcnow();
  RETURN expires AT TIME ZONE 'UTC';
END $$;
COMMENT ON FUNCTION nexus.start_session(text, text, interval, interval) IS
  'Starts a session of a user and returns when it ends if it is not used: after idle, and in any case after absolute. For the bridge.';

CREATE FUNCTION nexus.session_claims(session_id text) RETURNS text LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  app name := nexus.attached_schema();
  found record;
BEGIN
  EXECUTE format(
    'SELECT s.user_id, s.sess, s.last_seen_at FROM %1$I.sessions s JOIN %1$I.users u ON u.id = s.user_id AND u.is_active
      WHERE s.sid = $1 AND s.sess ->> ''kind'' = ''nexus'' AND s.expire > nexus.utcnow()', app) INTO found USING session_id;
  IF found.user_id IS NULL THEN
    PERFORM nexus.refuse_session();
  END IF;
  -- Being used moves the idle limit, at most once a minute; another request that does so is not waited for.
  IF found.last_seen_at < nexus.utcnow() - interval '1 minute' AND current_setting('transaction_read_only') = 'off' THEN
    EXECUTE format(
      'UPDATE %1$I.sessions s SET last_seen_at = nexus.utcnow(), expire = least(nexus.utcnow()
         + make_interval(secs => (s.sess ->> ''idle'')::double precision), (s.sess ->> ''ends'')::timestamp)
        WHERE s.sid = (SELECT l.sid FROM %1$I.sessions l WHERE l.sid = $1 FOR UPDATE SKIP LOCKED)', app) USING session_id;
  END IF;
  RETURN jsonb_build_object('sub', found.user_id, 'role', 'nexus_app')::text;
END $$;
COMMENT ON FUNCTION nexus.session_claims(text) IS
  'The claims of a session that has not ended, whose user is active: {"sub", "role"}. Otherwise the error that HTTP answers with 401. For the bridge.';

CREATE FUNCTION nexus.rotate_session(session_id text, new_id text) RETURNS TABLE(user_id text, expires timestamptz)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  app name := nexus.attached_schema();
BEGIN
  RETURN QUERY EXECUTE format(
    'UPDATE %1$I.sessions s SET sid = $2, last_seen_at = nexus.utcnow(), expire = least(nexus.utcnow()
       + make_interval(secs => (s.sess ->> ''idle'')::double precision), (s.sess ->> ''ends'')::timestamp)
      FROM %1$I.users u
      WHERE u.id = s.user_id AND u.is_active AND s.sid = $1 AND s.sess ->> ''kind'' = ''nexus'' AND s.expire > nexus.utcnow()
      RETURNING s.user_id::text, s.expire AT TIME ZONE ''UTC''', app) USING session_id, new_id;
  IF NOT FOUND THEN
    PERFORM nexus.refuse_session();
  END IF;
END $$;
COMMENT ON FUNCTION nexus.rotate_session(text, text) IS
  'Gives a session a new token, so that the old one is of no use any more, and moves its idle limit; the absolute one stays. For the bridge.';

CREATE FUNCTION nexus.end_session(session_id text) RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('DELETE FROM %I.sessions s WHERE s.sid = $1 AND s.sess ->> ''kind'' = ''nexus''', nexus.attached_schema())
    USING session_id;
END $$;
COMMENT ON FUNCTION nexus.end_session(text) IS 'Ends a session; without effect when it has ended. For the bridge.';

CREATE FUNCTION nexus.end_sessions(session_id text) RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  owner text := nexus.session_claims(session_id)::jsonb ->> 'sub';
BEGIN
  EXECUTE format('DELETE FROM %I.sessions s WHERE s.user_id = $1 AND s.sess ->> ''kind'' = ''nexus''', nexus.attached_schema())
    USING owner;
END $$;
COMMENT ON FUNCTION nexus.end_sessions(text) IS
  'Ends all sessions of the user whose session this is. Sessions of a session library are not touched. For the bridge.';

CREATE FUNCTION nexus.end_sessions_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('DELETE FROM %I.sessions s WHERE s.user_id = $1 AND s.sess ->> ''kind'' = ''nexus''', TG_TABLE_SCHEMA) USING NEW.id;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.end_sessions_trigger() IS
  'A user whose password changes or who is no longer active is signed out everywhere: whoever knew the old password too.';
INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('users', 'end_sessions', 'AFTER UPDATE OF password, is_active ON %1$s FOR EACH ROW WHEN (NEW.password IS DISTINCT FROM OLD.password OR OLD.is_active AND NEW.is_active IS NOT TRUE)',
    'nexus.end_sessions_trigger()');

CREATE FUNCTION nexus.purge_sessions(max_sessions integer DEFAULT 10000) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  purged bigint;
BEGIN
  EXECUTE format('DELETE FROM %1$I.sessions WHERE sid IN (SELECT sid FROM %1$I.sessions WHERE expire < nexus.utcnow() ORDER BY expire LIMIT $1)',
    nexus.attached_schema()) USING max_sessions;
  GET DIAGNOSTICS purged = ROW_COUNT;
  RETURN purged;
END $$;
COMMENT ON FUNCTION nexus.purge_sessions(integer) IS
  'A task of tick(): deletes sessions that have ended, those of a session library too, at most max_sessions at a time. Returns how many.';

REVOKE EXECUTE ON FUNCTION nexus.end_sessions_trigger(), nexus.purge_sessions(integer) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION nexus.refuse_session(), nexus.sign_in_user(text), nexus.sign_up(text, text, text, text),
  nexus.start_session(text, text, interval, interval), nexus.session_claims(text), nexus.rotate_session(text, text),
  nexus.end_session(text), nexus.end_sessions(text) FROM PUBLIC;
INSERT INTO nexus.attached_functions (function_name, role_name) VALUES ('refuse_session', 'nexus_worker');
INSERT INTO nexus.attached_functions (function_name, role_name) VALUES ('purge_sessions', 'nexus_worker');
INSERT INTO nexus.tick_tasks (name, function_name, every, needs_attachment, position) VALUES
  ('purge_sessions', 'purge_sessions', '10 minutes', true, 92);
