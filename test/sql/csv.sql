-- CSV in an argument: rows as COPY reads them, objects by the names of the first line.
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text; answer text;
BEGIN
  EXECUTE statement INTO answer;
  RETURN COALESCE(answer, 'NULL');
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(' | ', state, message, NULLIF(detail, ''), NULLIF(hint, ''));
END $$;
SELECT r FROM nexus.csv_rows(E'a,"b, c","d ""e"""\r\n1,,""\r\n\r\n"two\nlines",x\r\n') r;
SELECT r FROM nexus.csv_rows(E'\uFEFFa\nb') r;
SELECT count(*), NULLIF(max(r), '{}') FROM nexus.csv_rows('') r;
SELECT count(*), sum(cardinality(r)) FROM nexus.csv_rows(repeat(E'1,2,3\n', 100000)) r;
-- Two at once do not mix.
SELECT a, b FROM ROWS FROM (nexus.csv_rows(E'1\n2'), nexus.csv_rows(E'3\n4')) AS t(a, b);
SELECT s, pg_temp.try(format('SELECT array_agg(r::text) FROM nexus.csv_rows(%L) r', s)) FROM unnest(ARRAY[E'a\n"b', E'a\nb\rc']) s;
SELECT pg_temp.try($$SELECT nexus.csv_rows(NULL)$$);

SELECT nexus.csv_objects(E'id, name\n1,Ann\n\n2,\n3,x,y', 'id');
SELECT pg_temp.try(s) FROM unnest(ARRAY[$$SELECT nexus.csv_objects('', 'id')$$, $$SELECT nexus.csv_objects('name', 'id')$$, $$SELECT nexus.csv_objects('id,,b', 'id')$$,
  $$SELECT nexus.csv_objects('id,id', 'id')$$, $$SELECT nexus.csv_objects('id,colour', 'id', '{id,name}')$$, $$SELECT nexus.csv_objects('name', 'id', '{id,name}')$$,
  $$SELECT nexus.csv_objects('id', 'id')$$, $$SELECT nexus.csv_objects(NULL, 'id')$$]) WITH ORDINALITY AS t(s, n) ORDER BY n;
