#!/usr/bin/env bash
# Writes the golden files sql/schema/verify/CHANGE.manifest.json anew: deploys the changes one by one on a fresh cluster and
# notes the manifest after each. Run it after editing a migration or what nexus.attach makes, and read the diff.
source "$(dirname "$0")/lib.sh"

install_extension
cluster_stop manifest
rm -rf "$RUN/manifest"
cluster_start manifest "fsync = off"
trap 'cluster_stop manifest; rm -rf "$RUN/manifest"' EXIT

PGHOST=$(socket_dir manifest)
export PGHOST PGUSER=postgres PGDATABASE=nexus
createdb nexus
for change in $(schema_changes); do
  psql -X -q -v ON_ERROR_STOP=1 -f "sql/schema/deploy/$change.sql" >/dev/null
  PGOPTIONS='-c search_path=public,pg_temp' psql -X -q -v ON_ERROR_STOP=1 -At >"$RUN/manifest.json" <<'SQL'
\set manifest `cat sql/schema/manifest.sql`
CREATE TEMP TABLE actual AS :manifest
SELECT '[' || string_agg(jsonb_build_array(kind, name, what, value)::text, E',\n '
                         ORDER BY kind COLLATE "C", name COLLATE "C", what COLLATE "C") || ']' FROM actual;
SQL
  mv "$RUN/manifest.json" "sql/schema/verify/$change.manifest.json"
  psql -X -q -v ON_ERROR_STOP=1 -v dir=sql/schema -f "sql/schema/verify/$change.sql" >/dev/null
done
for golden in sql/schema/verify/*.manifest.json; do
  [ -e "${golden%.manifest.json}.sql" ] || rm "$golden"
done
git --no-pager diff --stat -- sql/schema/verify
