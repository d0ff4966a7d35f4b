#!/usr/bin/env bash
# The core knows no PostgreSQL, and its headers refuse to come after it.
set -euo pipefail
bad=0
if git ls-files 'extension/core' | xargs grep -nE '#include *["<](postgres|fmgr|utils/|catalog/|glue/)'; then bad=1; fi
for header in $(git ls-files 'extension/core/*.hpp'); do
  if ! head -n 3 "$header" | grep -q '^#ifdef POSTGRES_H'; then
    echo "$header does not start with the guard against postgres.h"
    bad=1
  fi
done
exit $bad
