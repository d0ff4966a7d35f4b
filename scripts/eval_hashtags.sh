#!/usr/bin/env bash
# make eval-hashtags: learns each corpus under $NEXUS_VECTORS/hashtags by SQL, asks for its dev posts by SQL, and scores the
# answers with $NEXUS_TOOLS/score_hashtags.py. CORPUS="crisis weibo" picks some.
source "$(dirname "$0")/lib.sh"

export NEXUS_VECTORS=${NEXUS_VECTORS:-$ROOT/../shared/vectors}
export NEXUS_TOOLS=${NEXUS_TOOLS:-$ROOT/../shared/tools}
[ -d "$NEXUS_VECTORS/hashtags" ] || die "no corpora at $NEXUS_VECTORS/hashtags (set NEXUS_VECTORS)"
[ -f "$NEXUS_TOOLS/score_hashtags.py" ] || die "no scorer at $NEXUS_TOOLS/score_hashtags.py (set NEXUS_TOOLS)"

scripts/deps.sh
install_extension
rm -rf "$RUN/eval"
cluster_start eval "fsync = off"
trap 'cluster_stop eval' EXIT
PGHOST=$(socket_dir eval)
export PGHOST PGUSER=postgres
python3 scripts/eval_hashtags.py
