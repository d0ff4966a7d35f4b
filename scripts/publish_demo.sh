#!/usr/bin/env bash
# scripts/publish_demo.sh [SECONDS]: as a demo user and over HTTP, schedules a post SECONDS (20) ahead to the webhook sink of
# "make up", and waits for the event that tells of its publication. Prints both; fails when it does not come in time.
source "$(dirname "$0")/lib.sh"

ahead=${1:-20}
url=http://127.0.0.1:${NEXUS_SERVER_PORT:-3000}
user=seed-1-1
token=$(scripts/token.sh "$user")
account=$(psql -XqAt -h "$(socket_dir up)" -U postgres nexus -c \
  "SELECT id FROM social_accounts WHERE user_id = '$user' AND platform = 'webhook' AND account_id = 'demo-sink'")
[ -n "$account" ] || die "the demo has no webhook account: make up"
title="Demo of $(date -u +%FT%TZ)"
at=$(date -u -d "+$ahead seconds" +%FT%TZ)

events=$(mktemp)
curl -sN --max-time $((ahead + 30)) "$url/events" -H "Authorization: Bearer $token" >"$events" &
stream=$!
trap 'kill "$stream" 2>/dev/null || true; rm -f "$events"' EXIT
for _ in $(seq 50); do
  if grep -q '^id: ' "$events"; then break; fi
  sleep 0.1
done

body=$(printf '{"posts": [{"title": "%s", "caption": "%s: fresh bread at noon #sourdough", "at": "%s", "account_ids": [%s]}]}' \
  "$title" "$title" "$at" "$account")
answer=$(curl -sf "$url/rpc/schedule_posts" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d "$body") ||
  die "the post was not scheduled"
grep -q '"schedule_id":[0-9]' <<<"$answer" || die "the post was not scheduled: $answer"
echo "scheduled for $at: $answer"

for _ in $(seq $((10 * (ahead + 25)))); do
  if grep -qF "$title" "$events"; then
    echo "event at $(date -u +%FT%T.%3NZ): $(grep -F "$title" "$events")"
    grep -qF "\"type\":\"post_published\"" <<<"$(grep -F "$title" "$events")" || die "it was not published"
    echo "the sink has: $(grep -F "$title" "$RUN/sink-posts.jsonl" | cut -c1-160)"
    exit 0
  fi
  sleep 0.1
done
die "no event came; see $RUN/publisher.log"
