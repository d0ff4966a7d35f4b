-- Deploy creatornexus:0004_indexes to pg
-- An index for every foreign key and for every query the application makes often. Built CONCURRENTLY, so that a live
-- application goes on writing; therefore in no transaction. After a failure deploy again: what was built stays, what was
-- left half-built is dropped first.

\ir ../settings.sql

SELECT pg_catalog.format('DROP INDEX CONCURRENTLY %I.%I', n.nspname, i.relname)
  FROM pg_catalog.pg_index x
  JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace AND n.nspname = :'schema'
 WHERE NOT x.indisvalid AND i.relname ~ '_(idx|gin|brin)$' \gexec

CREATE INDEX CONCURRENTLY IF NOT EXISTS projects_user_idx ON projects (user_id, created_at DESC, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS projects_public_idx ON projects (created_at DESC, id DESC) WHERE is_public;

CREATE INDEX CONCURRENTLY IF NOT EXISTS content_user_idx ON content (user_id, created_at DESC, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS content_user_status_idx ON content (user_id, status, scheduled_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS content_project_idx ON content (project_id, created_at DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS content_due_idx ON content (scheduled_at) WHERE status = 'scheduled';
CREATE INDEX CONCURRENTLY IF NOT EXISTS content_tags_gin ON content USING gin (tags);

CREATE INDEX CONCURRENTLY IF NOT EXISTS sessions_user_idx ON sessions (user_id) WHERE user_id IS NOT NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS social_accounts_refresh_idx ON social_accounts (token_expiry)
  WHERE is_active AND status = 'active' AND refresh_token IS NOT NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS social_posts_user_idx ON social_posts (user_id, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS social_posts_calendar_idx ON social_posts (user_id, scheduled_at)
  WHERE deleted_at IS NULL AND scheduled_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS social_posts_owner_idx ON social_posts (user_id); -- for deleting a user
CREATE INDEX CONCURRENTLY IF NOT EXISTS social_posts_project_idx ON social_posts (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS social_posts_content_idx ON social_posts (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS social_posts_reviewer_idx ON social_posts (reviewed_by) WHERE reviewed_by IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS social_posts_review_idx ON social_posts (user_id, scheduled_at) WHERE review_state = 'pending';
CREATE INDEX CONCURRENTLY IF NOT EXISTS social_posts_hashtags_gin ON social_posts USING gin (hashtags);

CREATE INDEX CONCURRENTLY IF NOT EXISTS post_schedules_due_idx ON post_schedules (next_run_at, id) WHERE status = 'pending';
CREATE INDEX CONCURRENTLY IF NOT EXISTS post_schedules_post_idx ON post_schedules (social_post_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS post_schedules_account_idx ON post_schedules (account_id) WHERE account_id IS NOT NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS platform_posts_post_idx ON platform_posts (social_post_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS platform_posts_account_idx ON platform_posts (account_id, scheduled_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS platform_posts_due_idx ON platform_posts (scheduled_at, id) WHERE status = 'scheduled';
CREATE INDEX CONCURRENTLY IF NOT EXISTS platform_posts_attention_idx ON platform_posts (updated_at DESC)
  WHERE status::text IN ('failed', 'unconfirmed');
CREATE INDEX CONCURRENTLY IF NOT EXISTS platform_posts_thread_idx ON platform_posts (thread_parent_id)
  WHERE thread_parent_id IS NOT NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS content_metrics_time_brin ON content_metrics USING brin (captured_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS content_metrics_ppost_idx ON content_metrics (platform_post_row_id)
  WHERE platform_post_row_id IS NOT NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS post_media_sha_idx ON post_media (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS post_media_object_idx ON post_media (storage_key) WHERE storage_key IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS post_media_todo_idx ON post_media (status, created_at)
  WHERE status::text IN ('pending', 'uploading', 'processing');

CREATE INDEX CONCURRENTLY IF NOT EXISTS templates_browse_idx ON templates (category, is_featured DESC, downloads DESC, id)
  WHERE is_active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS templates_user_idx ON templates (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS templates_tags_gin ON templates USING gin (tags);

CREATE INDEX CONCURRENTLY IF NOT EXISTS notifications_feed_idx ON notifications (user_id, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS notifications_unread_idx ON notifications (user_id, id DESC) WHERE is_read IS NOT TRUE;
CREATE INDEX CONCURRENTLY IF NOT EXISTS notifications_expiry_idx ON notifications (expires_at) WHERE expires_at IS NOT NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS niches_browse_idx ON niches (category, trend_score DESC) WHERE is_active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS niches_keywords_gin ON niches USING gin (keywords);

CREATE INDEX CONCURRENTLY IF NOT EXISTS hashtag_suggestions_top_idx
  ON hashtag_suggestions (platform, category, score DESC NULLS LAST, trend_score DESC) WHERE is_active AND NOT is_banned;
CREATE INDEX CONCURRENTLY IF NOT EXISTS hashtag_suggestions_prefix_idx
  ON hashtag_suggestions (platform, lower(hashtag) text_pattern_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS hashtag_suggestions_niche_idx ON hashtag_suggestions (niche_id) WHERE niche_id IS NOT NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS ai_tasks_user_idx ON ai_generation_tasks (user_id, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS ai_tasks_project_idx ON ai_generation_tasks (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ai_tasks_content_idx ON ai_generation_tasks (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ai_tasks_open_idx ON ai_generation_tasks (created_at)
  WHERE status::text IN ('pending', 'processing');

CREATE INDEX CONCURRENTLY IF NOT EXISTS ai_sugg_user_idx ON ai_content_suggestions (user_id, suggestion_type, id DESC)
  WHERE status = 'new';
CREATE INDEX CONCURRENTLY IF NOT EXISTS ai_sugg_owner_idx ON ai_content_suggestions (user_id); -- for deleting a user
CREATE INDEX CONCURRENTLY IF NOT EXISTS ai_sugg_project_idx ON ai_content_suggestions (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ai_sugg_content_idx ON ai_content_suggestions (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ai_sugg_task_idx ON ai_content_suggestions (task_id) WHERE task_id IS NOT NULL;
