-- attach() and detach(): what connects the extension with the application's 16 tables. attach makes triggers, grants
-- and policies only; columns and constraints belong to the migrations.

-- The columns that the migrations make; attach refuses tables that lack one.
CREATE TABLE nexus.attached_tables (
  table_name name PRIMARY KEY,
  columns name[] NOT NULL
);
GRANT SELECT ON nexus.attached_tables TO PUBLIC;
INSERT INTO nexus.attached_tables (table_name, columns)
SELECT t, pg_catalog.string_to_array(c, ' ')::name[] FROM (VALUES
  ('users', 'id email password first_name last_name profile_image_url is_active created_at updated_at'),
  ('projects', 'id user_id name description type template platform target_audience estimated_duration tags is_public status metadata created_at updated_at'),
  ('content', 'id user_id project_id title description script platform content_type status scheduled_at published_at thumbnail_url video_url tags metadata ai_generated created_at updated_at'),
  ('sessions', 'sid sess expire user_id created_at last_seen_at'),
  ('social_accounts', 'id user_id platform account_id account_name access_token refresh_token token_expiry is_active metadata created_at updated_at handle instance_url scopes status status_reason refresh_token_expiry token_version last_refreshed_at last_published_at'),
  ('content_metrics', 'id content_id platform views likes comments shares engagement_rate revenue last_updated captured_at impressions reach clicks saves watch_time_seconds followers_gained source platform_post_row_id'),
  ('niches', 'id name category trend_score difficulty profitability keywords description is_active updated_at slug created_at'),
  ('ai_generation_tasks', 'id user_id task_type prompt result status metadata created_at completed_at project_id content_id model parameters result_json error_code error_message progress attempt_count input_tokens output_tokens cost_micros idempotency_key started_at updated_at'),
  ('templates', 'id title description category type content thumbnail_url rating downloads is_active is_featured tags metadata created_at updated_at user_id is_public variables version'),
  ('notifications', 'id user_id type title message is_read metadata created_at read_at priority entity_type entity_id dedupe_key expires_at delivered_at'),
  ('social_posts', 'id user_id project_id title caption hashtags emojis content_type status scheduled_at published_at thumbnail_url media_urls ai_generated metadata created_at updated_at content_id review_state reviewed_by reviewed_at review_note paused_at cancelled_at deleted_at revision'),
  ('platform_posts', 'id social_post_id platform account_id caption hashtags emojis scheduled_at published_at status platform_post_id platform_url metadata created_at updated_at schedule_id occurrence_at idempotency_key thread_parent_id thread_position attempt_count send_started_at next_attempt_at error_class error_code error_message payload_sha256'),
  ('post_media', 'id social_post_id media_type media_url thumbnail_url file_name file_size mime_type duration dimensions metadata created_at position alt_text sha256 storage_key status error_message remote_refs'),
  ('post_schedules', 'id social_post_id platform scheduled_at status metadata created_at updated_at recurrence timezone series_end_date retry_count last_attempt_at error_message account_id rrule exdates occurrence_limit occurrences_done next_run_at max_retries missed_policy missed_grace'),
  ('hashtag_suggestions', 'id platform category hashtag trend_score usage_count is_active metadata created_at updated_at niche_id score last_used_at computed_at is_banned'),
  ('ai_content_suggestions', 'id user_id project_id suggestion_type platform content confidence metadata created_at task_id content_id status decided_at expires_at')
) AS v(t, c);

-- Who may do what: one row for each role and table. "own" and "visible" are row conditions (%1$I is the schema); the
-- user stands in a scalar subselect, so that it is asked once for each query and not for each row.
CREATE TABLE nexus.attached_rights (
  role_name name NOT NULL,
  table_name name NOT NULL REFERENCES nexus.attached_tables,
  own text,                      -- rows the role may write, NULL for none
  visible text,                  -- rows the role may see besides those
  privileges text[] NOT NULL,
  columns_hidden name[],         -- not to be selected
  columns_written name[],        -- the only ones to be updated, NULL for all
  PRIMARY KEY (role_name, table_name)
);
GRANT SELECT ON nexus.attached_rights TO PUBLIC;

INSERT INTO nexus.attached_rights (role_name, table_name, own, visible, privileges)
SELECT 'nexus_app', t, own, visible, ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] FROM (VALUES
  ('projects', 'user_id = (SELECT nexus.current_user_id())', 'is_public'),
  ('content', 'user_id = (SELECT nexus.current_user_id())', NULL),
  ('notifications', 'user_id = (SELECT nexus.current_user_id())', NULL),
  ('social_posts', 'user_id = (SELECT nexus.current_user_id())', NULL),
  ('templates', 'user_id = (SELECT nexus.current_user_id())', 'is_public OR user_id IS NULL'),
  ('ai_generation_tasks', 'user_id = (SELECT nexus.current_user_id())', NULL),
  ('ai_content_suggestions', 'user_id = (SELECT nexus.current_user_id())', NULL),
  ('content_metrics', 'EXISTS (SELECT FROM %1$I.content p WHERE p.id = content_id AND p.user_id = (SELECT nexus.current_user_id()))', NULL),
  ('platform_posts', 'EXISTS (SELECT FROM %1$I.social_posts p WHERE p.id = social_post_id AND p.user_id = (SELECT nexus.current_user_id()))', NULL),
  ('post_media', 'EXISTS (SELECT FROM %1$I.social_posts p WHERE p.id = social_post_id AND p.user_id = (SELECT nexus.current_user_id()))', NULL),
  ('post_schedules', 'EXISTS (SELECT FROM %1$I.social_posts p WHERE p.id = social_post_id AND p.user_id = (SELECT nexus.current_user_id()))', NULL)
) AS v(t, own, visible);
INSERT INTO nexus.attached_rights (role_name, table_name, own, visible, privileges, columns_hidden, columns_written) VALUES
  ('nexus_app', 'users', 'id = (SELECT nexus.current_user_id())', NULL, '{SELECT,UPDATE}', '{password}',
    '{email,first_name,last_name,profile_image_url}'),
  ('nexus_app', 'social_accounts', 'user_id = (SELECT nexus.current_user_id())', NULL, '{SELECT,INSERT,UPDATE,DELETE}',
    '{access_token,refresh_token}', NULL),
  ('nexus_app', 'niches', NULL, 'true', '{SELECT}', NULL, NULL),
  ('nexus_app', 'hashtag_suggestions', NULL, 'true', '{SELECT}', NULL, NULL),
  ('nexus_anon', 'niches', NULL, 'true', '{SELECT}', NULL, NULL),
  ('nexus_anon', 'hashtag_suggestions', NULL, 'true', '{SELECT}', NULL, NULL),
  ('nexus_anon', 'templates', NULL, 'is_active AND (is_public OR user_id IS NULL)', '{SELECT}', NULL, NULL),
  ('nexus_anon', 'projects', NULL, 'is_public', '{SELECT}', NULL, NULL);
INSERT INTO nexus.attached_rights (role_name, table_name, own, privileges)
SELECT 'nexus_worker', table_name, 'true', ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] FROM nexus.attached_tables;
INSERT INTO nexus.attached_rights (role_name, table_name, own, privileges)
SELECT 'nexus_owner', table_name, 'true', ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] FROM nexus.attached_tables;

-- How the tables were before, for detach.
CREATE TABLE nexus.attachment_tables (
  table_name name PRIMARY KEY,
  row_security boolean NOT NULL,
  force_row_security boolean NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('nexus.attachment_tables', '');
CREATE TABLE nexus.attachment_grants (
  object_kind text NOT NULL CHECK (object_kind IN ('SCHEMA', 'TABLE', 'SEQUENCE', 'FUNCTION')),
  object_name text NOT NULL,           -- as GRANT takes it
  privilege text NOT NULL,
  column_name name NOT NULL DEFAULT '',
  grantee name NOT NULL,
  PRIMARY KEY (object_kind, object_name, privilege, column_name, grantee)
);
SELECT pg_catalog.pg_extension_config_dump('nexus.attachment_grants', '');

-- What changes the learned model is the background's to do: a user's call could pose as any author.
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, r FROM pg_catalog.unnest(ARRAY['learn_post', 'fold_hashtag_stats', 'rebuild_hashtag_model']) AS f,
  pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;

-- GRANT, and remember it unless the role had the privilege before.
CREATE FUNCTION nexus.attach_grant(object_kind text, object_name text, privilege text, column_name name, grantee name)
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  had boolean := CASE
    WHEN object_kind = 'SCHEMA' THEN EXISTS (
      SELECT FROM pg_namespace n, aclexplode(n.nspacl) a
      WHERE n.oid = object_name::regnamespace AND a.grantee = attach_grant.grantee::regrole::oid AND a.privilege_type = privilege)
    WHEN object_kind = 'FUNCTION' THEN EXISTS (
      SELECT FROM pg_proc p, aclexplode(p.proacl) a
      WHERE p.oid = object_name::regprocedure AND a.grantee = attach_grant.grantee::regrole::oid AND a.privilege_type = privilege)
    WHEN column_name <> '' THEN EXISTS (
      SELECT FROM pg_attribute t, aclexplode(t.attacl) a
      WHERE t.attrelid = object_name::regclass AND t.attname = column_name AND a.grantee = attach_grant.grantee::regrole::oid
        AND a.privilege_type = privilege)
    ELSE EXISTS (
      SELECT FROM pg_class c,
        aclexplode(COALESCE(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) a
      WHERE c.oid = object_name::regclass AND a.grantee = attach_grant.grantee::regrole::oid AND a.privilege_type = privilege)
  END;
BEGIN
  IF had THEN
    RETURN;
  END IF;
  EXECUTE format('GRANT %s%s ON %s %s TO %I', privilege, CASE WHEN column_name <> '' THEN format(' (%I)', column_name) END,
    object_kind, object_name, grantee);
  INSERT INTO nexus.attachment_grants VALUES (object_kind, object_name, privilege, column_name, grantee)
    ON CONFLICT DO NOTHING;
END $$;

-- Refuses what cannot be attached: 55000 names what is missing.
CREATE FUNCTION nexus.attach_check(schema text) RETURNS void LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  missing text;
BEGIN
  IF schema IS NULL THEN
    RAISE EXCEPTION 'schema must not be NULL' USING ERRCODE = '22004';
  END IF;
  IF to_regnamespace(quote_ident(schema)) IS NULL THEN
    RAISE EXCEPTION 'schema "%" does not exist', schema USING ERRCODE = '3F000';
  END IF;

  SELECT string_agg(quote_ident(role_name), ', ' ORDER BY role_name) INTO missing FROM (
    SELECT role_name FROM nexus.attached_rights
    UNION SELECT COALESCE((SELECT bridge_role FROM nexus.attachment), 'nexus_bridge')) AS wanted
  WHERE to_regrole(quote_ident(role_name)) IS NULL;
  IF missing IS NOT NULL THEN
    RAISE EXCEPTION 'missing roles: %', missing
      USING ERRCODE = '55000', HINT = 'The first migration (extension) makes them: run sqitch deploy.';
  END IF;

  SELECT string_agg(quote_ident(table_name), ', ' ORDER BY table_name) INTO missing FROM nexus.attached_tables
  WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.relname = table_name AND c.relkind IN ('r', 'p')
    AND c.relnamespace = to_regnamespace(quote_ident(schema)));
  IF missing IS NOT NULL THEN
    RAISE EXCEPTION 'schema "%" lacks tables: %', schema, missing
      USING ERRCODE = '55000', HINT = 'The migrations make them: run sqitch deploy.';
  END IF;

  SELECT string_agg(quote_ident(table_name) || '.' || quote_ident(column_name), ', ' ORDER BY table_name, ord)
    INTO missing FROM nexus.attached_tables, unnest(columns) WITH ORDINALITY AS c(column_name, ord)
  WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = format('%I.%I', schema, table_name)::regclass
    AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped);
  IF missing IS NOT NULL THEN
    RAISE EXCEPTION 'schema "%" lacks columns: %', schema, missing
      USING ERRCODE = '55000',
        HINT = 'Bring the tables up first: sqitch deploy --log-only up to the change that matches the application, then sqitch deploy.';
  END IF;
END $$;

-- Drops the triggers and policies that attach made; grants and row security stay.
CREATE FUNCTION nexus.attach_clear(schema text) RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made record;
BEGIN
  FOR made IN
    SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    JOIN nexus.attached_tables a ON a.table_name = c.relname
    WHERE c.relnamespace = to_regnamespace(quote_ident(schema)) AND NOT t.tgisinternal
      AND p.pronamespace = 'nexus'::regnamespace ORDER BY c.relname, t.tgname
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %I.%I', made.tgname, schema, made.relname);
  END LOOP;
  FOR made IN
    SELECT p.polname, c.relname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
    JOIN nexus.attached_tables a ON a.table_name = c.relname
    WHERE c.relnamespace = to_regnamespace(quote_ident(schema)) AND starts_with(p.polname, 'nexus_')
    ORDER BY c.relname, p.polname
  LOOP
    EXECUTE format('DROP POLICY %I ON %I.%I', made.polname, schema, made.relname);
  END LOOP;
END $$;

-- Takes back the grants that attach made to these roles, NULL for all.
CREATE FUNCTION nexus.attach_revoke(grantees name[]) RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made record;
BEGIN
  FOR made IN
    SELECT * FROM nexus.attachment_grants WHERE grantees IS NULL OR grantee = ANY (grantees)
    ORDER BY object_kind, object_name, privilege, column_name, grantee
  LOOP
    IF (to_regrole(quote_ident(made.grantee)) IS NOT NULL AND CASE made.object_kind
         WHEN 'SCHEMA' THEN to_regnamespace(made.object_name) IS NOT NULL
         WHEN 'FUNCTION' THEN to_regprocedure(made.object_name) IS NOT NULL
         ELSE to_regclass(made.object_name) IS NOT NULL END)
    THEN
      EXECUTE format('REVOKE %s%s ON %s %s FROM %I', made.privilege,
        CASE WHEN made.column_name <> '' THEN format(' (%I)', made.column_name) END, made.object_kind, made.object_name, made.grantee);
    END IF;
  END LOOP;
  DELETE FROM nexus.attachment_grants WHERE grantees IS NULL OR grantee = ANY (grantees);
END $$;

-- Row security of the tables as it was before the first attach.
CREATE FUNCTION nexus.attach_restore_security(schema text) RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made record;
BEGIN
  FOR made IN SELECT t.* FROM nexus.attachment_tables t WHERE to_regclass(format('%I.%I', schema, t.table_name)) IS NOT NULL LOOP
    EXECUTE format('ALTER TABLE %I.%I %s ROW LEVEL SECURITY, %s ROW LEVEL SECURITY', schema, made.table_name,
      CASE WHEN made.row_security THEN 'ENABLE' ELSE 'DISABLE' END,
      CASE WHEN made.force_row_security THEN 'FORCE' ELSE 'NO FORCE' END);
  END LOOP;
END $$;

CREATE FUNCTION nexus.attach_policies(schema text, row_security boolean) RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  rights record;
  action text;
  target text;
  readable text;
  owner name;
  hidden name;
BEGIN
  FOR rights IN
    SELECT * FROM nexus.attached_rights WHERE row_security OR own = 'true' ORDER BY table_name, role_name
  LOOP
    target := format('%I.%I', schema, rights.table_name);
    -- The tables' owner keeps all rows: an application that speaks SQL itself connects as this role.
    owner := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = target::regclass);
    IF NOT row_security THEN
      NULL;    -- grants only
    ELSIF rights.own = 'true' THEN
      EXECUTE format('CREATE POLICY %I ON %s FOR ALL TO %I%s USING (true) WITH CHECK (true)',
        rights.role_name || '_all', target, rights.role_name,
        CASE WHEN rights.role_name = 'nexus_owner' AND owner NOT IN (SELECT role_name FROM nexus.attached_rights)
          THEN ', ' || quote_ident(owner) ELSE '' END);
    ELSE
      readable := format(concat_ws(' OR ', rights.own, rights.visible), schema);
      FOREACH action IN ARRAY rights.privileges LOOP
        EXECUTE format('CREATE POLICY %I ON %s FOR %s TO %I', rights.role_name || '_' || lower(action), target, action, rights.role_name)
          || CASE action
               WHEN 'SELECT' THEN format(' USING (%s)', readable)
               WHEN 'INSERT' THEN format(' WITH CHECK (%s)', format(rights.own, schema))
               WHEN 'UPDATE' THEN format(' USING (%1$s) WITH CHECK (%1$s)', format(rights.own, schema))
               ELSE format(' USING (%s)', format(rights.own, schema))
             END;
      END LOOP;
    END IF;
    FOREACH action IN ARRAY rights.privileges LOOP
      IF action = 'SELECT' AND rights.columns_hidden IS NOT NULL OR action = 'UPDATE' AND rights.columns_written IS NOT NULL THEN
        FOR hidden IN
          SELECT attname FROM pg_attribute WHERE attrelid = target::regclass AND attnum > 0 AND NOT attisdropped
            AND CASE action WHEN 'SELECT' THEN attname <> ALL (rights.columns_hidden) ELSE attname = ANY (rights.columns_written) END
        LOOP
          PERFORM nexus.attach_grant('TABLE', target, action, hidden, rights.role_name);
        END LOOP;
      ELSE
        PERFORM nexus.attach_grant('TABLE', target, action, '', rights.role_name);
      END IF;
    END LOOP;
  END LOOP;
END $$;

CREATE FUNCTION nexus.attach(schema text, row_security boolean DEFAULT true) RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached name;
  made record;
  restricted name[];    -- roles that are safe only behind policies
BEGIN
  IF row_security IS NULL THEN
    RAISE EXCEPTION 'row_security must not be NULL' USING ERRCODE = '22004';
  END IF;
  LOCK TABLE nexus.attachment IN EXCLUSIVE MODE;    -- one at a time; readers go on
  attached := (SELECT schema_name FROM nexus.attachment);
  IF attached <> schema THEN
    RAISE EXCEPTION 'schema "%" is attached already', attached
      USING ERRCODE = '55006', HINT = format('A database has one attachment: SELECT nexus.detach(%L) first.', attached);
  END IF;
  PERFORM nexus.attach_check(schema);
  INSERT INTO nexus.attachment (schema_name) VALUES (schema) ON CONFLICT DO NOTHING;

  INSERT INTO nexus.attachment_tables (table_name, row_security, force_row_security)
    SELECT table_name, c.relrowsecurity, c.relforcerowsecurity FROM nexus.attached_tables
    JOIN pg_class c ON c.oid = format('%I.%I', schema, table_name)::regclass
    ON CONFLICT DO NOTHING;

  PERFORM nexus.attach_clear(schema);
  FOR made IN SELECT * FROM nexus.attached_triggers ORDER BY table_name, trigger_name LOOP
    EXECUTE format('CREATE TRIGGER %I ', made.trigger_name)
      || format(made.definition, format('%I.%I', schema, made.table_name))
      || ' EXECUTE FUNCTION ' || made.function_name;
  END LOOP;
  IF NOT row_security THEN
    restricted := ARRAY(SELECT DISTINCT role_name FROM nexus.attached_rights WHERE own IS DISTINCT FROM 'true');
    PERFORM nexus.attach_revoke(restricted);
    PERFORM nexus.attach_restore_security(schema);
  END IF;
  PERFORM nexus.attach_policies(schema, row_security);
  FOR made IN
    SELECT r.role_name, d.objid::regclass::text AS sequence_name FROM nexus.attached_rights r
    JOIN pg_depend d ON d.refobjid = format('%I.%I', schema, r.table_name)::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
    WHERE 'INSERT' = ANY (r.privileges) AND r.role_name <> ALL (COALESCE(restricted, '{}')) ORDER BY 1, 2
  LOOP
    PERFORM nexus.attach_grant('SEQUENCE', made.sequence_name, 'USAGE', '', made.role_name);
  END LOOP;
  FOR made IN
    SELECT DISTINCT role_name FROM nexus.attached_rights WHERE role_name <> ALL (COALESCE(restricted, '{}')) ORDER BY 1
  LOOP
    PERFORM nexus.attach_grant('SCHEMA', quote_ident(schema), 'USAGE', '', made.role_name);
  END LOOP;
  FOR made IN
    SELECT format('nexus.%I(%s)', p.proname, oidvectortypes(p.proargtypes)) AS signature, f.role_name
    FROM nexus.attached_functions f JOIN pg_proc p ON p.proname = f.function_name AND p.pronamespace = 'nexus'::regnamespace
    WHERE f.role_name <> ALL (COALESCE(restricted, '{}')) ORDER BY 1, 2
  LOOP
    PERFORM nexus.attach_grant('FUNCTION', made.signature, 'EXECUTE', '', made.role_name);
  END LOOP;
  FOR made IN SELECT format('nexus.%I', view_name) AS view_name, role_name FROM nexus.attached_views ORDER BY 1, 2 LOOP
    PERFORM nexus.attach_grant('TABLE', made.view_name, 'SELECT', '', made.role_name);
  END LOOP;
  FOR made IN
    SELECT table_name FROM nexus.attached_tables JOIN pg_class c ON c.oid = format('%I.%I', schema, table_name)::regclass
    WHERE row_security AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY table_name
  LOOP
    EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', schema, made.table_name);
  END LOOP;
  -- Samples that were there before the triggers were.
  IF attached IS NULL THEN
    PERFORM nexus.rebuild_metrics_rollups();
  END IF;
END $$;
COMMENT ON FUNCTION nexus.attach(text, boolean) IS
  'Makes the triggers, policies and grants on the 16 tables of a schema and turns row security on; again on the same '
  'schema brings them up to date. With row_security => false there are neither policies nor rights for nexus_app and '
  'nexus_anon, who need them, and the tables'' row security is as it was: for an application that connects as the '
  'tables'' owner and keeps users apart itself. 55000 names roles, tables or columns that are missing, 55006 when another '
  'schema is attached. No row is rewritten; a first attach reads content_metrics for its rollups.';

CREATE FUNCTION nexus.detach(schema text) RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  LOCK TABLE nexus.attachment IN EXCLUSIVE MODE;
  IF schema IS DISTINCT FROM (SELECT schema_name FROM nexus.attachment) THEN
    RETURN;    -- nothing to take back
  END IF;
  PERFORM nexus.attach_clear(schema);
  PERFORM nexus.attach_revoke(NULL);
  PERFORM nexus.attach_restore_security(schema);
  DELETE FROM nexus.attachment_tables;
  DELETE FROM nexus.attachment;
END $$;
COMMENT ON FUNCTION nexus.detach(text) IS
  'Takes back all that attach made on the 16 tables and restores their row security; without effect where the schema is '
  'not attached. Rows stay, in the tables and in the extension.';

REVOKE EXECUTE ON FUNCTION nexus.attach(text, boolean), nexus.detach(text), nexus.attach_clear(text),
  nexus.attach_policies(text, boolean), nexus.attach_revoke(name[]), nexus.attach_restore_security(text),
  nexus.attach_check(text), nexus.attach_grant(text, text, text, name, name) FROM PUBLIC;
