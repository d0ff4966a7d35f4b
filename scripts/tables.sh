#!/usr/bin/env bash
# The 16 tables, each with a command that shows its feature at work on the system of "make up". Prints docs/tables.md;
# with --run every command is run and its answer compared, and docs/tables.md must be what this prints.
source "$(dirname "$0")/lib.sh"

intro() {
  cat <<'MD'
# The 16 tables, each at work

One command for each table, against the system that `make up` starts, in a shell in this folder with

```sh
psql="psql -X -h $PWD/.run/up -U postgres nexus"; url=http://127.0.0.1:3000
me="Authorization: Bearer $(scripts/token.sh seed-1-1)"; json='Content-Type: application/json'
scripts/publish_demo.sh # a post to look at
```

`scripts/tables.sh --run`, a line of `make tour`, runs all of them and compares what they answer. This page is what
`scripts/tables.sh` prints.

| table | what it shows | command |
|---|---|---|
MD
}

# Each: table, what it shows, the command, and an extended regular expression that its answer must match.
rows=()
row() { rows+=("$1" "$2" "$3" "$4"); }

row social_accounts 'tokens are sealed, and no clear one is let in' \
  '$psql -c "SELECT platform, status, left(access_token, 4) AS sealed FROM social_accounts WHERE access_token IS NOT NULL" -c "UPDATE social_accounts SET access_token = '"'clear'"' WHERE user_id = '"'seed-1-1'"'" 2>&1' \
  'webhook .* cn1\..*ERROR'
row post_media 'media are judged by the rules of each platform while the author types' \
  'curl -s $url/rpc/validate -H "$json" -d '"'"'{"draft": {"caption": "a clip", "content_type": "reel", "media": [{"media_type": "video", "mime_type": "video/mp4", "file_size": 9000000000, "duration": 4000}]}, "platforms": ["instagram"]}'"'" \
  '"code":"media'
row ai_generation_tasks 'a task has its job in the background, and says why it waits while no model is configured' \
  '$psql -c "SELECT t.task_type, t.status, t.error_message, j.lane, j.parked FROM ai_generation_tasks t JOIN nexus.jobs j ON j.kind = '"'ai_task'"' AND j.ref_id = t.id WHERE t.status = '"'pending'"' ORDER BY t.id DESC LIMIT 3"' \
  'pending .*(no AI provider|no worker).* ai '
row ai_content_suggestions 'suggestions of the own engines, refreshed by tick()' \
  '$psql -c "SELECT suggestion_type, count(*), min(content) AS example, max(confidence) AS best FROM ai_content_suggestions WHERE metadata ->> '"'source'"' IN ('"'best_times'"', '"'suggest_hashtags'"') GROUP BY 1"' \
  'best_time .*hashtags '
row content_metrics 'samples become increments by local day, asked as the author' \
  'curl -s "$url/rpc/account_summary?user_id=seed-1-1&after=2020-01-01&before=2100-01-01" -H "$me"' \
  '"views":[0-9]{3,}'
row platform_posts 'published once, with every attempt on record' \
  '$psql -c "SELECT pp.id, pp.status, pp.platform_post_id, a.attempt, a.outcome FROM platform_posts pp JOIN nexus.publish_attempts a ON a.platform_post_id = pp.id ORDER BY a.id DESC LIMIT 3"' \
  'published .*sink-[0-9]+ .* ok'
row notifications 'told as they happen, to a client that comes back from where it was (server-sent events)' \
  'curl -sN --max-time 2 $url/events -H "$me" -H "Last-Event-ID: 0" | grep data | tail -n 1' \
  '"type":"[a-z_]+"'
row post_schedules 'when each schedule fires next, in its own zone' \
  '$psql -c "SELECT s.recurrence, s.timezone, n AS next FROM post_schedules s CROSS JOIN LATERAL nexus.schedule_occurrences(s.id, now(), now() + interval '"'30 days'"', 2) n WHERE s.recurrence = '"'weekly'"' ORDER BY s.id LIMIT 4"' \
  'weekly .*[0-9]{4}-[0-9]{2}-[0-9]{2} '
row users 'an e-mail address is one address whatever its case; a clear password is refused' \
  '$psql -c "INSERT INTO users (id, email, password, first_name, last_name) VALUES ('"'x', 'SEED-1-1@demo.invalid', 'secret', 'A', 'B'"')" 2>&1' \
  'ERROR:'
row sessions "a user's sessions are listed" \
  '$psql -c "SELECT sid, user_id, expire > now() AS alive FROM sessions WHERE user_id = '"'seed-1-1'"'"' \
  'seed-session-seed-1-1 '
row projects 'row security: everybody has only their own' \
  '$psql -c "SELECT count(*) AS all_projects FROM projects" && curl -s "$url/rpc/top_content?user_id=seed-1-2&after=2020-01-01&before=2100-01-01" -H "$me"' \
  'all_projects .*\[\]'
row content 'what a state machine allows: published is final' \
  '$psql -c "UPDATE content SET status = '"'draft'"' WHERE status = '"'published'"' AND user_id = '"'seed-1-1'"'" 2>&1' \
  'ERROR: .*published'
row social_posts 'the text of what was sent is frozen' \
  '$psql -c "UPDATE social_posts SET caption = caption || '"'!'"' WHERE status = '"'published'"' AND user_id = '"'seed-1-1'"'" 2>&1' \
  'ERROR: .*frozen'
row niches 'trend, difficulty and keywords computed from what its posts use and how they do' \
  '$psql -c "SELECT n.name, n.trend_score, n.difficulty, n.keywords[1:4], s.posts, s.authors FROM niches n JOIN nexus.niche_stats s ON s.niche_id = n.id ORDER BY s.posts DESC LIMIT 3"' \
  '\(demo 1\) .*\{'
row templates 'variables are filled in, and missing ones reported' \
  '$psql -c "SELECT r.* FROM templates t CROSS JOIN LATERAL nexus.render_template(t.id, jsonb_build_object('"'question', 'Rye?', 'one', 'mix'"')) r ORDER BY t.id LIMIT 1"' \
  '[{]two,three[}]'
row hashtag_suggestions 'the most used hashtags by platform and niche, kept by tick(), completed while one types' \
  '$psql -qc "SELECT nexus.refresh_hashtag_suggestions() AS written" -c "SELECT platform, category, hashtag, usage_count FROM hashtag_suggestions WHERE computed_at IS NOT NULL ORDER BY usage_count DESC, id LIMIT 3"' \
  'usage_count .*[|] +[0-9]+'

print() {
  intro
  local i
  for ((i = 0; i < ${#rows[@]}; i += 4)); do
    printf '| %s | %s | `%s` |\n' "${rows[i]}" "${rows[i + 1]}" "${rows[i + 2]//|/\\|}"
  done
}

if [ "${1:-}" != --run ]; then
  print
  exit 0
fi

diff <(print) docs/tables.md >&2 || die "docs/tables.md is not what scripts/tables.sh prints"
export psql url me json
psql="psql -X -h $(socket_dir up) -U postgres nexus"
url=http://127.0.0.1:${NEXUS_SERVER_PORT:-3000}
me="Authorization: Bearer $(scripts/token.sh seed-1-1)"
json='Content-Type: application/json'
for ((i = 0; i < ${#rows[@]}; i += 4)); do
  answer=$(bash -c "${rows[i + 2]}" | tr '\n' ' ') || true
  [[ $answer =~ ${rows[i + 3]} ]] || die "${rows[i]}: ${rows[i + 2]} answered $answer"
  printf '%-24s %s\n' "${rows[i]}" "$(tr -s ' -' <<<"$answer" | cut -c1-150)"
done
