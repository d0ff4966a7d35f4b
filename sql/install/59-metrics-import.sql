-- Samples from files: CSV for scripts and for clients that speak HTTP only. JSON goes to ingest_metrics() as it is.

CREATE FUNCTION nexus.ingest_metrics_csv(body text)
  RETURNS TABLE (inserted bigint, updated bigint, unchanged bigint, rejected bigint, errors jsonb)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  samples jsonb;
BEGIN
  SELECT jsonb_agg(CASE jsonb_typeof(o) WHEN 'object' THEN (SELECT jsonb_object_agg(f.key, nullif(btrim(f.value), '')) FROM jsonb_each_text(o) f) ELSE o END ORDER BY i)
    INTO samples FROM jsonb_array_elements(nexus.csv_objects(body, 'content_id')) WITH ORDINALITY AS r(o, i);
  RETURN QUERY SELECT m.* FROM nexus.ingest_metrics(coalesce(samples, '[]')) m;
END $$;
COMMENT ON FUNCTION nexus.ingest_metrics_csv(text) IS
  'ingest_metrics() for CSV: the first line names the columns, each other one is a sample; an empty field is an unknown counter. errors counts samples from 0, so line 2 is sample 0. 22023 for a first line without column names, 22P04 for what is no CSV.';
