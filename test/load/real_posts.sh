#!/usr/bin/env bash
# Real posts through the guarded tables: test/load/real_posts.sh FILE.jsonl.gz
#
# FILE holds one {"id", "text", "tags", "niche", "t"} a line. Every post becomes published content with its hashtags put
# back, five metric snapshots come in by nexus.ingest_metrics, every tenth gets a scheduled social post, all are learned;
# then four questions go over HTTP. Prints rows per second of each step. A cluster and a bridge of its own.
source "$(dirname "$0")/../../scripts/lib.sh"

file=$(realpath "${1:?usage: test/load/real_posts.sh FILE.jsonl.gz}")
export NEXUS_RUN_DIR=$ROOT/.run/load
RUN=$NEXUS_RUN_DIR
rm -rf "$RUN"
mkdir -p "$RUN"
install_extension
cmake --preset dev >/dev/null && cmake --build --preset dev --target creatornexus-bridge >/dev/null
cluster_start load
trap 'kill "$(cat "$RUN/bridge.pid" 2>/dev/null)" 2>/dev/null || true; cluster_stop load' EXIT
create_database load nexus
socket=$(socket_dir load)
export PGHOST=$socket PGUSER=postgres PGDATABASE=nexus

sql() { psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }

# step NAME SQL: runs it, with the number of rows it returns and rows per second
step() {
  local started rows seconds
  started=$(date +%s.%N)
  rows=$(sql -c "SET nexus.import_mode = on" -c "$2" | tail -n 1)
  seconds=$(echo "$(date +%s.%N) - $started" | bc)
  printf '%-28s %8d rows  %8.0f rows/s\n' "$1" "$rows" "$(echo "$rows / $seconds" | bc -l)"
}

sql -c "CREATE UNLOGGED TABLE staging (n bigint GENERATED ALWAYS AS IDENTITY, post jsonb)"
gunzip -c "$file" | sql -c "\\copy staging (post) FROM STDIN WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"
sql -c "INSERT INTO users (id, email, password, first_name, last_name)
        SELECT 'author-' || a, 'author-' || a || '@load.invalid',
               '\$argon2id\$v=19\$m=19456,t=2,p=1\$' || repeat('A', 22) || '\$' || repeat('A', 43), 'Author', a::text FROM generate_series(0, 99) a;
        INSERT INTO projects (user_id, name, type) SELECT id, 'Posts', 'campaign' FROM users;
        INSERT INTO social_accounts (user_id, platform, account_id, account_name) SELECT id, 'mastodon', id, id FROM users"

step "content" "
  WITH made AS (
    INSERT INTO content (user_id, project_id, title, description, platform, content_type, status, published_at, tags, metadata)
    SELECT p.user_id, p.id, 'Post ' || n, left(post ->> 'text', 400) || coalesce((SELECT string_agg(' #' || t, '') FROM jsonb_array_elements_text(post -> 'tags') t), ''),
           'mastodon', 'text', 'published', to_timestamp((post ->> 't')::bigint) AT TIME ZONE 'UTC',
           ARRAY(SELECT jsonb_array_elements_text(post -> 'tags')), jsonb_build_object('n', n, 'niche', post -> 'niche')
      FROM staging JOIN projects p ON p.user_id = 'author-' || n % 100 RETURNING 1)
  SELECT count(*) FROM made"
step "metrics" "
  SELECT sum((r).inserted) FROM (
    SELECT nexus.ingest_metrics(jsonb_agg(jsonb_build_object('content_id', id, 'platform', platform, 'source', 'api',
             'captured_at', nexus.utcnow() - d * interval '1 day', 'views', 100 + id % 97 * (30 - d), 'likes', id % 13 * (30 - d), 'reach', 90 + id % 97 * (30 - d)))) AS r
      FROM content CROSS JOIN (VALUES (25), (20), (15), (10), (5)) v(d) GROUP BY id / 1000) t"
step "social posts, scheduled" "
  WITH made AS (
    INSERT INTO social_posts (user_id, project_id, content_id, title, caption, content_type, status, scheduled_at)
    SELECT user_id, project_id, id, title, description, 'post', 'scheduled', nexus.utcnow() + id * interval '1 minute'
      FROM content WHERE id % 10 = 0 RETURNING 1)
  SELECT count(*) FROM made"
step "schedules" "
  WITH made AS (
    INSERT INTO post_schedules (social_post_id, platform, scheduled_at, recurrence, timezone)
    SELECT id, 'mastodon', scheduled_at, 'weekdays', 'America/New_York' FROM social_posts RETURNING 1)
  SELECT count(*) FROM made"
step "learned" "
  SELECT count(nexus.learn_post(description, ARRAY(SELECT value FROM nexus.entities(description) WHERE kind = 'hashtag'), published_at AT TIME ZONE 'UTC', platform, user_id, metadata ->> 'niche')) FROM content"
sql -c "SELECT nexus.fold_hashtag_stats()" -c "ANALYZE" >/dev/null

port=$((20000 + RANDOM % 10000))
head -c 32 /dev/urandom | base64 | tr -d '\n' >"$RUN/jwt-secret"
NEXUS_DB_URI="host=$socket user=nexus_bridge dbname=nexus" NEXUS_DB_SCHEMAS=nexus NEXUS_DB_ANON_ROLE=nexus_anon \
  NEXUS_JWT_SECRET=$(cat "$RUN/jwt-secret") NEXUS_SERVER_HOST=127.0.0.1 NEXUS_SERVER_PORT=$port \
  NEXUS_ADMIN_SERVER_PORT=$((port + 1)) build/dev/bridge/creatornexus-bridge >"$RUN/bridge.log" 2>&1 &
echo $! >"$RUN/bridge.pid"
for _ in $(seq 100); do curl -sf "http://127.0.0.1:$port/ready" >/dev/null && break || sleep 0.1; done

busiest=$(sql -c "SELECT content_id FROM content_metrics JOIN content c ON c.id = content_id WHERE c.user_id = 'author-7' ORDER BY views DESC LIMIT 1")
token=$(scripts/token.sh author-7)
ask() {
  printf '\n%s\n' "$1"
  shift
  curl -s -w '\n(HTTP %{http_code}, %{time_total} s)\n' -H "Authorization: Bearer $token" "$@"
}
ask "validation" "http://127.0.0.1:$port/rpc/validate" -H 'Content-Type: application/json' \
  -d "$(sql -c "SELECT jsonb_build_object('draft', jsonb_build_object('caption', string_agg(post ->> 'text', ' '), 'content_type', 'text'), 'platforms', '[\"x\", \"bluesky\", \"mastodon\"]'::jsonb) FROM (SELECT post FROM staging ORDER BY length(post ->> 'text') DESC, n LIMIT 3) longest")"
ask "ten hashtags" "http://127.0.0.1:$port/rpc/suggest_hashtags" -H 'Content-Type: application/json' \
  -d '{"body": "Flood water is rising fast, the bridge is closed and volunteers are needed", "max_count": 10}'
ask "ten occurrences" "http://127.0.0.1:$port/rpc/occurrences?rrule=FREQ%3DDAILY&dtstart=2026-10-28T09:00&tz=America/New_York&max_count=10"
ask "thirty days" "http://127.0.0.1:$port/rpc/metrics_series?content_id=$busiest&after=$(date -u -d '-30 days' +%F)&before=$(date -u -d '+1 day' +%F)"
