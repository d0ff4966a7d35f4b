-- Samples in, series out, on the application's tables.
SET timezone = 'UTC';
BEGIN;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT u, u || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$bWV0cmljc21ldHJpY3M$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'M', u
FROM unnest(ARRAY['m1', 'm2']) u;
INSERT INTO content (id, user_id, title, platform, content_type) VALUES
  (901, 'm1', 'One', 'youtube', 'video'), (902, 'm1', 'Two', 'youtube', 'video'), (903, 'm2', 'Three', 'youtube', 'video');

-- A batch with every kind of fault stores the good rows; of duplicates the last counts.
CREATE TEMP TABLE batch AS SELECT * FROM nexus.ingest_metrics($$[
  {"content_id": 901, "platform": "youtube", "captured_at": "2025-03-01T10:00:00Z", "views": 100, "likes": 3},
  {"content_id": 901, "platform": "youtube", "captured_at": "2025-03-01T12:00:00+02:00", "views": 101, "likes": "4"},
  {"content_id": 901, "platform": "youtube", "captured_at": "2025-03-02 10:00", "source": "api", "views": 150, "revenue": 12.50},
  {"content_id": 990, "platform": "youtube", "captured_at": "2025-03-02T10:00:00Z", "views": 1},
  {"content_id": 901, "platform": "youtube", "captured_at": "2025-03-02T10:00:00Z", "views": -1},
  {"content_id": 901, "platform": "youtube", "captured_at": "2999-03-02T10:00:00Z", "views": 1},
  {"content_id": 901, "platform": "youtube", "captured_at": "2025-03-02T10:00:00Z", "views": 9223372036854775808},
  {"content_id": 901, "platform": "youtube", "captured_at": "2025-03-02T10:00:00Z", "views": 1.5},
  {"content_id": 901, "platform": "youtube", "captured_at": "2025-03-02T10:00:00Z", "view": 1},
  {"content_id": 901, "platform": "youtube", "captured_at": "2025-03-02T10:00:00Z", "platform_post_row_id": 999999},
  {"content_id": 901, "captured_at": "2025-03-02T10:00:00Z"},
  {"content_id": 901, "platform": "You Tube", "captured_at": "2025-03-02T10:00:00Z"},
  "not a sample", null]$$);
SELECT inserted, updated, unchanged, rejected FROM batch;
SELECT e.* FROM batch, jsonb_to_recordset(errors) e(index int, field text, code text, message text);
SELECT content_id, platform, captured_at, source, views, likes, revenue, engagement_rate
FROM content_metrics WHERE content_id BETWEEN 901 AND 903 ORDER BY captured_at;

-- The content knows when it was last measured, where the schema keeps that.
SELECT bool_and(CASE WHEN to_jsonb(c) ? 'last_measured_at'
  THEN to_jsonb(c)->>'last_measured_at' = '2025-03-02T10:00:00' ELSE true END) AS last_measured FROM content c WHERE id = 901;

-- A replay changes nothing, a revision replaces the sample.
SELECT * FROM nexus.ingest_metrics($$[
  {"content_id": 901, "platform": "youtube", "captured_at": "2025-03-01T10:00:00Z", "views": 101, "likes": 4},
  {"content_id": 901, "platform": "youtube", "captured_at": "2025-03-02T10:00:00Z", "source": "api", "views": 160}]$$);
SELECT * FROM nexus.ingest_metrics($$[
  {"content_id": 901, "platform": "youtube", "captured_at": "2025-03-02T10:00:00Z", "source": "api", "views": 160}]$$);
SELECT captured_at, source, views, likes, revenue FROM content_metrics WHERE content_id = 901 ORDER BY captured_at;
SELECT * FROM nexus.ingest_metrics('[]');
SAVEPOINT s;
SELECT * FROM nexus.ingest_metrics('{"content_id": 901}');
ROLLBACK TO s;
SELECT * FROM nexus.ingest_metrics(NULL);
ROLLBACK TO s;

-- The rate is computed whatever a client writes; what no sum could stand is refused.
INSERT INTO content_metrics (content_id, platform, captured_at, views, likes, comments, shares, engagement_rate) VALUES
  (902, 'x', '2025-01-01', 3, 1, 0, 0, 77), (902, 'x', '2025-01-02', 1, 20, 0, 0, 1), (902, 'x', '2025-01-03', 0, 1, 0, 0, 1)
RETURNING engagement_rate;
UPDATE content_metrics SET views = 300, engagement_rate = 5 WHERE content_id = 902 AND captured_at = '2025-01-01' RETURNING engagement_rate;
INSERT INTO content_metrics (content_id, platform, captured_at, saves) VALUES (902, 'x', '2025-01-04', -1);
ROLLBACK TO s;
INSERT INTO content_metrics (content_id, platform, captured_at) VALUES (902, 'x', 'infinity');
ROLLBACK TO s;
SELECT nexus.validate_content_metrics_trigger();
ROLLBACK TO s;

-- Series. Two platforms; an audit (-20), a reset (to 40), a late row, two sources at one instant, an unknown counter.
DELETE FROM content_metrics WHERE content_id = 902;
INSERT INTO content_metrics (content_id, platform, captured_at, source, views, likes, comments, shares, reach) VALUES
  (902, 'youtube', '2025-03-08 12:00', 'api',    1000, 10, 0, 0, NULL),
  (902, 'youtube', '2025-03-09 12:00', 'api',    1100, 20, 0, 0, NULL),
  (902, 'youtube', '2025-03-10 12:00', 'api',    1080, NULL, 0, 0, NULL),
  (902, 'youtube', '2025-03-11 12:00', 'api',      40, 25, 0, 0, NULL),
  (902, 'youtube', '2025-03-09 03:00', 'import', 1050, 12, 0, 0, NULL),
  (902, 'youtube', '2025-03-11 12:00', 'manual',   45, 25, 0, 0, NULL),
  (902, 'tiktok',  '2025-03-09 12:00', 'api',     500,  5, 1, 1, 400),
  (902, 'tiktok',  '2025-03-10 12:00', 'api',     700, 15, 2, 1, 500);
SELECT bucket, views, likes, comments, reach, engagement_rate FROM nexus.metrics_series(902);
-- New York's day of the change has 23 hours, and the sample of 03:00Z falls on the day before.
SELECT bucket, bucket_end, views, likes FROM nexus.metrics_series(902, tz => 'America/New_York');
-- A window starts from the last known values before it, for each counter.
SELECT bucket, views, likes FROM nexus.metrics_series(902, '2025-03-11', '2025-03-12');
SELECT bucket, bucket_end, views FROM nexus.metrics_series(902, '2025-03-09', '2025-03-11', 'hour', 'UTC');
SELECT bucket, bucket_end, views FROM nexus.metrics_series(902, unit => 'month', tz => 'Asia/Kathmandu');
SELECT count(*) AS empty FROM nexus.metrics_series(902, '2025-04-01', '2025-03-01');
SELECT count(*) AS none_yet FROM nexus.metrics_series(903);
-- Decreases are stored, and flagged.
SELECT * FROM nexus.metric_drops(902);
SELECT count(*) FROM nexus.metric_drops(902, '2025-03-11', '2025-03-12');
-- Increments of all buckets add up to what one bucket says.
SELECT sum(views) = (SELECT views FROM nexus.metrics_series(902, unit => 'month')) AS adds_up FROM nexus.metrics_series(902, unit => 'hour');
SAVEPOINT s;
SELECT * FROM nexus.metrics_series(990);
ROLLBACK TO s;
SELECT * FROM nexus.metrics_series(NULL);
ROLLBACK TO s;
SELECT * FROM nexus.metrics_series(902, unit => 'decade');
ROLLBACK TO s;
SELECT * FROM nexus.metrics_series(902, tz => 'Mars/Base');
ROLLBACK TO s;

-- Both run with the caller's rights: somebody else's content does not exist.
CREATE ROLE metrics_reader;
GRANT USAGE ON SCHEMA public TO metrics_reader;
GRANT SELECT ON nexus.attachment, content, platform_posts, social_posts TO metrics_reader;
GRANT SELECT, INSERT, UPDATE ON content_metrics TO metrics_reader;
GRANT USAGE ON SEQUENCE content_metrics_id_seq TO metrics_reader;
ALTER TABLE content ENABLE ROW LEVEL SECURITY;
CREATE POLICY metrics_reader_own ON content TO metrics_reader USING (user_id = 'm1');
ALTER TABLE content_metrics ENABLE ROW LEVEL SECURITY;
CREATE POLICY metrics_reader_own ON content_metrics TO metrics_reader USING (content_id IN (901, 902));
SET LOCAL ROLE metrics_reader;
SELECT count(*) AS own FROM nexus.metrics_series(902);
SELECT inserted, rejected, errors FROM nexus.ingest_metrics($$[
  {"content_id": 902, "platform": "x", "captured_at": "2025-03-01T10:00:00Z", "views": 1},
  {"content_id": 903, "platform": "x", "captured_at": "2025-03-01T10:00:00Z", "views": 1}]$$);
SAVEPOINT s;
SELECT * FROM nexus.metrics_series(903);
ROLLBACK TO s;
SELECT * FROM nexus.metric_drops(903);
ROLLBACK TO s;
RESET ROLE;

-- Without an attached schema nothing is guessed.
DELETE FROM nexus.attachment;
SAVEPOINT s;
SELECT * FROM nexus.metrics_series(902);
ROLLBACK TO s;
SELECT * FROM nexus.ingest_metrics('[]');
ROLLBACK;
