#!/usr/bin/env bash
# psql_deploy.sh [--to CHANGE] [PSQL ARGUMENT...]: the schema's deploy scripts in the order of the plan, by psql alone and
# without sqitch's registry. For databases of tests, in a fraction of sqitch's time; it connects as psql does.
set -euo pipefail

schema=$(cd "$(dirname "${BASH_SOURCE[0]}")/../sql/schema" && pwd)
last=
if [ "${1:-}" = --to ]; then
  last=$2
  shift 2
fi
for change in $(sed -n 's/^\([a-z0-9_]*\) .*/\1/p' "$schema/sqitch.plan"); do
  psql -X -q -v ON_ERROR_STOP=1 "$@" -f "$schema/deploy/$change.sql" </dev/null >/dev/null
  if [ "$change" = "$last" ]; then break; fi
done
