#!/usr/bin/env bash
# make up: installs what is missing, builds, starts a private PostgreSQL with the extension, the schema and demo data,
# starts the bridge, a webhook sink, the publisher, the AI worker and the media worker, prints what to try. Run again, it brings up only what is not up.
source "$(dirname "$0")/lib.sh"

PORT=${NEXUS_SERVER_PORT:-3000}
ADMIN_PORT=${NEXUS_ADMIN_SERVER_PORT:-3001}
SINK_PORT=${NEXUS_SINK_PORT:-3002}
HOOK_PORT=${NEXUS_HOOK_PORT:-3003}

scripts/deps.sh
install_extension
if ! { cmake --preset dev && cmake --build --preset dev --target creatornexus-bridge nexus-publisher nexus-webhook-sink nexus-ai-worker nexus-media-worker nexus-media-probe; } >"$RUN/cmake.log" 2>&1; then
  tail -n 40 "$RUN/cmake.log" >&2
  die "bridge and publisher did not build"
fi

# No disk of today seeks four times slower than it reads on. The background worker calls tick().
cluster_start up "random_page_cost = 1.1" "shared_preload_libraries = 'creatornexus'" "nexus.worker_database = 'nexus'"
socket=$(socket_dir up)
export PGHOST=$socket PGUSER=postgres PGDATABASE=nexus
if ! psql -XqAt -d postgres -c "SELECT 1 FROM pg_database WHERE datname = 'nexus'" | grep -q 1; then
  create_database up nexus
fi
if [ "$(psql -XqAt -c "SELECT count(*) FROM users WHERE id LIKE 'seed-%'")" = 0 ]; then
  psql -XqAt -c "SELECT 'demo data: ' || nexus.seed('small')::text" >&2
  # what tick() would do in its time: the model, with the engagement that the demo's posts had, and the niches
  psql -XqAt -c "SELECT nexus.fold_hashtag_stats()" -c "SELECT nexus.learn_hashtag_engagement(10000)" -c "SELECT nexus.fold_hashtag_stats()" \
    -c "SELECT nexus.refresh_niches()" >/dev/null
fi

secret_file() { if [ ! -f "$1" ]; then (umask 077 && printf '%s%s\n' "$2" "$(head -c 32 /dev/urandom | base64)" >"$1"); fi; }
secret_file "$RUN/publisher-keys" 'k1 ' # the bridge seals tokens of accounts with them, too

# The secret is made once, and signs the tokens of this private installation only.
if [ ! -f "$RUN/jwt-secret" ]; then (umask 077 && head -c 32 /dev/urandom | base64 | tr -d '\n' >"$RUN/jwt-secret"); fi
pid_file=$RUN/bridge.pid
if ! { [ -f "$pid_file" ] && kill -0 "$(cat "$pid_file")" 2>/dev/null; }; then
  NEXUS_DB_URI="host=$socket user=nexus_bridge dbname=nexus" NEXUS_DB_SCHEMAS=nexus NEXUS_DB_ANON_ROLE=nexus_anon \
    NEXUS_JWT_SECRET=$(cat "$RUN/jwt-secret") NEXUS_SERVER_HOST=127.0.0.1 NEXUS_SERVER_PORT=$PORT \
    NEXUS_MEDIA_STORE=$RUN/media NEXUS_ADMIN_SERVER_PORT=$ADMIN_PORT NEXUS_ACCOUNT_KEYS=@$RUN/publisher-keys NEXUS_ACCOUNTS_ALLOW_NETWORK=127.0.0.0/8 \
    NEXUS_OAUTH_REDIRECT_URI=http://127.0.0.1:$PORT/oauth/callback setsid build/dev/bridge/creatornexus-bridge >"$RUN/bridge.log" 2>&1 </dev/null &
  echo $! >"$pid_file"
fi
for _ in $(seq 100); do
  if curl -sf "http://127.0.0.1:$PORT/ready" >/dev/null; then break; fi
  sleep 0.1
done
curl -sf "http://127.0.0.1:$PORT/ready" >/dev/null || { tail -n 20 "$RUN/bridge.log" >&2; die "the bridge is not ready"; }

# Publishing: a demo user's account at a webhook sink, whose secret is sealed with a key of this installation.
running() { [ -f "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }
secret_file "$RUN/sink-secret" ''
sealed=$(build/dev/bridge/nexus-publisher --key-file "$RUN/publisher-keys" seal --platform webhook --account demo-sink <"$RUN/sink-secret")
sink_account=$(
  psql -XqAt -v sealed="$sealed" -v url="http://127.0.0.1:$SINK_PORT/posts" <<'SQL'
INSERT INTO social_accounts (user_id, platform, account_id, account_name, instance_url, access_token, metadata)
SELECT id, 'webhook', 'demo-sink', 'Demo sink', :'url', :'sealed', '{"webhook": {"idempotent": true, "read_back": true}}' FROM users WHERE id = 'seed-1-1'
ON CONFLICT (user_id, platform, account_id) DO UPDATE SET instance_url = EXCLUDED.instance_url, access_token = EXCLUDED.access_token, status = 'active'
RETURNING id;
SQL
)
if ! running "$RUN/sink.pid"; then
  NEXUS_SINK_SECRET=$(cat "$RUN/sink-secret") setsid build/dev/bridge/nexus-webhook-sink --port "$SINK_PORT" \
    --file "$RUN/sink-posts.jsonl" --metrics-url "http://127.0.0.1:$HOOK_PORT/hooks/metrics/$sink_account" >"$RUN/sink.log" 2>&1 </dev/null &
  echo $! >"$RUN/sink.pid"
fi
for _ in $(seq 50); do
  if curl -s -o /dev/null "http://127.0.0.1:$SINK_PORT/posts"; then break; fi
  sleep 0.1
done
running "$RUN/sink.pid" || { tail -n 5 "$RUN/sink.log" >&2; die "the webhook sink does not run: is port $SINK_PORT taken? NEXUS_SINK_PORT names another"; }
if ! running "$RUN/publisher.pid"; then
  NEXUS_DB_URI="host=$socket user=nexus_bridge dbname=nexus" NEXUS_PUBLISHER_KEY_FILE=$RUN/publisher-keys \
    NEXUS_MEDIA_STORE=$RUN/media NEXUS_PUBLISHER_ALLOW_NETWORK=127.0.0.0/8 NEXUS_PUBLISHER_HOOK_PORT=$HOOK_PORT setsid build/dev/bridge/nexus-publisher >"$RUN/publisher.log" 2>&1 </dev/null &
  echo $! >"$RUN/publisher.pid"
fi

# Without a provider the AI worker waits, and so do its tasks; keys (NEXUS_AI_KEY_...) come from this script's environment.
if ! running "$RUN/ai.pid"; then
  NEXUS_DB_URI="host=$socket user=nexus_bridge dbname=nexus" NEXUS_AI_ALLOW_NETWORK=${NEXUS_AI_ALLOW_NETWORK:-127.0.0.0/8} \
    setsid build/dev/bridge/nexus-ai-worker >"$RUN/ai.log" 2>&1 </dev/null &
  echo $! >"$RUN/ai.pid"
fi

# Media are kept in a directory beside the data.
if ! running "$RUN/media.pid"; then
  NEXUS_DB_URI="host=$socket user=nexus_bridge dbname=nexus" NEXUS_MEDIA_STORE=$RUN/media \
    setsid build/dev/bridge/nexus-media-worker >"$RUN/media.log" 2>&1 </dev/null &
  echo $! >"$RUN/media.pid"
fi

scripts/tour.sh
