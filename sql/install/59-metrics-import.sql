-- Samples from files: CSV for scripts and for clients that speak HTTP only. JSON goes to ingest_metrics() as it is.

CREATE FUNCTION nexus.csv_fields(line text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp AS $$
  SELECT array_agg(CASE WHEN f[1] LIKE '"%' THEN replace(substr(f[1], 2, length(f[1]) - 2), '""', '"') ELSE nullif(btrim(f[1]), '') END ORDER BY i)
  FROM regexp_matches(line || ',', '("(?:[^"]|"")*"|[^",]*),', 'g') WITH ORDINALITY AS m(f, i)
$$;
COMMENT ON FUNCTION nexus.csv_fields(text) IS
  'The fields of one line of CSV (RFC 4180, without line ends inside quotes); an empty field that is not quoted is NULL.';

CREATE FUNCTION nexus.ingest_metrics_csv(body text)
  RETURNS TABLE (inserted bigint, updated bigint, unchanged bigint, rejected bigint, errors jsonb)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  lines text[] := regexp_split_to_array(rtrim(CASE WHEN convert_to(left(body, 1), 'UTF8') = '\xefbbbf' THEN substr(body, 2) ELSE body END, E'\r\n'), E'\r?\n');
  header text[];
  samples jsonb;
BEGIN
  IF body IS NULL THEN
    RAISE EXCEPTION 'body must not be NULL' USING ERRCODE = '22004';
  END IF;
  header := nexus.csv_fields(lines[1]);
  IF header IS NULL OR array_position(header, NULL) IS NOT NULL OR 'content_id' <> ALL (header) THEN
    RAISE EXCEPTION 'the first line of the CSV must name its columns, content_id among them' USING ERRCODE = '22023',
      HINT = 'Columns are those of content_metrics, as ingest_metrics() takes them.';
  END IF;
  IF EXISTS (SELECT FROM unnest(header) h GROUP BY h HAVING count(*) > 1) THEN
    RAISE EXCEPTION 'the CSV names a column twice' USING ERRCODE = '22023';
  END IF;
  -- A line with another number of fields becomes what no sample is, and is reported under its number.
  SELECT jsonb_agg(CASE WHEN cardinality(s.fields) = cardinality(header) THEN jsonb_object(header, s.fields) ELSE to_jsonb(s.line) END ORDER BY s.i)
    INTO samples
  FROM (SELECT l.line, l.i, nexus.csv_fields(l.line) AS fields FROM unnest(lines[2:]) WITH ORDINALITY AS l(line, i)) s;
  RETURN QUERY SELECT m.* FROM nexus.ingest_metrics(coalesce(samples, '[]')) m;
END $$;
COMMENT ON FUNCTION nexus.ingest_metrics_csv(text) IS
  'ingest_metrics() for CSV: the first line names the columns, each other one is a sample; an empty field is an unknown counter. errors counts samples from 0, so line 2 is sample 0. 22023 for a first line without column names.';
