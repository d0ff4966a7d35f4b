-- Signing in: what the bridge asks of users and sessions, as its own login does.
\set QUIET on
SET client_min_messages = warning;
BEGIN;
SELECT FROM nexus.attach('public');
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text;
BEGIN
  EXECUTE statement;
  RETURN 'done';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
  RETURN concat_ws(' | ', state, message);
END $$;
\set phc '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
SET SESSION AUTHORIZATION nexus_bridge;
SET ROLE nexus_worker;
\set QUIET off

-- An account: the hash is kept, the address is taken in any case of letters.
SELECT nexus.sign_up('Ann@example.org', :'phc', 'Ann', '') AS ann \gset
SELECT user_id = :'ann' AS ann, password = :'phc' AS hash FROM nexus.sign_in_user('ann@EXAMPLE.org');
SELECT count(*) FROM nexus.sign_in_user('nobody@example.org');
SELECT pg_temp.try(format('SELECT nexus.sign_up(%L, %L, %L, %L)', 'ANN@example.org', :'phc', '', ''));
SELECT pg_temp.try($$SELECT nexus.sign_up('bob@example.org', 'clear text', '', '')$$);

-- A session and its two limits.
SELECT nexus.start_session(:'ann', 'nexus:1', '7 days', '30 days') = now() + interval '7 days' AS idle_limit;
SELECT nexus.start_session(:'ann', 'nexus:2', '7 days', '1 hour') = now() + interval '1 hour' AS absolute_limit;
SELECT nexus.session_claims('nexus:1')::jsonb - 'sub' AS claims, nexus.session_claims('nexus:1')::jsonb ->> 'sub' = :'ann' AS ann;
SELECT pg_temp.try($$SELECT nexus.session_claims('nexus:none')$$);

-- Use moves the idle limit and never the absolute one.
UPDATE sessions SET last_seen_at = nexus.utcnow() - interval '2 hours', expire = nexus.utcnow() + interval '1 minute' WHERE sid LIKE 'nexus:%';
SELECT nexus.session_claims(sid) IS NOT NULL AS known, sid FROM sessions WHERE sid LIKE 'nexus:%' ORDER BY sid;
SELECT sid, expire - nexus.utcnow() AS remaining, last_seen_at = nexus.utcnow() AS seen FROM sessions WHERE sid LIKE 'nexus:%' ORDER BY sid;

-- A new token makes the old one useless.
SELECT user_id = :'ann' AS ann, expires = now() + interval '7 days' AS moved FROM nexus.rotate_session('nexus:1', 'nexus:3');
SELECT pg_temp.try($$SELECT nexus.session_claims('nexus:1')$$);
SELECT pg_temp.try($$SELECT nexus.rotate_session('nexus:1', 'nexus:4')$$);
SELECT pg_temp.try($$SELECT nexus.session_claims('nexus:3')$$);

-- Ended by time, by hand, all at once, and for a user who is not active.
SAVEPOINT s;
UPDATE sessions SET expire = nexus.utcnow() WHERE sid = 'nexus:3';
SELECT pg_temp.try($$SELECT nexus.session_claims('nexus:3')$$), pg_temp.try($$SELECT nexus.rotate_session('nexus:3', 'nexus:5')$$);
ROLLBACK TO s;
SELECT nexus.end_session('nexus:3');
SELECT pg_temp.try($$SELECT nexus.session_claims('nexus:3')$$);
ROLLBACK TO s;
UPDATE users SET is_active = false WHERE id = :'ann';
SELECT pg_temp.try($$SELECT nexus.session_claims('nexus:3')$$), (SELECT count(*) FROM nexus.sign_in_user('ann@example.org')) AS sign_in;
ROLLBACK TO s;
-- A row of a session library is no session of ours, and stays.
INSERT INTO sessions (sid, sess, expire) VALUES ('library', jsonb_build_object('userId', :'ann'), nexus.utcnow() + interval '1 day');
SELECT pg_temp.try($$SELECT nexus.session_claims('library')$$);
SELECT nexus.end_sessions('nexus:2');
SELECT sid FROM sessions WHERE user_id = :'ann';

-- Whoever changes the password, or is no longer active, is signed out; other changes of the row leave sessions alone.
SAVEPOINT s;
SELECT FROM nexus.start_session(:'ann', 'nexus:6', '1 day', '2 days');
UPDATE users SET first_name = 'Anna' WHERE id = :'ann';
SELECT sid FROM sessions WHERE user_id = :'ann' ORDER BY sid;
SAVEPOINT t;
UPDATE users SET password = '$argon2id$v=19$m=19456,t=2,p=1$b3RoZXJzYWx0b3RoZXI$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' WHERE id = :'ann';
SELECT sid FROM sessions WHERE user_id = :'ann' ORDER BY sid;
ROLLBACK TO t;
UPDATE users SET is_active = false WHERE id = :'ann';
SELECT sid FROM sessions WHERE user_id = :'ann' ORDER BY sid;
ROLLBACK TO s;
-- What has ended is swept away.
INSERT INTO sessions (sid, sess, expire) SELECT 'ended' || i, '{}', nexus.utcnow() - i * interval '1 second' FROM generate_series(1, 3) i;
SELECT nexus.purge_sessions(2) AS purged;
SELECT sid FROM sessions WHERE sid LIKE 'ended%';
ROLLBACK TO s;

-- Nobody else may ask.
SET ROLE nexus_app;
SELECT s, pg_temp.try(s) FROM unnest(ARRAY['SELECT nexus.session_claims(''x'')', 'SELECT nexus.sign_in_user(''x'')',
  'SELECT nexus.start_session(''x'', ''x'', ''1 day'', ''1 day'')', 'SELECT nexus.end_sessions(''x'')', 'SELECT nexus.end_session(''x'')',
  'SELECT nexus.rotate_session(''x'', ''y'')', 'SELECT nexus.sign_up(''x'', ''x'', ''x'', ''x'')', 'SELECT count(*) FROM sessions']) s;
SET ROLE nexus_anon;
SELECT pg_temp.try('SELECT nexus.session_claims(''x'')');
RESET SESSION AUTHORIZATION;
ROLLBACK;
RESET client_min_messages;
