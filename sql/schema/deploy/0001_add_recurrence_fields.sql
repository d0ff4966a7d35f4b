-- Deploy creatornexus:0001_add_recurrence_fields to pg
-- The original's first migration, as it stands there.

\ir ../settings.sql

BEGIN;

ALTER TABLE post_schedules
ADD COLUMN recurrence VARCHAR DEFAULT 'none',
ADD COLUMN timezone VARCHAR DEFAULT 'UTC',
ADD COLUMN series_end_date TIMESTAMP,
ADD COLUMN retry_count INTEGER DEFAULT 0,
ADD COLUMN last_attempt_at TIMESTAMP,
ADD COLUMN error_message TEXT;

COMMIT;
