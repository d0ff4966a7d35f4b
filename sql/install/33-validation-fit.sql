-- What fits into the text fields of a platform, and what a change of a rule would do.

CREATE FUNCTION nexus.remaining(body text, platform text, field text DEFAULT 'caption') RETURNS integer
  LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_remaining';
COMMENT ON FUNCTION nexus.remaining(text, text, text) IS
  'How many units are left for a text, for a live counter: by the nearest of the platform''s limits for the field (title, caption, '
  'description, alt_text) of a post without media, hard and soft ones alike, in the unit of that limit; below 0 for a text too long, NULL '
  'where no limit is known. The overrides of the session''s user hold. An unknown platform or field is 22023.';

CREATE FUNCTION nexus.truncate_text(body text, platform text, field text DEFAULT 'caption') RETURNS text
  LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nexus_truncate_text';
COMMENT ON FUNCTION nexus.truncate_text(text, text, text) IS
  'The text, or its beginning with an ellipsis, so that remaining() of it is not below 0. It is cut between words where there is room, else '
  'between grapheme clusters, never inside a link, tag or mention. Errors as of nexus.remaining.';

CREATE FUNCTION nexus.split_thread(body text, platform text, numbered boolean DEFAULT false) RETURNS SETOF text
  LANGUAGE c STABLE STRICT PARALLEL SAFE ROWS 5 AS 'MODULE_PATHNAME', 'nexus_split_thread';
COMMENT ON FUNCTION nexus.split_thread(text, text, boolean) IS
  'A long text as the parts of a thread, each within the platform''s limits for a caption: cut between words where there is room, else '
  'between grapheme clusters, never inside a link, tag or mention. White space at a cut stays at the end of its part, so the parts '
  'concatenated are the text; only white space that fills a part is left out. numbered: each part ends in " (1/3)" in its place, which is counted. '
  '22023 for a link longer than a part, 54000 for more than 1 MiB. Errors otherwise as of nexus.remaining.';

-- The worst severity of each content row of a platform: ok, warning or error.
CREATE FUNCTION nexus.content_verdicts(platform_names text[]) RETURNS TABLE(content_id integer, verdict text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY EXECUTE format(
    'SELECT c.id, (SELECT CASE WHEN bool_or(f.severity = ''error'') THEN ''error'' '
    'WHEN bool_or(f.severity = ''warning'') THEN ''warning'' ELSE ''ok'' END '
    'FROM nexus.judge_draft(jsonb_build_object(''title'', c.title, ''description'', c.description, ''script'', c.script, '
    '''content_type'', c.content_type, ''hashtags'', to_jsonb(c.tags), ''metadata'', c.metadata), '
    'ARRAY[c.platform]::text[], c.user_id::text, NULL) f) FROM %I.content c WHERE lower(c.platform) = ANY ($1) ORDER BY c.id',
    nexus.attached_schema()) USING platform_names;
END $$;

CREATE FUNCTION nexus.rule_impact(rule_id text, new_value jsonb) RETURNS TABLE(content_id integer, before text, after text)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  names text[];
  ids integer[];
  verdicts text[];
  new_verdicts text[];
  said text;
BEGIN
  IF rule_id IS NULL OR new_value IS NULL THEN
    RAISE EXCEPTION '% must not be NULL', CASE WHEN rule_id IS NULL THEN 'rule_id' ELSE 'new_value' END USING ERRCODE = '22004';
  END IF;
  SELECT p.slug::text || p.aliases::text[] INTO names
  FROM nexus.platforms p JOIN nexus.platform_rules r ON r.platform = p.slug WHERE r.rule_id = rule_impact.rule_id;
  IF names IS NULL THEN
    RAISE EXCEPTION 'there is no rule "%"', left(rule_id, 100)
      USING ERRCODE = '22023', HINT = 'See nexus.platform_rules.';
  END IF;
  IF jsonb_typeof(new_value) = 'number' THEN
    new_value := jsonb_build_object('max', new_value);
  END IF;
  IF jsonb_typeof(new_value) <> 'object' OR new_value - ARRAY['min', 'max', 'params', 'severity'] <> '{}' THEN
    RAISE EXCEPTION 'new_value is neither a number nor an object of min, max, params and severity'
      USING ERRCODE = '22023', HINT = 'Such as 300 or {"max": 300, "severity": "warning"}.';
  END IF;
  SELECT array_agg(v.content_id ORDER BY v.content_id), array_agg(v.verdict ORDER BY v.content_id) INTO ids, verdicts
  FROM nexus.content_verdicts(names) v;
  BEGIN
    UPDATE nexus.platform_rules r SET
      min = CASE WHEN new_value ? 'min' THEN (new_value ->> 'min')::numeric ELSE r.min END,
      max = CASE WHEN new_value ? 'max' THEN (new_value ->> 'max')::numeric ELSE r.max END,
      params = CASE WHEN new_value ? 'params' THEN new_value -> 'params' ELSE r.params END,
      severity = CASE WHEN new_value ? 'severity' THEN new_value ->> 'severity' ELSE r.severity END
    WHERE r.rule_id = rule_impact.rule_id;
    SELECT array_agg(v.verdict ORDER BY v.content_id) INTO new_verdicts
    FROM nexus.content_verdicts(names) v WHERE v.content_id = ANY (ids);
    RAISE EXCEPTION USING ERRCODE = 'NX000', MESSAGE = 'dry run';  -- takes the change back; variables stay
  EXCEPTION WHEN SQLSTATE 'NX000' THEN
    NULL;
  END;
  RETURN QUERY SELECT u.id, u.old_verdict, u.new_verdict
    FROM unnest(ids, verdicts, new_verdicts) AS u(id, old_verdict, new_verdict)
    WHERE u.old_verdict <> u.new_verdict ORDER BY u.id;
END $$;
COMMENT ON FUNCTION nexus.rule_impact(text, jsonb) IS
  'A dry run of a rule change: the content rows of the rule''s platform whose verdict (ok, warning or error: the worst of validate_content) '
  'would be another one. new_value: a number is the new max; an object sets min, max, params, severity as in nexus.platform_rules. The rule is '
  'changed and put back inside the call, so the caller needs the rights to update nexus.platform_rules and to read nexus.rule_overrides (42501 else), and waits for another '
  'who changes that rule. Overrides stay in force. Rows that the caller cannot see are not judged. An unknown rule or member is 22023.';
