-- Deploy creatornexus:0000_base to pg
-- The 16 tables of the original application. A database that has them already keeps them: sqitch deploy --log-only.

\ir ../settings.sql

BEGIN;

SELECT pg_catalog.to_regnamespace(pg_catalog.quote_ident(:'schema')) IS NULL AS schema_missing \gset
\if :schema_missing
  CREATE SCHEMA :"schema" AUTHORIZATION nexus_owner;
\endif
GRANT USAGE, CREATE ON SCHEMA :"schema" TO nexus_owner;

-- A timestamp column means UTC, and DEFAULT NOW() stores the session's wall clock: so sessions start in UTC.
SELECT pg_catalog.current_database() AS database \gset
ALTER DATABASE :"database" SET timezone = 'UTC';

SET LOCAL ROLE nexus_owner;

CREATE TABLE users (
  id VARCHAR PRIMARY KEY,
  email VARCHAR UNIQUE NOT NULL,
  password TEXT NOT NULL,
  first_name VARCHAR NOT NULL,
  last_name VARCHAR NOT NULL,
  profile_image_url VARCHAR,
  is_active BOOLEAN DEFAULT true,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE projects (
  id SERIAL PRIMARY KEY,
  user_id VARCHAR REFERENCES users(id) ON DELETE CASCADE,
  name VARCHAR NOT NULL,
  description TEXT,
  type VARCHAR NOT NULL,
  template VARCHAR,
  platform VARCHAR,
  target_audience VARCHAR,
  estimated_duration VARCHAR,
  tags TEXT[],
  is_public BOOLEAN DEFAULT false,
  status VARCHAR DEFAULT 'active',
  metadata JSONB,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE content (
  id SERIAL PRIMARY KEY,
  user_id VARCHAR REFERENCES users(id) ON DELETE CASCADE,
  project_id INTEGER REFERENCES projects(id) ON DELETE CASCADE,
  title VARCHAR NOT NULL,
  description TEXT,
  script TEXT,
  platform VARCHAR NOT NULL,
  content_type VARCHAR NOT NULL,
  status VARCHAR DEFAULT 'draft',
  scheduled_at TIMESTAMP,
  published_at TIMESTAMP,
  thumbnail_url VARCHAR,
  video_url VARCHAR,
  tags TEXT[],
  metadata JSONB,
  ai_generated BOOLEAN DEFAULT false,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE sessions (
  sid VARCHAR PRIMARY KEY,
  sess JSONB NOT NULL,
  expire TIMESTAMP NOT NULL
);

CREATE INDEX "IDX_session_expire" ON sessions (expire);

CREATE TABLE social_accounts (
  id SERIAL PRIMARY KEY,
  user_id VARCHAR NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  platform VARCHAR NOT NULL,
  account_id VARCHAR NOT NULL,
  account_name VARCHAR NOT NULL,
  access_token TEXT,
  refresh_token TEXT,
  token_expiry TIMESTAMP,
  is_active BOOLEAN DEFAULT true,
  metadata JSONB,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE content_metrics (
  id SERIAL PRIMARY KEY,
  content_id INTEGER NOT NULL REFERENCES content(id) ON DELETE CASCADE,
  platform VARCHAR NOT NULL,
  views INTEGER DEFAULT 0,
  likes INTEGER DEFAULT 0,
  comments INTEGER DEFAULT 0,
  shares INTEGER DEFAULT 0,
  engagement_rate NUMERIC(5,2),
  revenue NUMERIC(10,2) DEFAULT 0,
  last_updated TIMESTAMP DEFAULT NOW()
);

CREATE TABLE niches (
  id SERIAL PRIMARY KEY,
  name VARCHAR NOT NULL UNIQUE,
  category VARCHAR NOT NULL,
  trend_score INTEGER DEFAULT 0,
  difficulty VARCHAR NOT NULL,
  profitability VARCHAR NOT NULL,
  keywords TEXT[],
  description TEXT,
  is_active BOOLEAN DEFAULT true,
  updated_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE ai_generation_tasks (
  id SERIAL PRIMARY KEY,
  user_id VARCHAR NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  task_type VARCHAR NOT NULL,
  prompt TEXT NOT NULL,
  result TEXT,
  status VARCHAR NOT NULL DEFAULT 'pending',
  metadata JSONB,
  created_at TIMESTAMP DEFAULT NOW(),
  completed_at TIMESTAMP
);

CREATE TABLE templates (
  id SERIAL PRIMARY KEY,
  title VARCHAR NOT NULL,
  description TEXT NOT NULL,
  category VARCHAR NOT NULL,
  type VARCHAR NOT NULL,
  content TEXT,
  thumbnail_url VARCHAR,
  rating NUMERIC(3,2) DEFAULT 0,
  downloads INTEGER DEFAULT 0,
  is_active BOOLEAN DEFAULT true,
  is_featured BOOLEAN DEFAULT false,
  tags TEXT[],
  metadata JSONB,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE notifications (
  id SERIAL PRIMARY KEY,
  user_id VARCHAR NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  type VARCHAR NOT NULL,
  title VARCHAR NOT NULL,
  message TEXT NOT NULL,
  is_read BOOLEAN DEFAULT false,
  metadata JSONB,
  created_at TIMESTAMP DEFAULT NOW(),
  read_at TIMESTAMP
);

CREATE TABLE social_posts (
  id SERIAL PRIMARY KEY,
  user_id VARCHAR NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  project_id INTEGER REFERENCES projects(id) ON DELETE CASCADE,
  title VARCHAR NOT NULL,
  caption TEXT,
  hashtags TEXT[],
  emojis TEXT[],
  content_type VARCHAR NOT NULL,
  status VARCHAR NOT NULL DEFAULT 'draft',
  scheduled_at TIMESTAMP,
  published_at TIMESTAMP,
  thumbnail_url VARCHAR,
  media_urls TEXT[],
  ai_generated BOOLEAN DEFAULT false,
  metadata JSONB,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE platform_posts (
  id SERIAL PRIMARY KEY,
  social_post_id INTEGER NOT NULL REFERENCES social_posts(id) ON DELETE CASCADE,
  platform VARCHAR NOT NULL,
  account_id INTEGER NOT NULL REFERENCES social_accounts(id) ON DELETE CASCADE,
  caption TEXT,
  hashtags TEXT[],
  emojis TEXT[],
  scheduled_at TIMESTAMP,
  published_at TIMESTAMP,
  status VARCHAR NOT NULL DEFAULT 'draft',
  platform_post_id VARCHAR,
  platform_url VARCHAR,
  metadata JSONB,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE post_media (
  id SERIAL PRIMARY KEY,
  social_post_id INTEGER NOT NULL REFERENCES social_posts(id) ON DELETE CASCADE,
  media_type VARCHAR NOT NULL,
  media_url VARCHAR NOT NULL,
  thumbnail_url VARCHAR,
  file_name VARCHAR NOT NULL,
  file_size INTEGER,
  mime_type VARCHAR,
  duration INTEGER,
  dimensions JSONB,
  metadata JSONB,
  created_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE post_schedules (
  id SERIAL PRIMARY KEY,
  social_post_id INTEGER NOT NULL REFERENCES social_posts(id) ON DELETE CASCADE,
  platform VARCHAR NOT NULL,
  scheduled_at TIMESTAMP NOT NULL,
  status VARCHAR NOT NULL DEFAULT 'pending',
  metadata JSONB,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE hashtag_suggestions (
  id SERIAL PRIMARY KEY,
  platform VARCHAR NOT NULL,
  category VARCHAR NOT NULL,
  hashtag VARCHAR NOT NULL,
  trend_score INTEGER DEFAULT 0,
  usage_count INTEGER DEFAULT 0,
  is_active BOOLEAN DEFAULT true,
  metadata JSONB,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE ai_content_suggestions (
  id SERIAL PRIMARY KEY,
  user_id VARCHAR NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  project_id INTEGER REFERENCES projects(id) ON DELETE CASCADE,
  suggestion_type VARCHAR NOT NULL,
  platform VARCHAR NOT NULL,
  content TEXT NOT NULL,
  confidence NUMERIC(3,2) DEFAULT 0,
  metadata JSONB,
  created_at TIMESTAMP DEFAULT NOW()
);

COMMIT;
