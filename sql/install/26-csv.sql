-- CSV in an argument, for functions that take whole files over HTTP.

CREATE FUNCTION nexus.csv_rows(body text) RETURNS SETOF text[] LANGUAGE c STABLE STRICT ROWS 100
  AS 'MODULE_PATHNAME', 'nexus_csv_rows';
COMMENT ON FUNCTION nexus.csv_rows(text) IS
$$The rows of a CSV text (RFC 4180), as COPY reads them: fields may be quoted and hold line ends, an empty field that is not quoted is NULL, a byte order mark is passed over.
22P04 for what is no CSV, naming the row.$$;

CREATE FUNCTION nexus.csv_objects(body text, required text, allowed text[] DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  header text[];
  unknown text;
  objects jsonb;
BEGIN
  IF body IS NULL THEN
    RAISE EXCEPTION 'body must not be NULL' USING ERRCODE = '22004';
  END IF;
  SELECT array_agg(btrim(f) ORDER BY i) INTO header FROM (SELECT r FROM nexus.csv_rows(body) r LIMIT 1) AS first(r), unnest(first.r) WITH ORDINALITY AS u(f, i);
  IF header IS NULL OR array_position(header, NULL) IS NOT NULL OR required <> ALL (header) THEN
    RAISE EXCEPTION '%', 'the first line of the CSV must name its columns, ' || required || ' among them' USING ERRCODE = '22023',
      HINT = COALESCE('Columns are ' || array_to_string(allowed, ', ') || '.', 'Put the names of the columns into the first line.');
  END IF;
  SELECT h INTO unknown FROM unnest(header) WITH ORDINALITY AS u(h, i) WHERE h <> ALL (allowed) ORDER BY i LIMIT 1;
  IF unknown IS NOT NULL THEN
    RAISE EXCEPTION '%', format('the CSV has an unknown column "%s"', left(unknown, 60)) USING ERRCODE = '22023',
      HINT = 'Columns are ' || array_to_string(allowed, ', ') || '.';
  END IF;
  IF EXISTS (SELECT FROM unnest(header) h GROUP BY h HAVING count(*) > 1) THEN
    RAISE EXCEPTION 'the CSV names a column twice' USING ERRCODE = '22023';
  END IF;
  SELECT jsonb_agg(CASE WHEN cardinality(r.fields) = cardinality(header) THEN jsonb_object(header, r.fields)
      ELSE to_jsonb(format('%s fields, but %s columns', cardinality(r.fields), cardinality(header))) END ORDER BY r.i) INTO objects
  FROM nexus.csv_rows(body) WITH ORDINALITY AS r(fields, i) WHERE r.i > 1 AND r.fields <> ARRAY[NULL]::text[];
  RETURN COALESCE(objects, '[]');
END $$;
COMMENT ON FUNCTION nexus.csv_objects(text, text, text[]) IS
$$The rows of a CSV text whose first line names the columns, as a JSON array of objects of text; empty lines are left out, and a row with another number of fields becomes a string that says so.
22023 for a first line that is missing, lacks the required column or names one that is not allowed or twice; 22P04 for what is no CSV.$$;
