#!/usr/bin/env bash
# make status: what of "make up" is running. Exit status 0 when all is.
source "$(dirname "$0")/lib.sh"

state=0
if [ -f "$RUN/up/data/postmaster.pid" ] && as_server pg_ctl -D "$RUN/up/data" status >/dev/null 2>&1; then
  echo "server: running, psql -h $(socket_dir up) -U postgres nexus"
else
  echo "server: stopped"
  state=1
fi
port=${NEXUS_SERVER_PORT:-3000}
if answer=$(curl -s -m 2 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/ready"); then
  echo "bridge: http://127.0.0.1:$port, /ready says $answer"
  [ "$answer" = 200 ] || state=1
else
  echo "bridge: stopped"
  state=1
fi
if [ -f "$RUN/publisher.pid" ] && kill -0 "$(cat "$RUN/publisher.pid")" 2>/dev/null; then
  echo "publisher: running, log in $RUN/publisher.log"
else
  echo "publisher: stopped"
  state=1
fi
if [ -f "$RUN/ai.pid" ] && kill -0 "$(cat "$RUN/ai.pid")" 2>/dev/null; then
  echo "AI worker: running, log in $RUN/ai.log"
else
  echo "AI worker: stopped"
  state=1
fi
if [ -f "$RUN/media.pid" ] && kill -0 "$(cat "$RUN/media.pid")" 2>/dev/null; then
  echo "media worker: running, log in $RUN/media.log"
else
  echo "media worker: stopped"
  state=1
fi
exit $state
