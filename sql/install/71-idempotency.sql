-- Answers that are given again. A request of a signed-in user with an Idempotency-Key runs once: the key is claimed before
-- the call and the call's result kept with it, both in the transaction of the call. Whoever comes with the key meanwhile
-- waits for its end, then gets the same result; after a rollback the key is free again. These functions run as their owner:
-- no role has a right on the table.

CREATE TABLE nexus.idempotency_keys (
  user_id text NOT NULL,
  key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  request_hash text NOT NULL,            -- of what was asked
  claimed_at timestamptz NOT NULL DEFAULT now(),
  claimed_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
  result text[],                         -- total, amount, body, headers, status of the call; NULL until it has answered
  PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_claimed_at ON nexus.idempotency_keys (claimed_at);
SELECT pg_catalog.pg_extension_config_dump('nexus.idempotency_keys', '');

CREATE FUNCTION nexus.claim_idempotency_key(user_id text, key text, request_hash text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  kept_hash text;
BEGIN
  IF claim_idempotency_key.user_id IS NULL THEN
    RAISE SQLSTATE 'PGRST' USING
      MESSAGE = '{"code": "NX030", "message": "An Idempotency-Key needs a signed-in user"}',
      DETAIL = '{"status": 400, "headers": {}}';
  END IF;
  INSERT INTO nexus.idempotency_keys AS k (user_id, key, request_hash)
  VALUES (claim_idempotency_key.user_id, claim_idempotency_key.key, claim_idempotency_key.request_hash)
  ON CONFLICT (user_id, key) DO UPDATE SET request_hash = excluded.request_hash, claimed_at = now(),
    claimed_by = pg_current_xact_id(), result = NULL
  WHERE k.claimed_at < now() - interval '1 day';
  IF FOUND THEN
    RETURN 'claimed';
  END IF;
  SELECT k.request_hash INTO kept_hash FROM nexus.idempotency_keys k
  WHERE k.user_id = claim_idempotency_key.user_id AND k.key = claim_idempotency_key.key;
  IF kept_hash IS DISTINCT FROM claim_idempotency_key.request_hash THEN
    RAISE SQLSTATE 'PGRST' USING
      MESSAGE = '{"code": "NX030", "message": "The Idempotency-Key was used for another request", "hint": "Make a new key for each request; send it again only with the same request."}',
      DETAIL = '{"status": 422, "headers": {}}';
  END IF;
  RAISE EXCEPTION 'the request was answered before' USING ERRCODE = 'NX031';
END $$;
COMMENT ON FUNCTION nexus.claim_idempotency_key(text, text, text) IS
  'Claims a key for the running transaction. NX031 when the same request was answered before: nexus.idempotent_result has '
  'the answer. A key is forgotten after a day. For the bridge.';

-- The role of the call may call this, since it keeps its own result: only what the running transaction has claimed and
-- not answered is filled in. Without names of arguments it is not to be called over HTTP.
CREATE FUNCTION nexus.keep_idempotent_result(text, text, text[]) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE nexus.idempotency_keys SET result = $3
  WHERE user_id = $1 AND key = $2 AND claimed_by = pg_current_xact_id() AND result IS NULL;
  RETURN FOUND;
END $$;
COMMENT ON FUNCTION nexus.keep_idempotent_result(text, text, text[]) IS
  'Keeps the result of a call with the key that its transaction has claimed. For the bridge.';

CREATE FUNCTION nexus.idempotent_result(user_id text, key text) RETURNS text[] LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT k.result FROM nexus.idempotency_keys k WHERE k.user_id = idempotent_result.user_id AND k.key = idempotent_result.key;
END;
COMMENT ON FUNCTION nexus.idempotent_result(text, text) IS 'The kept result of a key, or NULL. For the bridge.';

CREATE FUNCTION nexus.forget_idempotency_keys() RETURNS bigint LANGUAGE sql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH gone AS (DELETE FROM nexus.idempotency_keys WHERE claimed_at < now() - interval '1 day' RETURNING 1)
  SELECT count(*) FROM gone;
END;
COMMENT ON FUNCTION nexus.forget_idempotency_keys() IS
  'Deletes the keys that are older than a day and returns how many. A task of tick().';

REVOKE EXECUTE ON FUNCTION nexus.claim_idempotency_key(text, text, text), nexus.keep_idempotent_result(text, text, text[]),
  nexus.idempotent_result(text, text), nexus.forget_idempotency_keys() FROM PUBLIC;
INSERT INTO nexus.attached_functions (function_name, role_name) VALUES
  ('claim_idempotency_key', 'nexus_bridge'), ('claim_idempotency_key', 'nexus_worker'), ('keep_idempotent_result', 'nexus_app'),
  ('idempotent_result', 'nexus_worker'), ('forget_idempotency_keys', 'nexus_worker');
INSERT INTO nexus.tick_tasks (name, function_name, every, needs_attachment, position) VALUES
  ('forget_idempotency_keys', 'forget_idempotency_keys', '10 minutes', false, 93);
