-- Included by revert scripts that drop something users may have filled: refuses if table loss (table_name, rows, what)
-- counts any, unless the variable allow_data_loss is 'yes'.
SELECT pg_catalog.set_config('nexus_migration.allow_data_loss', :'allow_data_loss', true) AS allowed \gset ignored_

DO $$
DECLARE
  total bigint := (SELECT sum(rows) FROM loss);
BEGIN
  IF total > 0 AND current_setting('nexus_migration.allow_data_loss') <> 'yes' THEN
    RAISE EXCEPTION 'this revert would lose what % rows hold', total
      USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = (SELECT string_agg(format('%s: %s (%s)', table_name, rows, what), E'\n' ORDER BY table_name)
                        FROM loss WHERE rows > 0),
            HINT = 'To lose it all the same, revert with --set allow_data_loss=yes.';
  END IF;
END $$;
