-- The bridge hears of changes of the schema by itself: an event trigger tells its channel, at the end of the transaction
-- and once for all changes in it. What has no part in a function's signature (indexes, grants, new tables) tells nothing.
-- This file is the last one, so that the extension's own making does not count.

CREATE FUNCTION nexus.schema_reload_trigger() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_EVENT = 'sql_drop' AND NOT EXISTS (
      SELECT FROM pg_event_trigger_dropped_objects() d WHERE d.object_type = 'function' AND NOT d.is_temporary) THEN
    RETURN;
  END IF;
  PERFORM pg_notify('nexus', 'reload schema');
END $$;
COMMENT ON FUNCTION nexus.schema_reload_trigger() IS
  'Tells the channel nexus that the functions or the row types of the schema have changed, so that bridges read them again. '
  'Of the event triggers nexus_schema_changed and nexus_schema_dropped, which only a superuser can make: where the '
  'extension could not, NOTIFY nexus, ''reload schema'' does the same by hand.';

DO $$
BEGIN
  CREATE EVENT TRIGGER nexus_schema_changed ON ddl_command_end
    WHEN TAG IN ('CREATE FUNCTION', 'ALTER FUNCTION', 'ALTER ROUTINE', 'ALTER TYPE', 'ALTER DOMAIN', 'ALTER TABLE', 'CREATE VIEW',
      'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER FOREIGN TABLE', 'ALTER SCHEMA', 'CREATE EXTENSION', 'ALTER EXTENSION')
    EXECUTE FUNCTION nexus.schema_reload_trigger();
  CREATE EVENT TRIGGER nexus_schema_dropped ON sql_drop EXECUTE FUNCTION nexus.schema_reload_trigger();
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'no event trigger tells bridges of changes of the schema: only a superuser can make one'
    USING HINT = 'NOTIFY nexus, ''reload schema'' after such a change.';
END $$;
