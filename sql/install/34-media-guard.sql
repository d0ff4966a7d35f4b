-- The guard of post_media: media that come to a post which is scheduled already are judged with it.

CREATE FUNCTION nexus.validate_post_media_trigger() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  mode text := COALESCE((SELECT e.mode FROM nexus.enforcement e WHERE e.table_name = 'post_media'), 'error');
  post record;
  found jsonb;
  said text;
  remedy text;
BEGIN
  IF mode = 'off' OR nexus.is_importing() THEN
    RETURN NULL;
  END IF;
  FOR post IN EXECUTE format(
    'SELECT p.id FROM %I.social_posts p WHERE p.status IN (''scheduled'', ''publishing'') '
    'AND p.id IN (SELECT m.social_post_id FROM changed m) ORDER BY p.id', TG_TABLE_SCHEMA) LOOP
    SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(f)) ORDER BY f.platform, f.field, f.code) INTO found
    FROM nexus.validate_post(post.id) f WHERE f.severity = 'error' AND f.platform <> '';
    CONTINUE WHEN found IS NULL;
    said := 'the media do not fit the scheduled post: ' || (found -> 0 ->> 'message')
      || CASE WHEN jsonb_array_length(found) > 1 THEN format(', and %s more', jsonb_array_length(found) - 1) ELSE '' END;
    remedy := COALESCE(found -> 0 ->> 'hint', 'Take the post back to draft first.');
    IF mode = 'warn' THEN
      RAISE WARNING USING ERRCODE = 'NX001', MESSAGE = said, DETAIL = found::text, HINT = remedy,
        SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
    ELSE
      RAISE EXCEPTION USING ERRCODE = 'NX001', MESSAGE = said, DETAIL = found::text, HINT = remedy,
        SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
    END IF;
  END LOOP;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.validate_post_media_trigger() IS
  'Guard of post_media: a social post that is scheduled or being published keeps fitting its platforms with the media that are '
  'added to it or change. NX001 with the errors of validate_post as JSON in DETAIL and the first remedy as HINT. Media of drafts are '
  'judged when the post is scheduled.';

INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('post_media', 'zz_nexus_validate_insert', 'AFTER INSERT ON %1$s REFERENCING NEW TABLE AS changed FOR EACH STATEMENT',
   'nexus.validate_post_media_trigger()'),
  ('post_media', 'zz_nexus_validate_update', 'AFTER UPDATE ON %1$s REFERENCING NEW TABLE AS changed FOR EACH STATEMENT',
   'nexus.validate_post_media_trigger()');
