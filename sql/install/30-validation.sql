-- Content validation: will this post be accepted by each platform, and if not, where exactly is the fault? Rules are rows;
-- backends keep them compiled and drop the copy when a row changes.

CREATE TYPE nexus.finding AS (
  platform text,          -- slug; NULL where it is not a platform that minds
  code text,              -- stable: caption.too_long, media.mime_type ...
  severity text,          -- error, warning, info
  field text,             -- path in the draft, from 0: caption, media[2].duration, thread[1].caption; a column of a row
  message text,
  hint text,
  start_char integer,     -- the part at fault in characters from 0, half open
  end_char integer,
  actual numeric,
  allowed numeric,
  rule_id text,           -- nexus.platform_rules, NULL for what holds on every platform
  source text
);
COMMENT ON TYPE nexus.finding IS 'Something to know about a draft: what, where, how much, and by which rule of which source.';

CREATE TABLE nexus.platforms (
  slug text PRIMARY KEY CHECK (slug ~ '^[a-z][a-z0-9_]{0,31}$'),
  name text NOT NULL CHECK (name <> ''),
  aliases text[] NOT NULL DEFAULT '{}',   -- other names that mean it, in lower case
  custom boolean NOT NULL DEFAULT true    -- false for rows that come with the extension
);
SELECT pg_catalog.pg_extension_config_dump('nexus.platforms', 'WHERE custom');

CREATE TABLE nexus.rule_sources (
  source_id text PRIMARY KEY,
  title text NOT NULL CHECK (title <> ''),
  kind text NOT NULL,
  url text,
  source_date text CHECK (source_date ~ '^\d{4}(-\d\d){0,2}$'),  -- when it was written, to the day, month or year; NULL: it does not say
  read_on date,
  custom boolean NOT NULL DEFAULT true
);
SELECT pg_catalog.pg_extension_config_dump('nexus.rule_sources', 'WHERE custom');

CREATE TABLE nexus.platform_rules (
  rule_id text PRIMARY KEY CHECK (rule_id <> ''),
  platform text NOT NULL REFERENCES nexus.platforms,
  field text NOT NULL,
  content_type text,                       -- NULL: for all
  when_media text CHECK (when_media IN ('none', 'any', 'image', 'still', 'gif', 'video', 'audio', 'document', 'thumbnail')),
  kind text NOT NULL CHECK (kind IN ('info', 'text_length', 'tag_length', 'tags_length', 'characters', 'entity_count', 'media_count',
    'media_mix', 'media_mime', 'media_bytes', 'media_duration', 'media_aspect', 'media_dimension', 'content_type', 'thread_parts')),
  unit text,
  min numeric,
  max numeric,
  params jsonb,
  severity text NOT NULL CHECK (severity IN ('error', 'warning', 'info')),
  source text NOT NULL CHECK (source <> ''),
  source_url text,
  source_date text,
  note text,
  valid_from date,
  valid_to date,                           -- the last day
  custom boolean NOT NULL DEFAULT true,
  CHECK (min <= max),
  CHECK (kind NOT IN ('media_mime', 'content_type') OR COALESCE(jsonb_typeof(params), '') = 'array'),
  CHECK (kind <> 'characters' OR COALESCE(jsonb_typeof(params), '') = 'string'
    OR COALESCE(jsonb_typeof(params), '') = 'array' AND NOT params @? 'strict $[*] ? (@.type() != "number" || @ < 1 || @ > 1114111 || @ > 55295 && @ < 57344)'),
  CHECK (kind NOT IN ('text_length', 'tag_length', 'tags_length')
    OR COALESCE(unit, '') IN ('codepoint', 'utf16', 'utf8_bytes', 'graphemes', 'weighted', 'mastodon')),
  CHECK (kind <> 'media_dimension'
    OR COALESCE(unit, '') IN ('width', 'height', 'long_side', 'short_side', 'width_plus_height', 'area')),
  CHECK (kind NOT IN ('text_length', 'characters') OR field IN ('title', 'caption', 'description', 'script', 'alt_text')),
  CHECK (kind <> 'entity_count' OR field IN ('hashtags', 'mentions', 'urls', 'cashtags'))
);
CREATE INDEX platform_rules_platform_idx ON nexus.platform_rules (platform);
SELECT pg_catalog.pg_extension_config_dump('nexus.platform_rules', 'WHERE custom');
COMMENT ON TABLE nexus.platform_rules IS
  'What the platforms accept, each fact with its source. kind info: kept and listed, but a draft cannot be judged by it (note says why). '
  'A rule whose sources disagree or that nobody but memory vouches for is a warning.';
COMMENT ON COLUMN nexus.platform_rules.when_media IS
  'For media rules the media that are judged, for all others what must be attached; an image is a still or a GIF, NULL is all.';
COMMENT ON COLUMN nexus.platform_rules.unit IS
  'codepoint, utf16, utf8_bytes, graphemes, weighted (twitter-text), mastodon (graphemes, a link as 23); width, height, long_side, '
  'short_side, width_plus_height, area in pixels; seconds, bytes, ratio (width / height), count.';
COMMENT ON COLUMN nexus.platform_rules.params IS
  'media_mime, content_type: array of what is accepted; characters: a string of those refused; tags_length: {"white_space_cost": n}.';
COMMENT ON COLUMN nexus.platform_rules.custom IS
  'False for rows of the extension: a dump and an upgrade bring them as shipped, so change them by nexus.rule_overrides.';

CREATE TABLE nexus.rule_overrides (
  scope text NOT NULL CHECK (scope IN ('all', 'user', 'account')),
  scope_id text NOT NULL,                  -- users.id, social_accounts.id, '' for all
  rule_id text NOT NULL REFERENCES nexus.platform_rules ON DELETE CASCADE,
  min numeric,                             -- NULL: as in the rule
  max numeric,
  params jsonb CHECK (jsonb_typeof(params) IN ('array', 'string')),
  severity text CHECK (severity IN ('error', 'warning', 'info', 'off')),
  note text,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (scope, scope_id, rule_id),
  CHECK ((scope = 'all') = (scope_id = '')),
  CHECK (min <= max)
);
SELECT pg_catalog.pg_extension_config_dump('nexus.rule_overrides', '');
COMMENT ON TABLE nexus.rule_overrides IS
  'A rule with other limits for everybody, one user or one account: a Mastodon server with 5000 characters, a paying account. '
  'The account wins over the user, the user over all; severity off lifts the rule.';

-- A table without a row is enforced as error.
CREATE TABLE nexus.enforcement (
  table_name name PRIMARY KEY,
  mode text NOT NULL CHECK (mode IN ('off', 'record', 'warn', 'error'))
);
SELECT pg_catalog.pg_extension_config_dump('nexus.enforcement', '');

CREATE TABLE nexus.findings (
  table_name name NOT NULL,
  row_id bigint NOT NULL,
  number integer NOT NULL,                 -- of the row's findings, from 1
  finding nexus.finding NOT NULL,
  found_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (table_name, row_id, number)
);
SELECT pg_catalog.pg_extension_config_dump('nexus.findings', '');
COMMENT ON TABLE nexus.findings IS
  'What the guards found in rows that were let through, in the modes record and warn; replaced when a column changes that they look '
  'at (a mark of time such as content.last_measured_at is none). '
  'Who may read a row may read its findings.';

CREATE FUNCTION nexus.sees_row(table_name text, row_id bigint) RETURNS boolean
  LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  qualified text;
  sees boolean;
BEGIN
  IF table_name NOT IN ('content', 'social_posts', 'platform_posts') THEN
    RETURN false;
  END IF;
  qualified := format('%I.%I', nexus.attached_schema(), table_name);
  IF NOT has_column_privilege(qualified, 'id', 'SELECT') THEN
    RETURN false;
  END IF;
  EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE id = $1)', qualified) INTO sees USING row_id;
  RETURN sees;
END $$;
COMMENT ON FUNCTION nexus.sees_row(text, bigint) IS
  'True if the caller may read that row of content, social_posts or platform_posts, by privileges and row security. 55000 where nothing '
  'is attached.';
ALTER TABLE nexus.findings ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible_rows ON nexus.findings FOR SELECT USING (nexus.sees_row(table_name::text, row_id));
GRANT SELECT ON nexus.findings TO PUBLIC;

GRANT SELECT ON nexus.platforms, nexus.rule_sources, nexus.platform_rules, nexus.enforcement TO PUBLIC;

CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON nexus.platforms
  FOR EACH STATEMENT EXECUTE FUNCTION nexus.invalidate_trigger();
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON nexus.platform_rules
  FOR EACH STATEMENT EXECUTE FUNCTION nexus.invalidate_trigger();
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON nexus.rule_overrides
  FOR EACH STATEMENT EXECUTE FUNCTION nexus.invalidate_trigger();
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON nexus.enforcement
  FOR EACH STATEMENT EXECUTE FUNCTION nexus.invalidate_trigger();

CREATE FUNCTION nexus.validate(draft jsonb, platforms text[] DEFAULT NULL) RETURNS SETOF nexus.finding
  LANGUAGE c STABLE PARALLEL SAFE ROWS 20 AS 'MODULE_PATHNAME', 'nexus_validate';
COMMENT ON FUNCTION nexus.validate(jsonb, text[]) IS
  'What the platforms will mind about a draft that is not stored. platforms: slugs or aliases; NULL means the draft''s own platform, '
  'or all where it has none. draft: an object with title, caption, description, script, hashtags[], content_type, platform, status, '
  'scheduled_at, metadata, media[{media_type, mime_type, file_size, width, height, duration, alt_text}], thread[{caption, media}]; '
  'sizes in bytes, pixels and seconds; another key is the warning draft.unknown_key. No media key means no media. Positions are '
  'characters from 0, half open. Limits and their sources are the rows of nexus.platform_rules as of today, with the overrides of the '
  'session''s user. Errors: 22023 for an unknown platform or a member of the wrong type, 54000 for a draft that is too large.';

-- What validate() does for a stored row: its user and account decide the overrides, a platform without rules is a finding and no
-- error, and media that the draft does not name are taken as kept elsewhere. Overrides are their user's business: who may not read
-- nexus.rule_overrides, and is neither nexus_owner nor nexus_worker, names himself and accounts that he sees only (42501 else).
CREATE FUNCTION nexus.judge_draft(draft jsonb, platforms text[], user_id text, account_id integer) RETURNS SETOF nexus.finding
  LANGUAGE c STABLE PARALLEL SAFE ROWS 20 AS 'MODULE_PATHNAME', 'nexus_judge_draft';

CREATE FUNCTION nexus.validate_content(content_id integer, platforms text[] DEFAULT NULL) RETURNS SETOF nexus.finding
  LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  draft jsonb;
  owner text;
BEGIN
  EXECUTE format(
    'SELECT jsonb_build_object(''title'', title, ''description'', description, ''script'', script, ''content_type'', content_type, '
    '''platform'', platform, ''hashtags'', to_jsonb(tags), ''metadata'', metadata), user_id FROM %I.content WHERE id = $1',
    nexus.attached_schema()) INTO draft, owner USING content_id;
  IF draft IS NULL THEN
    RAISE EXCEPTION 'there is no content with id %', content_id
      USING ERRCODE = '22023', HINT = 'Ask for a row that exists and that you may see.';
  END IF;
  RETURN QUERY SELECT * FROM nexus.judge_draft(draft, platforms, owner, NULL);
END $$;
COMMENT ON FUNCTION nexus.validate_content(integer, text[]) IS
  'validate() of a stored content row, as the caller may see it; platforms NULL means the row''s own. The description is judged as the '
  'caption where a platform knows no description. A content row does not hold the facts of its file, so rules on them say nothing. '
  'An id that is not there, or not visible, is 22023.';

-- Two queries on the tables of a schema for post $1. The guard keeps their plans, and runs them under the caller's search_path: so
-- every name in them is qualified.
-- Where it goes:
CREATE FUNCTION nexus.post_accounts_query(schema text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
SELECT format('SELECT DISTINCT platform::pg_catalog.text, account_id, caption::pg_catalog.text, hashtags::pg_catalog.text[]
  FROM %I.platform_posts WHERE social_post_id OPERATOR(pg_catalog.=) $1 AND status OPERATOR(pg_catalog.<>) ''cancelled''
    AND thread_parent_id IS NULL', schema)
$$;
-- Its media as a draft holds them: the rows of post_media, else its bare addresses $2, of which nothing is known.
CREATE FUNCTION nexus.post_media_query(schema text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
SELECT format($query$SELECT pg_catalog.jsonb_build_object('media', COALESCE(
  (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('media_type', media_type, 'mime_type', mime_type,
      'file_size', file_size, 'width', dimensions OPERATOR(pg_catalog.->) 'width',
      'height', dimensions OPERATOR(pg_catalog.->) 'height', 'duration', duration, 'alt_text', alt_text) ORDER BY position, id)
    FROM %I.post_media WHERE social_post_id OPERATOR(pg_catalog.=) $1
      AND status OPERATOR(pg_catalog.<>) ALL ('{failed,deleted}'::pg_catalog.text[])),
  (SELECT pg_catalog.jsonb_agg('{}'::pg_catalog.jsonb) FROM pg_catalog.unnest($2)), '[]')) AS media$query$, schema)
$$;

CREATE FUNCTION nexus.validate_post(social_post_id integer) RETURNS SETOF nexus.finding
  LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  draft jsonb;
  owner text;
  urls text[];
BEGIN
  EXECUTE format(
    'SELECT jsonb_build_object(''title'', title, ''caption'', caption, ''hashtags'', to_jsonb(hashtags), '
    '''content_type'', content_type, ''metadata'', metadata), user_id, media_urls FROM %I.social_posts WHERE id = $1',
    nexus.attached_schema()) INTO draft, owner, urls USING social_post_id;
  IF draft IS NULL THEN
    RAISE EXCEPTION 'there is no social post with id %', social_post_id
      USING ERRCODE = '22023', HINT = 'Ask for a row that exists and that you may see.';
  END IF;
  RETURN QUERY EXECUTE format(
    'WITH accounts AS (%s), post AS (SELECT $4 || m.media AS draft FROM (%s) m)
     SELECT DISTINCT f.* FROM post, LATERAL (
       SELECT draft || jsonb_strip_nulls(jsonb_build_object(''caption'', caption, ''hashtags'', to_jsonb(hashtags))),
         ARRAY[platform], account_id FROM accounts
       UNION ALL SELECT draft, NULL, NULL WHERE NOT EXISTS (SELECT FROM accounts)) AS target(draft, platforms, account_id),
     LATERAL nexus.judge_draft(target.draft, target.platforms, $3, target.account_id) AS f
     ORDER BY f.platform, f.severity, f.code, f.field, f.start_char',
    nexus.post_accounts_query(nexus.attached_schema()), nexus.post_media_query(nexus.attached_schema()))
    USING social_post_id, urls, owner, draft;
END $$;
COMMENT ON FUNCTION nexus.validate_post(integer) IS
  'validate() of a stored social post with its media, for every account that it goes to (platform_posts; their own caption and hashtags '
  'where they have them, the overrides of the account); a post without accounts is judged on all platforms. An id that is not there, '
  'or not visible, is 22023.';

CREATE FUNCTION nexus.set_enforcement(table_name text, mode text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  guards text[];
BEGIN
  IF table_name IS NULL OR mode IS NULL THEN
    RAISE EXCEPTION '% must not be NULL', CASE WHEN table_name IS NULL THEN 'table_name' ELSE 'mode' END USING ERRCODE = '22004';
  END IF;
  guards := (SELECT array_agg(t.function_name) FROM nexus.attached_triggers t
    WHERE t.table_name = set_enforcement.table_name AND t.trigger_name IN ('zz_nexus_validate', 'zz_nexus_record'));
  IF guards IS NULL THEN
    RAISE EXCEPTION 'table "%" has no guard', table_name
      USING ERRCODE = '22023', HINT = (SELECT 'Guarded tables: ' || string_agg(t.table_name, ', ' ORDER BY t.table_name)
        FROM nexus.attached_triggers t WHERE t.trigger_name = 'zz_nexus_validate');
  END IF;
  IF mode NOT IN ('off', 'record', 'warn', 'error') THEN
    RAISE EXCEPTION 'enforcement mode "%" is not known', mode
      USING ERRCODE = '22023', HINT = 'Modes: off, record, warn, error';
  END IF;
  IF mode = 'record' AND cardinality(guards) = 1 THEN
    RAISE EXCEPTION 'findings of table "%" cannot be recorded', table_name
      USING ERRCODE = '22023', HINT = 'Its guard looks at single values only. Modes: off, warn, error';
  END IF;
  INSERT INTO nexus.enforcement AS e VALUES (table_name, mode)
    ON CONFLICT ON CONSTRAINT enforcement_pkey DO UPDATE SET mode = EXCLUDED.mode;
END $$;
COMMENT ON FUNCTION nexus.set_enforcement(text, text) IS
  'What the guard of a table does from the next statement on, in all sessions: off judges nothing; record (content, social_posts and '
  'platform_posts only) lets every write through and keeps what it found in nexus.findings; warn raises a WARNING, and records where '
  'record does; error (the default) refuses with NX001. A table without a guard or another mode is 22023.';

CREATE FUNCTION nexus.records_findings(table_name text) RETURNS boolean LANGUAGE c STABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'nexus_records_findings';
COMMENT ON FUNCTION nexus.records_findings(text) IS 'True while the guard of the table is in mode record or warn.';

-- The guards. BEFORE a write they refuse or warn, AFTER it they record.
CREATE FUNCTION nexus.validate_content_trigger() RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'nexus_validate_content_trigger';
CREATE FUNCTION nexus.validate_social_post_trigger() RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'nexus_validate_social_post_trigger';
CREATE FUNCTION nexus.validate_platform_post_trigger() RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'nexus_validate_platform_post_trigger';
COMMENT ON FUNCTION nexus.validate_content_trigger() IS
  'Guard of content. Any row: a visible title of at most 500 graphemes, texts of at most 1 MiB, 60 tags of 100 characters in one '
  'dimension, http(s) addresses, metadata an object of at most 64 kB, 64 levels and 1000 keys, finite times; only columns that change '
  'are looked at. A row that becomes scheduled or published, or changes while it is: no error of its platform''s rules, and a '
  'scheduled_at that is not past. NX001 with all findings as JSON in DETAIL and the first remedy as HINT.';
COMMENT ON FUNCTION nexus.validate_social_post_trigger() IS
  'Guard of social_posts, as that of content; the platforms are those of its platform_posts, the media those of post_media.';
COMMENT ON FUNCTION nexus.validate_platform_post_trigger() IS
  'Guard of platform_posts: shape of the row, and its own caption and hashtags by the rules of its platform and account.';

CREATE FUNCTION nexus.validate_row_trigger() RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'nexus_validate_row_trigger';
COMMENT ON FUNCTION nexus.validate_row_trigger() IS
  'Guard of any other table: what each changed value must keep, by its column''s type and name. Names and titles are visible, they and '
  'other varchar have at most 500 graphemes, text and jsonb 1 MiB; arrays of text are 60 tags of 100 characters in one dimension; '
  '*_url is an http(s) address or the path of a stored file, instance_url an address; metadata, parameters, dimensions and remote_refs '
  'are objects of at most 64 kB, 64 levels and 1000 keys; times are finite, in arrays at most 1000. NX001 as for content.';

CREATE FUNCTION nexus.record_findings(of_table name, of_row bigint, found jsonb) RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM nexus.findings WHERE table_name = of_table AND row_id = of_row;
  INSERT INTO nexus.findings (table_name, row_id, number, finding)
  SELECT of_table, of_row, f.number, jsonb_populate_record(NULL::nexus.finding, f.value)
  FROM jsonb_array_elements(found) WITH ORDINALITY AS f(value, number);
$$;
REVOKE EXECUTE ON FUNCTION nexus.record_findings(name, bigint, jsonb) FROM PUBLIC;

CREATE FUNCTION nexus.forget_findings_trigger() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM nexus.findings WHERE table_name = TG_TABLE_NAME) THEN
    DELETE FROM nexus.findings f USING gone WHERE f.table_name = TG_TABLE_NAME AND f.row_id = gone.id;
  END IF;
  RETURN NULL;
END $$;

INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name)
SELECT t, 'zz_nexus_' || w, replace(d, '%t', t), CASE w WHEN 'forget' THEN 'nexus.forget_findings_trigger()' ELSE f END
FROM (VALUES ('content', 'nexus.validate_content_trigger()'),
             ('social_posts', 'nexus.validate_social_post_trigger()'),
             ('platform_posts', 'nexus.validate_platform_post_trigger()')) AS tables(t, f),
     (VALUES ('validate', 'BEFORE INSERT OR UPDATE ON %1$s FOR EACH ROW'),
             ('record', 'AFTER INSERT OR UPDATE ON %1$s FOR EACH ROW WHEN (nexus.records_findings(''%t''))'),
             ('forget', 'AFTER DELETE ON %1$s REFERENCING OLD TABLE AS gone FOR EACH STATEMENT')) AS triggers(w, d);

-- sessions belong to the session library.
INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name)
SELECT t, 'zz_nexus_validate', 'BEFORE INSERT OR UPDATE ON %1$s FOR EACH ROW', 'nexus.validate_row_trigger()'
FROM pg_catalog.unnest(ARRAY['users', 'projects', 'social_accounts', 'niches', 'ai_generation_tasks', 'templates', 'notifications',
  'content_metrics', 'post_media', 'post_schedules', 'hashtag_suggestions', 'ai_content_suggestions']) AS t;
