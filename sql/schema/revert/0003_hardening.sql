-- Revert creatornexus:0003_hardening from pg
-- What the database filled in by itself (times of creation, idempotency keys, a derived user) counts as no loss.

\ir ../settings.sql

BEGIN;

CREATE TEMP TABLE loss ON COMMIT DROP AS
  SELECT 'content' AS table_name, count(*) AS rows, 'time of measurement' AS what FROM content WHERE last_measured_at IS NOT NULL
  UNION ALL
  SELECT 'sessions', count(*), 'last use' FROM sessions WHERE last_seen_at IS NOT NULL
  UNION ALL
  SELECT 'social_accounts', count(*), 'handle, host, scopes, status, token and publishing history' FROM social_accounts
   WHERE num_nonnulls(handle, instance_url, scopes, status_reason, refresh_token_expiry, last_refreshed_at, last_published_at,
                      last_measured_at) > 0
      OR status <> 'active' OR token_version <> 1
  UNION ALL
  SELECT 'social_posts', count(*), 'content, review, pause, cancellation, deletion, revision' FROM social_posts
   WHERE num_nonnulls(content_id, reviewed_by, reviewed_at, review_note, paused_at, cancelled_at, deleted_at) > 0
      OR review_state <> 'none' OR revision <> 1
  UNION ALL
  SELECT 'post_schedules', count(*), 'account, rule, exceptions, limits, progress, policy' FROM post_schedules
   WHERE num_nonnulls(account_id, rrule, occurrence_limit, next_run_at) > 0
      OR exdates <> '{}' OR occurrences_done <> 0 OR max_retries <> 5 OR missed_policy <> 'publish_late' OR missed_grace <> '6 hours'
  UNION ALL
  SELECT 'platform_posts', count(*), 'schedule, occurrence, thread, attempts, errors' FROM platform_posts
   WHERE num_nonnulls(schedule_id, occurrence_at, thread_parent_id, send_started_at, next_attempt_at, error_class, error_code,
                      error_message, payload_sha256) > 0
      OR thread_position <> 0 OR attempt_count <> 0
  UNION ALL
  SELECT 'content_metrics', count(*), 'time of capture, source, counters beyond the original''s, values over 2147483647'
    FROM content_metrics m JOIN content c ON c.id = m.content_id
   WHERE num_nonnulls(m.impressions, m.reach, m.clicks, m.saves, m.watch_time_seconds, m.followers_gained, m.platform_post_row_id) > 0
      OR m.source <> 'manual' OR greatest(m.views, m.likes, m.comments, m.shares) > 2147483647
      OR abs(extract(epoch FROM m.captured_at - COALESCE(m.last_updated, c.created_at, m.captured_at))) >= 1
  UNION ALL
  SELECT 'post_media', count(*), 'position, alternative text, hash, storage, status, uploads, sizes over 2147483647' FROM post_media
   WHERE num_nonnulls(alt_text, sha256, storage_key, error_message) > 0
      OR position <> 0 OR status <> 'ready' OR remote_refs <> '{}' OR file_size > 2147483647
  UNION ALL
  SELECT 'templates', count(*), 'owner, visibility, variables, version' FROM templates
   WHERE user_id IS NOT NULL OR NOT is_public OR variables <> '[]' OR version <> 1
  UNION ALL
  SELECT 'notifications', count(*), 'priority, subject, key, expiry, delivery' FROM notifications
   WHERE num_nonnulls(entity_type, entity_id, dedupe_key, expires_at, delivered_at) > 0 OR priority <> 0
  UNION ALL
  SELECT 'niches', count(*), 'slug' FROM niches WHERE slug IS NOT NULL
  UNION ALL
  SELECT 'hashtag_suggestions', count(*), 'niche, score, times of use, ban, counts over 2147483647' FROM hashtag_suggestions
   WHERE num_nonnulls(niche_id, score, last_used_at, computed_at) > 0 OR is_banned OR usage_count > 2147483647
  UNION ALL
  SELECT 'ai_generation_tasks', count(*), 'subject, model, result, error, progress, cost' FROM ai_generation_tasks
   WHERE num_nonnulls(project_id, content_id, model, result_json, error_code, error_message, input_tokens, output_tokens,
                      cost_micros, idempotency_key, started_at) > 0
      OR parameters <> '{}' OR progress <> 0 OR attempt_count <> 0
  UNION ALL
  SELECT 'ai_content_suggestions', count(*), 'task, content, decision, expiry' FROM ai_content_suggestions
   WHERE num_nonnulls(task_id, content_id, decided_at, expires_at) > 0 OR status <> 'new';
\ir ../refuse_loss.sql

ALTER TABLE ai_content_suggestions
  DROP CONSTRAINT ai_sugg_type_check,
  DROP CONSTRAINT ai_sugg_confidence,
  DROP COLUMN task_id,
  DROP COLUMN content_id,
  DROP COLUMN status,
  DROP COLUMN decided_at,
  DROP COLUMN expires_at;

ALTER TABLE ai_generation_tasks
  DROP CONSTRAINT ai_tasks_status_check,
  DROP CONSTRAINT ai_tasks_type_check,
  DROP CONSTRAINT ai_tasks_final_pair,
  DROP CONSTRAINT ai_tasks_result_pair,
  DROP COLUMN project_id,
  DROP COLUMN content_id,
  DROP COLUMN model,
  DROP COLUMN parameters,
  DROP COLUMN result_json,
  DROP COLUMN error_code,
  DROP COLUMN error_message,
  DROP COLUMN progress,
  DROP COLUMN attempt_count,
  DROP COLUMN input_tokens,
  DROP COLUMN output_tokens,
  DROP COLUMN cost_micros,
  DROP COLUMN idempotency_key,
  DROP COLUMN started_at,
  DROP COLUMN updated_at;

DROP INDEX hashtag_suggestions_key;
ALTER TABLE hashtag_suggestions
  DROP CONSTRAINT hashtag_shape,
  DROP CONSTRAINT hashtag_ranges,
  ALTER COLUMN usage_count TYPE INTEGER USING LEAST(usage_count, 2147483647),
  DROP COLUMN niche_id,
  DROP COLUMN score,
  DROP COLUMN last_used_at,
  DROP COLUMN computed_at,
  DROP COLUMN is_banned;

ALTER TABLE niches
  DROP CONSTRAINT niches_difficulty_check,
  DROP CONSTRAINT niches_profitability_check,
  DROP CONSTRAINT niches_score_range,
  DROP COLUMN slug,
  DROP COLUMN created_at;

ALTER TABLE notifications
  DROP CONSTRAINT notifications_type_slug,
  DROP CONSTRAINT notifications_read_pair,
  DROP COLUMN priority,
  DROP COLUMN entity_type,
  DROP COLUMN entity_id,
  DROP COLUMN dedupe_key,
  DROP COLUMN expires_at,
  DROP COLUMN delivered_at;

ALTER TABLE templates
  DROP CONSTRAINT templates_category_check,
  DROP CONSTRAINT templates_rating_range,
  DROP CONSTRAINT templates_downloads_nonneg,
  DROP COLUMN user_id,
  DROP COLUMN is_public,
  DROP COLUMN variables,
  DROP COLUMN version;

ALTER TABLE post_media
  DROP CONSTRAINT post_media_type_check,
  DROP CONSTRAINT post_media_sizes,
  DROP CONSTRAINT post_media_dims,
  ALTER COLUMN file_size TYPE INTEGER USING LEAST(file_size, 2147483647),
  DROP COLUMN position,
  DROP COLUMN alt_text,
  DROP COLUMN sha256,
  DROP COLUMN storage_key,
  DROP COLUMN status,
  DROP COLUMN error_message,
  DROP COLUMN remote_refs;

ALTER TABLE content_metrics
  DROP CONSTRAINT content_metrics_nonneg,
  ALTER COLUMN views TYPE INTEGER USING LEAST(views, 2147483647),
  ALTER COLUMN likes TYPE INTEGER USING LEAST(likes, 2147483647),
  ALTER COLUMN comments TYPE INTEGER USING LEAST(comments, 2147483647),
  ALTER COLUMN shares TYPE INTEGER USING LEAST(shares, 2147483647),
  DROP COLUMN captured_at,
  DROP COLUMN impressions,
  DROP COLUMN reach,
  DROP COLUMN clicks,
  DROP COLUMN saves,
  DROP COLUMN watch_time_seconds,
  DROP COLUMN followers_gained,
  DROP COLUMN source,
  DROP COLUMN platform_post_row_id;

DROP INDEX platform_posts_remote_key;
ALTER TABLE platform_posts
  DROP CONSTRAINT platform_posts_account_id_fkey,
  ADD CONSTRAINT platform_posts_account_id_fkey FOREIGN KEY (account_id) REFERENCES social_accounts(id) ON DELETE CASCADE,
  DROP CONSTRAINT platform_posts_status_check,
  DROP CONSTRAINT platform_posts_platform_slug,
  DROP CONSTRAINT platform_posts_published_pair,
  DROP CONSTRAINT platform_posts_scheduled_has_time,
  DROP COLUMN schedule_id,
  DROP COLUMN occurrence_at,
  DROP COLUMN idempotency_key,
  DROP COLUMN thread_parent_id,
  DROP COLUMN thread_position,
  DROP COLUMN attempt_count,
  DROP COLUMN send_started_at,
  DROP COLUMN next_attempt_at,
  DROP COLUMN error_class,
  DROP COLUMN error_code,
  DROP COLUMN error_message,
  DROP COLUMN payload_sha256;

ALTER TABLE post_schedules
  DROP CONSTRAINT post_schedules_status_check,
  DROP CONSTRAINT post_schedules_recurrence_check,
  DROP CONSTRAINT post_schedules_tz,
  DROP CONSTRAINT post_schedules_series_order,
  DROP CONSTRAINT post_schedules_retry_nonneg,
  DROP COLUMN account_id,
  DROP COLUMN rrule,
  DROP COLUMN exdates,
  DROP COLUMN occurrence_limit,
  DROP COLUMN occurrences_done,
  DROP COLUMN next_run_at,
  DROP COLUMN max_retries,
  DROP COLUMN missed_policy,
  DROP COLUMN missed_grace;

ALTER TABLE social_posts
  DROP CONSTRAINT social_posts_type_check,
  DROP CONSTRAINT social_posts_scheduled_has_time,
  DROP CONSTRAINT social_posts_published_has_time,
  DROP COLUMN content_id,
  DROP COLUMN review_state,
  DROP COLUMN reviewed_by,
  DROP COLUMN reviewed_at,
  DROP COLUMN review_note,
  DROP COLUMN paused_at,
  DROP COLUMN cancelled_at,
  DROP COLUMN deleted_at,
  DROP COLUMN revision;

DROP INDEX social_accounts_key;
ALTER TABLE social_accounts
  DROP CONSTRAINT social_accounts_platform_slug,
  DROP CONSTRAINT social_accounts_token_sealed,
  DROP COLUMN handle,
  DROP COLUMN instance_url,
  DROP COLUMN scopes,
  DROP COLUMN status,
  DROP COLUMN status_reason,
  DROP COLUMN refresh_token_expiry,
  DROP COLUMN token_version,
  DROP COLUMN last_refreshed_at,
  DROP COLUMN last_published_at,
  DROP COLUMN last_measured_at;

ALTER TABLE sessions
  DROP CONSTRAINT sessions_sess_object,
  DROP COLUMN user_id,
  DROP COLUMN created_at,
  DROP COLUMN last_seen_at;

ALTER TABLE content
  DROP CONSTRAINT content_status_check,
  DROP CONSTRAINT content_platform_slug,
  DROP CONSTRAINT content_scheduled_has_time,
  DROP CONSTRAINT content_published_has_time,
  DROP COLUMN last_measured_at;

ALTER TABLE projects DROP CONSTRAINT projects_status_check;

DROP INDEX users_email_lower_key;
ALTER TABLE users
  DROP CONSTRAINT users_email_shape,
  DROP CONSTRAINT users_id_shape;

COMMENT ON COLUMN users.id IS NULL;
COMMENT ON COLUMN social_accounts.account_id IS NULL;
COMMENT ON COLUMN social_accounts.access_token IS NULL;
COMMENT ON COLUMN social_accounts.refresh_token IS NULL;
COMMENT ON COLUMN social_posts.status IS NULL;
COMMENT ON COLUMN post_schedules.timezone IS NULL;
COMMENT ON COLUMN post_schedules.series_end_date IS NULL;
COMMENT ON COLUMN platform_posts.platform_post_id IS NULL;
COMMENT ON COLUMN content_metrics.engagement_rate IS NULL;
COMMENT ON COLUMN hashtag_suggestions.hashtag IS NULL;

COMMIT;
