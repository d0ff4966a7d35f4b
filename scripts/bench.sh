#!/usr/bin/env bash
# make bench: the core's benchmarks, then those in SQL against named peers.
source "$(dirname "$0")/lib.sh"

scripts/deps.sh
cmake --preset bench >/dev/null
cmake --build --preset bench >/dev/null
for program in build/bench/*_bench; do
  say "== $(basename "$program")"
  "$program" --benchmark_min_time=0.2
done
if ! compgen -G 'test/bench/*.sql' >/dev/null; then exit 0; fi
install_extension
rm -rf "$RUN/bench"
cluster_start bench shared_buffers=1GB max_wal_size=4GB
trap 'cluster_stop bench' EXIT
create_database bench nexus
for file in test/bench/*.sql; do
  say "== $(basename "$file")"
  psql -X -q -v ON_ERROR_STOP=1 -h "$(socket_dir bench)" -U postgres -d nexus -f "$file"
done
PGHOST=$(socket_dir bench)
export PGHOST PGUSER=postgres PGDATABASE=nexus
for file in test/bench/*.py; do
  say "== $(basename "$file")"
  python3 "$file"
done
