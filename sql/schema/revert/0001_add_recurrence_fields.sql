-- Revert creatornexus:0001_add_recurrence_fields from pg

\ir ../settings.sql

BEGIN;

CREATE TEMP TABLE loss ON COMMIT DROP AS
  SELECT 'post_schedules' AS table_name, count(*) AS rows, 'recurrence, time zone, end of series, attempts' AS what
    FROM post_schedules
   WHERE recurrence <> 'none' OR timezone <> 'UTC' OR series_end_date IS NOT NULL OR retry_count <> 0
      OR last_attempt_at IS NOT NULL OR error_message IS NOT NULL;
\ir ../refuse_loss.sql

ALTER TABLE post_schedules
  DROP COLUMN recurrence,
  DROP COLUMN timezone,
  DROP COLUMN series_end_date,
  DROP COLUMN retry_count,
  DROP COLUMN last_attempt_at,
  DROP COLUMN error_message;

COMMIT;
