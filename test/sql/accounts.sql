-- Connecting and disconnecting accounts, sealed values and their keys. Everything is undone at the end.
\set VERBOSITY terse
BEGIN;
\set password '''$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'''
INSERT INTO users (id, email, password, first_name, last_name) VALUES
  ('acc-ann', 'acc-ann@example.org', :password, 'A', 'A'), ('acc-bob', 'acc-bob@example.org', :password, 'B', 'B');
CREATE FUNCTION pg_temp.sealed(key text, value text) RETURNS text LANGUAGE sql AS $$ SELECT 'cn1.' || key || '.' || rpad(value, 60, 'x') $$;
CREATE FUNCTION pg_temp.hash(value text) RETURNS text LANGUAGE sql AS $$ SELECT rpad(value, 43, '_') $$;
CREATE FUNCTION pg_temp.account(id integer) RETURNS TABLE (status varchar, is_active boolean, access text, refresh text, expiry timestamp, version integer, reason varchar)
  LANGUAGE sql AS $$ SELECT a.status, a.is_active, left(a.access_token, 12), left(a.refresh_token, 12), a.token_expiry, a.token_version, a.status_reason
    FROM public.social_accounts a WHERE a.id = $1 $$;
INSERT INTO nexus.oauth_providers (name, platform, instance_url, authorization_endpoint, token_endpoint, userinfo_endpoint, client_id) VALUES
  ('acc', 'acc', NULL, 'https://acc.example/authorize', 'https://acc.example/token', 'https://acc.example/me', 'c'),
  ('acc_one', 'acc', 'https://one.example', 'https://one.example/authorize', 'https://one.example/token', 'https://one.example/me', 'c1'),
  ('acc_off', 'accoff', NULL, 'https://off.example/authorize', 'https://off.example/token', 'https://off.example/me', 'c2');
UPDATE nexus.oauth_providers SET is_active = false WHERE name = 'acc_off';

-- provider settings: the instance's own before those of all
SELECT p AS instance, nexus.oauth_provider('acc', p) ->> 'name' AS provider FROM unnest(ARRAY[NULL, 'https://one.example/', 'https://two.example']) AS p;
SELECT nexus.oauth_provider('nowhere');
SELECT platform, instance_url FROM nexus.connectable_platforms() WHERE platform LIKE 'acc%';
SAVEPOINT s;
INSERT INTO nexus.oauth_providers (name, platform, authorization_endpoint, token_endpoint, userinfo_endpoint, client_id) VALUES ('acc2', 'acc', 'https://a', 'https://a', 'https://a', 'c');
ROLLBACK TO s;
INSERT INTO nexus.oauth_providers (name, platform, authorization_endpoint, token_endpoint, userinfo_endpoint, client_id) VALUES ('acc2', 'acc2', 'javascript:alert(1)', 'https://a', 'https://a', 'c');
ROLLBACK TO s;

-- an authorization is taken once, by the user or the browser that began it
SELECT nexus.begin_connection('acc-ann', 'acc', NULL, pg_temp.hash('s' || n), pg_temp.hash('b' || n), pg_temp.sealed('k1', 'v'), 'https://we.example/oauth/callback', life) ->> 'name' AS provider
  FROM (VALUES (1, interval '10 minutes'), (2, '10 minutes'), (3, '10 minutes'), (4, '-1 second'), (5, '10 minutes')) AS v(n, life);
SELECT nexus.take_connection(pg_temp.hash('s1'), pg_temp.hash('b1')) - 'provider';
SELECT nexus.take_connection(pg_temp.hash('s1'), pg_temp.hash('b1'));
SELECT nexus.take_connection(pg_temp.hash('s2'), pg_temp.hash('other')), nexus.take_connection(pg_temp.hash('s2'), pg_temp.hash('b2'));
SELECT nexus.take_connection(pg_temp.hash('s3'), pg_temp.hash('b3'), 'acc-bob');
SELECT nexus.take_connection(pg_temp.hash('s4'), pg_temp.hash('b4'));
SELECT nexus.take_connection(pg_temp.hash('s5'), pg_temp.hash('other'), 'acc-ann') ->> 'user_id';
SELECT count(*) FROM nexus.pending_connections;
SELECT nexus.begin_connection('acc-ann', 'nowhere', NULL, pg_temp.hash('x'), pg_temp.hash('x'), pg_temp.sealed('k1', 'v'), 'r');
ROLLBACK TO s;
SELECT nexus.begin_connection('acc-ann', 'accoff', NULL, pg_temp.hash('x'), pg_temp.hash('x'), pg_temp.sealed('k1', 'v'), 'r');
ROLLBACK TO s;
SELECT nexus.begin_connection('acc-ann', 'acc', NULL, pg_temp.hash('x'), pg_temp.hash('x'), 'a verifier in clear', 'r');
ROLLBACK TO s;
SELECT count(nexus.begin_connection('acc-ann', 'acc', NULL, pg_temp.hash('m' || n), pg_temp.hash('b'), pg_temp.sealed('k1', 'v'), 'r')) FROM generate_series(1, 20) n;
SAVEPOINT many;
SELECT nexus.begin_connection('acc-ann', 'acc', NULL, pg_temp.hash('m21'), pg_temp.hash('b'), pg_temp.sealed('k1', 'v'), 'r');
ROLLBACK TO many;

-- connecting, again with an empty refresh token, again with a new one
CREATE FUNCTION pg_temp.connect(who text, access text, refresh text) RETURNS jsonb LANGUAGE sql AS $$
  SELECT nexus.connect_account(who, 'acc', 'remote-1', 'Ann', 'ann', NULL, access, refresh, '2030-01-01 12:00Z', NULL, '{read,write}') $$;
SELECT pg_temp.connect('acc-ann', pg_temp.sealed('k1', 'a1'), pg_temp.sealed('k1', 'r1')) AS made \gset
SELECT :'made'::jsonb ->> 'id' AS id \gset
SELECT :'made'::jsonb - 'id';
SELECT * FROM pg_temp.account(:id);
SELECT pg_temp.connect('acc-ann', pg_temp.sealed('k1', 'a2'), '') ->> 'reconnected';
SELECT * FROM pg_temp.account(:id);
SELECT pg_temp.connect('acc-ann', pg_temp.sealed('k1', 'a3'), NULL) ->> 'renewable';
SELECT pg_temp.connect('acc-ann', pg_temp.sealed('k1', 'a4'), pg_temp.sealed('k1', 'r4')) ->> 'reconnected';
SELECT * FROM pg_temp.account(:id);
SAVEPOINT s;
SELECT pg_temp.connect('acc-ann', 'in clear', NULL);
ROLLBACK TO s;
SELECT pg_temp.connect('acc-ann', '', NULL);
ROLLBACK TO s;
-- the same account of another user is another row
SELECT pg_temp.connect('acc-bob', pg_temp.sealed('k0', 'b1'), NULL) ->> 'reconnected';

-- a refresh that began before a reconnect, and one that began before a disconnect, store nothing
SELECT nexus.store_tokens(:id, 3, pg_temp.sealed('k1', 'late'), NULL), (SELECT access FROM pg_temp.account(:id));
SELECT nexus.store_tokens(:id, 4, pg_temp.sealed('k1', 'a5'), ''), (SELECT version FROM pg_temp.account(:id));

-- posts wait while the account cannot publish, and go on when it is connected again
INSERT INTO social_posts (id, user_id, title, caption, content_type) VALUES (990001, 'acc-ann', 't', 'c', 'post');
INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at) VALUES (990001, 990001, :id, 'acc', 'scheduled', nexus.utcnow());
CREATE FUNCTION pg_temp.jobs(account integer) RETURNS TABLE (kind text, state text, parked text, cancel_requested boolean) LANGUAGE sql AS $$
  SELECT kind, state, parked, cancel_requested FROM nexus.jobs WHERE account_id = account ORDER BY kind $$;
UPDATE social_accounts SET token_expiry = nexus.utcnow() WHERE id = :id;
SELECT nexus.watch_tokens();
SELECT payload FROM nexus.jobs WHERE kind = 'token_refresh' AND account_id = :id;
SELECT nexus.expire_account(:id, 'invalid_grant');
SELECT * FROM pg_temp.jobs(:id);
SELECT type, message FROM notifications WHERE user_id = 'acc-ann';
SELECT pg_temp.connect('acc-ann', pg_temp.sealed('k1', 'a6'), pg_temp.sealed('k1', 'r6')) ->> 'status';
SELECT * FROM pg_temp.jobs(:id);

-- which keys seal what, and sealing again
SELECT * FROM nexus.sealing_keys() WHERE key_id IN ('k0', 'k1', 'k2');
SELECT account ->> 'id' = :'id' AS first, account ->> 'account_id' FROM nexus.accounts_to_reseal('k2', :id - 1, 1) AS account;
SELECT count(*) FROM nexus.accounts_to_reseal('k1', :id - 1) AS account WHERE account ->> 'account_id' = 'remote-1';
SELECT nexus.reseal_account(:id, pg_temp.sealed('k1', 'a5'), pg_temp.sealed('k1', 'r6'), pg_temp.sealed('k2', 'a6'), pg_temp.sealed('k2', 'r6')) AS changed_meanwhile,
  nexus.reseal_account(:id, pg_temp.sealed('k1', 'a6'), pg_temp.sealed('k1', 'r6'), pg_temp.sealed('k2', 'a6'), pg_temp.sealed('k2', 'r6')) AS resealed;
SELECT access, refresh, version FROM pg_temp.account(:id);
SELECT * FROM nexus.sealing_keys() WHERE key_id IN ('k0', 'k1', 'k2') AND place LIKE 'social_accounts.%';

-- disconnecting: not another's; tokens gone, jobs parked or cancelled, twice is once
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT nexus.disconnect_account('acc-bob', :id);
\set VERBOSITY terse
ROLLBACK TO s;
SELECT nexus.disconnect_account('acc-ann', :id) - 'id' - 'provider';
SELECT * FROM pg_temp.account(:id);
SELECT * FROM pg_temp.jobs(:id);
SELECT nexus.disconnect_account('acc-ann', :id) ->> 'access_token';
SELECT nexus.store_tokens(:id, 6, pg_temp.sealed('k1', 'late'), pg_temp.sealed('k1', 'late'));
SELECT event, detail FROM nexus.account_events WHERE user_id = 'acc-ann' ORDER BY id;
SELECT count(*) FROM notifications WHERE user_id = 'acc-ann';
-- connected again, paused, disconnected while paused
SELECT pg_temp.connect('acc-ann', pg_temp.sealed('k1', 'a9'), NULL) - 'id';
UPDATE social_accounts SET status = 'disabled' WHERE id = :id;
SELECT nexus.disconnect_account('acc-ann', :id) ->> 'refresh_token';
SELECT status, is_active FROM pg_temp.account(:id);

-- who may call what
SELECT f.name, has_function_privilege('nexus_app', p.oid, 'EXECUTE') AS app, has_function_privilege('nexus_anon', p.oid, 'EXECUTE') AS anon,
  has_function_privilege('nexus_worker', p.oid, 'EXECUTE') AS worker
FROM unnest(ARRAY['account_event', 'account_history', 'connectable_platforms', 'oauth_provider', 'begin_connection', 'take_connection', 'connect_account',
  'disconnect_account', 'sealing_keys', 'accounts_to_reseal', 'reseal_account']) AS f(name) JOIN pg_proc p ON p.proname = f.name AND p.pronamespace = 'nexus'::regnamespace;
SELECT t, has_table_privilege('nexus_app', 'nexus.' || t, 'SELECT') AS app, has_table_privilege('nexus_worker', 'nexus.' || t, 'SELECT') AS worker
  FROM unnest(ARRAY['oauth_providers', 'pending_connections', 'account_events']) AS t;
ROLLBACK;
