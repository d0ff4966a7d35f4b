#!/usr/bin/env bash
# scripts/metrics_demo.sh: reads the demo user's latest post at the webhook sink of "make up" three times and likes it once,
# and waits until these counters, which the sink pushes with a signature, stand in content_metrics. Prints them.
source "$(dirname "$0")/lib.sh"

url=http://127.0.0.1:${NEXUS_SERVER_PORT:-3000}
sink=http://127.0.0.1:${NEXUS_SINK_PORT:-3002}
user=seed-1-1
authorization="Authorization: Bearer $(scripts/token.sh "$user")"
query() { psql -XqAt -h "$(socket_dir up)" -U postgres nexus -c "$1"; }

post=$(query "SELECT pp.social_post_id, pp.platform_post_id FROM platform_posts pp JOIN social_posts p ON p.id = pp.social_post_id
  WHERE p.user_id = '$user' AND pp.platform = 'webhook' AND pp.status = 'published' ORDER BY pp.published_at DESC LIMIT 1")
[ -n "$post" ] || die "no demo post has been published yet: scripts/publish_demo.sh"
remote=${post#*|}
content=$(curl -sf "$url/rpc/content_for_post" -H "$authorization" -H 'Content-Type: application/json' -d "{\"social_post_id\": ${post%|*}}") ||
  die "the post got no content to count on"
views() { query "SELECT COALESCE(max(views), 0) FROM content_metrics WHERE content_id = $content"; }
before=$(views)
for _ in 1 2 3; do curl -sf -o /dev/null "$sink/posts/$remote"; done
curl -sf -o /dev/null -d '' "$sink/posts/$remote/likes"
for _ in $(seq 200); do
  if [ "$(views)" -ge $((before + 3)) ]; then
    echo "post $remote, content $content: $(curl -sf "$url/rpc/metrics_latest?content_id=$content" -H "$authorization")"
    exit 0
  fi
  sleep 0.1
done
die "the counters of post $remote did not come; see $RUN/publisher.log and $RUN/sink.log"
