#!/usr/bin/env bash
# make down: stops the bridge and the server; the data stay in .run/up (remove the folder to start anew).
source "$(dirname "$0")/lib.sh"

if [ -f "$RUN/bridge.pid" ]; then
  kill "$(cat "$RUN/bridge.pid")" 2>/dev/null || true
  rm -f "$RUN/bridge.pid"
fi
cluster_stop up
say "stopped; the data stay in .run/up"
