#!/usr/bin/env bash
# Load on the bridge: one transaction with role and claims that reads one row by its key, beside pgbench doing the same in
# a pipeline and Fastify with postgres.js doing the same (left out where npm cannot be reached). Only the ratios within one
# round mean something: what else the machine does changes from round to round, so the best of the rounds counts.
# SECONDS_EACH=5 sets the length of each measurement, ROUNDS=3 their number, BRIDGE_LOOPS the number of event loops (0: as
# many as the bridge takes by itself). The bridge, Fastify, wrk and pgbench each have a session of their own, as services
# have: Linux shares the processor among sessions first, and each backend of the server is one.
source "$(dirname "$0")/../../scripts/lib.sh"

seconds=${SECONDS_EACH:-5}
rounds=${ROUNDS:-3}
threads=${BRIDGE_LOOPS:-0}
port=$((20000 + RANDOM % 10000))
bridge=$ROOT/build/dev/bridge/creatornexus-bridge
command -v wrk >/dev/null || die "wrk is not installed (apt-get install wrk)"
[ -x "$bridge" ] || die "no bridge at $bridge (make up builds it)"
ulimit -n "$(ulimit -Hn)"

make_pg_tree
cluster_start load "fsync = off" "max_connections = 60"
PGHOST=$(socket_dir load)
export PGHOST PGUSER=postgres
work=$(mktemp -d)
pid=
fastify=
finish() {
  local each
  for each in $pid $fastify; do kill "$each" 2>/dev/null && wait "$each" || true; done
  cluster_stop load
  rm -rf "$work"
}
trap finish EXIT

psql -Xq -d postgres -c "DROP DATABASE IF EXISTS load" -c "CREATE DATABASE load" 2>/dev/null
psql -Xq -v ON_ERROR_STOP=1 -d load <<'SQL'
SELECT format('CREATE ROLE %s', r) FROM unnest(ARRAY['load_web NOLOGIN', 'load_gate LOGIN NOINHERIT']) r
 WHERE split_part(r, ' ', 1) NOT IN (SELECT rolname FROM pg_roles) \gexec
SET client_min_messages = error;
GRANT load_web TO load_gate;
CREATE SCHEMA api;
GRANT USAGE ON SCHEMA api TO load_web, load_gate; -- pgbench prepares before it changes the role
CREATE TABLE api.item (id int PRIMARY KEY, doc jsonb NOT NULL);
INSERT INTO api.item SELECT n, jsonb_build_object('id', n, 'title', 'item ' || n, 'tags', jsonb_build_array('a', 'b'))
  FROM generate_series(1, 10000) n;
GRANT SELECT ON api.item TO load_web;
CREATE FUNCTION api.item(key int) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT doc FROM api.item WHERE id = key';
VACUUM ANALYZE api.item;
SQL

# The same transaction: role, claims, headers, one call; all of it sent at once.
cat >"$work/tx.sql" <<'SQL'
\set key random(1, 10000)
\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
SELECT set_config('search_path', '"api", "public"', true), set_config('statement_timeout', '30000', true), set_config('role', 'load_web', true), set_config('request.jwt.claims', '{"role":"load_web"}', true), set_config('request.method', 'GET', true), set_config('request.path', '/rpc/item', true), set_config('request.headers', '{"host":"127.0.0.1"}', true), set_config('request.cookies', '{}', true);
WITH page AS (SELECT api.item(:key) AS v) SELECT NULL::text, count(*)::text, coalesce((json_agg(v)->0)::text, 'null'), nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') FROM page;
COMMIT;
\endpipeline
SQL
cat >"$work/item.lua" <<'LUA'
local n, requests = 0, {}
request = function()
  n = n % 10000 + 1
  requests[n] = requests[n] or wrk.format('GET', '/rpc/item?key=' .. n)
  return requests[n]
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('%.0f %.2f %.2f %d\n', summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout))
end
LUA

pgbench_tps() { setsid -w pgbench -n -M prepared -c "$1" -j 2 -T "$seconds" -f "$work/tx.sql" -U load_gate load 2>"$work/pgbench.log" | sed -n 's/^tps = \([0-9]*\).*/\1/p'; }
rss_mb() { awk '/VmRSS/ {printf "%.1f", $2 / 1024}' "/proc/${1:-$pid}/status"; }
# CPU time in ticks of 10 ms: of a process, of those it has waited for, of the server with all backends that are and were.
cpu() { awk '{print $14 + $15}' "/proc/$1/stat"; }
cpu_of_ended() { awk '{print $16 + $17}' "/proc/$1/stat"; }
server_cpu() {
  local postmaster
  postmaster=$(head -n 1 "$RUN/load/data/postmaster.pid")
  { cpu_of_ended "$postmaster" && pgrep -P "$postmaster" | sed 's#.*#/proc/&/stat#' | xargs -r cat 2>/dev/null | awk '{print $14 + $15}'; } | awk '{sum += $1} END {print sum + 0}'
}
per() { awk -v ticks="$1" -v rate="$2" -v seconds="$seconds" 'BEGIN { printf "%.1f", ticks * 10000 / (rate * seconds) }'; }
# load CONNECTIONS [PORT]: "requests/s p50 p99 errors"
load() { setsid -w wrk -t 1 -c "$1" -d "$seconds" --timeout 10 -s "$work/item.lua" "http://127.0.0.1:${2:-$port}" | tail -n 1; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }'; }
# best NUMBER...: the largest
best() { printf '%s\n' "$@" | sort -g | tail -n 1; }

# Fastify and postgres.js with as many connections, on the port behind the bridge's; false where npm cannot be reached.
start_fastify() {
  command -v npm >/dev/null && mkdir -p "$RUN/npm-load" && cp "$ROOT/test/load/fastify_server.mjs" "$RUN/npm-load" || return 1
  (cd "$RUN/npm-load" && timeout 300 npm install --no-audit --no-fund --ignore-scripts --no-package-lock --prefer-offline fastify@5 postgres@3 >npm.log 2>&1) || return 1
  (cd "$RUN/npm-load" && exec setsid node fastify_server.mjs $((port + 1)) "$PGHOST" 8) >"$work/fastify.log" 2>&1 &
  fastify=$!
  for _ in $(seq 100); do curl -sf "http://127.0.0.1:$((port + 1))/rpc/item?key=7" >/dev/null && break || sleep 0.1; done
  curl -sf "http://127.0.0.1:$((port + 1))/rpc/item?key=7" | grep -q '"id": 7' || die "Fastify does not answer: $(cat "$work/fastify.log")"
}

env -i PATH="$PATH" NEXUS_DB_URI="host=$PGHOST user=load_gate dbname=load" NEXUS_DB_SCHEMAS=api NEXUS_DB_ANON_ROLE=load_web NEXUS_SERVER_PORT=$port \
  NEXUS_SERVER_THREADS="$threads" NEXUS_LOG_LEVEL=warn setsid "$bridge" 2>"$work/bridge.log" &
pid=$!
for _ in $(seq 100); do curl -sf "http://127.0.0.1:$port/ready" >/dev/null && break || sleep 0.1; done
curl -sf "http://127.0.0.1:$port/rpc/item?key=7" | grep -q '"id": 7' || die "the bridge does not answer: $(cat "$work/bridge.log")"
load 8 >/dev/null # warm

if start_fastify; then
  load 64 $((port + 1)) >/dev/null # warm
else
  echo "npm is not reachable: no Fastify"
fi

row() { printf '%-7s %10s | %10s %8s | %10s %8s | %10s %8s\n' "$@"; }
row round "pgbench/s" "64 conn./s" "/pgbench" "1000 c./s" "/64" "fastify/s" "64/f."
to_pgbench=() to_64=() to_fastify=()
errors=0
for round in $(seq "$rounds"); do
  ticks_p=$(($(server_cpu) + $(cpu_of_ended $$)))
  base=$(pgbench_tps 8) || die "pgbench failed: $(cat "$work/pgbench.log")"
  ticks_p=$(($(server_cpu) + $(cpu_of_ended $$) - ticks_p))
  ticks=$(cpu "$pid")
  server=$(server_cpu)
  read -r rps p50 p99 failed <<<"$(load 64)"
  errors=$((errors + failed))
  ticks=$(($(cpu "$pid") - ticks))
  server=$(($(server_cpu) - server))
  rss=${rss:-$(rss_mb)} # before there have been more connections
  read -r rps1000 p50b p99b failed <<<"$(load 1000)"
  errors=$((errors + failed))
  to_pgbench+=("$(ratio "$rps" "$base")")
  to_64+=("$(ratio "$rps1000" "$rps")")
  rps_f=-
  if [ -n "$fastify" ]; then
    ticks_f=$(cpu "$fastify")
    read -r rps_f _ _ _ <<<"$(load 64 $((port + 1)))"
    ticks_f=$(($(cpu "$fastify") - ticks_f))
    to_fastify+=("$(ratio "$rps" "$rps_f")")
  fi
  row "$round" "$base" "$rps" "${to_pgbench[-1]}" "$rps1000" "${to_64[-1]}" "$rps_f" "${to_fastify[-1]:--}"
done
row best "" "" "$(best "${to_pgbench[@]}")" "" "$(best "${to_64[@]}")" "" "$(best "${to_fastify[@]:--}")"
row wanted "" "" "0.80" "" "1.00" "" "4.00"
echo "64 connections:   p50 $p50 ms, p99 $p99 ms, RSS $rss MB (wanted: 20), CPU per request $(per "$ticks" "$rps") us, the server $(per "$server" "$rps") us"
echo "pgbench:          CPU per transaction $(per "$ticks_p" "$base") us, the server's included: $(ratio "$(per "$ticks_p" "$base")" "$(per $((ticks + server)) "$rps")")x of the bridge's with the server's"
echo "1000 connections: p50 $p50b ms, p99 $p99b ms, RSS $(rss_mb) MB"
echo "errors of the bridge: $errors"
if [ -n "$fastify" ]; then
  echo "Fastify:          CPU per request $(per "$ticks_f" "$rps_f") us, RSS $(rss_mb "$fastify") MB"
  kill "$fastify" && wait "$fastify" || true
  fastify=
fi

# What 10,000 idle connections and 1,000 slow senders change for 64 that are at work.
if [ "$(ulimit -n)" -ge 12000 ]; then
  python3 "$ROOT/test/load/idle_clients.py" "$port" "$pid" '/rpc/item?key=7' --seconds "$seconds" --rounds "$((2 * rounds))"
else
  echo "idle connections: not measured, the limit of open files is $(ulimit -n)"
fi
if [ -s "$work/bridge.log" ]; then cat "$work/bridge.log"; fi
