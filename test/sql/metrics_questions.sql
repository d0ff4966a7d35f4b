-- What a dashboard asks of an account, beside the plain answer.
SET timezone = 'UTC';
BEGIN;
INSERT INTO users (id, email, password, first_name, last_name)
SELECT u, u || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$bWV0cmljc21ldHJpY3M$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'M', u
FROM unnest(ARRAY['q1', 'q2']) u;
INSERT INTO content (id, user_id, title, platform, content_type, status, published_at)
SELECT 9500 + g, CASE WHEN g = 30 THEN 'q2' ELSE 'q1' END, 'Post ' || g, 'youtube', 'video', 'draft',
  -- 12 posts on Sundays at 23:30 in New York, the others spread
  CASE WHEN g <= 12 THEN '2025-01-06 04:30'::timestamp + g * interval '7 days' ELSE '2025-01-01 10:00'::timestamp + g * interval '31 hours' END
FROM generate_series(1, 30) g;
INSERT INTO content_metrics (content_id, platform, captured_at, source, views, likes, comments, shares, saves, reach)
SELECT 9500 + g, p, '2025-03-01 06:00'::timestamp + d * interval '1 day', 'api', 1000 * g + d * (100 + g), (10 + g) * d, d, NULL, d / 2,
  CASE WHEN p = 'tiktok' THEN 500 * g + d * 50 END
FROM generate_series(1, 30) g, unnest(ARRAY['youtube', 'tiktok']) p, generate_series(0, 20) d
WHERE NOT (p = 'tiktok' AND g % 3 = 0);

-- Each series says what metrics_series says of the same window.
SELECT count(*) AS contents, count(*) FILTER (WHERE (g.views, g.likes, g.reach) IS NOT DISTINCT FROM (s.views, s.likes, s.reach)) AS equal
FROM (SELECT content_id, sum(views) AS views, sum(likes) AS likes, sum(reach) AS reach
  FROM nexus.account_gains('q1', '2025-03-05', '2025-03-12') GROUP BY content_id) g,
  LATERAL (SELECT sum(views) AS views, sum(likes) AS likes, sum(reach) AS reach FROM nexus.metrics_series(g.content_id, '2025-03-05', '2025-03-12')) s;
SELECT * FROM nexus.account_gains('q1', '2025-03-01', '2025-03-02') WHERE content_id = 9501;
SELECT * FROM nexus.account_summary('q1', '2025-03-05', '2025-03-12');
-- The same from sums over pairs of neighbours.
SELECT platform, count(DISTINCT content_id) AS posts, sum(views) AS views, sum(likes) AS likes,
  round(sum(likes + comments + saves) / sum(coalesce(reach, views)), 12) AS rate
FROM (SELECT content_id, platform, captured_at, views - lag(views) OVER w AS views, likes - lag(likes) OVER w AS likes,
    comments - lag(comments) OVER w AS comments, saves - lag(saves) OVER w AS saves, reach - lag(reach) OVER w AS reach
  FROM content_metrics WHERE content_id BETWEEN 9501 AND 9529 WINDOW w AS (PARTITION BY content_id, platform ORDER BY captured_at)) d
WHERE captured_at >= '2025-03-05' AND captured_at < '2025-03-12' GROUP BY platform ORDER BY platform;
-- A local week is as long on the wall clock, so the one before it has its own seven samples although clocks changed.
SELECT platform, posts, views, growth_ratio FROM nexus.account_summary('q1', '2025-03-09 05:00Z', '2025-03-16 04:00Z', 'America/New_York');
SELECT platform, posts, growth_ratio IS NULL AS no_growth FROM nexus.account_summary('q1', '-infinity', 'infinity');
SELECT count(*) AS unknown_user FROM nexus.account_summary('nobody', '2025-03-05', '2025-03-12');
SELECT * FROM nexus.top_content('q1', '2025-03-05', '2025-03-12', max_count => 4);
SELECT content_id, platform, value FROM nexus.top_content('q1', '2025-03-05', '2025-03-12', 'saves', 3);
SELECT count(*) AS unknown_counter FROM nexus.top_content('q1', '2025-03-05', '2025-03-12', 'shares');

-- Local hours: Sunday 23 in New York is Monday 4 in UTC, and Sunday night stays where clocks change in March.
SELECT dow, hour, posts, round(engagement_rate::numeric, 6) AS rate, round(score::numeric, 6) AS score, round(support::numeric, 6) AS support
FROM nexus.best_times('q1', 'youtube', 'America/New_York');
SELECT dow, hour, posts, round(support::numeric, 6) AS support FROM nexus.best_times('q1', 'youtube');
SELECT count(*) AS too_few FROM nexus.best_times('q2');
-- The score lies between the hour's own rate and the account's mean.
SELECT bool_and(score BETWEEN least(engagement_rate, mean) - 1e-12 AND greatest(engagement_rate, mean) + 1e-12) AS shrunk
FROM nexus.best_times('q1'), (SELECT sum(likes + comments + saves)::float8 / sum(coalesce(reach, views)) AS mean
  FROM content_metrics WHERE content_id BETWEEN 9501 AND 9529 AND captured_at = '2025-03-21 06:00') m;

-- One day with ten times the views.
UPDATE content_metrics SET views = views + 2000 WHERE content_id = 9507 AND platform = 'youtube' AND captured_at >= '2025-03-10';
SELECT bucket, value, zscore > 3.5 AS beyond FROM nexus.metric_anomalies(9507);
SELECT count(*) AS none FROM nexus.metric_anomalies(9508);
SELECT count(*) AS unknown_counter FROM nexus.metric_anomalies(9508, 'clicks');

SAVEPOINT s;
SELECT nexus.account_summary(NULL, now(), now());
ROLLBACK TO s;
SELECT nexus.account_summary('q1', now(), now(), 'Mars/Base');
ROLLBACK TO s;
SELECT nexus.account_gains('q1', NULL, now());
ROLLBACK TO s;
SELECT nexus.top_content('q1', now(), now(), 'revenue');
ROLLBACK TO s;
SELECT nexus.top_content('q1', now(), now(), max_count => 0);
ROLLBACK TO s;
SELECT nexus.top_content('q1', now(), NULL);
ROLLBACK TO s;
SELECT nexus.best_times('q1', tz => 'XXX99YYY');
ROLLBACK TO s;
SELECT nexus.best_times(NULL);
ROLLBACK TO s;
SELECT nexus.metric_anomalies(9507, 'revenue');
ROLLBACK TO s;
SELECT nexus.metric_anomalies(9507, threshold => 0);
ROLLBACK TO s;
SELECT nexus.metric_anomalies(9999);
ROLLBACK TO s;

-- Row security decides: somebody else's account is empty.
CREATE ROLE questions_reader;
GRANT USAGE ON SCHEMA public TO questions_reader;
GRANT SELECT ON content, content_metrics, platform_posts TO questions_reader;
ALTER TABLE content ENABLE ROW LEVEL SECURITY;
CREATE POLICY questions_own ON content TO questions_reader USING (user_id = 'q2');
ALTER TABLE content_metrics ENABLE ROW LEVEL SECURITY;
CREATE POLICY questions_own ON content_metrics TO questions_reader USING (content_id = 9530);
SET LOCAL ROLE questions_reader;
SELECT (SELECT count(*) FROM nexus.account_summary('q1', '2025-03-05', '2025-03-12')) AS summary,
  (SELECT count(*) FROM nexus.top_content('q1', '2025-03-05', '2025-03-12')) AS top, (SELECT count(*) FROM nexus.best_times('q1')) AS times,
  (SELECT count(*) FROM nexus.top_content('q2', '2025-03-05', '2025-03-12')) AS own;
RESET ROLE;
ROLLBACK;
