-- What the publisher process needs besides the steps of publishing: the text as a platform shows it, the key under which a
-- platform knows a post, and the tokens of accounts.

CREATE FUNCTION nexus.publish_rendering(payload jsonb, dialect text DEFAULT 'x') RETURNS jsonb LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body text := COALESCE(payload ->> 'caption', '');
  emojis text;
  tags text;
BEGIN
  SELECT string_agg(u.emoji, '' ORDER BY u.n) INTO emojis
    FROM jsonb_array_elements_text(CASE jsonb_typeof(payload -> 'emojis') WHEN 'array' THEN payload -> 'emojis' ELSE '[]' END) WITH ORDINALITY AS u(emoji, n)
    WHERE strpos(body, u.emoji) = 0;
  SELECT string_agg('#' || u.tag, ' ' ORDER BY u.n) INTO tags FROM (
      SELECT ltrim(t.tag, '#') AS tag, t.n
      FROM jsonb_array_elements_text(CASE jsonb_typeof(payload -> 'hashtags') WHEN 'array' THEN payload -> 'hashtags' ELSE '[]' END) WITH ORDINALITY AS t(tag, n)) AS u
    WHERE u.tag <> '' AND NOT nexus.hashtags('#' || u.tag, dialect) <@ nexus.hashtags(body, dialect);
  body := concat_ws(E'\n\n', NULLIF(concat_ws(' ', NULLIF(body, ''), emojis), ''), tags);
  RETURN jsonb_build_object('text', body, 'entities',
    (SELECT COALESCE(jsonb_agg(to_jsonb(e) ORDER BY e.start_byte), '[]') FROM nexus.entities(body, dialect) AS e));
END $$;
COMMENT ON FUNCTION nexus.publish_rendering(jsonb, text) IS
$$The text of a payload of nexus.publish_payload, and its entities: {"text", "entities": [as of nexus.entities]}. The caption comes first, then the emojis that it does not hold, then on a line of their own the hashtags that it does not hold. dialect as of nexus.entities.$$;

CREATE FUNCTION nexus.publish_remote_key(platform_post_id integer) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT a.remote_key FROM nexus.publish_attempts a
    WHERE a.platform_post_id = publish_remote_key.platform_post_id AND a.remote_key IS NOT NULL ORDER BY a.attempt LIMIT 1;
END;
COMMENT ON FUNCTION nexus.publish_remote_key(integer) IS
  'The key under which a platform knows this post, from its first attempt that had one: later attempts use the same, also when the post was moved to another time meanwhile. NULL when none had one.';

CREATE FUNCTION nexus.set_publish_remote_key(platform_post_id integer, attempt integer, lease_token bigint, remote_key text) RETURNS void
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  IF length(remote_key) NOT BETWEEN 1 AND 512 THEN
    RAISE EXCEPTION 'remote_key must have 1 to 512 characters' USING ERRCODE = '22023';
  END IF;
  UPDATE nexus.publish_attempts a SET remote_key = set_publish_remote_key.remote_key
    WHERE a.platform_post_id = set_publish_remote_key.platform_post_id AND a.attempt = set_publish_remote_key.attempt
      AND a.lease_token = set_publish_remote_key.lease_token AND a.ended_at IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'attempt % of platform post % is not open under this lease', set_publish_remote_key.attempt, set_publish_remote_key.platform_post_id
      USING ERRCODE = 'NX020', HINT = 'Do nothing more: its next owner verifies what was sent.';
  END IF;
END $$;
COMMENT ON FUNCTION nexus.set_publish_remote_key(integer, integer, bigint, text) IS
  'Notes the key under which the platform will know the post, where the worker chooses it (the record key of Bluesky): in the transaction of begin_publish. NX020 when the attempt is not open under this lease.';

CREATE FUNCTION nexus.published_remote_ids(account_id integer, remote_ids text[]) RETURNS text[] LANGUAGE plpgsql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  known text[];
BEGIN
  EXECUTE format('SELECT array_agg(platform_post_id::text) FROM %I.platform_posts WHERE account_id = $1 AND platform_post_id = ANY ($2)', nexus.attached_schema())
    INTO known USING account_id, remote_ids;
  RETURN COALESCE(known, '{}');
END $$;
COMMENT ON FUNCTION nexus.published_remote_ids(integer, text[]) IS
  'Of these ids on the platform the ones that belong to posts of the account already: what a worker finds there besides may be the post that it looks for.';

CREATE FUNCTION nexus.account_tokens(account_id integer) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  account jsonb;
BEGIN
  EXECUTE format($sql$
    SELECT jsonb_build_object('id', a.id, 'platform', a.platform, 'account_id', a.account_id, 'handle', a.handle, 'instance_url', a.instance_url,
      'access_token', a.access_token, 'refresh_token', a.refresh_token, 'token_version', a.token_version, 'metadata', COALESCE(a.metadata, '{}'),
      'provider', nexus.oauth_provider(a.platform, a.instance_url))
    FROM %I.social_accounts a WHERE a.id = $1
  $sql$, nexus.attached_schema()) INTO account USING account_id;
  RETURN account;
END $$;
COMMENT ON FUNCTION nexus.account_tokens(integer) IS 'An account with its sealed tokens and its OAuth provider (null where there is none), as a job of kind token_refresh needs it; NULL for one that is not there.';

CREATE FUNCTION nexus.store_tokens(account_id integer, token_version integer, access_token text, refresh_token text DEFAULT NULL, token_expiry timestamptz DEFAULT NULL)
  RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  stored bigint;
BEGIN
  EXECUTE format($sql$
    UPDATE %I.social_accounts SET access_token = $3, refresh_token = COALESCE($4, refresh_token), token_expiry = $5, token_version = $2 + 1,
      last_refreshed_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE id = $1 AND token_version = $2
  $sql$, nexus.attached_schema()) USING account_id, token_version, access_token, refresh_token, token_expiry AT TIME ZONE 'UTC';
  GET DIAGNOSTICS stored = ROW_COUNT;
  RETURN stored = 1;
END $$;
COMMENT ON FUNCTION nexus.store_tokens(integer, integer, text, text, timestamptz) IS
  'Stores renewed tokens, sealed (22023 else), if the account still has the token_version that was read; false when another was faster, whose tokens count. A NULL refresh_token leaves the stored one.';

DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'nexus'::pg_catalog.regnamespace AND p.proname IN (
      'publish_remote_key', 'set_publish_remote_key', 'published_remote_ids', 'account_tokens', 'store_tokens')
  LOOP
    EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, r FROM pg_catalog.unnest(ARRAY['publish_remote_key', 'set_publish_remote_key', 'published_remote_ids', 'account_tokens', 'store_tokens']) AS f,
  pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;
