#!/usr/bin/env bash
# make down: stops media worker, AI worker, publisher, sink, bridge and server; the data stay in .run/up (remove the folder to start anew).
source "$(dirname "$0")/lib.sh"

for name in media ai publisher sink bridge; do
  if [ -f "$RUN/$name.pid" ]; then
    kill "$(cat "$RUN/$name.pid")" 2>/dev/null || true
    rm -f "$RUN/$name.pid"
  fi
done
cluster_stop up
say "stopped; the data stay in .run/up"
