-- Revert creatornexus:0000_base from pg

\ir ../settings.sql

BEGIN;

CREATE TEMP TABLE loss ON COMMIT DROP AS
  SELECT 'users' AS table_name, count(*) AS rows, 'rows' AS what FROM users
  UNION ALL SELECT 'projects', count(*), 'rows' FROM projects
  UNION ALL SELECT 'content', count(*), 'rows' FROM content
  UNION ALL SELECT 'sessions', count(*), 'rows' FROM sessions
  UNION ALL SELECT 'social_accounts', count(*), 'rows' FROM social_accounts
  UNION ALL SELECT 'content_metrics', count(*), 'rows' FROM content_metrics
  UNION ALL SELECT 'niches', count(*), 'rows' FROM niches
  UNION ALL SELECT 'ai_generation_tasks', count(*), 'rows' FROM ai_generation_tasks
  UNION ALL SELECT 'templates', count(*), 'rows' FROM templates
  UNION ALL SELECT 'notifications', count(*), 'rows' FROM notifications
  UNION ALL SELECT 'social_posts', count(*), 'rows' FROM social_posts
  UNION ALL SELECT 'platform_posts', count(*), 'rows' FROM platform_posts
  UNION ALL SELECT 'post_media', count(*), 'rows' FROM post_media
  UNION ALL SELECT 'post_schedules', count(*), 'rows' FROM post_schedules
  UNION ALL SELECT 'hashtag_suggestions', count(*), 'rows' FROM hashtag_suggestions
  UNION ALL SELECT 'ai_content_suggestions', count(*), 'rows' FROM ai_content_suggestions;
\ir ../refuse_loss.sql

DROP TABLE users, projects, content, sessions, social_accounts, content_metrics, niches, ai_generation_tasks, templates,
  notifications, social_posts, platform_posts, post_media, post_schedules, hashtag_suggestions, ai_content_suggestions;

REVOKE USAGE, CREATE ON SCHEMA :"schema" FROM nexus_owner;
SELECT pg_catalog.current_database() AS database \gset
ALTER DATABASE :"database" RESET timezone;

-- The schema goes with its tables if the deploy made it and nobody else has put anything there.
SELECT n.nspowner = 'nexus_owner'::regrole
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                        WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = n.oid) AS schema_ours
  FROM pg_catalog.pg_namespace n WHERE n.nspname = :'schema' \gset
\if :schema_ours
  DROP SCHEMA :"schema";
\endif

COMMIT;
