-- attach_report(): what old rows say against the rules, asked before the migrations are deployed or after.

-- One row for each rule. `needs` are the columns it reads: where one is missing the migrations will make it, and no old
-- row can be at fault. In the condition r is the row and %1$I the schema. `shown` is the column that an example shows;
-- NULL where its values are secret or personal.
CREATE TABLE nexus.attach_rules (
  table_name name NOT NULL,
  rule text NOT NULL,
  needs name[] NOT NULL,
  shown name,
  condition text NOT NULL,
  PRIMARY KEY (table_name, rule)
);
GRANT SELECT ON nexus.attach_rules TO PUBLIC;

-- Value lists; a NULL passes here and has a rule of its own where it must not be.
INSERT INTO nexus.attach_rules (table_name, rule, needs, shown, condition)
SELECT t, rule, ARRAY[c]::name[], c, pg_catalog.format('r.%I::text <> ALL (%L)', c, pg_catalog.string_to_array(listed, ' ')) FROM (VALUES
  ('projects', 'check_project_type', 'type', 'video audio image script campaign'),
  ('projects', 'projects_status_check', 'status', 'active completed archived'),
  ('content', 'check_content_type', 'content_type', 'video audio image text reel short'),
  ('content', 'content_status_check', 'status', 'draft scheduled published failed paused stopped'),
  ('templates', 'templates_category_check', 'category', 'video thumbnail script branding social'),
  ('social_posts', 'check_post_status', 'status', 'draft scheduled published failed'),
  ('social_posts', 'social_posts_type_check', 'content_type', 'post reel short story video'),
  ('post_schedules', 'post_schedules_status_check', 'status', 'pending processing completed failed paused cancelled'),
  ('post_schedules', 'post_schedules_recurrence_check', 'recurrence', 'none daily weekly monthly weekdays yearly custom'),
  ('platform_posts', 'platform_posts_status_check', 'status', 'draft scheduled publishing published failed unconfirmed cancelled'),
  ('post_media', 'post_media_type_check', 'media_type', 'image video audio gif pdf thumbnail'),
  ('niches', 'niches_difficulty_check', 'difficulty', 'easy medium hard'),
  ('niches', 'niches_profitability_check', 'profitability', 'low medium high'),
  ('ai_generation_tasks', 'ai_tasks_status_check', 'status', 'pending processing completed failed cancelled'),
  ('ai_generation_tasks', 'ai_tasks_type_check', 'task_type', 'script voiceover video thumbnail image caption hashtags content_idea best_time translation'),
  ('ai_content_suggestions', 'ai_sugg_type_check', 'suggestion_type', 'caption hashtags best_time content_idea')
) AS v(t, rule, c, listed);

-- What a row refers to belongs to the same user (or to nobody, which has a rule of its own).
INSERT INTO nexus.attach_rules (table_name, rule, needs, shown, condition)
SELECT t, 'owner of ' || c, ARRAY['user_id', c]::name[], c, pg_catalog.format(
  'EXISTS (SELECT FROM %%1$I.%I p WHERE p.id = r.%I AND p.user_id IS DISTINCT FROM r.user_id)', parent, c) FROM (VALUES
  ('content', 'project_id', 'projects'),
  ('social_posts', 'project_id', 'projects'),
  ('social_posts', 'content_id', 'content'),
  ('ai_generation_tasks', 'project_id', 'projects'),
  ('ai_generation_tasks', 'content_id', 'content'),
  ('ai_content_suggestions', 'project_id', 'projects'),
  ('ai_content_suggestions', 'content_id', 'content')
) AS v(t, c, parent);
INSERT INTO nexus.attach_rules (table_name, rule, needs, shown, condition)
SELECT t, 'owner of account_id', '{social_post_id,account_id}', 'account_id',
  'EXISTS (SELECT FROM %1$I.social_posts p JOIN %1$I.social_accounts a ON a.user_id <> p.user_id
    WHERE p.id = r.social_post_id AND a.id = r.account_id)'
FROM pg_catalog.unnest(ARRAY['platform_posts', 'post_schedules']) AS t;

INSERT INTO nexus.attach_rules (table_name, rule, needs, shown, condition)
SELECT t, rule, pg_catalog.string_to_array(needs, ' ')::name[], shown, condition FROM (VALUES
  ('users', 'users_email_shape', 'email', NULL, 'NOT (length(r.email) <= 254 AND r.email ~ ''^[^@\s]+@[^@\s]+$'')'),
  ('users', 'users_id_shape', 'id', NULL, 'r.id = '''' OR length(r.id) > 128'),
  ('users', 'users_email_lower_key', 'email', NULL,
    'EXISTS (SELECT FROM %1$I.users o WHERE lower(o.email) = lower(r.email) AND o.id <> r.id)'),
  ('users', 'password hash', 'password', NULL,
    'r.password !~ ''^\$(argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$|2[aby]\$(1[0-9]|2[0-9]|3[01])\$)'''),
  ('projects', 'user_id is NULL', 'user_id', 'user_id', 'r.user_id IS NULL'),
  ('projects', 'status is NULL', 'status', 'status', 'r.status IS NULL'),
  ('content', 'user_id is NULL', 'user_id', 'user_id', 'r.user_id IS NULL'),
  ('content', 'status is NULL', 'status', 'status', 'r.status IS NULL'),
  ('content', 'content_platform_slug', 'platform', 'platform', 'r.platform !~ ''^[a-z][a-z0-9_]{0,31}$'''),
  ('content', 'content_scheduled_has_time', 'status scheduled_at', 'status', 'r.status = ''scheduled'' AND r.scheduled_at IS NULL'),
  ('content', 'content_published_has_time', 'status published_at', 'status', 'r.status = ''published'' AND r.published_at IS NULL'),
  ('sessions', 'sessions_sess_object', 'sess', NULL, 'jsonb_typeof(r.sess) <> ''object'''),
  ('content_metrics', 'content_metrics_nonneg', 'views likes comments shares revenue', NULL,
    'least(r.views, r.likes, r.comments, r.shares, r.revenue) < 0'),
  ('content_metrics', 'content_metrics_key', 'content_id platform captured_at source', 'content_id',
    'EXISTS (SELECT FROM %1$I.content_metrics o WHERE (o.content_id, o.platform, o.captured_at, o.source)
      = (r.content_id, r.platform, r.captured_at, r.source) AND o.id <> r.id)'),
  ('templates', 'templates_rating_range', 'rating', 'rating', 'r.rating NOT BETWEEN 0 AND 5'),
  ('templates', 'templates_downloads_nonneg', 'downloads', 'downloads', 'r.downloads < 0'),
  ('notifications', 'notifications_type_slug', 'type', 'type', 'r.type !~ ''^[a-z][a-z0-9_]{1,63}$'''),
  ('notifications', 'notifications_read_pair', 'is_read read_at', 'read_at', 'r.is_read AND r.read_at IS NULL'),
  ('notifications', 'unread with read_at', 'is_read read_at', 'read_at', 'r.is_read IS NOT TRUE AND r.read_at IS NOT NULL'),
  ('social_accounts', 'social_accounts_platform_slug', 'platform', 'platform', 'r.platform !~ ''^[a-z][a-z0-9_]{0,31}$'''),
  ('social_accounts', 'social_accounts_token_sealed', 'access_token refresh_token', NULL,
    'r.access_token NOT LIKE ''cn1.%%'' OR r.refresh_token NOT LIKE ''cn1.%%'''),
  ('social_accounts', 'social_accounts_key', 'user_id platform account_id', 'platform',
    'EXISTS (SELECT FROM %1$I.social_accounts o WHERE (o.user_id, o.platform, o.account_id)
      = (r.user_id, r.platform, r.account_id) AND o.id <> r.id)'),
  ('social_posts', 'social_posts_scheduled_has_time', 'status scheduled_at', 'status', 'r.status = ''scheduled'' AND r.scheduled_at IS NULL'),
  ('social_posts', 'social_posts_published_has_time', 'status published_at', 'status', 'r.status = ''published'' AND r.published_at IS NULL'),
  ('post_schedules', 'post_schedules_tz', 'timezone', 'timezone', 'r.timezone IN (SELECT z.timezone
    FROM (SELECT DISTINCT s.timezone FROM %1$I.post_schedules s) AS z WHERE NOT nexus.is_timezone(z.timezone))'),
  ('post_schedules', 'post_schedules_custom_rrule', 'recurrence rrule', 'recurrence', '(r.recurrence = ''custom'') <> (r.rrule IS NOT NULL)'),
  ('post_schedules', 'post_schedules_series_order', 'series_end_date scheduled_at', 'series_end_date', 'r.series_end_date < r.scheduled_at'),
  ('post_schedules', 'post_schedules_retry_nonneg', 'retry_count', 'retry_count', 'r.retry_count < 0'),
  ('platform_posts', 'platform_posts_platform_slug', 'platform', 'platform', 'r.platform !~ ''^[a-z][a-z0-9_]{0,31}$'''),
  ('platform_posts', 'platform of account_id', 'platform account_id', 'platform',
    'EXISTS (SELECT FROM %1$I.social_accounts a WHERE a.id = r.account_id AND a.platform <> r.platform
      AND NOT EXISTS (SELECT FROM nexus.platforms x WHERE ARRAY[a.platform, r.platform]::text[] <@ (x.aliases || x.slug)))'),
  ('platform_posts', 'platform_posts_published_pair', 'status published_at platform_post_id', 'status',
    'r.status = ''published'' AND (r.published_at IS NULL OR r.platform_post_id IS NULL)'),
  ('platform_posts', 'platform_posts_scheduled_has_time', 'status scheduled_at', 'status', 'r.status = ''scheduled'' AND r.scheduled_at IS NULL'),
  ('platform_posts', 'platform_posts_remote_key', 'account_id platform_post_id', 'platform_post_id',
    'EXISTS (SELECT FROM %1$I.platform_posts o WHERE (o.account_id, o.platform_post_id)
      = (r.account_id, r.platform_post_id) AND o.id <> r.id)'),
  ('post_media', 'post_media_sizes', 'file_size duration', NULL, 'r.file_size < 0 OR r.duration < 0'),
  ('post_media', 'post_media_dims', 'dimensions', 'dimensions',
    'NOT coalesce(r.dimensions->>''width'' ~ ''^(?=.*[1-9])\d*[.]?\d*$'', true)
      OR NOT coalesce(r.dimensions->>''height'' ~ ''^(?=.*[1-9])\d*[.]?\d*$'', true)'),
  ('niches', 'niches_score_range', 'trend_score', 'trend_score', 'r.trend_score NOT BETWEEN 0 AND 100'),
  ('hashtag_suggestions', 'hashtag_shape', 'hashtag', 'hashtag', 'NOT (r.hashtag !~ ''[#\s]'' AND length(r.hashtag) BETWEEN 1 AND 100)'),
  ('hashtag_suggestions', 'hashtag_ranges', 'trend_score usage_count', 'trend_score', 'r.trend_score NOT BETWEEN 0 AND 100 OR r.usage_count < 0'),
  ('hashtag_suggestions', 'hashtag_suggestions_key', 'platform category hashtag', 'hashtag',
    'EXISTS (SELECT FROM %1$I.hashtag_suggestions o WHERE (o.platform, o.category, lower(o.hashtag))
      = (r.platform, r.category, lower(r.hashtag)) AND o.id <> r.id)'),
  ('ai_generation_tasks', 'ai_tasks_final_pair', 'status completed_at', 'status',
    '(r.status IN (''completed'', ''failed'', ''cancelled'')) <> (r.completed_at IS NOT NULL)'),
  ('ai_generation_tasks', 'ai_tasks_result_pair', 'status result', 'status',
    'r.status = ''completed'' AND r.result IS NULL AND to_jsonb(r)->>''result_json'' IS NULL'),
  ('ai_content_suggestions', 'ai_sugg_confidence', 'confidence', 'confidence', 'r.confidence NOT BETWEEN 0 AND 1')
) AS v(t, rule, needs, shown, condition);

CREATE FUNCTION nexus.attach_report(schema text)
  RETURNS TABLE (table_name name, rule text, rows bigint, example jsonb) LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  asked nexus.attach_rules;
  target regclass;
  key name;
  violated text;
BEGIN
  IF to_regnamespace(quote_ident(schema)) IS NULL THEN
    RAISE EXCEPTION 'schema "%" does not exist', schema USING ERRCODE = '3F000';
  END IF;
  FOR asked IN SELECT * FROM nexus.attach_rules r ORDER BY r.table_name, r.rule LOOP
    target := to_regclass(format('%I.%I', schema, asked.table_name));
    CONTINUE WHEN target IS NULL OR EXISTS (
      SELECT FROM unnest(asked.needs) AS n(needed) WHERE NOT EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = target AND a.attname = n.needed AND a.attnum > 0 AND NOT a.attisdropped));
    violated := format('FROM %s r WHERE %s', target, format(asked.condition, schema));
    EXECUTE 'SELECT count(*) ' || violated INTO rows;
    CONTINUE WHEN rows = 0;
    -- A session's key is a secret: there is no example.
    key := (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = target AND a.attname = 'id' AND NOT a.attisdropped);
    example := NULL;
    IF key IS NOT NULL THEN
      EXECUTE format('SELECT jsonb_build_object(''id'', r.id%s) %s ORDER BY r.id LIMIT 1',
        CASE WHEN asked.shown IS NOT NULL THEN format(', %L, left(r.%I::text, 80)', asked.shown, asked.shown) END, violated)
        INTO example;
    END IF;
    table_name := asked.table_name;
    rule := asked.rule;
    RETURN NEXT;
  END LOOP;
END $$;
COMMENT ON FUNCTION nexus.attach_report(text) IS
  'How many rows of a schema''s tables say against each rule of the migrations and of attach, with one example (its id '
  'and the column at fault; never a secret). Rules are named as the constraint or index that keeps them. Works at every '
  'stage of the migrations; a rule about a column that is still to come has no row at fault. No rows: nothing to repair.';
REVOKE EXECUTE ON FUNCTION nexus.attach_report(text) FROM PUBLIC;
