-- Included by every verify script, which names its change: compares the manifest with the golden file of that change and
-- raises the differences. Files are found from the folder of sqitch.plan, where sqitch runs; elsewhere set dir.
--
-- A change that others followed is compared only in what its golden file still has in common with that of the latest
-- change deployed; the latest is compared in everything, so what is there too much shows as well.
\ir settings.sql
\if :{?registry}
\else
  \set registry sqitch
\endif
\if :{?dir}
\else
  \set dir .
\endif

BEGIN;

\set latest :change
SELECT pg_catalog.to_regclass(pg_catalog.format('%I.changes', :'registry')) IS NOT NULL AS registered \gset
\if :registered
  SELECT COALESCE((SELECT later.change
                     FROM :"registry".changes this
                     JOIN :"registry".changes later ON later.project = this.project AND later.committed_at >= this.committed_at
                    WHERE this.project = 'creatornexus' AND this.change = :'change'
                    ORDER BY later.committed_at DESC LIMIT 1), :'change') AS latest \gset
\endif

\set golden_file :dir /verify/ :change .manifest.json
\set golden `cat :'golden_file'`
\set golden_file :dir /verify/ :latest .manifest.json
\set latest_golden `cat :'golden_file'`
\set manifest_file :dir /manifest.sql
\set manifest `cat :'manifest_file'`

CREATE TEMP TABLE actual ON COMMIT DROP AS
:manifest

CREATE TEMP TABLE difference ON COMMIT DROP AS
  WITH golden AS (
    SELECT r ->> 0 AS kind, r ->> 1 AS name, r ->> 2 AS what, r ->> 3 AS value FROM jsonb_array_elements(:'golden'::jsonb) r
  ), latest AS (
    SELECT r ->> 0 AS kind, r ->> 1 AS name, r ->> 2 AS what, r ->> 3 AS value FROM jsonb_array_elements(:'latest_golden'::jsonb) r
  ), expected AS (
    SELECT * FROM golden INTERSECT SELECT * FROM latest
  )
  SELECT kind, name, what, e.value AS expected, a.value AS found
    FROM expected e FULL JOIN actual a USING (kind, name, what)
   WHERE e.value IS DISTINCT FROM a.value AND (e.value IS NOT NULL OR :'change' = :'latest');

SELECT pg_catalog.set_config('nexus_migration.own_columns', :'own_columns', true) AS columns \gset ignored_

DO $$
DECLARE
  own text[] := regexp_split_to_array(current_setting('nexus_migration.own_columns'), '\s*,\s*');
  rule record;
  broken boolean;
BEGIN
  DELETE FROM difference d WHERE d.kind = 'column' AND d.name = ANY (own) AND d.expected IS NULL;
  DELETE FROM difference d WHERE d.kind = 'table' AND d.what = 'columns' AND d.expected = (
    SELECT string_agg(c.name, ', ' ORDER BY c.place)
      FROM unnest(string_to_array(d.found, ', ')) WITH ORDINALITY AS c(name, place) WHERE d.name || '.' || c.name <> ALL (own));
  -- Better than expected is no fault: a rule may be validated by hand at any time.
  DELETE FROM difference d WHERE d.what = 'validated' AND d.found = 'true';
  -- A rule that is not validated is a fault only if no row breaks it: adopted rows may.
  FOR rule IN
    SELECT d.name, c.conrelid::regclass AS table_name, pg_get_expr(c.conbin, c.conrelid) AS expression
      FROM difference d
      JOIN pg_constraint c ON c.conname = split_part(d.name, '.', 2) AND c.conrelid = to_regclass(quote_ident(split_part(d.name, '.', 1)))
     WHERE d.kind = 'constraint' AND d.what = 'validated' AND d.found = 'false'
  LOOP
    BEGIN
      EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE NOT (%s))', rule.table_name, rule.expression) INTO broken;
    EXCEPTION
      WHEN data_exception THEN broken := true;
    END;
    IF broken THEN
      RAISE NOTICE 'rule % is not validated: old rows break it', rule.name;
      DELETE FROM difference WHERE kind = 'constraint' AND name = rule.name AND what = 'validated';
    END IF;
  END LOOP;

  IF EXISTS (SELECT FROM difference) THEN
    RAISE EXCEPTION '% differences from the manifest', (SELECT count(*) FROM difference)
      USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = (SELECT string_agg(format('%s %s, %s: expected %s, found %s', d.kind, d.name, d.what,
                                               COALESCE(d.expected, 'nothing'), COALESCE(d.found, 'nothing')), E'\n'
                                        ORDER BY d.kind, d.name, d.what) FROM difference d);
  END IF;
END $$;

ROLLBACK;
