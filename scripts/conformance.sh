#!/usr/bin/env bash
# make conformance: the vector files under $NEXUS_VECTORS, a line of counts each.
source "$(dirname "$0")/lib.sh"

export NEXUS_VECTORS=${NEXUS_VECTORS:-$ROOT/../shared/vectors}
export NEXUS_TOOLS=${NEXUS_TOOLS:-$ROOT/../shared/tools}
[ -d "$NEXUS_VECTORS" ] || die "no vectors at $NEXUS_VECTORS (set NEXUS_VECTORS)"

scripts/deps.sh
install_extension
rm -rf "$RUN/conformance"
cluster_start conformance "fsync = off"
trap 'cluster_stop conformance' EXIT
create_database conformance nexus

PGHOST=$(socket_dir conformance)
export PGHOST PGUSER=postgres PGDATABASE=nexus
for runner in ${CONFORMANCE:-test/conformance/[!c]*.py test/conformance/c[!o]*.py}; do
  [ -e "$runner" ] || continue
  python3 "$runner"
done
