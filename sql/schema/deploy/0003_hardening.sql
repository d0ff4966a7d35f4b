-- Deploy creatornexus:0003_hardening to pg
-- Columns, keys and rules that the original lacks. Each added column is nullable or has a default, so that an old INSERT
-- still works. Rules are NOT VALID here: old rows are judged in 0005, new ones at once. Value lists are written
-- column::text IN (…), because a dump and restore would change the text of column IN (…).

\ir ../settings.sql

BEGIN;

-- Old rows that would break a new key are listed before anything is changed; which of them to keep is the owner's choice.
DO $$
DECLARE
  duplicates jsonb := (
    SELECT jsonb_agg(jsonb_build_object('table', d.table_name, 'key', d.key, 'rows', d.rows) ORDER BY d.table_name, d.rows)
      FROM (SELECT 'users' AS table_name, 'lower(email)' AS key, jsonb_agg(id ORDER BY id) AS rows
              FROM users GROUP BY lower(email) HAVING count(*) > 1
            UNION ALL
            SELECT 'social_accounts', 'user_id, platform, account_id', jsonb_agg(id ORDER BY id)
              FROM social_accounts GROUP BY user_id, platform, account_id HAVING count(*) > 1
            UNION ALL
            SELECT 'platform_posts', 'account_id, platform_post_id', jsonb_agg(id ORDER BY id)
              FROM platform_posts WHERE platform_post_id IS NOT NULL GROUP BY account_id, platform_post_id HAVING count(*) > 1
            UNION ALL
            SELECT 'hashtag_suggestions', 'platform, category, lower(hashtag)', jsonb_agg(id ORDER BY id)
              FROM hashtag_suggestions GROUP BY platform, category, lower(hashtag) HAVING count(*) > 1) d);
BEGIN
  IF duplicates IS NOT NULL THEN
    RAISE EXCEPTION '% groups of rows share a key that has to be unique', jsonb_array_length(duplicates)
      USING ERRCODE = 'unique_violation', DETAIL = jsonb_pretty(duplicates),
            HINT = 'Merge or delete all but one row of each group (rows holds their ids), then deploy again.';
  END IF;
END $$;

-- users
ALTER TABLE users
  ADD CONSTRAINT users_email_shape CHECK (length(email) <= 254 AND email ~ '^[^@\s]+@[^@\s]+$') NOT VALID,
  ADD CONSTRAINT users_id_shape CHECK (id <> '' AND length(id) <= 128) NOT VALID;
CREATE UNIQUE INDEX users_email_lower_key ON users (lower(email)); -- the original's UNIQUE (email) is case-sensitive

-- projects
ALTER TABLE projects
  ADD CONSTRAINT projects_status_check CHECK (status::text IN ('active', 'completed', 'archived')) NOT VALID;

-- content
ALTER TABLE content
  ADD COLUMN last_measured_at TIMESTAMP,
  ADD CONSTRAINT content_status_check
    CHECK (status::text IN ('draft', 'scheduled', 'published', 'failed', 'paused', 'stopped')) NOT VALID,
  ADD CONSTRAINT content_platform_slug CHECK (platform ~ '^[a-z][a-z0-9_]{0,31}$') NOT VALID,
  ADD CONSTRAINT content_scheduled_has_time CHECK (status <> 'scheduled' OR scheduled_at IS NOT NULL) NOT VALID,
  ADD CONSTRAINT content_published_has_time CHECK (status <> 'published' OR published_at IS NOT NULL) NOT VALID;

-- sessions, in the shape of connect-pg-simple. user_id is derived: an app lists and revokes sessions without a change
ALTER TABLE sessions
  ADD COLUMN user_id VARCHAR GENERATED ALWAYS AS
    (COALESCE(sess ->> 'userId', sess #>> '{passport,user,id}', sess #>> '{passport,user}')) STORED,
  ADD COLUMN created_at TIMESTAMP,
  ADD COLUMN last_seen_at TIMESTAMP,
  ADD CONSTRAINT sessions_sess_object CHECK (jsonb_typeof(sess) = 'object') NOT VALID;
ALTER TABLE sessions ALTER COLUMN created_at SET DEFAULT NOW(); -- unknown for the rows that are there

-- social_accounts
ALTER TABLE social_accounts
  ADD COLUMN handle VARCHAR,
  ADD COLUMN instance_url VARCHAR,
  ADD COLUMN scopes TEXT[],
  ADD COLUMN status VARCHAR NOT NULL DEFAULT 'active',
  ADD COLUMN status_reason TEXT,
  ADD COLUMN refresh_token_expiry TIMESTAMP,
  ADD COLUMN token_version INTEGER NOT NULL DEFAULT 1,
  ADD COLUMN last_refreshed_at TIMESTAMP,
  ADD COLUMN last_published_at TIMESTAMP,
  ADD COLUMN last_measured_at TIMESTAMP,
  ADD CONSTRAINT social_accounts_status_check
    CHECK (status::text IN ('active', 'expired', 'revoked', 'error', 'disabled')),
  ADD CONSTRAINT social_accounts_platform_slug CHECK (platform ~ '^[a-z][a-z0-9_]{0,31}$') NOT VALID,
  ADD CONSTRAINT social_accounts_token_sealed
    CHECK ((access_token IS NULL OR access_token LIKE 'cn1.%') AND (refresh_token IS NULL OR refresh_token LIKE 'cn1.%')) NOT VALID;
CREATE UNIQUE INDEX social_accounts_key ON social_accounts (user_id, platform, account_id);

-- social_posts
ALTER TABLE social_posts
  ADD COLUMN content_id INTEGER REFERENCES content(id) ON DELETE SET NULL,
  ADD COLUMN review_state VARCHAR NOT NULL DEFAULT 'none',
  ADD COLUMN reviewed_by VARCHAR REFERENCES users(id) ON DELETE SET NULL,
  ADD COLUMN reviewed_at TIMESTAMP,
  ADD COLUMN review_note TEXT,
  ADD COLUMN paused_at TIMESTAMP,
  ADD COLUMN cancelled_at TIMESTAMP,
  ADD COLUMN deleted_at TIMESTAMP,
  ADD COLUMN revision INTEGER NOT NULL DEFAULT 1,
  ADD CONSTRAINT social_posts_review_state_check CHECK (review_state::text IN ('none', 'pending', 'approved', 'rejected')),
  ADD CONSTRAINT social_posts_review_pair CHECK ((review_state::text IN ('approved', 'rejected')) = (reviewed_at IS NOT NULL)),
  ADD CONSTRAINT social_posts_type_check CHECK (content_type::text IN ('post', 'reel', 'short', 'story', 'video')) NOT VALID,
  ADD CONSTRAINT social_posts_scheduled_has_time CHECK (status <> 'scheduled' OR scheduled_at IS NOT NULL) NOT VALID,
  ADD CONSTRAINT social_posts_published_has_time CHECK (status <> 'published' OR published_at IS NOT NULL) NOT VALID;

-- post_schedules
ALTER TABLE post_schedules
  ADD COLUMN account_id INTEGER REFERENCES social_accounts(id) ON DELETE CASCADE,
  ADD COLUMN rrule TEXT,
  ADD COLUMN exdates TIMESTAMP[] NOT NULL DEFAULT '{}',
  ADD COLUMN occurrence_limit INTEGER,
  ADD COLUMN occurrences_done INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN next_run_at TIMESTAMP,
  ADD COLUMN max_retries INTEGER NOT NULL DEFAULT 5,
  ADD COLUMN missed_policy VARCHAR NOT NULL DEFAULT 'publish_late',
  ADD COLUMN missed_grace INTERVAL NOT NULL DEFAULT '6 hours',
  ADD CONSTRAINT post_schedules_occurrence_limit_check CHECK (occurrence_limit > 0),
  ADD CONSTRAINT post_schedules_occurrences_done_check CHECK (occurrences_done >= 0),
  ADD CONSTRAINT post_schedules_max_retries_check CHECK (max_retries BETWEEN 0 AND 50),
  ADD CONSTRAINT post_schedules_missed_policy_check CHECK (missed_policy::text IN ('publish_late', 'skip', 'ask')),
  ADD CONSTRAINT post_schedules_status_check
    CHECK (status::text IN ('pending', 'processing', 'completed', 'failed', 'paused', 'cancelled')) NOT VALID,
  ADD CONSTRAINT post_schedules_recurrence_check
    CHECK (recurrence::text IN ('none', 'daily', 'weekly', 'monthly', 'weekdays', 'yearly', 'custom')) NOT VALID,
  ADD CONSTRAINT post_schedules_custom_rrule CHECK ((recurrence = 'custom') = (rrule IS NOT NULL)) NOT VALID,
  ADD CONSTRAINT post_schedules_tz CHECK (nexus.is_timezone(timezone)) NOT VALID,
  ADD CONSTRAINT post_schedules_series_order CHECK (series_end_date IS NULL OR series_end_date >= scheduled_at) NOT VALID,
  ADD CONSTRAINT post_schedules_retry_nonneg CHECK (retry_count >= 0) NOT VALID;

-- platform_posts: a row is one publication, to one account, of one occurrence
ALTER TABLE platform_posts
  ADD COLUMN schedule_id INTEGER REFERENCES post_schedules(id) ON DELETE SET NULL,
  ADD COLUMN occurrence_at TIMESTAMP,
  ADD COLUMN idempotency_key UUID NOT NULL DEFAULT gen_random_uuid(),
  ADD COLUMN thread_parent_id INTEGER REFERENCES platform_posts(id) ON DELETE CASCADE,
  ADD COLUMN thread_position SMALLINT NOT NULL DEFAULT 0,
  ADD COLUMN attempt_count INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN send_started_at TIMESTAMP,
  ADD COLUMN next_attempt_at TIMESTAMP,
  ADD COLUMN error_class VARCHAR,
  ADD COLUMN error_code VARCHAR,
  ADD COLUMN error_message TEXT,
  ADD COLUMN payload_sha256 BYTEA,
  ADD CONSTRAINT platform_posts_error_class_check
    CHECK (error_class::text IN ('transient', 'rate_limited', 'auth', 'invalid', 'media', 'unknown_outcome', 'cancelled')),
  ADD CONSTRAINT platform_posts_payload_sha256_check CHECK (octet_length(payload_sha256) = 32),
  ADD CONSTRAINT platform_posts_not_own_parent CHECK (thread_parent_id <> id),
  ADD CONSTRAINT platform_posts_status_check
    CHECK (status::text IN ('draft', 'scheduled', 'publishing', 'published', 'failed', 'unconfirmed', 'cancelled')) NOT VALID,
  ADD CONSTRAINT platform_posts_platform_slug CHECK (platform ~ '^[a-z][a-z0-9_]{0,31}$') NOT VALID,
  ADD CONSTRAINT platform_posts_published_pair
    CHECK (status <> 'published' OR (published_at IS NOT NULL AND platform_post_id IS NOT NULL)) NOT VALID,
  ADD CONSTRAINT platform_posts_scheduled_has_time CHECK (status <> 'scheduled' OR scheduled_at IS NOT NULL) NOT VALID;
-- Deleting an account must not erase the history of what it published, deleting a user must: NO ACTION, deferred to the
-- end of the transaction, does both. The original's key is found by its columns: its name depends on the tool that made it.
DO $$
DECLARE
  original record;
BEGIN
  FOR original IN
    SELECT c.conname AS name
      FROM pg_constraint c
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attname = 'account_id' AND c.conkey = ARRAY[a.attnum]
     WHERE c.contype = 'f' AND c.conrelid = 'platform_posts'::regclass
  LOOP
    EXECUTE format('ALTER TABLE platform_posts DROP CONSTRAINT %I', original.name);
  END LOOP;
END $$;
ALTER TABLE platform_posts
  ADD CONSTRAINT platform_posts_account_id_fkey FOREIGN KEY (account_id) REFERENCES social_accounts(id)
    ON DELETE NO ACTION DEFERRABLE INITIALLY DEFERRED NOT VALID;
CREATE UNIQUE INDEX platform_posts_idem_key ON platform_posts (idempotency_key);
CREATE UNIQUE INDEX platform_posts_occurrence_key ON platform_posts (schedule_id, account_id, occurrence_at, thread_position)
  WHERE schedule_id IS NOT NULL;
CREATE UNIQUE INDEX platform_posts_remote_key ON platform_posts (account_id, platform_post_id) WHERE platform_post_id IS NOT NULL;

-- content_metrics: append-only snapshots of cumulative counters; (content, platform, captured_at, source) is the key
ALTER TABLE content_metrics
  ALTER COLUMN views TYPE BIGINT,
  ALTER COLUMN likes TYPE BIGINT,
  ALTER COLUMN comments TYPE BIGINT,
  ALTER COLUMN shares TYPE BIGINT,
  ADD COLUMN captured_at TIMESTAMP,
  ADD COLUMN impressions BIGINT,
  ADD COLUMN reach BIGINT,
  ADD COLUMN clicks BIGINT,
  ADD COLUMN saves BIGINT,
  ADD COLUMN watch_time_seconds BIGINT,
  ADD COLUMN followers_gained INTEGER,
  ADD COLUMN source VARCHAR NOT NULL DEFAULT 'manual',
  ADD COLUMN platform_post_row_id INTEGER REFERENCES platform_posts(id) ON DELETE SET NULL,
  ADD CONSTRAINT content_metrics_source_check CHECK (source::text IN ('api', 'import', 'manual', 'webhook')),
  ADD CONSTRAINT content_metrics_nonneg
    CHECK (views >= 0 AND likes >= 0 AND comments >= 0 AND shares >= 0 AND revenue >= 0) NOT VALID;
-- Old rows were captured when they were last updated. Rows of one content and platform that share an instant are moved
-- apart, in the order of their ids, by as few microseconds as it takes.
WITH dated AS (
  SELECT m.id, m.content_id, m.platform, COALESCE(m.last_updated, c.created_at, nexus.utcnow()) AS at
    FROM content_metrics m JOIN content c ON c.id = m.content_id
), numbered AS (
  SELECT d.*, row_number() OVER (PARTITION BY content_id, platform ORDER BY at, id) * interval '1 microsecond' AS step FROM dated d
), spread AS (
  SELECT n.id, max(n.at - n.step) OVER (PARTITION BY content_id, platform ORDER BY at, id) + n.step AS captured_at FROM numbered n
)
UPDATE content_metrics m SET captured_at = s.captured_at FROM spread s WHERE s.id = m.id;
ALTER TABLE content_metrics
  ALTER COLUMN captured_at SET DEFAULT NOW(),
  ALTER COLUMN captured_at SET NOT NULL;
CREATE UNIQUE INDEX content_metrics_key ON content_metrics (content_id, platform, captured_at DESC, source);

-- post_media
ALTER TABLE post_media
  ALTER COLUMN file_size TYPE BIGINT,
  ADD COLUMN position SMALLINT NOT NULL DEFAULT 0,
  ADD COLUMN alt_text TEXT,
  ADD COLUMN sha256 BYTEA,
  ADD COLUMN storage_key VARCHAR,
  ADD COLUMN status VARCHAR NOT NULL DEFAULT 'ready',
  ADD COLUMN error_message TEXT,
  ADD COLUMN remote_refs JSONB NOT NULL DEFAULT '{}',
  ADD CONSTRAINT post_media_sha256_check CHECK (octet_length(sha256) = 32),
  ADD CONSTRAINT post_media_status_check
    CHECK (status::text IN ('pending', 'uploading', 'processing', 'ready', 'failed', 'deleted')),
  ADD CONSTRAINT post_media_type_check
    CHECK (media_type::text IN ('image', 'video', 'audio', 'gif', 'pdf', 'thumbnail')) NOT VALID,
  ADD CONSTRAINT post_media_sizes CHECK (file_size >= 0 AND duration >= 0) NOT VALID,
  ADD CONSTRAINT post_media_dims CHECK (dimensions IS NULL
    OR ((dimensions ->> 'width')::numeric > 0 AND (dimensions ->> 'height')::numeric > 0)) NOT VALID;
CREATE UNIQUE INDEX post_media_order_key ON post_media (social_post_id, position, id);

-- templates
ALTER TABLE templates
  ADD COLUMN user_id VARCHAR REFERENCES users(id) ON DELETE CASCADE,
  ADD COLUMN is_public BOOLEAN NOT NULL DEFAULT true,
  ADD COLUMN variables JSONB NOT NULL DEFAULT '[]',
  ADD COLUMN version INTEGER NOT NULL DEFAULT 1,
  ADD CONSTRAINT templates_category_check
    CHECK (category::text IN ('video', 'thumbnail', 'script', 'branding', 'social')) NOT VALID,
  ADD CONSTRAINT templates_rating_range CHECK (rating BETWEEN 0 AND 5) NOT VALID,
  ADD CONSTRAINT templates_downloads_nonneg CHECK (downloads >= 0) NOT VALID;

-- notifications
ALTER TABLE notifications
  ADD COLUMN priority SMALLINT NOT NULL DEFAULT 0,
  ADD COLUMN entity_type VARCHAR,
  ADD COLUMN entity_id INTEGER,
  ADD COLUMN dedupe_key VARCHAR,
  ADD COLUMN expires_at TIMESTAMP,
  ADD COLUMN delivered_at TIMESTAMP,
  ADD CONSTRAINT notifications_priority_check CHECK (priority BETWEEN 0 AND 3),
  ADD CONSTRAINT notifications_type_slug CHECK (type ~ '^[a-z][a-z0-9_]{1,63}$') NOT VALID,
  ADD CONSTRAINT notifications_read_pair CHECK (is_read IS NOT TRUE OR read_at IS NOT NULL) NOT VALID;
CREATE UNIQUE INDEX notifications_dedupe_key ON notifications (user_id, dedupe_key) WHERE dedupe_key IS NOT NULL;

-- niches
ALTER TABLE niches
  ADD COLUMN slug VARCHAR,
  ADD COLUMN created_at TIMESTAMP,
  ADD CONSTRAINT niches_difficulty_check CHECK (difficulty::text IN ('easy', 'medium', 'hard')) NOT VALID,
  ADD CONSTRAINT niches_profitability_check CHECK (profitability::text IN ('low', 'medium', 'high')) NOT VALID,
  ADD CONSTRAINT niches_score_range CHECK (trend_score BETWEEN 0 AND 100) NOT VALID;
ALTER TABLE niches ALTER COLUMN created_at SET DEFAULT NOW(); -- unknown for the rows that are there
CREATE UNIQUE INDEX niches_slug_key ON niches (slug) WHERE slug IS NOT NULL;

-- hashtag_suggestions
ALTER TABLE hashtag_suggestions
  ALTER COLUMN usage_count TYPE BIGINT,
  ADD COLUMN niche_id INTEGER REFERENCES niches(id) ON DELETE SET NULL,
  ADD COLUMN score DOUBLE PRECISION,
  ADD COLUMN last_used_at TIMESTAMP,
  ADD COLUMN computed_at TIMESTAMP,
  ADD COLUMN is_banned BOOLEAN NOT NULL DEFAULT false,
  ADD CONSTRAINT hashtag_shape CHECK (hashtag !~ '[#\s]' AND length(hashtag) >= 1 AND length(hashtag) <= 100) NOT VALID,
  ADD CONSTRAINT hashtag_ranges CHECK (trend_score >= 0 AND trend_score <= 100 AND usage_count >= 0) NOT VALID;
CREATE UNIQUE INDEX hashtag_suggestions_key ON hashtag_suggestions (platform, category, lower(hashtag));

-- ai_generation_tasks
ALTER TABLE ai_generation_tasks
  ADD COLUMN project_id INTEGER REFERENCES projects(id) ON DELETE SET NULL,
  ADD COLUMN content_id INTEGER REFERENCES content(id) ON DELETE SET NULL,
  ADD COLUMN model VARCHAR,
  ADD COLUMN parameters JSONB NOT NULL DEFAULT '{}',
  ADD COLUMN result_json JSONB,
  ADD COLUMN error_code VARCHAR,
  ADD COLUMN error_message TEXT,
  ADD COLUMN progress SMALLINT NOT NULL DEFAULT 0,
  ADD COLUMN attempt_count INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN input_tokens INTEGER,
  ADD COLUMN output_tokens INTEGER,
  ADD COLUMN cost_micros BIGINT,
  ADD COLUMN idempotency_key VARCHAR,
  ADD COLUMN started_at TIMESTAMP,
  ADD COLUMN updated_at TIMESTAMP,
  ADD CONSTRAINT ai_tasks_progress_check CHECK (progress BETWEEN 0 AND 100),
  ADD CONSTRAINT ai_tasks_status_check
    CHECK (status::text IN ('pending', 'processing', 'completed', 'failed', 'cancelled')) NOT VALID,
  ADD CONSTRAINT ai_tasks_type_check CHECK (task_type::text IN ('script', 'voiceover', 'video', 'thumbnail', 'image', 'caption',
    'hashtags', 'content_idea', 'best_time', 'translation')) NOT VALID,
  ADD CONSTRAINT ai_tasks_final_pair
    CHECK ((status::text IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)) NOT VALID,
  ADD CONSTRAINT ai_tasks_result_pair CHECK (status <> 'completed' OR result IS NOT NULL OR result_json IS NOT NULL) NOT VALID;
ALTER TABLE ai_generation_tasks ALTER COLUMN updated_at SET DEFAULT NOW(); -- unknown for the rows that are there
CREATE UNIQUE INDEX ai_tasks_idem_key ON ai_generation_tasks (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- ai_content_suggestions
ALTER TABLE ai_content_suggestions
  ADD COLUMN task_id INTEGER REFERENCES ai_generation_tasks(id) ON DELETE SET NULL,
  ADD COLUMN content_id INTEGER REFERENCES content(id) ON DELETE CASCADE,
  ADD COLUMN status VARCHAR NOT NULL DEFAULT 'new',
  ADD COLUMN decided_at TIMESTAMP,
  ADD COLUMN expires_at TIMESTAMP,
  ADD CONSTRAINT ai_sugg_status_check CHECK (status::text IN ('new', 'accepted', 'dismissed', 'expired')),
  ADD CONSTRAINT ai_sugg_type_check
    CHECK (suggestion_type::text IN ('caption', 'hashtags', 'best_time', 'content_idea')) NOT VALID,
  ADD CONSTRAINT ai_sugg_confidence CHECK (confidence BETWEEN 0 AND 1) NOT VALID;

-- What a name does not tell. Every timestamp column of the 16 tables is a UTC wall clock.
COMMENT ON COLUMN users.id IS 'Opaque: the sign-in system chooses it.';
COMMENT ON COLUMN content.last_measured_at IS 'UTC time of the latest snapshot in content_metrics.';
COMMENT ON COLUMN social_accounts.last_measured_at IS 'UTC time of the latest snapshot of this account''s posts.';
COMMENT ON COLUMN sessions.user_id IS 'Derived from sess. No foreign key: a session may exist before its user.';
COMMENT ON COLUMN social_accounts.account_id IS 'The platform''s identifier of the account. platform_posts.account_id is this table''s id.';
COMMENT ON COLUMN social_accounts.instance_url IS 'Host of a federated platform: Mastodon instance, Bluesky PDS.';
COMMENT ON COLUMN social_accounts.access_token IS 'Sealed outside the database, prefix cn1.';
COMMENT ON COLUMN social_accounts.refresh_token IS 'Sealed outside the database, prefix cn1.';
COMMENT ON COLUMN social_accounts.token_version IS 'Raised by each refresh, which compares it first: one refresh at a time wins.';
COMMENT ON COLUMN social_posts.status IS 'Roll-up of the post''s platform_posts.';
COMMENT ON COLUMN social_posts.revision IS 'Raised by each edit of what is reviewed.';
COMMENT ON COLUMN post_schedules.account_id IS 'NULL: every account of the platform.';
COMMENT ON COLUMN post_schedules.timezone IS 'The zone in which the series recurs; the times themselves are UTC.';
COMMENT ON COLUMN post_schedules.rrule IS 'RFC 5545 rule, if recurrence is custom.';
COMMENT ON COLUMN post_schedules.exdates IS 'Occurrences left out, as UTC.';
COMMENT ON COLUMN post_schedules.series_end_date IS 'Last instant at which an occurrence may fall, as UTC.';
COMMENT ON COLUMN post_schedules.missed_policy IS 'What becomes of an occurrence that was missed by more than missed_grace.';
COMMENT ON COLUMN platform_posts.platform_post_id IS 'The platform''s identifier of the published post.';
COMMENT ON COLUMN platform_posts.idempotency_key IS 'Sent with every attempt, so that a repeated one publishes nothing twice.';
COMMENT ON COLUMN platform_posts.occurrence_at IS 'The occurrence of schedule_id, as UTC.';
COMMENT ON COLUMN platform_posts.payload_sha256 IS 'Of what was sent: the same to the same account within a day is a mistake.';
COMMENT ON COLUMN post_media.remote_refs IS 'Uploads by account: {"<social_accounts.id>": {"id": …, "expires_at": …}}.';
COMMENT ON COLUMN content_metrics.captured_at IS 'UTC time at which the counters stood at these values.';
COMMENT ON COLUMN content_metrics.engagement_rate IS 'Percent. Holds 999.99 at most; NULL without views.';
COMMENT ON COLUMN content_metrics.platform_post_row_id IS 'platform_posts.id; platform_posts.platform_post_id is the platform''s.';
COMMENT ON COLUMN templates.user_id IS 'NULL: a template of the system.';
COMMENT ON COLUMN notifications.dedupe_key IS 'At most one notification of a user has it.';
COMMENT ON COLUMN hashtag_suggestions.hashtag IS 'Without #, in its usual spelling; unique by its lower case form.';
COMMENT ON COLUMN ai_generation_tasks.cost_micros IS 'Millionths of the currency unit that the model is billed in.';

COMMIT;
