-- Deploy creatornexus:0005_validate to pg
-- Old rows are judged: a rule that all of them keep becomes VALID, one that some break stays NOT VALID, still holds for
-- every new or changed row, and is named in a warning. The rows: SELECT * FROM nexus.attach_report(schema).

\ir ../settings.sql

BEGIN;

DO $$
DECLARE
  rule record;
BEGIN
  FOR rule IN
    SELECT c.conrelid::regclass AS table_name, c.conname AS name
      FROM pg_constraint c
     WHERE NOT c.convalidated AND c.conrelid::regclass::text IN ('users', 'projects', 'content', 'sessions', 'social_accounts',
             'content_metrics', 'niches', 'ai_generation_tasks', 'templates', 'notifications', 'social_posts', 'platform_posts',
             'post_media', 'post_schedules', 'hashtag_suggestions', 'ai_content_suggestions')
     ORDER BY c.conrelid::regclass::text, c.conname
  LOOP
    BEGIN
      EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', rule.table_name, rule.name);
    EXCEPTION
      -- The third: a cast in the rule, such as the width of a picture, that an old value does not survive.
      WHEN check_violation OR foreign_key_violation OR data_exception THEN
        RAISE WARNING 'rule % on % stays NOT VALID: old rows break it', rule.name, rule.table_name
          USING HINT = format('Once they are repaired: ALTER TABLE %s VALIDATE CONSTRAINT %I.', rule.table_name, rule.name);
    END;
  END LOOP;
END $$;

COMMIT;
