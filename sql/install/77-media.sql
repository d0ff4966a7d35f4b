-- Media files: who uploads what, how much of it is there, which object of the store it is, and which posts show it. The
-- bytes are in a store outside the database (a directory or an S3 bucket); here is what may be done with them.

CREATE TABLE nexus.media_files (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  file_key uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),    -- in the addresses /files/KEY and /media/KEY
  user_id text NOT NULL CHECK (user_id <> ''),
  file_name text NOT NULL CHECK (length(file_name) BETWEEN 1 AND 255),
  mime_type text CHECK (length(mime_type) BETWEEN 1 AND 255),    -- as the client says; the measured one is in facts
  size bigint NOT NULL CHECK (size > 0),
  received bigint NOT NULL DEFAULT 0 CHECK (received BETWEEN 0 AND size),
  sha256 bytea CHECK (octet_length(sha256) = 32),
  storage_key text NOT NULL DEFAULT replace(gen_random_uuid()::text, '-', '') CHECK (storage_key ~ '^[0-9a-f]{32}$'),
  thumbnail_key text CHECK (thumbnail_key ~ '^[0-9a-f]{32}[a-z0-9._-]{0,32}$'),
  state text NOT NULL DEFAULT 'uploading' CHECK (state IN ('uploading', 'uploaded', 'ready', 'refused')),
  facts jsonb,
  refusal_code text,
  refusal_reason text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,        -- of an upload that is not complete
  unused_since timestamptz,      -- perhaps no post shows it since then: the collector looks
  CHECK (state <> 'uploaded' OR received = size),
  CHECK (state <> 'ready' OR received = size AND sha256 IS NOT NULL AND facts IS NOT NULL),
  CHECK ((state = 'refused') = (refusal_code IS NOT NULL))
);
CREATE INDEX media_files_user ON nexus.media_files (user_id, id DESC);
CREATE INDEX media_files_object ON nexus.media_files (storage_key);
CREATE INDEX media_files_content ON nexus.media_files (user_id, sha256) WHERE state = 'ready';
CREATE INDEX media_files_expiry ON nexus.media_files (expires_at) WHERE state = 'uploading';
CREATE INDEX media_files_unprobed ON nexus.media_files (updated_at) WHERE state = 'uploaded';
CREATE INDEX media_files_unused ON nexus.media_files (unused_since) WHERE unused_since IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('nexus.media_files', '');
SELECT pg_catalog.pg_extension_config_dump('nexus.media_files_id_seq', '');
ALTER TABLE nexus.media_files ENABLE ROW LEVEL SECURITY;
CREATE POLICY media_files_owner ON nexus.media_files FOR SELECT USING (user_id = (SELECT nexus.current_user_id()));
GRANT SELECT ON nexus.media_files TO PUBLIC;
COMMENT ON TABLE nexus.media_files IS
  'Uploaded files. Everybody sees the own ones; they are written by the functions of uploads and of the media worker. Several files of a user with the same content have one storage_key.';

-- Objects of the store that nobody refers to any more: a worker removes them. A key that is here never comes back.
CREATE TABLE nexus.media_garbage (
  storage_key text PRIMARY KEY,
  since timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX media_garbage_since ON nexus.media_garbage (since);
SELECT pg_catalog.pg_extension_config_dump('nexus.media_garbage', '');

-- How much a user may upload; user_id '' is for all who have no row of their own. Without any: 1 GiB a file, 20 GiB in
-- all, 20 uploads at a time.
CREATE TABLE nexus.media_limits (
  user_id text PRIMARY KEY,
  max_file_bytes bigint NOT NULL CHECK (max_file_bytes > 0),
  max_total_bytes bigint NOT NULL CHECK (max_total_bytes >= 0),
  max_uploads integer NOT NULL CHECK (max_uploads >= 0)
);
SELECT pg_catalog.pg_extension_config_dump('nexus.media_limits', '');

CREATE FUNCTION nexus.media_limit(user_id text) RETURNS nexus.media_limits LANGUAGE plpgsql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found nexus.media_limits;
BEGIN
  SELECT * INTO found FROM nexus.media_limits l WHERE l.user_id IN (media_limit.user_id, '') ORDER BY l.user_id DESC LIMIT 1;
  IF found.user_id IS NULL THEN
    found := ROW('', 1073741824, 21474836480, 20);
  END IF;
  RETURN found;
END $$;
COMMENT ON FUNCTION nexus.media_limit(text) IS 'What holds for the uploads of a user, from nexus.media_limits. Part of create_upload.';

CREATE FUNCTION nexus.upload_of(file nexus.media_files) RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
  RETURN jsonb_build_object('id', (file).id, 'file_key', (file).file_key, 'storage_key', (file).storage_key, 'thumbnail_key', (file).thumbnail_key,
    'file_name', (file).file_name, 'mime_type', COALESCE((file).facts ->> 'mime_type', (file).mime_type), 'size', (file).size, 'received', (file).received, 'state', (file).state,
    'media_url', '/media/' || (file).file_key, 'facts', (file).facts, 'refusal_code', (file).refusal_code, 'refusal_reason', (file).refusal_reason,
    'sha256', encode((file).sha256, 'hex'), 'created_at', (file).created_at, 'expires_at', (file).expires_at,
    'expires', extract(epoch FROM (file).expires_at)::bigint);
COMMENT ON FUNCTION nexus.upload_of(nexus.media_files) IS
  'A media file as JSON: {id, file_key, storage_key, thumbnail_key, file_name, mime_type (measured where it is known), size, received, state, media_url, facts, refusal_code, refusal_reason, sha256, created_at, expires_at, expires (Unix time)}.';

CREATE FUNCTION nexus.create_upload(file_name text, size bigint, mime_type text DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  owner constant text := nexus.current_user_id();
  limits nexus.media_limits;
  used bigint;
  open_uploads bigint;
  name text;
  made nexus.media_files;
BEGIN
  IF owner IS NULL THEN
    RAISE EXCEPTION 'an upload needs a signed-in user' USING ERRCODE = '42501';
  END IF;
  IF create_upload.size IS NULL OR create_upload.size < 1 THEN
    RAISE EXCEPTION 'size must be at least 1 byte' USING ERRCODE = '22023', HINT = 'An empty file is no medium.';
  END IF;
  limits := nexus.media_limit(owner);
  IF create_upload.size > limits.max_file_bytes THEN
    RAISE EXCEPTION 'the file is larger than % bytes', limits.max_file_bytes USING ERRCODE = 'PT413', HINT = 'Upload a smaller one.';
  END IF;
  -- what a directory or a control character does in a name is not known to whoever writes it to a disk
  name := left(btrim(regexp_replace(regexp_replace(COALESCE(create_upload.file_name, ''), '^.*[/\\]', ''), '[\x01-\x1f\x7f]', '', 'g')), 255);
  PERFORM pg_advisory_xact_lock(hashtextextended('nexus.upload:' || owner, 0));
  SELECT COALESCE(sum(o.size), 0), COALESCE(sum(o.uploading), 0) INTO used, open_uploads FROM (
    SELECT max(f.size) AS size, count(*) FILTER (WHERE f.state = 'uploading') AS uploading FROM nexus.media_files f
    WHERE f.user_id = owner AND f.state <> 'refused' GROUP BY f.storage_key) AS o;
  IF open_uploads >= limits.max_uploads THEN
    RAISE EXCEPTION '% uploads are open already', open_uploads USING ERRCODE = 'PT429', HINT = 'Finish or cancel one of them first.';
  END IF;
  IF used + create_upload.size > limits.max_total_bytes THEN
    RAISE EXCEPTION 'the files would be larger than % bytes together', limits.max_total_bytes USING ERRCODE = 'PT413',
      DETAIL = format('%s bytes are taken.', used), HINT = 'Delete what no post shows any more.';
  END IF;
  INSERT INTO nexus.media_files (user_id, file_name, mime_type, size, expires_at)
    VALUES (owner, COALESCE(NULLIF(name, ''), 'upload'), NULLIF(left(lower(btrim(create_upload.mime_type)), 255), ''), create_upload.size, now() + interval '1 day')
    RETURNING * INTO made;
  RETURN nexus.upload_of(made);
END $$;
COMMENT ON FUNCTION nexus.create_upload(text, bigint, text) IS
$$Announces a file of the signed-in user, and returns it as nexus.upload_of does; its bytes go to /files/KEY of the bridge. An upload that does not go on for a day is given up.
42501 without a user, 22023 for no size, PT413 for a file or a sum beyond nexus.media_limits, PT429 for too many uploads at a time.$$;

CREATE FUNCTION nexus.media_file(file_key uuid) RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT nexus.upload_of(f) FROM nexus.media_files f WHERE f.file_key = media_file.file_key AND f.user_id = (SELECT nexus.current_user_id());
END;
COMMENT ON FUNCTION nexus.media_file(uuid) IS 'A file of the signed-in user, as nexus.upload_of; NULL for one that is not there or another user''s.';

CREATE FUNCTION nexus.stored_media(file_key uuid) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT nexus.upload_of(f) FROM nexus.media_files f WHERE f.file_key = stored_media.file_key;
END;
COMMENT ON FUNCTION nexus.stored_media(uuid) IS 'A file of anybody, as nexus.upload_of. For the bridge, which has a signed address of it, and for workers.';

CREATE FUNCTION nexus.my_media(state text DEFAULT NULL, before integer DEFAULT NULL, max_files integer DEFAULT 50) RETURNS SETOF jsonb LANGUAGE sql STABLE
  SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT nexus.upload_of(f) FROM nexus.media_files f
    WHERE f.user_id = (SELECT nexus.current_user_id()) AND (my_media.state IS NULL OR f.state = my_media.state) AND (before IS NULL OR f.id < before)
    ORDER BY f.id DESC LIMIT LEAST(max_files, 1000);
END;
COMMENT ON FUNCTION nexus.my_media(text, integer, integer) IS
  'The files of the signed-in user, newest first, as nexus.upload_of: of one state or of all, those with an id below before, at most max_files (and 1000).';

CREATE FUNCTION nexus.delete_media(file_key uuid) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  file nexus.media_files;
BEGIN
  SELECT * INTO file FROM nexus.media_files f WHERE f.file_key = delete_media.file_key AND f.user_id = nexus.current_user_id() FOR UPDATE;
  IF file.id IS NULL THEN
    RAISE EXCEPTION 'there is no such file' USING ERRCODE = 'PT404';
  END IF;
  -- a statement of its own: it sees what was attached while the row was waited for
  IF nexus.media_is_used(file) THEN
    RAISE EXCEPTION 'a post shows the file' USING ERRCODE = 'NX002', HINT = 'Take it out of the post first.';
  END IF;
  DELETE FROM nexus.media_files f WHERE f.id = file.id;
END $$;
COMMENT ON FUNCTION nexus.delete_media(uuid) IS
  'Deletes a file of the signed-in user, or cancels its upload; the bytes go when no other file has the same. PT404 for one that is not there, NX002 for one that a post shows.';

-- For the bridge: how far an upload is, as its store says.
CREATE FUNCTION nexus.note_upload(file_key uuid, received bigint) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  file nexus.media_files;
BEGIN
  UPDATE nexus.media_files f SET received = note_upload.received, updated_at = clock_timestamp(),
      state = CASE WHEN note_upload.received = f.size THEN 'uploaded' ELSE 'uploading' END,
      expires_at = CASE WHEN note_upload.received < f.size THEN clock_timestamp() + interval '1 day' END,
      unused_since = CASE WHEN note_upload.received = f.size THEN clock_timestamp() END
    WHERE f.file_key = note_upload.file_key AND f.state = 'uploading' RETURNING * INTO file;
  IF file.state = 'uploaded' THEN
    PERFORM nexus.enqueue_job('media', file.id, 'media', unique_key => 'media:' || file.id, max_attempts => 5);
    PERFORM nexus.step_post_media(file.storage_key, 'processing');
  END IF;
  RETURN nexus.upload_of(file);
END $$;
COMMENT ON FUNCTION nexus.note_upload(uuid, bigint) IS
  'Notes how many bytes of an upload the store has; with all of them it is complete, and a job of kind media on the lane media measures it. Returns it as nexus.upload_of, NULL members where it is not open. For the bridge.';

-- Who refers to a file: a row of post_media with its storage_key, unless that row is deleted.
CREATE FUNCTION nexus.media_is_used(file nexus.media_files) RETURNS boolean LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  used boolean;
BEGIN
  EXECUTE format('SELECT EXISTS (SELECT FROM %I.post_media m WHERE m.storage_key = $1 AND m.status <> ''deleted'')', nexus.attached_schema()) INTO used USING file.storage_key::varchar;
  RETURN used;
END $$;
COMMENT ON FUNCTION nexus.media_is_used(nexus.media_files) IS
  'Whether a row of post_media has the file''s object. VOLATILE, so that it sees what was committed while the caller waited for the file''s row: whoever deletes locks that row first, whoever attaches holds it.';

-- What post_media.media_type a measured or declared type of content belongs to.
CREATE FUNCTION nexus.media_type_of(mime_type text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  RETURN CASE WHEN mime_type = 'image/gif' THEN 'gif' WHEN mime_type LIKE 'video/%' THEN 'video' WHEN mime_type LIKE 'audio/%' THEN 'audio'
    WHEN mime_type = 'application/pdf' THEN 'pdf' ELSE 'image' END;
COMMENT ON FUNCTION nexus.media_type_of(text) IS 'post_media.media_type for a MIME type: image, gif, video, audio or pdf; image where it is not known.';

CREATE FUNCTION nexus.media_reference_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  key constant text := substring(NEW.media_url FROM '^/media/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$');
  owner text;
  file nexus.media_files;
  said constant text := NEW.error_message;
BEGIN
  IF nexus.is_importing() THEN
    RETURN NEW;
  END IF;
  EXECUTE format('SELECT user_id FROM %I.social_posts WHERE id = $1', TG_TABLE_SCHEMA) INTO owner USING NEW.social_post_id;
  IF key IS NULL AND NEW.storage_key IS NOT NULL AND NEW.status <> 'deleted' THEN
    -- an address of the application's own for an object of ours
    SELECT * INTO file FROM nexus.media_files f WHERE f.storage_key = NEW.storage_key AND f.user_id = owner ORDER BY f.id LIMIT 1 FOR SHARE;
    IF file.id IS NULL AND EXISTS (SELECT FROM nexus.media_files f WHERE f.storage_key = NEW.storage_key) THEN
      RAISE EXCEPTION 'the post''s owner has no file %', NEW.storage_key USING ERRCODE = 'NX003', TABLE = TG_TABLE_NAME, COLUMN = 'storage_key', SCHEMA = TG_TABLE_SCHEMA;
    END IF;
    RETURN NEW;
  ELSIF key IS NULL OR NEW.status = 'deleted' THEN
    RETURN NEW;
  END IF;
  -- held to the end of the transaction: the collector leaves alone what is being attached
  SELECT * INTO file FROM nexus.media_files f WHERE f.file_key = key::uuid AND f.user_id = owner FOR SHARE;
  IF file.id IS NULL THEN
    RAISE EXCEPTION 'the post''s owner has no file %', key USING ERRCODE = 'NX003', TABLE = TG_TABLE_NAME, COLUMN = 'media_url', SCHEMA = TG_TABLE_SCHEMA;
  END IF;
  IF file.state = 'refused' THEN
    RAISE EXCEPTION 'the file % was refused: %', file.file_name, file.refusal_reason USING ERRCODE = 'NX001', TABLE = TG_TABLE_NAME, COLUMN = 'media_url',
      SCHEMA = TG_TABLE_SCHEMA, HINT = 'Upload another one.';
  END IF;
  NEW.storage_key := file.storage_key;
  IF file.state = 'ready' THEN
    NEW := nexus.media_facts_of(NEW, file);
    IF NEW.status = 'failed' THEN
      NEW.error_message := said;
    END IF;
  ELSE
    IF TG_OP = 'INSERT' OR NEW.media_url <> OLD.media_url THEN
      NEW.status := 'pending';
    END IF;
    NEW.file_size := file.size;
    NEW.mime_type := NULL;    -- what the client says is no fact
    NEW.dimensions := NULL;
    NEW.duration := NULL;
    NEW.sha256 := NULL;
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION nexus.media_reference_trigger() IS
  'A row of post_media whose media_url is /media/KEY shows an uploaded file of the post''s owner (NX003 else, NX001 for a refused one): it gets the storage_key, and the measured facts as soon as there are any; until then its status is pending and its facts are NULL. Whatever else is written over them, then or later, does not stay.';

CREATE FUNCTION nexus.media_reference_gone_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    UPDATE nexus.media_files f SET unused_since = clock_timestamp() WHERE f.storage_key IN (SELECT storage_key FROM old_rows);
  ELSE
    UPDATE nexus.media_files f SET unused_since = clock_timestamp() WHERE f.storage_key IN (
      SELECT o.storage_key FROM old_rows o JOIN new_rows n USING (id)
      WHERE (o.storage_key, o.status = 'deleted') IS DISTINCT FROM (n.storage_key, n.status = 'deleted'));
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.media_reference_gone_trigger() IS 'A post that does not show a file any more: the collector will look whether others do.';

CREATE FUNCTION nexus.media_owner_gone_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM nexus.media_files f WHERE f.user_id IN (SELECT id FROM old_rows);
  DELETE FROM nexus.media_limits l WHERE l.user_id IN (SELECT id FROM old_rows) AND l.user_id <> '';
  RETURN NULL;
END $$;
COMMENT ON FUNCTION nexus.media_owner_gone_trigger() IS 'The files of a user go with the user.';

INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('post_media', 'media_reference', 'BEFORE INSERT OR UPDATE OF media_url, storage_key, social_post_id, media_type, mime_type, file_size, sha256, dimensions, duration ON %1$s FOR EACH ROW', 'nexus.media_reference_trigger()'),
  ('post_media', 'media_reference_gone_update', 'AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT', 'nexus.media_reference_gone_trigger()'),
  ('post_media', 'media_reference_gone_delete', 'AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT', 'nexus.media_reference_gone_trigger()'),
  ('users', 'media_owner_gone', 'AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT', 'nexus.media_owner_gone_trigger()');

CREATE FUNCTION nexus.attach_media(social_post_id integer, file_key uuid, "position" integer DEFAULT NULL, alt_text text DEFAULT NULL) RETURNS integer LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made integer;
BEGIN
  EXECUTE format($sql$
    INSERT INTO %1$I.post_media (social_post_id, media_type, media_url, file_name, position, alt_text)
    SELECT $1, nexus.media_type_of(f.file ->> 'mime_type'), '/media/' || $2, COALESCE(f.file ->> 'file_name', 'upload'),
      COALESCE($3, (SELECT max(m.position) + 1 FROM %1$I.post_media m WHERE m.social_post_id = $1), 0), $4
    FROM nexus.media_file($2) AS f(file) RETURNING id
  $sql$, nexus.attached_schema()) INTO made USING social_post_id, file_key, "position", alt_text;
  RETURN made;
END $$;
COMMENT ON FUNCTION nexus.attach_media(integer, uuid, integer, text) IS
$$Shows an uploaded file of the signed-in user in one of the own posts, by default behind its other media, and returns the id of the row of post_media. The file may still be on its way: the row is pending then, and its facts follow.
An INSERT into post_media with the media_url /media/KEY does the same. NX003 for a file or post that is not there or another user's, NX001 for a file that was refused.$$;

REVOKE EXECUTE ON FUNCTION nexus.media_limit(text), nexus.create_upload(text, bigint, text), nexus.delete_media(uuid), nexus.note_upload(uuid, bigint), nexus.stored_media(uuid),
  nexus.media_is_used(nexus.media_files), nexus.media_reference_trigger(), nexus.media_reference_gone_trigger(), nexus.media_owner_gone_trigger() FROM PUBLIC;
INSERT INTO nexus.attached_functions (function_name, role_name) VALUES
  ('create_upload', 'nexus_app'), ('delete_media', 'nexus_app'), ('note_upload', 'nexus_worker'),
  ('stored_media', 'nexus_worker');
