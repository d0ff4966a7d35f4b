-- Deploy creatornexus:0003_hardening to pg

BEGIN;

-- users
ALTER TABLE users ADD CONSTRAINT users_email_shape CHECK (length(email) <= 254 AND email ~ '^[^@\s]+@[^@\s]+$') NOT VALID,
  ADD CONSTRAINT users_id_shape CHECK (id <> '' AND length(id) <= 128) NOT VALID;
CREATE UNIQUE INDEX users_email_lower_key ON users (lower(email));          -- the original UNIQUE(email) is case-sensitive
-- projects / content
ALTER TABLE projects ADD CONSTRAINT projects_status_check CHECK (status IN ('active','completed','archived')) NOT VALID;
ALTER TABLE content ADD CONSTRAINT content_status_check CHECK (status IN ('draft','scheduled','published','failed','paused','stopped')) NOT VALID,
  ADD CONSTRAINT content_platform_slug CHECK (platform ~ '^[a-z][a-z0-9_]{0,31}$') NOT VALID,
  ADD CONSTRAINT content_scheduled_has_time CHECK (status <> 'scheduled' OR scheduled_at IS NOT NULL) NOT VALID,
  ADD CONSTRAINT content_published_has_time CHECK (status <> 'published' OR published_at IS NOT NULL) NOT VALID;
CREATE INDEX projects_user_idx ON projects (user_id, created_at DESC, id DESC);
CREATE INDEX projects_public_idx ON projects (created_at DESC, id DESC) WHERE is_public;
CREATE INDEX content_user_idx ON content (user_id, created_at DESC, id DESC);
CREATE INDEX content_user_status_idx ON content (user_id, status, scheduled_at);
CREATE INDEX content_project_idx ON content (project_id, created_at DESC);
CREATE INDEX content_due_idx ON content (scheduled_at) WHERE status = 'scheduled';
CREATE INDEX content_tags_gin ON content USING gin (tags);
-- sessions (connect-pg-simple shape). user_id is derived, so listing and revoking a user's sessions needs no app change
ALTER TABLE sessions
  ADD COLUMN user_id VARCHAR GENERATED ALWAYS AS (COALESCE(sess->>'userId', sess #>> '{passport,user}', sess #>> '{passport,user,id}')) STORED,
  ADD COLUMN created_at TIMESTAMP DEFAULT NOW(), ADD COLUMN last_seen_at TIMESTAMP,
  ADD CONSTRAINT sessions_sess_object CHECK (jsonb_typeof(sess) = 'object') NOT VALID;
CREATE INDEX sessions_user_idx ON sessions (user_id) WHERE user_id IS NOT NULL;
-- content_metrics: append-only cumulative snapshots; (content, platform, captured_at, source) is the key. On a database with rows: add captured_at nullable, fill it with
-- COALESCE(last_updated, the content's created_at), spread remaining duplicates by id microseconds, then SET NOT NULL and DEFAULT. A pre-check lists duplicates for every new UNIQUE index
-- (lower(email), social_accounts_key, hashtag_suggestions_key, content_metrics_key) before anything is changed. content and social_accounts also get last_measured_at TIMESTAMP.
ALTER TABLE content_metrics ALTER views TYPE BIGINT, ALTER likes TYPE BIGINT, ALTER comments TYPE BIGINT, ALTER shares TYPE BIGINT,
  ADD COLUMN captured_at TIMESTAMP NOT NULL DEFAULT NOW(), ADD COLUMN impressions BIGINT, ADD COLUMN reach BIGINT, ADD COLUMN clicks BIGINT,
  ADD COLUMN saves BIGINT, ADD COLUMN watch_time_seconds BIGINT, ADD COLUMN followers_gained INTEGER,
  ADD COLUMN source VARCHAR NOT NULL DEFAULT 'manual' CHECK (source IN ('api','import','manual','webhook')),
  ADD COLUMN platform_post_row_id INTEGER REFERENCES platform_posts(id) ON DELETE SET NULL,
  ADD CONSTRAINT content_metrics_nonneg CHECK (views >= 0 AND likes >= 0 AND comments >= 0 AND shares >= 0 AND revenue >= 0) NOT VALID;
CREATE UNIQUE INDEX content_metrics_key ON content_metrics (content_id, platform, captured_at DESC, source);
CREATE INDEX content_metrics_time_brin ON content_metrics USING brin (captured_at);
CREATE INDEX content_metrics_ppost_idx ON content_metrics (platform_post_row_id) WHERE platform_post_row_id IS NOT NULL;
-- engagement_rate NUMERIC(5,2) overflows at 1000 %: 1 view + 20 likes = 2000. Compute with LEAST(…, 999.99) and NULL at 0 views.
-- templates
ALTER TABLE templates ADD COLUMN user_id VARCHAR REFERENCES users(id) ON DELETE CASCADE,   -- NULL = system template
  ADD COLUMN is_public BOOLEAN NOT NULL DEFAULT true, ADD COLUMN variables JSONB NOT NULL DEFAULT '[]', ADD COLUMN version INTEGER NOT NULL DEFAULT 1,
  ADD CONSTRAINT templates_category_check CHECK (category IN ('video','thumbnail','script','branding','social')) NOT VALID,
  ADD CONSTRAINT templates_rating_range CHECK (rating BETWEEN 0 AND 5) NOT VALID, ADD CONSTRAINT templates_downloads_nonneg CHECK (downloads >= 0) NOT VALID;
CREATE INDEX templates_browse_idx ON templates (category, is_featured DESC, downloads DESC, id) WHERE is_active;
CREATE INDEX templates_user_idx ON templates (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX templates_tags_gin ON templates USING gin (tags);
-- notifications
ALTER TABLE notifications ADD COLUMN priority SMALLINT NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 3), ADD COLUMN entity_type VARCHAR,
  ADD COLUMN entity_id INTEGER, ADD COLUMN dedupe_key VARCHAR, ADD COLUMN expires_at TIMESTAMP, ADD COLUMN delivered_at TIMESTAMP,
  ADD CONSTRAINT notifications_type_slug CHECK (type ~ '^[a-z][a-z0-9_]{1,63}$') NOT VALID,
  ADD CONSTRAINT notifications_read_pair CHECK (is_read IS NOT TRUE OR read_at IS NOT NULL) NOT VALID;
CREATE INDEX notifications_feed_idx ON notifications (user_id, id DESC);
CREATE INDEX notifications_unread_idx ON notifications (user_id, id DESC) WHERE is_read IS NOT TRUE;
CREATE UNIQUE INDEX notifications_dedupe_key ON notifications (user_id, dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE INDEX notifications_expiry_idx ON notifications (expires_at) WHERE expires_at IS NOT NULL;
-- social_accounts
ALTER TABLE social_accounts ADD COLUMN handle VARCHAR, ADD COLUMN instance_url VARCHAR,      -- Mastodon/PDS host
  ADD COLUMN scopes TEXT[], ADD COLUMN status VARCHAR NOT NULL DEFAULT 'active' CHECK (status IN ('active','expired','revoked','error','disabled')),
  ADD COLUMN status_reason TEXT, ADD COLUMN refresh_token_expiry TIMESTAMP, ADD COLUMN token_version INTEGER NOT NULL DEFAULT 1,
  ADD COLUMN last_refreshed_at TIMESTAMP, ADD COLUMN last_published_at TIMESTAMP,
  ADD CONSTRAINT social_accounts_platform_slug CHECK (platform ~ '^[a-z][a-z0-9_]{0,31}$') NOT VALID,
  ADD CONSTRAINT social_accounts_token_sealed CHECK ((access_token IS NULL OR access_token LIKE 'cn1.%') AND (refresh_token IS NULL OR refresh_token LIKE 'cn1.%')) NOT VALID;
CREATE UNIQUE INDEX social_accounts_key ON social_accounts (user_id, platform, account_id);
CREATE INDEX social_accounts_refresh_idx ON social_accounts (token_expiry) WHERE is_active AND status = 'active' AND refresh_token IS NOT NULL;
-- social_posts
ALTER TABLE social_posts ADD COLUMN content_id INTEGER REFERENCES content(id) ON DELETE SET NULL,
  ADD COLUMN review_state VARCHAR NOT NULL DEFAULT 'none' CHECK (review_state IN ('none','pending','approved','rejected')),
  ADD COLUMN reviewed_by VARCHAR REFERENCES users(id) ON DELETE SET NULL, ADD COLUMN reviewed_at TIMESTAMP, ADD COLUMN review_note TEXT,
  ADD COLUMN paused_at TIMESTAMP, ADD COLUMN cancelled_at TIMESTAMP, ADD COLUMN deleted_at TIMESTAMP, ADD COLUMN revision INTEGER NOT NULL DEFAULT 1,
  ADD CONSTRAINT social_posts_type_check CHECK (content_type IN ('post','reel','short','story','video')) NOT VALID,
  ADD CONSTRAINT social_posts_scheduled_has_time CHECK (status <> 'scheduled' OR scheduled_at IS NOT NULL) NOT VALID,
  ADD CONSTRAINT social_posts_published_has_time CHECK (status <> 'published' OR published_at IS NOT NULL) NOT VALID,
  ADD CONSTRAINT social_posts_review_pair CHECK ((review_state IN ('approved','rejected')) = (reviewed_at IS NOT NULL));
CREATE INDEX social_posts_user_idx ON social_posts (user_id, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX social_posts_calendar_idx ON social_posts (user_id, scheduled_at) WHERE deleted_at IS NULL AND scheduled_at IS NOT NULL;
CREATE INDEX social_posts_project_idx ON social_posts (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX social_posts_content_idx ON social_posts (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX social_posts_reviewer_idx ON social_posts (reviewed_by) WHERE reviewed_by IS NOT NULL;
CREATE INDEX social_posts_review_idx ON social_posts (user_id, scheduled_at) WHERE review_state = 'pending';
CREATE INDEX social_posts_hashtags_gin ON social_posts USING gin (hashtags);
-- post_schedules
ALTER TABLE post_schedules ADD COLUMN account_id INTEGER REFERENCES social_accounts(id) ON DELETE CASCADE,   -- NULL = every account of that platform
  ADD COLUMN rrule TEXT, ADD COLUMN exdates TIMESTAMP[] NOT NULL DEFAULT '{}', -- exdates, occurrence_at, scheduled_at, next_run_at are UTC; functions convert to `timezone` before they call the engine
  ADD COLUMN occurrence_limit INTEGER CHECK (occurrence_limit > 0),
  ADD COLUMN occurrences_done INTEGER NOT NULL DEFAULT 0 CHECK (occurrences_done >= 0), ADD COLUMN next_run_at TIMESTAMP,
  ADD COLUMN max_retries INTEGER NOT NULL DEFAULT 5 CHECK (max_retries BETWEEN 0 AND 50),
  ADD COLUMN missed_policy VARCHAR NOT NULL DEFAULT 'publish_late' CHECK (missed_policy IN ('publish_late','skip','ask')),
  ADD COLUMN missed_grace INTERVAL NOT NULL DEFAULT '6 hours',
  ADD CONSTRAINT post_schedules_status_check CHECK (status IN ('pending','processing','completed','failed','paused','cancelled')) NOT VALID,
  ADD CONSTRAINT post_schedules_recurrence_check CHECK (recurrence IN ('none','daily','weekly','monthly','weekdays','yearly','custom')) NOT VALID,
  ADD CONSTRAINT post_schedules_custom_rrule CHECK ((recurrence = 'custom') = (rrule IS NOT NULL)) NOT VALID,
  ADD CONSTRAINT post_schedules_tz CHECK (nexus.is_timezone(timezone)) NOT VALID,
  ADD CONSTRAINT post_schedules_series_order CHECK (series_end_date IS NULL OR series_end_date >= scheduled_at) NOT VALID,
  ADD CONSTRAINT post_schedules_retry_nonneg CHECK (retry_count >= 0) NOT VALID;
CREATE INDEX post_schedules_due_idx ON post_schedules (next_run_at, id) WHERE status = 'pending';
CREATE INDEX post_schedules_post_idx ON post_schedules (social_post_id);
CREATE INDEX post_schedules_account_idx ON post_schedules (account_id) WHERE account_id IS NOT NULL;
-- platform_posts: one row = one publication to one account of one occurrence
ALTER TABLE platform_posts ADD COLUMN schedule_id INTEGER REFERENCES post_schedules(id) ON DELETE SET NULL,
  ADD COLUMN occurrence_at TIMESTAMP, ADD COLUMN idempotency_key UUID NOT NULL DEFAULT gen_random_uuid(),
  ADD COLUMN thread_parent_id INTEGER REFERENCES platform_posts(id) ON DELETE CASCADE, ADD COLUMN thread_position SMALLINT NOT NULL DEFAULT 0,
  ADD COLUMN attempt_count INTEGER NOT NULL DEFAULT 0, ADD COLUMN send_started_at TIMESTAMP, ADD COLUMN next_attempt_at TIMESTAMP,
  ADD COLUMN error_class VARCHAR CHECK (error_class IN ('transient','rate_limited','auth','invalid','media','unknown_outcome','cancelled')),
  ADD COLUMN error_code VARCHAR, ADD COLUMN error_message TEXT, ADD COLUMN payload_sha256 BYTEA CHECK (octet_length(payload_sha256) = 32),
  ADD CONSTRAINT platform_posts_status_check CHECK (status IN ('draft','scheduled','publishing','published','failed','unconfirmed','cancelled')) NOT VALID,
  ADD CONSTRAINT platform_posts_platform_slug CHECK (platform ~ '^[a-z][a-z0-9_]{0,31}$') NOT VALID,
  ADD CONSTRAINT platform_posts_published_pair CHECK (status <> 'published' OR (published_at IS NOT NULL AND platform_post_id IS NOT NULL)) NOT VALID,
  ADD CONSTRAINT platform_posts_scheduled_has_time CHECK (status <> 'scheduled' OR scheduled_at IS NOT NULL) NOT VALID,
  ADD CONSTRAINT platform_posts_not_own_parent CHECK (thread_parent_id <> id);
-- deleting one account must not erase publishing history, deleting a user must: deferred NO ACTION does both (tested, section 10)
ALTER TABLE platform_posts DROP CONSTRAINT platform_posts_account_id_fkey,
  ADD CONSTRAINT platform_posts_account_id_fkey FOREIGN KEY (account_id) REFERENCES social_accounts(id) ON DELETE NO ACTION DEFERRABLE INITIALLY DEFERRED;
CREATE UNIQUE INDEX platform_posts_idem_key ON platform_posts (idempotency_key);
CREATE UNIQUE INDEX platform_posts_occurrence_key ON platform_posts (schedule_id, account_id, occurrence_at, thread_position) WHERE schedule_id IS NOT NULL;
CREATE UNIQUE INDEX platform_posts_remote_key ON platform_posts (account_id, platform_post_id) WHERE platform_post_id IS NOT NULL;
CREATE INDEX platform_posts_post_idx ON platform_posts (social_post_id);
CREATE INDEX platform_posts_account_idx ON platform_posts (account_id, scheduled_at);
CREATE INDEX platform_posts_due_idx ON platform_posts (scheduled_at, id) WHERE status = 'scheduled';
CREATE INDEX platform_posts_attention_idx ON platform_posts (updated_at DESC) WHERE status IN ('failed','unconfirmed');
CREATE INDEX platform_posts_thread_idx ON platform_posts (thread_parent_id) WHERE thread_parent_id IS NOT NULL;
-- post_media
ALTER TABLE post_media ALTER file_size TYPE BIGINT, ADD COLUMN position SMALLINT NOT NULL DEFAULT 0, ADD COLUMN alt_text TEXT,
  ADD COLUMN sha256 BYTEA CHECK (octet_length(sha256) = 32), ADD COLUMN storage_key VARCHAR,
  ADD COLUMN status VARCHAR NOT NULL DEFAULT 'ready' CHECK (status IN ('pending','uploading','processing','ready','failed','deleted')),
  ADD COLUMN error_message TEXT, ADD COLUMN remote_refs JSONB NOT NULL DEFAULT '{}',   -- {"<account row id>": {"id": …, "expires_at": …}}
  ADD CONSTRAINT post_media_type_check CHECK (media_type IN ('image','video','audio','gif','pdf','thumbnail')) NOT VALID,
  ADD CONSTRAINT post_media_sizes CHECK (file_size >= 0 AND duration >= 0) NOT VALID,
  ADD CONSTRAINT post_media_dims CHECK (dimensions IS NULL OR ((dimensions->>'width')::numeric > 0 AND (dimensions->>'height')::numeric > 0)) NOT VALID;
CREATE UNIQUE INDEX post_media_order_key ON post_media (social_post_id, position, id);
CREATE INDEX post_media_sha_idx ON post_media (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX post_media_todo_idx ON post_media (status, created_at) WHERE status IN ('pending','uploading','processing');
-- niches
ALTER TABLE niches ADD COLUMN slug VARCHAR, ADD COLUMN created_at TIMESTAMP DEFAULT NOW(),
  ADD CONSTRAINT niches_difficulty_check CHECK (difficulty IN ('easy','medium','hard')) NOT VALID,
  ADD CONSTRAINT niches_profitability_check CHECK (profitability IN ('low','medium','high')) NOT VALID,
  ADD CONSTRAINT niches_score_range CHECK (trend_score BETWEEN 0 AND 100) NOT VALID;
CREATE UNIQUE INDEX niches_slug_key ON niches (slug) WHERE slug IS NOT NULL;
CREATE INDEX niches_browse_idx ON niches (category, trend_score DESC) WHERE is_active;
CREATE INDEX niches_keywords_gin ON niches USING gin (keywords);
-- hashtag_suggestions: hashtag stored without '#', NFC, original case; the key is its folded form
ALTER TABLE hashtag_suggestions ALTER usage_count TYPE BIGINT, ADD COLUMN niche_id INTEGER REFERENCES niches(id) ON DELETE SET NULL,
  ADD COLUMN score DOUBLE PRECISION, ADD COLUMN last_used_at TIMESTAMP, ADD COLUMN computed_at TIMESTAMP,
  ADD COLUMN is_banned BOOLEAN NOT NULL DEFAULT false,
  ADD CONSTRAINT hashtag_shape CHECK (hashtag !~ '[#\s]' AND length(hashtag) BETWEEN 1 AND 100) NOT VALID,
  ADD CONSTRAINT hashtag_ranges CHECK (trend_score BETWEEN 0 AND 100 AND usage_count >= 0) NOT VALID;
CREATE UNIQUE INDEX hashtag_suggestions_key ON hashtag_suggestions (platform, category, lower(hashtag));
CREATE INDEX hashtag_suggestions_top_idx ON hashtag_suggestions (platform, category, score DESC NULLS LAST, trend_score DESC) WHERE is_active AND NOT is_banned;
CREATE INDEX hashtag_suggestions_prefix_idx ON hashtag_suggestions (platform, lower(hashtag) text_pattern_ops);
CREATE INDEX hashtag_suggestions_niche_idx ON hashtag_suggestions (niche_id) WHERE niche_id IS NOT NULL;
-- ai_generation_tasks
ALTER TABLE ai_generation_tasks ADD COLUMN project_id INTEGER REFERENCES projects(id) ON DELETE SET NULL,
  ADD COLUMN content_id INTEGER REFERENCES content(id) ON DELETE SET NULL, ADD COLUMN model VARCHAR, ADD COLUMN parameters JSONB NOT NULL DEFAULT '{}',
  ADD COLUMN result_json JSONB, ADD COLUMN error_code VARCHAR, ADD COLUMN error_message TEXT, ADD COLUMN progress SMALLINT NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
  ADD COLUMN attempt_count INTEGER NOT NULL DEFAULT 0, ADD COLUMN input_tokens INTEGER, ADD COLUMN output_tokens INTEGER, ADD COLUMN cost_micros BIGINT,
  ADD COLUMN idempotency_key VARCHAR, ADD COLUMN started_at TIMESTAMP, ADD COLUMN updated_at TIMESTAMP DEFAULT NOW(),
  ADD CONSTRAINT ai_tasks_status_check CHECK (status IN ('pending','processing','completed','failed','cancelled')) NOT VALID,
  ADD CONSTRAINT ai_tasks_type_check CHECK (task_type IN ('script','voiceover','video','thumbnail','image','caption','hashtags','content_idea','best_time','translation')) NOT VALID,
  ADD CONSTRAINT ai_tasks_final_pair CHECK ((status IN ('completed','failed','cancelled')) = (completed_at IS NOT NULL)) NOT VALID,
  ADD CONSTRAINT ai_tasks_result_pair CHECK (status <> 'completed' OR result IS NOT NULL OR result_json IS NOT NULL) NOT VALID;
CREATE UNIQUE INDEX ai_tasks_idem_key ON ai_generation_tasks (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX ai_tasks_user_idx ON ai_generation_tasks (user_id, id DESC);
CREATE INDEX ai_tasks_project_idx ON ai_generation_tasks (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX ai_tasks_content_idx ON ai_generation_tasks (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX ai_tasks_open_idx ON ai_generation_tasks (created_at) WHERE status IN ('pending','processing');
-- ai_content_suggestions
ALTER TABLE ai_content_suggestions ADD COLUMN task_id INTEGER REFERENCES ai_generation_tasks(id) ON DELETE SET NULL,
  ADD COLUMN content_id INTEGER REFERENCES content(id) ON DELETE CASCADE,
  ADD COLUMN status VARCHAR NOT NULL DEFAULT 'new' CHECK (status IN ('new','accepted','dismissed','expired')), ADD COLUMN decided_at TIMESTAMP, ADD COLUMN expires_at TIMESTAMP,
  ADD CONSTRAINT ai_sugg_type_check CHECK (suggestion_type IN ('caption','hashtags','best_time','content_idea')) NOT VALID,
  ADD CONSTRAINT ai_sugg_confidence CHECK (confidence BETWEEN 0 AND 1) NOT VALID;
CREATE INDEX ai_sugg_user_idx ON ai_content_suggestions (user_id, suggestion_type, id DESC) WHERE status = 'new';
CREATE INDEX ai_sugg_project_idx ON ai_content_suggestions (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX ai_sugg_content_idx ON ai_content_suggestions (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX ai_sugg_task_idx ON ai_content_suggestions (task_id) WHERE task_id IS NOT NULL;

COMMIT;
