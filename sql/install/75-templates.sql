-- Templates: text with {{variables}} that are declared, filled in without a second look at the values, and judged as what
-- it becomes.

CREATE FUNCTION nexus.template_variables_trigger() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  fault text;
BEGIN
  fault := CASE
    WHEN jsonb_typeof(NEW.variables) <> 'array' THEN 'variables must be an array'
    WHEN jsonb_array_length(NEW.variables) > 100 THEN 'variables must be at most 100'
    ELSE (SELECT format('variables[%s] %s', n - 1, CASE
        WHEN jsonb_typeof(v) <> 'object' THEN 'must be an object'
        WHEN v ->> 'name' IS NULL OR v ->> 'name' !~ '^[A-Za-z_][A-Za-z0-9_]{0,62}$' THEN 'needs a name of letters, digits and _'
        WHEN EXISTS (SELECT FROM jsonb_object_keys(v) k WHERE k NOT IN ('name', 'description', 'required', 'default', 'schema')) THEN 'has an unknown key'
        WHEN jsonb_typeof(v -> 'required') NOT IN ('boolean') THEN 'has a required that is neither true nor false'
        WHEN jsonb_typeof(v -> 'schema') NOT IN ('object', 'boolean') THEN 'has a schema that is no JSON Schema'
        ELSE 'has the name of an earlier one' END)
      FROM jsonb_array_elements(NEW.variables) WITH ORDINALITY AS e(v, n)
      WHERE jsonb_typeof(v) <> 'object' OR COALESCE(v ->> 'name' !~ '^[A-Za-z_][A-Za-z0-9_]{0,62}$', true)
        OR EXISTS (SELECT FROM jsonb_object_keys(CASE jsonb_typeof(v) WHEN 'object' THEN v ELSE '{}' END) k WHERE k NOT IN ('name', 'description', 'required', 'default', 'schema'))
        OR jsonb_typeof(v -> 'required') NOT IN ('boolean') OR jsonb_typeof(v -> 'schema') NOT IN ('object', 'boolean')
        OR EXISTS (SELECT FROM jsonb_array_elements(NEW.variables) WITH ORDINALITY AS o(w, m) WHERE m < n AND w -> 'name' = v -> 'name')
      ORDER BY n LIMIT 1) END;
  IF fault IS NOT NULL THEN
    RAISE EXCEPTION '%', fault USING ERRCODE = '23514', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, COLUMN = 'variables',
      HINT = 'Each is an object with name, and perhaps description, required, default and schema (a JSON Schema of its value).';
  END IF;
  IF TG_OP = 'UPDATE' AND (NEW.content, NEW.variables) IS DISTINCT FROM (OLD.content, OLD.variables) AND NEW.version = OLD.version THEN
    NEW.version := OLD.version + 1;
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION nexus.template_variables_trigger() IS
  'Variables of a template are declared in one shape: an array of at most 100 objects with name, description, required, default, schema; 23514 names the one at fault. version counts the changes of text and variables.';
INSERT INTO nexus.attached_triggers (table_name, trigger_name, definition, function_name) VALUES
  ('templates', 'check_variables', 'BEFORE INSERT OR UPDATE OF content, variables ON %1$s FOR EACH ROW', 'nexus.template_variables_trigger()');

CREATE FUNCTION nexus.fill_template(content text, variables jsonb, "values" jsonb)
  RETURNS TABLE (rendered text, missing text[], unused text[], faults jsonb) LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  placeholder constant text := '\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,62})\s*\}\}';
  used text[];
  declared jsonb := '{}';
  filled jsonb;
BEGIN
  IF length(content) > 1000000 THEN
    RAISE EXCEPTION 'the template is too long' USING ERRCODE = '54000', DETAIL = format('It has %s characters; 1000000 is the limit.', length(content));
  END IF;
  IF "values" IS NULL OR jsonb_typeof("values") <> 'object' THEN
    RAISE EXCEPTION 'values must be a JSON object' USING ERRCODE = '22023';
  END IF;
  SELECT COALESCE(array_agg(m[1] ORDER BY n), '{}') INTO used FROM regexp_matches(content, placeholder, 'g') WITH ORDINALITY AS r(m, n);
  SELECT COALESCE(jsonb_object_agg(v ->> 'name', v), '{}') INTO declared FROM jsonb_array_elements(variables) v;
  -- A value that is null is none.
  SELECT COALESCE(jsonb_object_agg(key, value) FILTER (WHERE value <> 'null'), '{}') INTO filled FROM (
    SELECT key, value FROM jsonb_each("values")
    UNION ALL SELECT d.key, d.value -> 'default' FROM jsonb_each(declared) d WHERE d.value ? 'default' AND COALESCE("values" -> d.key, 'null') = 'null') AS v;
  missing := ARRAY(SELECT name FROM (
      SELECT u AS name, n FROM unnest(used) WITH ORDINALITY AS x(u, n) WHERE COALESCE((declared -> u ->> 'required')::boolean, true)
      UNION ALL SELECT d.key, 1000000 FROM jsonb_each(declared) d WHERE (d.value ->> 'required')::boolean) AS wanted
    WHERE NOT filled ? name GROUP BY name ORDER BY min(n), name);
  unused := ARRAY(SELECT key FROM jsonb_object_keys("values") key WHERE key <> ALL (used) AND NOT declared ? key ORDER BY key);
  SELECT COALESCE(jsonb_agg(jsonb_build_object('variable', d.key, 'message', e.message) ORDER BY d.key), '[]') INTO faults
    FROM jsonb_each(declared) d CROSS JOIN LATERAL nexus.jsonschema_errors(d.value -> 'schema', filled -> d.key) e
    WHERE d.value ? 'schema' AND filled ? d.key;
  faults := faults || COALESCE((SELECT jsonb_agg(jsonb_build_object('variable', key, 'message', 'must be text, a number or a truth value') ORDER BY key)
    FROM jsonb_each(filled) WHERE jsonb_typeof(value) IN ('object', 'array') AND key = ANY (used)), '[]');
  IF missing = '{}' AND faults = '[]' THEN
    -- The text between the placeholders and the values in turn: a value is never read as a template.
    SELECT string_agg(part || COALESCE(filled ->> used[n::integer], ''), '' ORDER BY n) INTO rendered
      FROM regexp_split_to_table(content, placeholder) WITH ORDINALITY AS p(part, n);
  END IF;
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION nexus.fill_template(text, jsonb, jsonb) IS 'Part of render_template: the text of a template with its values.';

CREATE FUNCTION nexus.render_template(template_id integer, "values" jsonb DEFAULT '{}', platform text DEFAULT NULL)
  RETURNS TABLE (rendered text, missing text[], unused text[], faults jsonb, findings jsonb) LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body text;
  variables jsonb;
BEGIN
  EXECUTE format('SELECT COALESCE(t.content, ''''), t.variables FROM %I.templates t WHERE t.id = $1 AND t.is_active IS NOT FALSE', nexus.attached_schema())
    INTO body, variables USING template_id;
  IF body IS NULL THEN
    RAISE EXCEPTION 'template % does not exist', template_id USING ERRCODE = 'P0002', TABLE = 'templates',
      HINT = 'It is another user''s, is not active or was never there.';
  END IF;
  SELECT f.rendered, f.missing, f.unused, f.faults INTO rendered, missing, unused, faults FROM nexus.fill_template(body, variables, "values") f;
  IF rendered IS NOT NULL AND platform IS NOT NULL THEN
    findings := COALESCE((SELECT jsonb_agg(to_jsonb(v)) FROM nexus.validate(jsonb_build_object('caption', rendered), ARRAY[platform]) v), '[]');
  END IF;
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION nexus.render_template(integer, jsonb, text) IS
$$A template's text with its {{variables}} filled in from an object of values; a declared default stands in for a value that is absent or null, a variable that is not required for nothing. A value is never read as a template.
rendered is NULL while anything is missing (names, in the order of the text) or at fault (array of {variable, message}: its JSON Schema, or no scalar). unused names values that the template does not know. findings is what nexus.validate says of the text as a caption of platform, NULL without one.
P0002 for a template that the caller does not see, 22023 for values that are no object or an unknown platform, 54000 for a template of more than a million characters.$$;
