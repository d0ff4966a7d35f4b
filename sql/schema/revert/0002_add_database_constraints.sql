-- Revert creatornexus:0002_add_database_constraints from pg

\ir ../settings.sql

BEGIN;

ALTER TABLE content DROP CONSTRAINT check_content_type;
ALTER TABLE projects DROP CONSTRAINT check_project_type;
ALTER TABLE social_posts DROP CONSTRAINT check_post_status;

COMMIT;
