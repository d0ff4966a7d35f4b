#!/usr/bin/env bash
# Five minutes of mixed load on a bridge that is built with sanitizers: calls of every kind, errors, clients that leave in the
# middle, streams, backends that are cut off. Then SIGTERM: an exit other than 0, or a word of a sanitizer (the one for leaks
# speaks at the end), is a fault; so is a bridge that does not answer as at first once the load is over. PRESET=asan (or tsan)
# says which build, NEXUS_BRIDGE another program, SECONDS_LOAD=300 how long.
source "$(dirname "$0")/../../scripts/lib.sh"

preset=${PRESET:-asan}
seconds=${SECONDS_LOAD:-300}
port=$((20000 + RANDOM % 10000))
admin=$((30001 + RANDOM % 2000))
bridge=$(realpath -m "${NEXUS_BRIDGE:-build/$preset/bridge/creatornexus-bridge}")
command -v wrk >/dev/null || die "wrk is not installed (apt-get install wrk)"
[ -x "$bridge" ] || die "no bridge at $bridge (cmake --preset $preset && cmake --build --preset $preset --target creatornexus-bridge)"

make_pg_tree
cluster_start sanitized "fsync = off"
PGHOST=$(socket_dir sanitized)
export PGHOST PGUSER=postgres
work=$(mktemp -d)
pids=()
finish() {
  if [ ${#pids[@]} -gt 0 ]; then kill "${pids[@]}" 2>/dev/null || true; fi
  cluster_stop sanitized
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
GRANT USAGE ON SCHEMA api TO load_web;
CREATE TABLE api.item (id int PRIMARY KEY, doc jsonb NOT NULL);
INSERT INTO api.item SELECT n, jsonb_build_object('id', n, 'title', 'item ' || n) FROM generate_series(1, 5000) n;
GRANT SELECT, UPDATE ON api.item TO load_web;
CREATE FUNCTION api.item(key int) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT doc FROM api.item WHERE id = key';
CREATE FUNCTION api.items(below int) RETURNS SETOF api.item LANGUAGE sql STABLE AS 'SELECT * FROM api.item WHERE id < below';
CREATE FUNCTION api.touch(key int) RETURNS int LANGUAGE sql AS 'UPDATE api.item SET doc = doc WHERE id = key RETURNING id';
CREATE FUNCTION api.fail(state text) RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'it failed' USING ERRCODE = state; END$$;
CREATE FUNCTION api.slow(seconds float) RETURNS text LANGUAGE sql AS 'SELECT pg_sleep(seconds)::text';
CREATE FUNCTION api.greet(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'hello ' || $1$$;
SQL

# What the bridge says of itself, and the server of its connections.
state_of_the_bridge() {
  curl -s -m 5 -w ' %{http_code}\n' "http://127.0.0.1:$admin/ready" || echo "/ready does not answer"
  curl -s -m 5 "http://127.0.0.1:$admin/metrics" | grep -v '^#' || echo "/metrics does not answer"
  psql -Xqt -d load -c "SELECT pid, state, wait_event, now() - query_start, left(query, 100) FROM pg_stat_activity WHERE usename = 'load_gate'"
  grep -E '^(VmRSS|Threads|State)' "/proc/$pid/status"
  printf '%s descriptors, sockets: ' "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
  ss -tan "sport = :$port" | awk 'NR > 1 {n[$1]++} END {for (s in n) printf "%s %d  ", s, n[s]; print ""}'
  tail -n 40 "$work/bridge.log"
}

cat >"$work/mixed.lua" <<'LUA'
local n, json = 0, { ['Content-Type'] = 'application/json' }
local kinds = {
  function() return wrk.format('GET', '/rpc/item?key=' .. n % 5000) end,
  function() return wrk.format('POST', '/rpc/touch', json, '{"key": ' .. n % 5000 .. '}') end,
  function() return wrk.format('GET', '/rpc/items?below=50&order=id.desc&limit=5&doc->>title=like.*4*') end,
  function() return wrk.format('GET', '/rpc/items?below=200', { Accept = 'application/x-ndjson' }) end,
  function() return wrk.format('GET', '/rpc/items?below=40', { Accept = 'text/csv', Prefer = 'count=exact' }) end,
  function() return wrk.format('GET', '/rpc/items?below=90&order=id&limit=10', { Prefer = 'paging=keyset' }) end,
  function() return wrk.format('POST', '/batch', json, '[{"function":"item","arguments":{"key":1}},{"function":"touch","arguments":{"key":2}}]') end,
  function() return wrk.format('POST', '/rpc/fail', json, '{"state": "PT4' .. string.format('%02d', n % 100) .. '"}') end,
  function() return wrk.format('POST', '/rpc/fail', json, '{"state": "40001"}') end,
  function() return wrk.format('POST', '/rpc/greet', { ['Content-Type'] = 'text/plain' }, string.rep('x', n % 3000)) end,
  function() return wrk.format('POST', '/rpc/item', json, string.rep('[', n % 200)) end,
  function() return wrk.format('GET', '/rpc/nothing_of_the_kind?a=1', { Authorization = 'Bearer a.b.c' }) end,
  function() return wrk.format('GET', '/') end,
  function() return wrk.format('OPTIONS', '/rpc/item', { Origin = 'http://example.org', ['Access-Control-Request-Method'] = 'GET' }) end,
}
request = function() n = n + 1 return kinds[n % #kinds + 1]() end
LUA

# Clients that leave: before their request is whole, before its answer, in the middle of it.
cat >"$work/leaving.py" <<'PY'
import random, socket, sys, time
port, end = int(sys.argv[1]), time.time() + float(sys.argv[2])
random.seed(7)
whole = [b"GET /rpc/slow?seconds=0.05 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /rpc/items?below=5000 HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n",
         b"POST /rpc/slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"seconds\": .03}", b"POST /rpc/greet HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"]
left = 0
while time.time() < end:
    try:
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
        for client in clients:
            request = b"".join(random.choices(whole, k=random.randint(1, 3)))
            client.sendall(request[:random.randint(1, len(request))] if random.random() < 0.5 else request)
        time.sleep(random.uniform(0.05, 0.2))
        for client in clients:
            if random.random() < 0.5:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            left += 1
    except OSError:
        time.sleep(0.05)
print(f"{left} clients have left")
PY

env -i PATH="$PATH" ASAN_OPTIONS=detect_leaks=1 NEXUS_DB_URI="host=$PGHOST user=load_gate dbname=load" NEXUS_DB_SCHEMAS=api NEXUS_DB_ANON_ROLE=load_web \
  NEXUS_JWT_SECRET=a-secret-that-is-for-tests-alone-0123456789 NEXUS_SERVER_PORT=$port NEXUS_ADMIN_SERVER_PORT=$admin NEXUS_SERVER_THREADS=2 NEXUS_LOG_LEVEL=error "$bridge" 2>"$work/bridge.log" &
pid=$!
pids=("$pid")
for _ in $(seq 300); do curl -sf "http://127.0.0.1:$port/ready" >/dev/null && break || sleep 0.1; done
python3 "$work/leaving.py" "$port" "$seconds" &
leaving=$!
wrk -t 1 -c 64 -d "$seconds" --timeout 10 -s "$work/mixed.lua" "http://127.0.0.1:$port" &
load=$!
pids+=("$leaving" "$load")
end=$((SECONDS + seconds))
while [ $SECONDS -lt $((end - 10)) ]; do
  sleep 10
  psql -Xqt -d load -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'load_gate' ORDER BY random() LIMIT 2" >/dev/null
  psql -Xq -d load -c "NOTIFY nexus" >/dev/null
done
wait "$load" "$leaving"
# What was asked before may still wait; then it serves as at first.
for _ in $(seq 300); do
  said=$(curl -s -m 20 "http://127.0.0.1:$port/rpc/item?key=7" || true)
  if [[ $said == *'"id": 7'* ]]; then break; fi
  sleep 0.1
done
# Nor has any of its connections gone astray: calls that are slow are served beside each other.
served=0
if [[ $said == *'"id": 7'* ]]; then
  mapfile -t slow < <(yes "http://127.0.0.1:$port/rpc/slow?seconds=0.2" | head -n 40)
  served=$(curl -sZ --no-progress-meter --parallel-max 40 -m 20 -w '%{http_code}\n' "${slow[@]}" | grep -c '200$' || true)
fi
if [ "$served" != 40 ]; then
  state_of_the_bridge >&2
  die "the bridge does not serve as at first: $served of 40 slow calls; to the last fast one it says: ${said:-nothing within 20 s}"
fi
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
pids=()
if [ "$code" != 0 ] || grep -qE 'Sanitizer|runtime error' "$work/bridge.log"; then
  cat "$work/bridge.log"
  die "the bridge ended with $code"
fi
echo "$bridge: ended with 0 after $seconds s, no fault and no leak"
