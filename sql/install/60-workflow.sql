-- Workflow: state machines, and the machinery tables of queue and publishing.

-- Which state may follow which. A state without a row here as from_state is final; the same state is always allowed.
CREATE TABLE nexus.transitions (
  tbl text NOT NULL,             -- table.column; tables outside the application's schema are named in full
  from_state text NOT NULL,
  to_state text NOT NULL,
  PRIMARY KEY (tbl, from_state, to_state)
);
GRANT SELECT ON nexus.transitions TO PUBLIC;
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON nexus.transitions
  FOR EACH STATEMENT EXECUTE FUNCTION nexus.invalidate_trigger();

INSERT INTO nexus.transitions (tbl, from_state, to_state)
SELECT tbl, from_state, pg_catalog.unnest(pg_catalog.string_to_array(to_states, ' ')) FROM (VALUES
  ('social_posts.status', 'draft', 'scheduled published failed'),
  ('social_posts.status', 'scheduled', 'draft published failed'),
  ('social_posts.status', 'failed', 'scheduled draft published'),
  ('social_posts.review_state', 'none', 'pending'),
  ('social_posts.review_state', 'pending', 'approved rejected none'),
  ('social_posts.review_state', 'rejected', 'pending'),
  ('social_posts.review_state', 'approved', 'pending'),
  ('platform_posts.status', 'draft', 'scheduled cancelled'),
  ('platform_posts.status', 'scheduled', 'publishing draft cancelled'),
  ('platform_posts.status', 'publishing', 'published failed unconfirmed scheduled'),
  ('platform_posts.status', 'unconfirmed', 'published scheduled failed'),
  ('platform_posts.status', 'failed', 'scheduled cancelled'),
  ('platform_posts.status', 'cancelled', 'draft'),
  ('post_schedules.status', 'pending', 'processing paused cancelled completed'),
  ('post_schedules.status', 'processing', 'pending completed failed paused'),
  ('post_schedules.status', 'paused', 'pending cancelled'),
  ('post_schedules.status', 'failed', 'pending'),
  ('content.status', 'draft', 'scheduled published stopped'),
  ('content.status', 'scheduled', 'draft paused published failed stopped'),
  ('content.status', 'paused', 'scheduled draft stopped'),
  ('content.status', 'failed', 'draft scheduled'),
  ('content.status', 'stopped', 'draft'),
  ('projects.status', 'active', 'completed archived'),
  ('projects.status', 'completed', 'active archived'),
  ('projects.status', 'archived', 'active'),
  ('ai_generation_tasks.status', 'pending', 'processing cancelled failed'),
  ('ai_generation_tasks.status', 'processing', 'completed failed cancelled pending'),
  ('ai_generation_tasks.status', 'failed', 'pending'),
  ('ai_content_suggestions.status', 'new', 'accepted dismissed expired'),
  ('ai_content_suggestions.status', 'dismissed', 'new'),
  ('social_accounts.status', 'active', 'expired revoked error disabled'),
  ('social_accounts.status', 'expired', 'active revoked disabled'),
  ('social_accounts.status', 'error', 'active revoked disabled'),
  ('social_accounts.status', 'revoked', 'active'),
  ('social_accounts.status', 'disabled', 'active'),
  ('post_media.status', 'pending', 'uploading failed'),
  ('post_media.status', 'uploading', 'processing ready failed'),
  ('post_media.status', 'processing', 'ready failed'),
  ('post_media.status', 'ready', 'deleted failed'),
  ('post_media.status', 'failed', 'pending'),
  ('nexus.jobs.state', 'ready', 'leased cancelled'),
  ('nexus.jobs.state', 'leased', 'done ready dead cancelled'),
  ('nexus.jobs.state', 'dead', 'ready')
) AS v(tbl, from_state, to_states);

-- In which states a new row may begin; where the column takes NULL, a row that gives none gets the default one.
CREATE TABLE nexus.initial_states (
  tbl text NOT NULL,
  state text NOT NULL,
  is_default boolean NOT NULL,
  PRIMARY KEY (tbl, state)
);
GRANT SELECT ON nexus.initial_states TO PUBLIC;
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON nexus.initial_states
  FOR EACH STATEMENT EXECUTE FUNCTION nexus.invalidate_trigger();
INSERT INTO nexus.initial_states (tbl, state, is_default) VALUES
  ('social_posts.status', 'draft', true),
  ('social_posts.status', 'scheduled', false),
  ('social_posts.review_state', 'none', true),
  ('platform_posts.status', 'draft', true),
  ('platform_posts.status', 'scheduled', false),
  ('post_schedules.status', 'pending', true),
  ('content.status', 'draft', true),
  ('content.status', 'scheduled', false),
  ('projects.status', 'active', true),
  ('ai_generation_tasks.status', 'pending', true),
  ('ai_content_suggestions.status', 'new', true),
  ('social_accounts.status', 'active', true),
  ('post_media.status', 'ready', true),
  ('post_media.status', 'pending', false),
  ('nexus.jobs.state', 'ready', true);

CREATE FUNCTION nexus.transition_state_trigger() RETURNS trigger LANGUAGE c
  AS 'MODULE_PATHNAME', 'nexus_transition_state_trigger';
COMMENT ON FUNCTION nexus.transition_state_trigger() IS
  'Keeps the state machines named in its arguments (as nexus.transitions.tbl): NX002 names both states and hints at '
  'those that may follow, 23514 for a value that is no state, 23502 for a state that becomes NULL. A NULL state of a '
  'new row becomes the default. With the setting nexus.import_mode a new row may begin in any state.';

-- Machinery of queue and publishing: reached through functions only.
CREATE TABLE nexus.jobs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('publish', 'verify', 'ai_task', 'media', 'token_refresh', 'metrics_pull', 'notify', 'webhook',
    'materialise')),
  ref_id integer,
  account_id integer,
  lane text NOT NULL DEFAULT 'default',
  priority smallint NOT NULL DEFAULT 100,
  state text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'leased', 'done', 'dead', 'cancelled')),
  run_at timestamptz NOT NULL DEFAULT now(),
  attempts integer NOT NULL DEFAULT 0,
  max_attempts integer NOT NULL DEFAULT 8,
  lapses integer NOT NULL DEFAULT 0,    -- leases in a row that ended without a word from their worker
  lease_token bigint,
  lease_until timestamptz,
  worker text,
  cancel_requested boolean NOT NULL DEFAULT false,
  parked text,                   -- why a ready job waits without being due: account, review, pause, ...
  unique_key text,
  payload jsonb NOT NULL DEFAULT '{}',
  last_error jsonb,
  result jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  CHECK ((state = 'leased') = (lease_token IS NOT NULL AND lease_until IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
CREATE UNIQUE INDEX jobs_unique_open ON nexus.jobs (kind, unique_key) WHERE unique_key IS NOT NULL AND state IN ('ready', 'leased');
-- Parked jobs are in neither index of a claim, so that an account that is paused with all its work costs nothing.
CREATE INDEX jobs_ready ON nexus.jobs (lane, priority, run_at, id) WHERE state = 'ready' AND parked IS NULL;
CREATE INDEX jobs_ready_account ON nexus.jobs (lane, priority, COALESCE(account_id, 0), run_at, id) WHERE state = 'ready' AND parked IS NULL;
CREATE INDEX jobs_dead ON nexus.jobs (kind, ref_id) WHERE state = 'dead';
CREATE INDEX jobs_lease ON nexus.jobs (lease_until) WHERE state = 'leased';
CREATE INDEX jobs_finished ON nexus.jobs (finished_at) WHERE state IN ('done', 'dead', 'cancelled');
CREATE TRIGGER transition_state BEFORE UPDATE OF state ON nexus.jobs FOR EACH ROW
  EXECUTE FUNCTION nexus.transition_state_trigger('nexus.jobs.state');
-- A restore copies jobs in any state back while this trigger is there already. Every dump sets row_security off.
CREATE TRIGGER transition_first_state BEFORE INSERT ON nexus.jobs FOR EACH ROW WHEN (pg_catalog.current_setting('row_security') = 'on')
  EXECUTE FUNCTION nexus.transition_state_trigger('nexus.jobs.state');
CREATE SEQUENCE nexus.lease_token AS bigint;

-- One bucket per account and one per platform app: tokens refill continuously, blocked_until carries Retry-After.
CREATE TABLE nexus.rate_buckets (
  scope text PRIMARY KEY,
  capacity double precision NOT NULL CHECK (capacity > 0),
  per_second double precision NOT NULL CHECK (per_second > 0),
  tokens double precision NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  blocked_until timestamptz,
  failures integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Every attempt to send, written before the first byte leaves and closed after the answer.
CREATE TABLE nexus.publish_attempts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  platform_post_id integer NOT NULL,
  attempt integer NOT NULL,
  lease_token bigint NOT NULL,
  idempotency_key uuid NOT NULL,
  remote_key text,
  outcome text NOT NULL DEFAULT 'sent' CHECK (outcome IN ('sent', 'ok', 'rejected', 'not_sent', 'unknown', 'verified_present',
    'verified_absent')),
  http_status integer,
  error jsonb,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  UNIQUE (platform_post_id, attempt)
);

SELECT pg_catalog.pg_extension_config_dump('nexus.jobs', '');
SELECT pg_catalog.pg_extension_config_dump('nexus.jobs_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('nexus.lease_token', '');
SELECT pg_catalog.pg_extension_config_dump('nexus.rate_buckets', '');
SELECT pg_catalog.pg_extension_config_dump('nexus.publish_attempts', '');
SELECT pg_catalog.pg_extension_config_dump('nexus.publish_attempts_id_seq', '');
