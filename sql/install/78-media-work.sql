-- What a worker does with media files: it measures what has come in, and removes from the store what nobody refers to.

-- A row of post_media with the measured facts of its file.
CREATE FUNCTION nexus.media_facts_of(INOUT medium anyelement, file nexus.media_files) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  facts constant jsonb := file.facts;
BEGIN
  medium.storage_key := file.storage_key;
  medium.media_type := CASE WHEN medium.media_type = 'thumbnail' THEN 'thumbnail' ELSE facts ->> 'media_type' END;
  medium.mime_type := facts ->> 'mime_type';
  medium.file_size := file.size;
  medium.sha256 := file.sha256;
  medium.dimensions := CASE WHEN facts ? 'width' AND facts ? 'height' THEN jsonb_build_object('width', facts -> 'width', 'height', facts -> 'height') END;
  medium.duration := ceil((facts ->> 'duration')::numeric)::integer;    -- what lasts 60.2 s is too long for a minute
  medium.thumbnail_url := CASE WHEN file.thumbnail_key IS NOT NULL THEN '/media/' || file.file_key || '/thumbnail' END;
  medium.metadata := COALESCE(medium.metadata, '{}') || jsonb_strip_nulls(jsonb_build_object('codec', facts -> 'codec', 'audio_codec', facts -> 'audio_codec',
    'frame_rate', facts -> 'frame_rate', 'duration', facts -> 'duration'));
  medium.error_message := NULL;
END $$;
COMMENT ON FUNCTION nexus.media_facts_of(anyelement, nexus.media_files) IS 'Part of attach_media and finish_media: a row of post_media with what was measured of its file.';

-- pending, uploading, processing, as far as a row of post_media is not there yet.
CREATE FUNCTION nexus.step_post_media(storage_key text, status text) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('UPDATE %I.post_media m SET status = ''uploading'' WHERE m.storage_key = $1 AND m.status = ''pending''', nexus.attached_schema()) USING storage_key::varchar;
  IF status = 'processing' THEN
    EXECUTE format('UPDATE %I.post_media m SET status = ''processing'' WHERE m.storage_key = $1 AND m.status = ''uploading''', nexus.attached_schema()) USING storage_key::varchar;
  END IF;
END $$;
COMMENT ON FUNCTION nexus.step_post_media(text, text) IS 'Part of note_upload and finish_media: the rows of post_media that wait for an object follow it.';

CREATE FUNCTION nexus.begin_media(job_id bigint, lease_token bigint) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  job nexus.jobs := nexus.leased_job(job_id, lease_token);
  file nexus.media_files;
BEGIN
  SELECT * INTO file FROM nexus.media_files f WHERE f.id = job.ref_id AND f.state = 'uploaded';
  IF file.id IS NULL THEN
    RAISE EXCEPTION 'media file % does not wait to be measured', job.ref_id USING ERRCODE = 'NX002', HINT = 'Complete the job: there is nothing left to do.';
  END IF;
  RETURN jsonb_build_object('file_id', file.id, 'user_id', file.user_id, 'storage_key', file.storage_key, 'file_name', file.file_name,
    'mime_type', file.mime_type, 'size', file.size);
END $$;
COMMENT ON FUNCTION nexus.begin_media(bigint, bigint) IS
$$A worker begins with the media file of a job it has claimed: {file_id, user_id, storage_key, file_name, mime_type as the client says, size}. A job whose ref_id is NULL is not for this function but for media_to_remove.
NX020 when the lease is lost, NX002 when the file is gone or has been measured.$$;

CREATE FUNCTION nexus.check_media_facts(facts jsonb, file nexus.media_files) RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong constant text := CASE
    WHEN jsonb_typeof(facts) IS DISTINCT FROM 'object' THEN 'no object'
    WHEN facts ->> 'media_type' IS NULL OR facts ->> 'media_type' NOT IN ('image', 'video', 'audio', 'gif', 'pdf') THEN 'media_type'
    WHEN COALESCE(facts ->> 'mime_type', '') !~ '^[a-z0-9.+-]+/[a-z0-9.+-]+$' THEN 'mime_type'
    WHEN COALESCE(facts ->> 'sha256', '') !~ '^[0-9a-f]{64}$' THEN 'sha256'
    WHEN facts -> 'file_size' IS DISTINCT FROM to_jsonb(file.size) THEN 'file_size'
    WHEN (facts ? 'width') <> (facts ? 'height') THEN 'width and height'
    WHEN EXISTS (SELECT FROM unnest(ARRAY['width', 'height', 'thumbnail_width', 'thumbnail_height']) AS k WHERE facts ? k
      AND (jsonb_typeof(facts -> k) <> 'number' OR (facts ->> k)::numeric NOT BETWEEN 1 AND 1000000)) THEN 'width and height'
    WHEN EXISTS (SELECT FROM unnest(ARRAY['duration', 'frame_rate']) AS k WHERE facts ? k
      AND (jsonb_typeof(facts -> k) <> 'number' OR (facts ->> k)::numeric NOT BETWEEN 0 AND 100000000)) THEN 'duration and frame_rate'
    WHEN facts ->> 'thumbnail_key' !~ '^[0-9a-f]{32}[a-z0-9._-]{0,32}$' THEN 'thumbnail_key' END;
BEGIN
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'facts of a media file: % is wrong', wrong USING ERRCODE = '22023';
  END IF;
END $$;
COMMENT ON FUNCTION nexus.check_media_facts(jsonb, nexus.media_files) IS 'Part of finish_media: 22023 for facts that cannot be.';

CREATE FUNCTION nexus.finish_media(job_id bigint, lease_token bigint, facts jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  job nexus.jobs := nexus.leased_job(job_id, lease_token);
  measured jsonb := jsonb_strip_nulls(facts);
  file nexus.media_files;
  twin nexus.media_files;
  before text;
BEGIN
  SELECT * INTO file FROM nexus.media_files f WHERE f.id = job.ref_id AND f.state = 'uploaded' FOR UPDATE;
  IF file.id IS NULL THEN
    -- deleted meanwhile: what the worker has made of it goes too
    INSERT INTO nexus.media_garbage (storage_key) SELECT k FROM (SELECT measured ->> 'thumbnail_key' AS k) AS made
      WHERE k IS NOT NULL AND NOT EXISTS (SELECT FROM nexus.media_files f WHERE f.thumbnail_key = k) ON CONFLICT DO NOTHING;
    PERFORM nexus.complete_job(job_id, lease_token, '{"state": "gone"}');
    RETURN '{"state": "gone"}';
  END IF;
  PERFORM nexus.check_media_facts(measured, file);
  before := file.storage_key;
  file.facts := measured;
  file.sha256 := decode(measured ->> 'sha256', 'hex');
  file.thumbnail_key := measured ->> 'thumbnail_key';
  -- two files with the same content that end together: one after the other
  PERFORM pg_advisory_xact_lock(hashtextextended('nexus.media:' || file.user_id || ':' || (measured ->> 'sha256'), 0));
  SELECT * INTO twin FROM nexus.media_files f WHERE f.user_id = file.user_id AND f.sha256 = file.sha256 AND f.state = 'ready' ORDER BY f.id LIMIT 1 FOR UPDATE;
  IF twin.id IS NOT NULL THEN
    INSERT INTO nexus.media_garbage (storage_key) SELECT file.thumbnail_key WHERE file.thumbnail_key <> twin.thumbnail_key ON CONFLICT DO NOTHING;
    file.storage_key := twin.storage_key;
    file.thumbnail_key := COALESCE(twin.thumbnail_key, file.thumbnail_key);
    IF file.thumbnail_key IS NOT NULL THEN
      file.facts := file.facts || jsonb_build_object('thumbnail_key', file.thumbnail_key);
    END IF;
  END IF;
  UPDATE nexus.media_files f SET state = 'ready', facts = file.facts, sha256 = file.sha256, storage_key = file.storage_key, thumbnail_key = file.thumbnail_key,
    updated_at = clock_timestamp(), unused_since = clock_timestamp() WHERE f.id = file.id;
  PERFORM nexus.step_post_media(before, 'uploading');
  PERFORM nexus.settle_post_media(before, file);
  PERFORM nexus.complete_job(job_id, lease_token, jsonb_build_object('state', 'ready'));
  RETURN jsonb_strip_nulls(jsonb_build_object('state', 'ready', 'storage_key', file.storage_key, 'duplicate_of', twin.id));
END $$;
COMMENT ON FUNCTION nexus.finish_media(bigint, bigint, jsonb) IS
$$Ends a job with what was measured: {mime_type, media_type (image, video, audio, gif, pdf), file_size, sha256 (hex), and where there are any width, height, duration (seconds), codec, audio_codec, frame_rate, thumbnail_key, thumbnail_width, thumbnail_height}. The file is ready, and so are the rows of post_media that show it, each with the facts; one that does not fit its scheduled post is failed with the reason, and its owner told. A file whose content the user has uploaded before shares the object of that one.
Returns {state: ready, storage_key, duplicate_of} or {state: gone}. 22023 for facts that cannot be, NX020 when the lease is lost: nothing is written then.$$;

-- The rows of post_media that waited for an object, one by one: what a rule refuses keeps none of the others up.
CREATE FUNCTION nexus.settle_post_media(storage_key text, file nexus.media_files) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  attached constant name := nexus.attached_schema();
  medium record;
  said text;
BEGIN
  FOR medium IN EXECUTE format('SELECT m.id, p.user_id, m.social_post_id FROM %1$I.post_media m JOIN %1$I.social_posts p ON p.id = m.social_post_id
      WHERE m.storage_key = $1 AND m.status IN (''uploading'', ''processing'') ORDER BY m.id', attached) USING storage_key::varchar LOOP
    said := NULL;
    BEGIN
      EXECUTE format('UPDATE %1$I.post_media m SET (storage_key, media_type, mime_type, file_size, sha256, dimensions, duration, thumbnail_url, metadata, error_message, status) =
          (SELECT n.storage_key, n.media_type, n.mime_type, n.file_size, n.sha256, n.dimensions, n.duration, n.thumbnail_url, n.metadata, n.error_message, ''ready''
            FROM nexus.media_facts_of(m, $2) AS n) WHERE m.id = $1', attached) USING medium.id, file;
    EXCEPTION WHEN SQLSTATE 'NX001' OR SQLSTATE 'NX002' THEN
      said := SQLERRM;
    END;
    IF said IS NOT NULL THEN
      EXECUTE format('UPDATE %I.post_media m SET status = ''failed'', error_message = $2, storage_key = $3 WHERE m.id = $1', attached) USING medium.id, left(said, 2000), file.storage_key;
      PERFORM nexus.notify_user(medium.user_id, 'media_refused', file.file_name || ' does not fit its post', left(said, 500), 2, 'post_media', medium.id,
        format('post_media:%s:failed:%s', medium.id, file.id));
    END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION nexus.settle_post_media(text, nexus.media_files) IS 'Part of finish_media: the facts go to the rows of post_media that wait for them.';

CREATE FUNCTION nexus.refuse_media(job_id bigint, lease_token bigint, code text, reason text) RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  job nexus.jobs := nexus.leased_job(job_id, lease_token);
  file nexus.media_files;
BEGIN
  IF COALESCE(code, '') !~ '^[a-z][a-z0-9_.]{0,63}$' OR COALESCE(reason, '') = '' THEN
    RAISE EXCEPTION 'a refusal needs a code and a reason' USING ERRCODE = '22023', HINT = 'A code is a word such as type_mismatch.';
  END IF;
  UPDATE nexus.media_files f SET state = 'refused', refusal_code = code, refusal_reason = left(reason, 500), updated_at = clock_timestamp(), unused_since = clock_timestamp()
    WHERE f.id = job.ref_id AND f.state = 'uploaded' RETURNING * INTO file;
  IF file.id IS NOT NULL THEN
    EXECUTE format('UPDATE %I.post_media m SET status = ''failed'', error_message = $2 WHERE m.storage_key = $1 AND m.status IN (''pending'', ''uploading'', ''processing'')',
      nexus.attached_schema()) USING file.storage_key::varchar, file.refusal_reason;
    PERFORM nexus.notify_user(file.user_id, 'media_refused', file.file_name || ' cannot be used', file.refusal_reason, 1, 'media_files', file.id,
      format('media_files:%s:refused', file.id), jsonb_build_object('code', code));
  END IF;
  PERFORM nexus.complete_job(job_id, lease_token, jsonb_build_object('state', 'refused', 'code', code));
  RETURN COALESCE(file.state, 'gone');
END $$;
COMMENT ON FUNCTION nexus.refuse_media(bigint, bigint, text, text) IS
  'Ends a job with a file that is no good: it is refused with a code and a reason in words, the rows of post_media that show it are failed, its owner is told, and its bytes go. Returns refused, or gone for a file that was deleted meanwhile. NX020 when the lease is lost.';

-- The last row that holds an object lets go of it.
CREATE FUNCTION nexus.media_garbage_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- two rows of one object that go at the same time: the second one sees that the first is gone
  PERFORM pg_advisory_xact_lock(hashtextextended('nexus.object:' || OLD.storage_key, 0));
  INSERT INTO nexus.media_garbage (storage_key)
    SELECT k FROM unnest(ARRAY[OLD.storage_key, OLD.thumbnail_key]) AS k
    WHERE k IS NOT NULL AND NOT EXISTS (SELECT FROM nexus.media_files f WHERE (f.storage_key = k OR f.storage_key = OLD.storage_key AND f.thumbnail_key = k) AND f.state <> 'refused')
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.media_garbage_trigger() IS 'Objects that no file has any more wait to be removed from the store.';
CREATE TRIGGER media_garbage_delete AFTER DELETE ON nexus.media_files FOR EACH ROW EXECUTE FUNCTION nexus.media_garbage_trigger();
CREATE TRIGGER media_garbage_update AFTER UPDATE OF storage_key, state ON nexus.media_files FOR EACH ROW
  WHEN (NEW.storage_key <> OLD.storage_key OR NEW.state = 'refused' AND OLD.state <> 'refused') EXECUTE FUNCTION nexus.media_garbage_trigger();

CREATE FUNCTION nexus.media_to_remove(max_objects integer DEFAULT 100) RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT g.storage_key FROM nexus.media_garbage g ORDER BY g.since, g.storage_key LIMIT max_objects;
END;
COMMENT ON FUNCTION nexus.media_to_remove(integer) IS
  'Keys of objects and unfinished uploads that nobody refers to any more, and never will again: a worker removes them from the store, then says media_removed. For a job of kind media without a ref_id.';

CREATE FUNCTION nexus.media_removed(storage_keys text[]) RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH gone AS (DELETE FROM nexus.media_garbage g WHERE g.storage_key = ANY (storage_keys) RETURNING 1) SELECT count(*) FROM gone;
END;
COMMENT ON FUNCTION nexus.media_removed(text[]) IS 'These objects are not in the store any more. Returns how many were waited for; doing it twice does no harm.';

CREATE FUNCTION nexus.media_is_known(storage_keys text[]) RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT k FROM unnest(storage_keys) AS k WHERE EXISTS (SELECT FROM nexus.media_files f WHERE f.storage_key = k OR f.storage_key = left(k, 32) AND f.thumbnail_key = k);
END;
COMMENT ON FUNCTION nexus.media_is_known(text[]) IS 'Those of these keys that a file has: what a store holds besides, and has held for a day, was left behind.';

CREATE FUNCTION nexus.sweep_media(grace interval DEFAULT '1 day', max_files integer DEFAULT 1000) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  file nexus.media_files;
  expired bigint;
  given_up bigint := 0;
  unused bigint := 0;
  made bigint;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'sweep_media needs READ COMMITTED' USING ERRCODE = '25001';    -- each look at who refers to a file must be a new one
  END IF;
  WITH late AS MATERIALIZED (
      SELECT f.id FROM nexus.media_files f WHERE f.state = 'uploading' AND f.expires_at < now() ORDER BY f.expires_at LIMIT max_files FOR UPDATE SKIP LOCKED),
    lost AS (DELETE FROM nexus.media_files f USING late WHERE f.id = late.id RETURNING f.storage_key, f.file_name)
  SELECT count(*), COALESCE(sum(nexus.fail_post_media(l.storage_key, 'the upload of ' || l.file_name || ' was given up')), 0) INTO expired, given_up FROM lost l;
  FOR file IN
    SELECT * FROM nexus.media_files f WHERE f.unused_since < clock_timestamp() - grace AND f.state IN ('ready', 'refused', 'uploaded')
    ORDER BY f.unused_since LIMIT max_files FOR UPDATE SKIP LOCKED
  LOOP
    -- A file that is being attached is locked and was skipped; what was attached before the lock, this sees.
    IF nexus.media_is_used(file) THEN
      UPDATE nexus.media_files f SET unused_since = NULL WHERE f.id = file.id;
    ELSE
      DELETE FROM nexus.media_files f WHERE f.id = file.id;
      unused := unused + 1;
    END IF;
  END LOOP;
  -- an upload that is complete and has no job; one whose job was given up says so
  SELECT count(nexus.enqueue_job('media', f.id, 'media', unique_key => 'media:' || f.id, max_attempts => 5)) INTO made FROM (
    SELECT f.id FROM nexus.media_files f WHERE f.state = 'uploaded' AND f.updated_at < clock_timestamp() - interval '1 minute'
      AND NOT EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'media' AND j.unique_key = 'media:' || f.id AND j.state IN ('ready', 'leased'))
      AND NOT EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'media' AND j.ref_id = f.id AND j.state = 'dead') ORDER BY f.updated_at LIMIT max_files) AS f;
  FOR file IN
    SELECT * FROM nexus.media_files f WHERE f.state = 'uploaded'
      AND EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'media' AND j.ref_id = f.id AND j.state = 'dead')
      AND NOT EXISTS (SELECT FROM nexus.jobs j WHERE j.kind = 'media' AND j.unique_key = 'media:' || f.id AND j.state IN ('ready', 'leased'))
    ORDER BY f.id LIMIT max_files FOR UPDATE SKIP LOCKED
  LOOP
    UPDATE nexus.media_files f SET state = 'refused', refusal_code = 'given_up', updated_at = clock_timestamp(), unused_since = clock_timestamp(),
        refusal_reason = COALESCE((SELECT left('it could not be measured: ' || (j.last_error ->> 'message'), 500) FROM nexus.jobs j
          WHERE j.kind = 'media' AND j.ref_id = f.id AND j.state = 'dead' ORDER BY j.id DESC LIMIT 1), 'it could not be measured')
      WHERE f.id = file.id RETURNING * INTO file;
    PERFORM nexus.fail_post_media(file.storage_key, file.refusal_reason);
    PERFORM nexus.notify_user(file.user_id, 'media_refused', file.file_name || ' cannot be used', file.refusal_reason, 1, 'media_files', file.id, format('media_files:%s:refused', file.id),
      '{"code": "given_up"}');
    given_up := given_up + 1;
  END LOOP;
  IF EXISTS (SELECT FROM nexus.media_garbage) THEN
    PERFORM nexus.enqueue_job('media', NULL, 'media', priority => 200, unique_key => 'media:remove', max_attempts => 5);
  END IF;
  RETURN jsonb_build_object('expired', expired, 'unused', unused, 'jobs_made', made, 'given_up', given_up);
END $$;
COMMENT ON FUNCTION nexus.sweep_media(interval, integer) IS
  'A task of tick(): gives up uploads that have not gone on for a day, deletes files that no post has shown for grace, makes jobs for complete uploads that have none, refuses those whose job was given up, and asks for the removal of what nobody refers to. Returns the counts.';

CREATE FUNCTION nexus.fail_post_media(storage_key text, message text) RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  failed bigint;
BEGIN
  EXECUTE format('UPDATE %I.post_media m SET status = ''failed'', error_message = $2 WHERE m.storage_key = $1 AND m.status IN (''pending'', ''uploading'', ''processing'')', nexus.attached_schema())
    USING storage_key::varchar, left(message, 2000);
  GET DIAGNOSTICS failed = ROW_COUNT;
  RETURN failed;
END $$;
COMMENT ON FUNCTION nexus.fail_post_media(text, text) IS 'The rows of post_media that wait for an object which will not come.';

CREATE FUNCTION nexus.recheck_media() RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH marked AS (UPDATE nexus.media_files f SET unused_since = clock_timestamp() WHERE f.unused_since IS NULL AND f.state <> 'uploading' RETURNING 1) SELECT count(*) FROM marked;
END;
COMMENT ON FUNCTION nexus.recheck_media() IS
  'Has the collector look at every file again: after posts were removed by TRUNCATE or while nexus.import_mode was on, which tell nobody. Returns how many.';

-- Posts wait for their media.
CREATE FUNCTION nexus.media_hold_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  touched integer[];
BEGIN
  CASE TG_OP
    WHEN 'INSERT' THEN SELECT array_agg(social_post_id) INTO touched FROM new_rows WHERE status <> 'ready';
    WHEN 'UPDATE' THEN SELECT array_agg(n.social_post_id) INTO touched FROM new_rows n JOIN old_rows o USING (id) WHERE n.status <> o.status;
    ELSE SELECT array_agg(social_post_id) INTO touched FROM old_rows WHERE status <> 'ready';
  END CASE;
  IF touched IS NOT NULL AND NOT nexus.is_importing() THEN
    EXECUTE format('SELECT array_agg(pp.id) FROM %I.platform_posts pp WHERE pp.social_post_id = ANY ($1) AND pp.status = ''scheduled''', TG_TABLE_SCHEMA) INTO touched USING touched;
    IF touched IS NOT NULL THEN
      PERFORM nexus.sync_publish_jobs(touched);
    END IF;
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.media_hold_trigger() IS 'A scheduled post is held back while one of its media is not ready or has failed, and goes on when all are.';
INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('post_media', 'media_hold_insert', 'AFTER INSERT ON %1$s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT', 'nexus.media_hold_trigger()'),
  ('post_media', 'media_hold_update', 'AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT', 'nexus.media_hold_trigger()'),
  ('post_media', 'media_hold_delete', 'AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT', 'nexus.media_hold_trigger()');

INSERT INTO nexus.tick_tasks (name, function_name, every, needs_attachment, position) VALUES ('media', 'sweep_media', '1 minute', true, 36);

DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'nexus'::pg_catalog.regnamespace AND p.proname IN (
      'step_post_media', 'begin_media', 'finish_media', 'settle_post_media', 'refuse_media', 'media_garbage_trigger', 'media_to_remove', 'media_removed',
      'media_is_known', 'sweep_media', 'fail_post_media', 'recheck_media', 'media_hold_trigger')
  LOOP
    EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
INSERT INTO nexus.attached_functions (function_name, role_name)
SELECT f, r FROM pg_catalog.unnest(ARRAY['begin_media', 'finish_media', 'refuse_media', 'media_to_remove', 'media_removed', 'media_is_known', 'recheck_media']) AS f,
  pg_catalog.unnest(ARRAY['nexus_worker', 'nexus_owner']) AS r;
