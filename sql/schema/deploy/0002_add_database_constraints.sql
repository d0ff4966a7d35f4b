-- Deploy creatornexus:0002_add_database_constraints to pg
-- The original's second migration, as it stands there.

\ir ../settings.sql

BEGIN;

ALTER TABLE content ADD CONSTRAINT check_content_type
CHECK (content_type IN ('video', 'audio', 'image', 'text', 'reel', 'short'));
ALTER TABLE projects ADD CONSTRAINT check_project_type
CHECK (type IN ('video', 'audio', 'image', 'script', 'campaign'));
ALTER TABLE social_posts ADD CONSTRAINT check_post_status
CHECK (status IN ('draft', 'scheduled', 'published', 'failed'));

COMMIT;
