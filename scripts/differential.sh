#!/usr/bin/env bash
# scripts/differential.sh [NAME...]: the same questions to the extension and to other implementations, on random input of
# fixed seeds; each test/differential/NAME.py prints a line of counts and fails where the two disagree without a known
# reason. DIFFERENTIAL_COUNT (default 4000) inputs each. What a peer needs and cannot be had is said, and left out.
source "$(dirname "$0")/lib.sh"

scripts/deps.sh
install_extension
rm -rf "$RUN/differential"
cluster_start differential "fsync = off"
trap 'cluster_stop differential' EXIT
create_database differential nexus --fast

PGHOST=$(socket_dir differential)
export PGHOST PGUSER=postgres PGDATABASE=nexus
failed=0
if [ $# -eq 0 ]; then
  for runner in test/differential/*.py; do set -- "$@" "$(basename "$runner" .py)"; done
fi
for name in "$@"; do python3 "test/differential/$name.py" || failed=1; done
exit $failed
