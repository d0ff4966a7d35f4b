#!/usr/bin/env bash
# The lines that "make up" prints. With --run they are run, each with its output, and must all succeed; a line that needs
# npm installs its parts below .run/npm, and is skipped where npm is not reachable: it ends with status 77 and says so.
source "$(dirname "$0")/lib.sh"

port=${NEXUS_SERVER_PORT:-3000}
url=http://127.0.0.1:$port
psql="psql -X -h $(socket_dir up) -U postgres nexus"
mine="SELECT id FROM content WHERE user_id = 'seed-1-1' AND status = 'published' ORDER BY id LIMIT 1"

lines=(
  # what stands in a text, and where, in characters and in UTF-16 units?
  "$psql -c \"SELECT kind, value, canonical, start_char, end_char, start_utf16 FROM nexus.entities('🍞 #Kraków with @ada, see https://example.org/bread')\""
  # will the platforms take this post, and if not, where is the fault?
  "curl -s $url/rpc/validate -H 'Content-Type: application/json' -d '{\"draft\": {\"caption\": \"Rise early #run\", \"content_type\": \"reel\"}, \"platforms\": [\"instagram\", \"x\"]}'"
  # when does a Friday 09:00 schedule in New York fire, across the end of summer time?
  "curl -s '$url/rpc/occurrences?rrule=FREQ%3DWEEKLY%3BBYDAY%3DFR&dtstart=2026-10-23T09:00&tz=America/New_York&max_count=10'"
  # which hashtags suit a draft, and why?
  "curl -s '$url/rpc/suggest_hashtags?select=hashtag,score,uses' -H 'Content-Type: application/json' -d '{\"body\": \"Three mistakes with sourdough\", \"max_count\": 10}'"
  # how did one piece of content do, day by day, asked as its author?
  "curl -s \"$url/rpc/metrics_series?content_id=\$($psql -qAtc \"$mine\")&after=\$(date -u -d '-30 days' +%F)&before=\$(date -u +%F)\" -H \"Authorization: Bearer \$(scripts/token.sh seed-1-1)\""
  # is a post that is scheduled 20 seconds ahead published in time, and told of as an event?
  "scripts/publish_demo.sh"
  # how is an account connected, with a provider that only this machine has?
  "scripts/connect_demo.sh"
  # how often was that post read and liked where it went? The receiver tells, signed, and its content counts it
  "scripts/metrics_demo.sh"
  # what becomes of a wish for a caption while no model is configured? It waits, and says why
  "$psql -qc \"INSERT INTO ai_generation_tasks (user_id, task_type, prompt) VALUES ('seed-1-1', 'caption', 'A caption for rye bread')\" -c \"SELECT id, task_type, status, error_code, error_message FROM ai_generation_tasks WHERE user_id = 'seed-1-1' ORDER BY id DESC LIMIT 1\""
  # what do the project's own engines suggest without any model?
  "$psql -qAtc \"SELECT nexus.refresh_user_suggestions('seed-1-1')\" && $psql -c \"SELECT suggestion_type, platform, content, confidence FROM ai_content_suggestions WHERE user_id = 'seed-1-1' AND metadata ->> 'source' IN ('best_times', 'suggest_hashtags') ORDER BY suggestion_type, id\" | grep -E '(hashtags|best_time) .*[|]'"
  # which niche does a draft belong to, and why?
  "curl -s '$url/rpc/classify_niche?select=name,score,evidence-%3Ekeywords' -H 'Content-Type: application/json' -d '{\"body\": \"Baking sourdough for a quiet morning\"}'"
  # each of the 16 tables at work (docs/tables.md)
  "scripts/tables.sh --run"
  # does an upload of 20 MB go on after a cut where it stood?
  "scripts/upload_demo.sh"
  # is everything healthy?
  "curl -s -w '%{http_code}\\n' $url/ready"
)

if [ "${1:-}" != --run ]; then
  printf '\nUp. Try, from this folder:\n\n'
  printf '%s\n\n' "${lines[@]}"
  printf 'make status says how it is, make down stops it.\n'
  exit 0
fi

for line in "${lines[@]}"; do
  printf '$ %s\n' "$line"
  status=0
  output=$(bash -o pipefail -c "$line") || status=$?
  if [ "$status" = 77 ]; then
    printf 'skipped: %s\n\n' "$output"
    continue
  fi
  [ "$status" = 0 ] || die "that line failed: $output"
  printf '%s\n\n' "$output"
  [ -n "$output" ] && [[ $output != *'"details":'* ]] || die "that line gave no answer"
done
