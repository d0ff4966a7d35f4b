-- One megabyte of what is hard on scanners, through everything that reads text: psql -f test/bench/hostile.sql on a database
-- with the extension. Prints the slowest, in CPU time of the backend (Linux: read from /proc); each should take less than
-- 50 ms. Where entities() has a row for each three bytes, it cannot: "rows alone" is what PostgreSQL needs for such rows.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
SET client_min_messages = warning;
SET jit = off;
BEGIN;
CREATE TEMP TABLE pieces (name text, piece text);
INSERT INTO pieces VALUES
  ('#', '#'), ('@', '@'), ('@a', '@a'), ('#a', '#a'), ('$A', '$A '), ('a.', 'a.'), ('http://', 'http://'), ('(((', '('), ('t.co/(', 't.co/('),
  ('a_b.com.', 'a_b.com.'), ('URLs', 'http://a.co/b '), ('bare domains', 'a.com '), ('remote handles', '@a@b.c '),
  ('marks, alternating', U&'\0301\0323'), ('marks, out of order', U&'\0301\0316'), ('marks, each on a letter', U&'e\0301'),
  ('marks, two on a letter', U&'e\0301\0323'),
  ('family emoji', U&'\+01F468\200D\+01F469\200D\+01F467'), ('ZWJ', U&'\200D'), ('pictograph ZWJ', U&'\+01F468\200D'),
  ('regional indicators', U&'\+01F1E9\+01F1EA'), ('keycaps', U&'1\FE0F\20E3'), ('Indic conjuncts', U&'\0915\094D'),
  ('Hangul jamo', U&'\1100\1161\11A8'), ('Prepend', U&'\0600'), ('CR LF', E'\r\n'), ('spaces', ' '), ('ideographs', U&'\6F22'),
  ('fullwidth signs', U&'\FF03\FF20');
CREATE TEMP TABLE hostile AS
SELECT name, left(repeat(piece, 1000000 / octet_length(piece)), 1000000) AS body FROM pieces;

CREATE TEMP TABLE calls (name text, query text);
INSERT INTO calls VALUES
  ('text_stats', 'SELECT nexus.text_stats($1)'),
  ('grapheme_breaks', 'SELECT nexus.grapheme_breaks($1)'),
  ('entities x', 'SELECT count(*) FROM nexus.entities($1, ''x'')'),
  ('entities bluesky', 'SELECT count(*) FROM nexus.entities($1, ''bluesky'')'),
  ('entities mastodon', 'SELECT count(*) FROM nexus.entities($1, ''mastodon'')'),
  ('hashtags', 'SELECT nexus.hashtags($1)'),
  ('canonical_hashtag', 'SELECT nexus.canonical_hashtag($1)'),
  ('validate, 14 platforms', 'SELECT count(*) FROM nexus.validate(jsonb_build_object(''caption'', $1))'),
  ('remaining x', 'SELECT nexus.remaining($1, ''x'')'),
  ('truncate_text x', 'SELECT nexus.truncate_text($1, ''x'')'),
  ('split_thread x', 'SELECT count(*) FROM nexus.split_thread($1, ''x'')'),
  ('split_thread mastodon', 'SELECT count(*) FROM nexus.split_thread($1, ''mastodon'')');
INSERT INTO calls SELECT 'is_valid ' || kind, format('SELECT nexus.is_valid(%L, $1)', kind) FROM unnest(ARRAY['hashtag', 'username',
  'list', 'url', 'url_without_protocol', 'handle', 'did', 'atidentifier', 'aturi', 'nsid', 'tid', 'recordkey', 'language', 'datetime']) kind;

CREATE TEMP TABLE slow (call text, name text, ms double precision);
DO $$
DECLARE
  c record;
  h record;
  started bigint;
  best double precision;
  message text;
BEGIN
  FOR c IN SELECT * FROM calls LOOP
    FOR h IN SELECT * FROM hostile LOOP
      best := NULL;
      message := '';
      FOR i IN 1..3 LOOP
        started := split_part(pg_read_file('/proc/self/schedstat'), ' ', 1);
        BEGIN
          EXECUTE c.query USING h.body;
        EXCEPTION WHEN OTHERS THEN
          IF SQLSTATE NOT IN ('54000', '22023') THEN
            RAISE;
          END IF;
          message := ' (refused: ' || SQLSTATE || ')';
        END;
        best := least(best, (split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - started) / 1e6);
      END LOOP;
      INSERT INTO slow VALUES (c.name || message, h.name, best);
    END LOOP;
  END LOOP;
END $$;
-- What PostgreSQL alone takes for as many rows of the columns of entities() as 1 MB can hold: made of constants, put into
-- a tuplestore and read from there.
DO $$
DECLARE
  started bigint;
  best double precision;
BEGIN
  FOR i IN 1..3 LOOP
    started := split_part(pg_read_file('/proc/self/schedstat'), ' ', 1);
    EXECUTE 'WITH found AS MATERIALIZED (SELECT ''cashtag''::text, ''A''::text, ''A''::text, 1, 2, 1, 2, 1, n
      FROM (SELECT generate_series(1, 333333) AS n) AS numbers) SELECT count(*) FROM found';
    best := least(best, (split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - started) / 1e6);
  END LOOP;
  INSERT INTO slow VALUES ('rows alone', '333,333 rows like those of entities', best);
END $$;
\echo '1 MB of one piece, repeated: the slowest text of each function, CPU ms'
SELECT DISTINCT ON (call) call, name, round(ms::numeric, 1) AS ms FROM slow ORDER BY call, ms DESC;
\echo 'all that take 25 ms or more'
SELECT call, name, round(ms::numeric, 1) AS ms FROM slow WHERE ms >= 25 ORDER BY ms DESC;
ROLLBACK;
