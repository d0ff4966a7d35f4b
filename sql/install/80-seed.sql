-- Demo data for all 16 tables: deterministic, plausible, and removable without touching anything else.

-- Which rows seed() made. clear_seed() removes these and no others.
CREATE TABLE nexus.seed_rows (
  table_name name NOT NULL,
  row_key text NOT NULL,
  PRIMARY KEY (table_name, row_key)
);
SELECT pg_catalog.pg_extension_config_dump('nexus.seed_rows', '');

-- A number in [0, 1) that depends on its arguments only.
CREATE FUNCTION nexus.seed_number(seed bigint, key text) RETURNS double precision
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  RETURN ((hashtextextended(key, seed) >> 11) & ((1::bigint << 52) - 1))::double precision / (1::bigint << 52);

-- One element of an array, chosen by seed and key.
CREATE FUNCTION nexus.seed_pick(seed bigint, key text, choices text[]) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  RETURN choices[1 + floor(nexus.seed_number(seed, key) * cardinality(choices))::integer];

-- The vocabulary of the demo: what creators of each niche write about, and the tags they use.
CREATE FUNCTION nexus.seed_niches()
  RETURNS TABLE (n integer, name text, category text, subjects text[], verbs text[], tags text[])
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  VALUES
    (1, 'Home cooking', 'food', '{sourdough,ramen,risotto,pancakes,kimchi}'::text[], '{baking,simmering,tasting,plating}'::text[],
        '{HomeCooking,FoodPrep,RecipeOfTheDay,Sourdough}'::text[]),
    (2, 'Trail running', 'fitness', '{hills,intervals,marathon,trails,recovery}', '{running,pacing,stretching,climbing}',
        '{TrailRunning,RunClub,MorningRun,Marathon}'),
    (3, 'Street photography', 'art', '{shadows,neon,rain,portraits,reflections}', '{shooting,editing,framing,waiting for}',
        '{StreetPhotography,CityLights,PhotoWalk,Analog}'),
    (4, 'Personal finance', 'business', '{budgets,savings,dividends,taxes,pensions}', '{planning,comparing,tracking,explaining}',
        '{PersonalFinance,Budgeting,MoneyTips,Investing}'),
    (5, 'Indie games', 'gaming', '{pixels,levels,bosses,shaders,soundtracks}', '{designing,testing,polishing,playing}',
        '{IndieDev,GameDev,PixelArt,ScreenshotSaturday}'),
    (6, 'Slow travel', 'travel', '{trains,markets,islands,hostels,coastlines}', '{exploring,mapping,sketching,crossing}',
        '{SlowTravel,TrainTravel,HiddenGems,Wanderlust}'),
    (7, 'Houseplants', 'lifestyle', '{monstera,ferns,cuttings,orchids,soil}', '{watering,repotting,pruning,propagating}',
        '{PlantCare,UrbanJungle,Houseplants,GreenThumb}'),
    (8, 'Web development', 'technology', '{queries,layouts,types,caches,forms}', '{refactoring,profiling,shipping,debugging}',
        '{WebDev,CodeNewbie,PostgreSQL,TypeScript}')
$$;

CREATE FUNCTION nexus.seed(size text, seed bigint DEFAULT 1) RETURNS jsonb
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  user_count integer := CASE size WHEN 'tiny' THEN 3 WHEN 'small' THEN 40 WHEN 'medium' THEN 400 END;
  per_user integer := CASE size WHEN 'tiny' THEN 6 ELSE 12 END;
  days integer := CASE size WHEN 'tiny' THEN 10 ELSE 30 END;
  platforms text[] := '{instagram,youtube,tiktok,linkedin,x}';
  today timestamp := date_trunc('day', nexus.utcnow());
  s bigint := seed;
  prefix text := 'seed-' || seed || '-';
BEGIN
  IF user_count IS NULL THEN
    RAISE EXCEPTION 'unknown size "%"', size USING ERRCODE = '22023', HINT = 'Sizes are tiny, small and medium.';
  END IF;
  -- Names of the 16 tables resolve in the attached schema, everything else in pg_catalog first.
  PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', nexus.attached_schema()), true);
  PERFORM set_config('nexus.import_mode', 'on', true);  -- past states are inserted as they would have become
  IF EXISTS (SELECT FROM users WHERE id = prefix || '1') THEN
    RAISE EXCEPTION 'demo data with seed % are there already', seed
      USING ERRCODE = '55000', HINT = 'Call nexus.clear_seed() first, or take another seed.';
  END IF;

  -- Creator u of niche n; user_id ties everything together.
  CREATE TEMP TABLE seed_users ON COMMIT DROP AS
    SELECT prefix || u AS user_id, u, v.*,
           nexus.seed_pick(s, 'first' || u, '{Ada,Ben,Chloe,Dev,Elif,Finn,Grace,Hiro,Ines,Jonas,Kaya,Liam,Mei,Noor,Otto,Pia}') AS first_name,
           nexus.seed_pick(s, 'last' || u, '{Almeida,Berg,Costa,Dubois,Eriksen,Fischer,Greco,Hansen,Ito,Jansen,Kowalski,Lopez}') AS last_name
      FROM generate_series(1, user_count) u JOIN nexus.seed_niches() v ON v.n = 1 + u % 8;

  WITH made AS (
    INSERT INTO users (id, email, password, first_name, last_name, created_at)
    SELECT user_id, user_id || '@demo.invalid',
           -- the shape of an argon2id hash, of no password: nobody signs in as a demo user
           '$argon2id$v=19$m=19456,t=2,p=1$' || rtrim(encode(decode(md5(user_id), 'hex'), 'base64'), '=') || '$'
             || rtrim(encode(sha256(user_id::bytea), 'base64'), '='), first_name, last_name, today - interval '400 days' FROM seed_users
    RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'users', id FROM made;

  WITH made AS (
    INSERT INTO sessions (sid, sess, expire)
    SELECT 'seed-session-' || user_id, jsonb_build_object('cookie', '{}'::jsonb, 'userId', user_id), today + interval '7 days'
      FROM seed_users RETURNING sid)
  INSERT INTO nexus.seed_rows SELECT 'sessions', sid FROM made;

  WITH made AS (
    INSERT INTO niches (name, slug, category, difficulty, profitability, keywords, description)
    SELECT v.name || ' (demo ' || s || ')', prefix || lower(replace(v.name, ' ', '-')), v.category, 'medium',
           nexus.seed_pick(s, 'profit' || v.n, '{low,medium,high}'),
           v.subjects || v.tags, 'Creators who post about ' || lower(v.name) || '.'
      FROM nexus.seed_niches() v RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'niches', id FROM made;
  -- what the demo's own posts say of them takes over
  PERFORM nexus.compute_niche(i.id) FROM niches i WHERE i.slug LIKE prefix || '%';

  WITH made AS (
    INSERT INTO hashtag_suggestions (platform, category, hashtag, niche_id, metadata)
    SELECT p, v.category, tag || 'Demo' || s, i.id, '{"seed": true}'
      FROM nexus.seed_niches() v CROSS JOIN unnest(platforms) p CROSS JOIN unnest(v.tags) tag
      JOIN niches i ON i.slug = prefix || lower(replace(v.name, ' ', '-')) RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'hashtag_suggestions', id FROM made;

  WITH made AS (
    INSERT INTO templates (title, description, category, type, content, user_id, tags, rating, downloads)
    SELECT initcap(v.verbs[1]) || ' ' || v.subjects[1] || ': a script', 'Hook, three steps and a question for ' || lower(v.name) || '.',
           'script', 'short', 'Hook: {{question}} Steps: {{one}}, {{two}}, {{three}}. What is yours?', u.user_id, v.tags,
           round((3 + 2 * nexus.seed_number(s, 'rating' || u.u))::numeric, 2), floor(500 * nexus.seed_number(s, 'downloads' || u.u))::integer
      FROM seed_users u JOIN nexus.seed_niches() v ON v.n = u.n WHERE u.u % 2 = 1 RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'templates', id FROM made;

  WITH made AS (
    INSERT INTO projects (user_id, name, description, type, platform, target_audience, tags, created_at)
    SELECT user_id, name || ' ' || CASE p WHEN 1 THEN 'weekly' ELSE 'launch' END, 'A series about ' || array_to_string(subjects[1:3], ', ') || '.',
           CASE p WHEN 1 THEN 'video' ELSE 'campaign' END, platforms[1 + (u + p) % 5], 'people new to ' || lower(name), tags,
           today - interval '90 days' + p * interval '1 day'
      FROM seed_users CROSS JOIN generate_series(1, 2) p RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'projects', id FROM made;

  -- Of twelve pieces eight are published, two scheduled, two drafts. Beside them stand two weekly habits of the last four
  -- weeks on one platform, yesterday's weekday at 18:00 and that of four days ago at 9:00 (UTC).
  CREATE TEMP TABLE seed_content ON COMMIT DROP AS
    SELECT u.user_id, u.u, u.name, c, u.tags, platforms[1 + (u.u + CASE WHEN c <= per_user THEN c ELSE 0 END) % 5] AS platform,
           initcap(nexus.seed_pick(s, 'verb' || u.u || '/' || c, u.verbs)) || ' ' || nexus.seed_pick(s, 'subject' || u.u || '/' || c, u.subjects) AS title,
           nexus.seed_pick(s, 'opening' || u.u || '/' || c, '{"Small steps, big change:","Nobody tells you this about","Three mistakes with","A quiet morning with","What I learned from"}') AS opening,
           nexus.seed_pick(s, 'subject' || u.u || '/' || c, u.subjects) AS subject,
           nexus.seed_pick(s, 'tag' || u.u || '/' || c, u.tags) AS tag, u.tags[1] AS main_tag,
           CASE WHEN c > per_user OR c % 6 < 4 THEN 'published' WHEN c % 6 = 4 THEN 'scheduled' ELSE 'draft' END AS status,
           CASE WHEN c <= per_user
             THEN today - (days - (c % 6) * 3) * interval '1 day' + (7 + floor(12 * nexus.seed_number(s, 'hour' || u.u || '/' || c))) * interval '1 hour'
             ELSE today - (7 * ((c - per_user - 1) / 2)) * interval '1 day' + CASE (c - per_user) % 2 WHEN 1 THEN interval '-1 day 18:00' ELSE interval '-4 days 9:00' END END AS past,
           today + (1 + c) * interval '1 day' + (8 + u.u % 10) * interval '1 hour' AS future
      FROM seed_users u CROSS JOIN generate_series(1, per_user + 8) c;

  WITH made AS (
    INSERT INTO content (user_id, project_id, title, description, script, platform, content_type, status, scheduled_at,
                         published_at, video_url, tags, metadata, ai_generated, created_at)
    SELECT d.user_id, p.id, d.title, d.opening || ' ' || d.subject || '. Save it for later. #' || d.tag || ' #' || d.main_tag,
           'Hook: ' || d.opening || ' ' || d.subject || '?', d.platform, 'video', d.status,
           CASE d.status WHEN 'scheduled' THEN d.future WHEN 'published' THEN d.past END, CASE d.status WHEN 'published' THEN d.past END,
           'https://media.demo.invalid/' || d.user_id || '/' || d.c || '.mp4', ARRAY[d.tag, d.main_tag],
           jsonb_build_object('seed', s, 'c', d.c, 'niche', prefix || lower(replace(d.name, ' ', '-'))) || CASE WHEN d.c > per_user THEN '{"habit": true}' ELSE '{}'::jsonb END,
           d.c % 4 = 0, d.past - interval '2 days'
      FROM seed_content d
      JOIN LATERAL (SELECT id FROM projects WHERE projects.user_id = d.user_id ORDER BY id OFFSET d.c % 2 LIMIT 1) p ON true
    RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'content', id FROM made;

  -- Cumulative counters as platforms give them: they rise fast, then level off.
  WITH made AS (
    INSERT INTO content_metrics (content_id, platform, views, likes, comments, shares, reach, saves, clicks, watch_time_seconds,
                                 captured_at, last_updated, source)
    SELECT c.id, c.platform, v.views, floor(v.views * v.liked)::bigint, floor(v.views * 0.008)::bigint, floor(v.views * 0.011)::bigint,
           floor(v.views * 0.8)::bigint, floor(v.views * 0.015)::bigint, floor(v.views * 0.02)::bigint, v.views * 11, v.at, v.at, 'api'
      FROM content c JOIN nexus.seed_rows r ON r.table_name = 'content' AND r.row_key = c.id::text
      CROSS JOIN generate_series(0, days) d
      CROSS JOIN LATERAL (SELECT c.published_at + d * interval '1 day' + interval '6 hours' AS at,
        floor((500 + 20000 * nexus.seed_number(s, 'reach' || c.user_id || (c.metadata ->> 'c'))) * (1 - exp(-(d + 0.5) / 6.0)))::bigint AS views,
        CASE WHEN c.metadata ? 'habit' AND extract(hour FROM c.published_at) = 18 THEN 0.09 ELSE 0.06 END AS liked) v
     WHERE (NOT c.metadata ? 'habit' OR d IN (0, 1, 6)) AND c.user_id LIKE prefix || '%' AND c.status = 'published' AND v.at <= nexus.utcnow() RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'content_metrics', id FROM made;

  WITH made AS (
    INSERT INTO social_accounts (user_id, platform, account_id, account_name, handle)
    SELECT user_id, platforms[1 + (u + a) % 5], 'demo-' || user_id || '-' || a, first_name || ' ' || last_name, lower(first_name) || u
      FROM seed_users CROSS JOIN generate_series(0, 2) a RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'social_accounts', id FROM made;

  -- A post for every second piece of content, on two accounts each.
  WITH made AS (
    INSERT INTO social_posts (user_id, project_id, content_id, title, caption, hashtags, content_type, status, scheduled_at, published_at,
                              media_urls, metadata, created_at)
    SELECT c.user_id, c.project_id, c.id, c.title, c.description, c.tags, 'video', c.status, c.scheduled_at, c.published_at,
           ARRAY[c.video_url], c.metadata, c.created_at
      FROM content c JOIN nexus.seed_rows r ON r.table_name = 'content' AND r.row_key = c.id::text
     WHERE c.user_id LIKE prefix || '%' AND (c.metadata ->> 'c')::integer % 2 = 0 AND NOT c.metadata ? 'habit' RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'social_posts', id FROM made;

  CREATE TEMP TABLE seed_posts ON COMMIT DROP AS
    SELECT p.* FROM social_posts p JOIN nexus.seed_rows r ON r.table_name = 'social_posts' AND r.row_key = p.id::text
     WHERE p.user_id LIKE prefix || '%';

  WITH made AS (
    INSERT INTO post_media (social_post_id, media_type, media_url, file_name, file_size, mime_type, duration, dimensions, alt_text)
    SELECT id, 'video', media_urls[1], 'clip-' || id || '.mp4', 8000000, 'video/mp4', 45, '{"width": 1080, "height": 1920}', title FROM seed_posts
    RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'post_media', id FROM made;

  WITH made AS (
    INSERT INTO platform_posts (social_post_id, platform, account_id, caption, hashtags, scheduled_at, published_at, status, platform_post_id, platform_url)
    SELECT p.id, a.platform, a.id, p.caption, p.hashtags, p.scheduled_at, p.published_at, p.status,
           CASE p.status WHEN 'published' THEN 'demo' || p.id END,
           CASE p.status WHEN 'published' THEN 'https://' || a.platform || '.demo.invalid/' || p.id END
      FROM seed_posts p
      JOIN LATERAL (SELECT id, platform FROM social_accounts WHERE social_accounts.user_id = p.user_id ORDER BY id LIMIT 2) a ON true
    RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'platform_posts', id FROM made;

  WITH made AS (
    INSERT INTO post_schedules (social_post_id, platform, scheduled_at, status, recurrence, timezone, next_run_at)
    SELECT p.id, a.platform, p.scheduled_at, CASE p.status WHEN 'scheduled' THEN 'pending' ELSE 'completed' END,
           nexus.seed_pick(s, 'recurrence' || p.user_id || (p.metadata ->> 'c'), '{none,daily,weekly,weekdays}'),
           nexus.seed_pick(s, 'zone' || p.user_id, '{UTC,America/New_York,Europe/Berlin,Asia/Tokyo}'),
           CASE p.status WHEN 'scheduled' THEN p.scheduled_at END
      FROM seed_posts p
      JOIN LATERAL (SELECT platform FROM social_accounts WHERE social_accounts.user_id = p.user_id ORDER BY id LIMIT 1) a ON true
     WHERE p.scheduled_at IS NOT NULL RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'post_schedules', id FROM made;

  WITH made AS (
    INSERT INTO notifications (user_id, type, title, message, is_read, read_at, created_at, entity_type, entity_id)
    SELECT user_id, 'content_ready', 'Ready: ' || title, 'Your post is ready to be scheduled.', (metadata ->> 'c')::integer % 4 = 0,
           CASE WHEN (metadata ->> 'c')::integer % 4 = 0 THEN created_at + interval '1 hour' END, created_at, 'social_post', id FROM seed_posts RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'notifications', id FROM made;

  WITH made AS (
    INSERT INTO ai_generation_tasks (user_id, project_id, task_type, prompt, result, status, progress, created_at, completed_at)
    SELECT u.user_id, p.id, 'script', 'A 30 second script about ' || u.subjects[t],
           CASE t WHEN 1 THEN 'Hook, three steps, a question about ' || u.subjects[t] || '.' END,
           CASE t WHEN 1 THEN 'completed' ELSE 'pending' END, CASE t WHEN 1 THEN 100 ELSE 0 END, today - interval '3 days',
           CASE t WHEN 1 THEN today - interval '3 days' + interval '40 seconds' END
      FROM seed_users u CROSS JOIN generate_series(1, 2) t
      JOIN LATERAL (SELECT id FROM projects WHERE projects.user_id = u.user_id ORDER BY id LIMIT 1) p ON true RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'ai_generation_tasks', id FROM made;

  WITH made AS (
    INSERT INTO ai_content_suggestions (user_id, project_id, suggestion_type, platform, content, confidence, created_at)
    SELECT u.user_id, p.id, 'content_idea', platforms[1 + u.u % 5], 'A week of ' || u.subjects[2] || ', one minute a day',
           round((0.5 + 0.5 * nexus.seed_number(s, 'confidence' || u.u))::numeric, 2), today - interval '1 day'
      FROM seed_users u
      JOIN LATERAL (SELECT id FROM projects WHERE projects.user_id = u.user_id ORDER BY id LIMIT 1) p ON true RETURNING id)
  INSERT INTO nexus.seed_rows SELECT 'ai_content_suggestions', id FROM made;

  DROP TABLE seed_users, seed_content, seed_posts;
  RETURN (SELECT jsonb_object_agg(table_name, rows)
            FROM (SELECT table_name, count(*) AS rows FROM nexus.seed_rows GROUP BY table_name) t);
END $$;
COMMENT ON FUNCTION nexus.seed(text, bigint) IS
  'Fills the 16 tables with demo data and returns the number of demo rows per table. size: tiny (3 users), small (40) or medium (400). The same seed gives the same rows, with times counted from today. 22023 for another size, 55000 when the seed is there already or nothing is attached.';

CREATE FUNCTION nexus.clear_seed() RETURNS jsonb
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  app name := nexus.attached_schema();
  link record;
  hanging bigint;
  removed jsonb;
BEGIN
  -- A row of somebody else that would go with a demo row by cascade stops everything.
  FOR link IN
    SELECT child.relname AS child, parent.relname AS parent, a.attname AS child_column, b.attname AS parent_column,
           (SELECT k.attname FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = i.indkey[0]
             WHERE i.indrelid = child.oid AND i.indisprimary) AS child_key
      FROM pg_constraint c
      JOIN pg_class child ON child.oid = c.conrelid JOIN pg_class parent ON parent.oid = c.confrelid
      JOIN pg_attribute a ON a.attrelid = child.oid AND a.attnum = c.conkey[1]
      JOIN pg_attribute b ON b.attrelid = parent.oid AND b.attnum = c.confkey[1]
     WHERE c.contype = 'f' AND c.confdeltype IN ('c', 'a') AND child.relnamespace = app::text::regnamespace
  LOOP
    EXECUTE format(
      'SELECT count(*) FROM %1$I.%2$I c JOIN nexus.seed_rows p ON p.table_name = %3$L AND p.row_key = c.%4$I::text
        WHERE NOT EXISTS (SELECT FROM nexus.seed_rows s WHERE s.table_name = %2$L AND s.row_key = c.%5$I::text)',
      app, link.child, link.parent, link.child_column, link.child_key) INTO hanging;
    IF hanging > 0 THEN
      RAISE EXCEPTION '% rows of % that are no demo data belong to demo rows of %', hanging, link.child, link.parent
        USING ERRCODE = '2BP01', HINT = 'Delete or move these rows first.', TABLE = link.child, COLUMN = link.child_column;
    END IF;
  END LOOP;

  removed := (SELECT jsonb_object_agg(table_name, rows)
                FROM (SELECT table_name, count(*) AS rows FROM nexus.seed_rows GROUP BY table_name) t);
  PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', app), true);
  DELETE FROM users WHERE id IN (SELECT row_key FROM nexus.seed_rows WHERE table_name = 'users');
  DELETE FROM sessions WHERE sid IN (SELECT row_key FROM nexus.seed_rows WHERE table_name = 'sessions');
  DELETE FROM hashtag_suggestions WHERE id::text IN (SELECT row_key FROM nexus.seed_rows WHERE table_name = 'hashtag_suggestions');
  DELETE FROM niches WHERE id::text IN (SELECT row_key FROM nexus.seed_rows WHERE table_name = 'niches');
  DELETE FROM nexus.seed_rows;
  RETURN coalesce(removed, '{}');
END $$;
COMMENT ON FUNCTION nexus.clear_seed() IS
  'Removes the rows that nexus.seed() made, and returns their number per table. Rows of others that hang on them are never removed: 2BP01 names them and nothing happens.';

REVOKE EXECUTE ON FUNCTION nexus.seed(text, bigint), nexus.clear_seed(), nexus.seed_number(bigint, text),
  nexus.seed_pick(bigint, text, text[]), nexus.seed_niches() FROM PUBLIC;
