-- 100,000 schedules: 80 % of them fire once and 20 % weekly within the next 30 days. How long it takes to make their platform posts with their
-- jobs, and that a second run makes none.
\set QUIET on
SET client_min_messages = warning;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT 'bench' || i, 'bench' || i || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'B', 'B' FROM generate_series(1, 1000) i;
SET nexus.import_mode = on;
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) SELECT 5000000 + i, 'bench' || i, 'bluesky', i, 'B' FROM generate_series(1, 1000) i;
INSERT INTO social_posts (id, user_id, title, caption, content_type, status, scheduled_at)
SELECT 5000000 + i, 'bench' || i % 1000 + 1, 't', 'text ' || i, 'post', 'scheduled', nexus.utcnow() + interval '1 hour' FROM generate_series(1, 100000) i;
INSERT INTO post_schedules (id, social_post_id, platform, account_id, scheduled_at, recurrence, timezone, next_run_at)
SELECT 5000000 + i, 5000000 + i, 'bluesky', 5000000 + i % 1000 + 1, at, CASE WHEN i % 5 = 0 THEN 'weekly' ELSE 'none' END, 'Europe/Berlin', at
FROM generate_series(1, 100000) i, LATERAL (SELECT nexus.utcnow() + i % 720 * interval '1 hour' + interval '1 hour') a(at);
SET nexus.import_mode = off;
VACUUM (ANALYZE) post_schedules, social_posts, social_accounts, platform_posts;
CREATE PROCEDURE pg_temp.materialise(INOUT inserted bigint, INOUT took interval) LANGUAGE plpgsql AS $$
DECLARE part record; began timestamptz := clock_timestamp();
BEGIN
  inserted := 0;
  LOOP
    SELECT * INTO part FROM nexus.materialise_schedules(until => now() + interval '30 days', max_schedules => 5000);
    inserted := inserted + part.inserted;
    EXIT WHEN part.schedules = 0;
    COMMIT;
  END LOOP;
  took := clock_timestamp() - began;
END $$;
\set QUIET off
CALL pg_temp.materialise(NULL, NULL);
CALL pg_temp.materialise(NULL, NULL);
SELECT count(*) AS open_jobs, count(DISTINCT unique_key) AS distinct_keys FROM nexus.jobs WHERE kind = 'publish' AND ref_id IN (SELECT id FROM platform_posts WHERE social_post_id > 5000000);
\set QUIET on
DELETE FROM nexus.jobs WHERE kind = 'publish' AND account_id > 5000000;
DELETE FROM users WHERE id LIKE 'bench%';
