-- Accounts: connecting and disconnecting social accounts. The bridge speaks to the providers, seals what they give and
-- brings it here; the database has neither the keys of sealed values nor a secret of a provider, and sees no token, code,
-- verifier or password in clear.

-- Where accounts of a platform are connected by OAuth 2. The client's secret stays with the processes, in the variable
-- NEXUS_OAUTH_SECRET_NAME of their environment.
CREATE TABLE nexus.oauth_providers (
  name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,31}$'),
  platform text NOT NULL CHECK (platform ~ '^[a-z][a-z0-9_]{0,31}$'),
  instance_url text CHECK (instance_url ~ '^https?://[^[:space:]/?#]+$'),    -- of a federated platform; NULL: there is one
  issuer text,                                 -- what the parameter iss of a callback must be (RFC 9207)
  authorization_endpoint text NOT NULL CHECK (authorization_endpoint ~ '^https?://[^[:space:]#]+$'),
  token_endpoint text NOT NULL CHECK (token_endpoint ~ '^https?://[^[:space:]#]+$'),
  userinfo_endpoint text NOT NULL CHECK (userinfo_endpoint ~ '^https?://[^[:space:]#]+$'),
  revocation_endpoint text CHECK (revocation_endpoint ~ '^https?://[^[:space:]#]+$'),
  client_id text NOT NULL CHECK (client_id <> ''),
  client_auth text NOT NULL DEFAULT 'basic' CHECK (client_auth IN ('basic', 'post', 'none')),
  scopes text[] NOT NULL DEFAULT '{}',
  parameters jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),    -- more of the authorization request
  account_id_path text[] NOT NULL DEFAULT '{sub}',    -- where the answer of the userinfo endpoint says who it is
  name_path text[] NOT NULL DEFAULT '{name}',
  handle_path text[] NOT NULL DEFAULT '{preferred_username}',
  is_active boolean NOT NULL DEFAULT true,
  UNIQUE NULLS NOT DISTINCT (platform, instance_url)
);
SELECT pg_catalog.pg_extension_config_dump('nexus.oauth_providers', '');

-- Authorizations under way. They live for minutes, so that a dump leaves them out.
CREATE TABLE nexus.pending_connections (
  state_hash text PRIMARY KEY CHECK (length(state_hash) = 43),
  browser_hash text NOT NULL CHECK (length(browser_hash) = 43),
  user_id text NOT NULL,
  provider text NOT NULL REFERENCES nexus.oauth_providers ON DELETE CASCADE,
  verifier text NOT NULL CHECK (verifier ~ '^cn1\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{54,}$'),
  redirect_uri text NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX pending_connections_expiry ON nexus.pending_connections (expires_at);
CREATE INDEX pending_connections_user ON nexus.pending_connections (user_id);

-- What became of accounts and by whom: rows are added, nobody changes them.
CREATE TABLE nexus.account_events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  user_id text NOT NULL,
  social_account_id integer NOT NULL,
  platform text NOT NULL,
  event text NOT NULL CHECK (event IN ('connected', 'reconnected', 'disconnected', 'provider_revoked', 'provider_not_revoked')),
  detail text
);
CREATE INDEX account_events_user ON nexus.account_events (user_id, id);
SELECT pg_catalog.pg_extension_config_dump('nexus.account_events', '');
SELECT pg_catalog.pg_extension_config_dump('nexus.account_events_id_seq', '');

CREATE FUNCTION nexus.account_event(user_id text, social_account_id integer, platform text, event text, detail text DEFAULT NULL)
  RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  INSERT INTO nexus.account_events (user_id, social_account_id, platform, event, detail) VALUES (account_event.user_id,
    account_event.social_account_id, account_event.platform, account_event.event, left(account_event.detail, 500));
END;
COMMENT ON FUNCTION nexus.account_event(text, integer, text, text, text) IS 'Writes down what became of an account. For the bridge.';

CREATE FUNCTION nexus.account_history(social_account_id integer DEFAULT NULL)
  RETURNS TABLE (at timestamptz, social_account_id integer, platform text, event text, detail text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT e.at, e.social_account_id, e.platform, e.event, e.detail FROM nexus.account_events e
    WHERE e.user_id = nexus.current_user_id() AND (account_history.social_account_id IS NULL OR e.social_account_id = account_history.social_account_id)
    ORDER BY e.id DESC;
END;
COMMENT ON FUNCTION nexus.account_history(integer) IS
  'When accounts of the signed-in user (one, or all) were connected, reconnected and disconnected, and whether the provider revoked their tokens; newest first.';

CREATE FUNCTION nexus.connectable_platforms() RETURNS TABLE (platform text, instance_url text, scopes text[])
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p.platform, p.instance_url, p.scopes FROM nexus.oauth_providers p WHERE p.is_active ORDER BY 1, 2;
END;
COMMENT ON FUNCTION nexus.connectable_platforms() IS 'What POST /accounts/connect of the bridge takes, and which rights it asks for.';

CREATE FUNCTION nexus.oauth_provider(platform text, instance_url text DEFAULT NULL) RETURNS jsonb
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT to_jsonb(p) FROM nexus.oauth_providers p
    WHERE p.platform = oauth_provider.platform AND (p.instance_url IS NULL OR p.instance_url = rtrim(oauth_provider.instance_url, '/'))
    ORDER BY p.instance_url NULLS LAST LIMIT 1;
END;
COMMENT ON FUNCTION nexus.oauth_provider(text, text) IS
  'The provider settings of a platform, those of the instance before those of all; NULL where there are none. Inactive ones still renew tokens.';

CREATE FUNCTION nexus.begin_connection(user_id text, platform text, instance_url text, state_hash text, browser_hash text, verifier text,
    redirect_uri text, lifetime interval DEFAULT '10 minutes')
  RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  provider jsonb := nexus.oauth_provider(begin_connection.platform, begin_connection.instance_url);
BEGIN
  IF provider IS NULL OR NOT (provider ->> 'is_active')::boolean THEN
    RAISE EXCEPTION 'accounts of % cannot be connected here', begin_connection.platform USING ERRCODE = '22023',
      DETAIL = 'There is no active row in nexus.oauth_providers for this platform' || COALESCE(' and ' || begin_connection.instance_url, '') || '.',
      HINT = 'connectable_platforms() lists what can be connected.';
  END IF;
  IF (begin_connection.verifier ~ '^cn1\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{54,}$') IS NOT TRUE THEN    -- before a CHECK, which would print the row
    RAISE EXCEPTION 'the verifier is not sealed' USING ERRCODE = '22023';
  END IF;
  DELETE FROM nexus.pending_connections p WHERE p.expires_at < clock_timestamp();
  IF (SELECT count(*) FROM nexus.pending_connections p WHERE p.user_id = begin_connection.user_id) >= 20 THEN
    RAISE EXCEPTION 'too many connections of this user wait for the provider' USING ERRCODE = 'PT429', HINT = 'Finish one, or wait until they expire.';
  END IF;
  INSERT INTO nexus.pending_connections VALUES (begin_connection.state_hash, begin_connection.browser_hash, begin_connection.user_id, provider ->> 'name',
    begin_connection.verifier, begin_connection.redirect_uri, clock_timestamp() + LEAST(lifetime, interval '1 hour'));
  RETURN provider;
END $$;
COMMENT ON FUNCTION nexus.begin_connection(text, text, text, text, text, text, text, interval) IS
$$Notes an authorization that a user begins, and returns the provider's settings. Of state and browser secret only hashes come here, the PKCE verifier sealed. It can be taken once, until lifetime (an hour at most) is over. 22023 for a platform without provider, PT429 when 20 of the user wait. For the bridge.$$;

CREATE FUNCTION nexus.take_connection(state_hash text, browser_hash text, user_id text DEFAULT NULL) RETURNS jsonb
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  pending nexus.pending_connections;
BEGIN
  DELETE FROM nexus.pending_connections p WHERE p.state_hash = take_connection.state_hash RETURNING p.* INTO pending;
  RETURN CASE
    WHEN pending.state_hash IS NULL OR pending.expires_at < clock_timestamp() THEN jsonb_build_object('refused', 'unknown')
    WHEN take_connection.user_id IS NOT NULL AND take_connection.user_id <> pending.user_id
      OR take_connection.user_id IS NULL AND take_connection.browser_hash IS DISTINCT FROM pending.browser_hash THEN jsonb_build_object('refused', 'other_user')
    ELSE jsonb_build_object('user_id', pending.user_id, 'verifier', pending.verifier, 'redirect_uri', pending.redirect_uri,
      'provider', (SELECT to_jsonb(p) FROM nexus.oauth_providers p WHERE p.name = pending.provider)) END;
END $$;
COMMENT ON FUNCTION nexus.take_connection(text, text, text) IS
$$Takes the authorization that a callback belongs to: {user_id, verifier, redirect_uri, provider}. It is gone then, whoever asks: a state that has been seen is of no use again. {"refused": "unknown"} for one that is not there, was taken or has expired, {"refused": "other_user"} when neither the signed-in user nor the browser is the one that began it. For the bridge.$$;

CREATE FUNCTION nexus.connect_account(user_id text, platform text, account_id text, account_name text, handle text, instance_url text,
    access_token text, refresh_token text, token_expiry timestamptz DEFAULT NULL, refresh_token_expiry timestamptz DEFAULT NULL, scopes text[] DEFAULT NULL)
  RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  account jsonb;
BEGIN
  IF access_token IS NULL OR access_token = '' OR account_id IS NULL OR account_id = '' THEN
    RAISE EXCEPTION 'an account needs account_id and access_token' USING ERRCODE = '22023';
  END IF;
  EXECUTE format($sql$
    INSERT INTO %I.social_accounts AS a (user_id, platform, account_id, account_name, handle, instance_url, access_token, refresh_token,
        token_expiry, refresh_token_expiry, scopes, token_version, last_refreshed_at)
      VALUES ($1, $2, $3, COALESCE(NULLIF($4, ''), NULLIF($5, ''), $3), $5, $6, $7, NULLIF($8, ''), $9, $10, $11, 1, nexus.utcnow())
    ON CONFLICT (user_id, platform, account_id) DO UPDATE SET account_name = EXCLUDED.account_name, handle = EXCLUDED.handle,
      instance_url = EXCLUDED.instance_url, access_token = EXCLUDED.access_token, refresh_token = COALESCE(EXCLUDED.refresh_token, a.refresh_token),
      token_expiry = EXCLUDED.token_expiry, scopes = EXCLUDED.scopes, last_refreshed_at = EXCLUDED.last_refreshed_at,
      refresh_token_expiry = CASE WHEN EXCLUDED.refresh_token IS NULL THEN a.refresh_token_expiry ELSE EXCLUDED.refresh_token_expiry END,
      status = 'active', status_reason = NULL, is_active = true, token_version = a.token_version + 1
    RETURNING jsonb_build_object('id', a.id, 'platform', a.platform, 'account_id', a.account_id, 'account_name', a.account_name, 'handle', a.handle,
      'instance_url', a.instance_url, 'scopes', a.scopes, 'status', a.status, 'token_expiry', a.token_expiry AT TIME ZONE 'UTC',
      'renewable', a.refresh_token IS NOT NULL, 'reconnected', a.token_version > 1)
  $sql$, nexus.attached_schema()) INTO account USING user_id, platform, account_id, account_name, handle, instance_url, access_token, refresh_token,
    token_expiry AT TIME ZONE 'UTC', refresh_token_expiry AT TIME ZONE 'UTC', scopes;
  PERFORM nexus.cancel_job(j.id) FROM nexus.jobs j    -- what would renew the old tokens
    WHERE j.kind = 'token_refresh' AND j.unique_key = 'social_account:' || (account ->> 'id') AND j.state = 'ready';
  PERFORM nexus.account_event(user_id, (account ->> 'id')::integer, platform, CASE WHEN (account ->> 'reconnected')::boolean THEN 'reconnected' ELSE 'connected' END);
  RETURN account;
END $$;
COMMENT ON FUNCTION nexus.connect_account(text, text, text, text, text, text, text, text, timestamptz, timestamptz, text[]) IS
$$Stores an account that a user connected, or connects it again: tokens (sealed, 22023 else), expiry, scopes; it is active then, and its parked jobs go on. An empty or absent refresh_token leaves the stored one. Returns the account as its owner may see it. For the bridge.$$;

CREATE FUNCTION nexus.disconnect_account(user_id text, social_account_id integer) RETURNS jsonb
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  account record;
BEGIN
  EXECUTE format('SELECT * FROM %I.social_accounts WHERE id = $1 AND user_id = $2 FOR NO KEY UPDATE', attached) INTO account
    USING social_account_id, disconnect_account.user_id;
  IF account.id IS NULL THEN
    RAISE EXCEPTION 'account % does not exist or is not yours', social_account_id USING ERRCODE = 'NX003';
  END IF;
  IF account.status = 'disabled' THEN    -- a paused account becomes active before anything else
    EXECUTE format('UPDATE %I.social_accounts SET status = ''active'' WHERE id = $1', attached) USING social_account_id;
  END IF;
  EXECUTE format($sql$
    UPDATE %I.social_accounts SET access_token = NULL, refresh_token = NULL, token_expiry = NULL, refresh_token_expiry = NULL, is_active = false,
      status = 'revoked', status_reason = 'disconnected by the user', token_version = token_version + 1 WHERE id = $1
  $sql$, attached) USING social_account_id;
  PERFORM nexus.cancel_job(j.id) FROM nexus.jobs j
    WHERE j.account_id = social_account_id AND j.kind <> 'publish' AND j.state IN ('ready', 'leased');
  IF account.status <> 'revoked' THEN
    PERFORM nexus.account_event(disconnect_account.user_id, social_account_id, account.platform, 'disconnected');
  END IF;
  RETURN jsonb_build_object('id', account.id, 'platform', account.platform, 'account_id', account.account_id, 'instance_url', account.instance_url,
    'access_token', account.access_token, 'refresh_token', account.refresh_token, 'provider', nexus.oauth_provider(account.platform, account.instance_url));
END $$;
COMMENT ON FUNCTION nexus.disconnect_account(text, integer) IS
$$Takes an account's tokens away: it is revoked and inactive, its posts wait parked until it is connected again, its other jobs are cancelled, a refresh under way stores nothing any more. Returns the sealed tokens that were there, for the bridge to revoke them at the provider. NX003 for an account that is not the user's.$$;

CREATE FUNCTION nexus.sealing_keys() RETURNS TABLE (key_id text, place text, sealed bigint) LANGUAGE plpgsql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY EXECUTE format($sql$
    SELECT split_part(v.value, '.', 2), v.place, count(*) FROM (
      SELECT access_token, 'social_accounts.access_token' FROM %1$I.social_accounts UNION ALL
      SELECT refresh_token, 'social_accounts.refresh_token' FROM %1$I.social_accounts UNION ALL
      SELECT verifier, 'pending_connections.verifier' FROM nexus.pending_connections WHERE expires_at > clock_timestamp()) AS v(value, place)
    WHERE v.value IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
  $sql$, nexus.attached_schema());
END $$;
COMMENT ON FUNCTION nexus.sealing_keys() IS
  'How many sealed values there are under each key id, by place: a key that is not listed any more can leave the key file.';

CREATE FUNCTION nexus.accounts_to_reseal(key_id text, after_id integer DEFAULT 0, max_accounts integer DEFAULT 100) RETURNS SETOF jsonb
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY EXECUTE format($sql$
    SELECT jsonb_build_object('id', a.id, 'platform', a.platform, 'account_id', a.account_id, 'access_token', a.access_token, 'refresh_token', a.refresh_token)
    FROM %I.social_accounts a WHERE a.id > $2 AND (split_part(a.access_token, '.', 2) <> $1 OR split_part(a.refresh_token, '.', 2) <> $1)
    ORDER BY a.id LIMIT $3
  $sql$, nexus.attached_schema()) USING key_id, after_id, max_accounts;
END $$;
COMMENT ON FUNCTION nexus.accounts_to_reseal(text, integer, integer) IS
  'Accounts behind after_id with a token that is sealed under another key than key_id, by id. For nexus-publisher reseal.';

CREATE FUNCTION nexus.reseal_account(social_account_id integer, old_access_token text, old_refresh_token text, access_token text, refresh_token text)
  RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  stored bigint;
BEGIN
  EXECUTE format($sql$
    UPDATE %I.social_accounts SET access_token = $4, refresh_token = $5
      WHERE id = $1 AND access_token IS NOT DISTINCT FROM $2 AND refresh_token IS NOT DISTINCT FROM $3
  $sql$, nexus.attached_schema()) USING social_account_id, old_access_token, old_refresh_token, access_token, refresh_token;
  GET DIAGNOSTICS stored = ROW_COUNT;
  RETURN stored = 1;
END $$;
COMMENT ON FUNCTION nexus.reseal_account(integer, text, text, text, text) IS
  'Puts the same tokens, sealed under another key, in place of the old ones; false when those are not there any more. token_version stays: they are the same tokens. For nexus-publisher reseal.';

DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'nexus'::pg_catalog.regnamespace AND p.proname IN (
      'account_event', 'account_history', 'connectable_platforms', 'oauth_provider', 'begin_connection', 'take_connection', 'connect_account',
      'disconnect_account', 'sealing_keys', 'accounts_to_reseal', 'reseal_account')
  LOOP
    EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, r FROM pg_catalog.unnest(ARRAY['account_event', 'oauth_provider', 'begin_connection', 'take_connection', 'connect_account', 'disconnect_account',
    'sealing_keys', 'accounts_to_reseal', 'reseal_account']) AS f, pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, 'nexus_app' FROM pg_catalog.unnest(ARRAY['account_history', 'connectable_platforms']) AS f;
