-- JSON Schema over jsonb.

CREATE FUNCTION nexus.jsonschema_valid(schema jsonb, document jsonb, draft text DEFAULT NULL) RETURNS boolean
  LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10
  AS 'MODULE_PATHNAME', 'nexus_jsonschema_valid';
COMMENT ON FUNCTION nexus.jsonschema_valid(jsonb, jsonb, text) IS
  'True if the document fits the JSON Schema; NULL if either is. draft: draft7 or draft2020-12; NULL: $schema decides, else 2020-12. '
  'format, contentEncoding and the like are annotations and refuse nothing. Numbers are compared as decimals, exactly: 1 and 1.0 are equal, '
  '0.3 is a multiple of 0.1. pattern and patternProperties are ECMA-262 expressions (\d, \w, \s and . as there), run by the server''s engine, '
  'so that a cancel ends them. jsonb has already dropped duplicate keys, the order of keys and the spelling of numbers. A schema is '
  'compiled once for a call site, which keeps the last eight. Errors: 22023 for a schema or draft that is not one, naming the place; 2201B '
  'for a bad expression; 0A000 for a reference to another document, another draft, and in an expression for \p, more than 255 repeats, and '
  'a reference to a group that may take no part in a match (there the server''s engine differs from ECMA-262); 54001 for a schema that refers to itself without end.';

CREATE FUNCTION nexus.jsonschema_errors(schema jsonb, document jsonb, draft text DEFAULT NULL)
  RETURNS TABLE(instance_path text, schema_path text, keyword text, message text)
  LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10 ROWS 5
  AS 'MODULE_PATHNAME', 'nexus_jsonschema_errors';
COMMENT ON FUNCTION nexus.jsonschema_errors(jsonb, jsonb, text) IS
  'Why jsonschema_valid says false: no row for a document that fits. instance_path and schema_path are JSON Pointers (RFC 6901) into the '
  'document and the schema; keyword is what was not met. Where alternatives fail (anyOf, oneOf), the reasons of each stand before that '
  'of the whole. At most 1000 rows: the last one then has an empty keyword and says that there are more. Drafts and errors as of jsonschema_valid.';

-- What the metadata of guarded rows must fit. Bad schemas are refused when they are written, not when they are needed.
CREATE TABLE nexus.metadata_schemas (
  table_name name NOT NULL CHECK (table_name IN ('content', 'social_posts', 'platform_posts')),
  column_name name NOT NULL DEFAULT 'metadata' CHECK (column_name = 'metadata'),
  content_type text NOT NULL DEFAULT '',   -- '' for rows of any, and for platform_posts, which have none
  schema jsonb NOT NULL CHECK (nexus.jsonschema_valid(schema, '{}') IS NOT NULL),
  PRIMARY KEY (table_name, column_name, content_type),
  CHECK (table_name <> 'platform_posts' OR content_type = '')
);
SELECT pg_catalog.pg_extension_config_dump('nexus.metadata_schemas', '');
GRANT SELECT ON nexus.metadata_schemas TO PUBLIC;
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON nexus.metadata_schemas
  FOR EACH STATEMENT EXECUTE FUNCTION nexus.invalidate_trigger();
COMMENT ON TABLE nexus.metadata_schemas IS
  'JSON Schemas for the metadata of content, social_posts and platform_posts, by content type. A row that becomes scheduled or '
  'published, or whose metadata or content type change while it is, must fit that of its content type and that of any (content_type ''''); '
  'the guard answers NX001 with findings metadata.schema. A draft may be unfinished. NULL metadata is not judged.';
